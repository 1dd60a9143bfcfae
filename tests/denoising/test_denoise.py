"""Denoising: gain, error bars, repeatability, cancelling, types and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scenes import noisy_of, scene
from skimage import data

from napari_rsmoe import Denoised, ImageError, PoissonGaussian, Progress, denoise, psnr


@pytest.fixture(scope="module")
def noisy() -> np.ndarray:
    return noisy_of(scene())


@pytest.fixture(scope="module")
def denoised(noisy: np.ndarray) -> Denoised:
    return denoise(noisy)


def test_piecewise_smooth_image_gains_ten_decibels(noisy: np.ndarray, denoised: Denoised) -> None:
    assert psnr(denoised.image, scene()) > psnr(noisy, scene()) + 10
    assert denoised.noise == pytest.approx(0.1, rel=0.1)
    assert len(denoised.models) == 8


def test_photograph_gains_seven_decibels() -> None:
    clean = data.astronaut()[20:180, 150:310].astype(np.float32) / 255
    grainy = noisy_of(clean)
    assert psnr(denoise(grainy).image, clean) > psnr(grainy, clean) + 7


def test_more_models_are_better(noisy: np.ndarray) -> None:
    one, few = (denoise(noisy, models=m, n_kernels=150, preset="fast") for m in (1, 4))
    assert psnr(few.image, scene()) > psnr(one.image, scene()) + 0.1
    assert np.isnan(one.std).all()


def test_spread_is_an_error_bar(noisy: np.ndarray, denoised: Denoised) -> None:
    result = denoised
    assert result.std.shape == noisy.shape
    assert result.std.dtype == np.float32
    error = np.abs(result.image - scene())
    assert 0.5 < np.sqrt(np.mean(error**2) / np.mean(result.std**2)) < 2
    # Where the models disagree most, the error is largest.
    wide = result.std > np.quantile(result.std, 0.9)
    assert error[wide].mean() > 1.5 * error[~wide].mean()


def test_spread_is_in_units_of_the_image(noisy: np.ndarray) -> None:
    unit = denoise(noisy, models=2, preset="fast")
    scaled = denoise(noisy * 1000 - 300, models=2, preset="fast")
    np.testing.assert_allclose(scaled.std, 1000 * unit.std, rtol=0.02, atol=1.5)
    assert scaled.noise == pytest.approx(1000 * unit.noise, rel=1e-3)


def test_same_seed_same_bits_for_any_number_of_threads(noisy: np.ndarray) -> None:
    noisy = noisy[:50, :70]
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(denoise(noisy, models=4, preset="fast", seed=5))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        np.testing.assert_array_equal(other.image, results[0].image)
        np.testing.assert_array_equal(other.std, results[0].std)
    assert not np.array_equal(denoise(noisy, models=4, preset="fast", seed=6).image, results[0].image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, ">u2", np.float16, np.float64])
def test_type_range_and_axes_are_kept(noisy: np.ndarray, dtype: str) -> None:
    kind = np.dtype(dtype)
    scale, offset = (255, 0) if kind == np.uint8 else (4000, 100)
    image = (noisy[:40, :48] * scale + offset).astype(kind)
    result = denoise(image, models=2, preset="fast")
    assert result.image.dtype == kind
    assert result.image.shape == image.shape
    assert image.min() <= result.image.min()
    assert result.image.max() <= image.max()
    moved = denoise(np.moveaxis(image, -1, 0), models=2, preset="fast", channel_axis=0)
    np.testing.assert_array_equal(np.moveaxis(moved.image, 0, -1), result.image)
    assert moved.std.shape == (3, 40, 48)


def test_grey_image(noisy: np.ndarray) -> None:
    grey = noisy[..., 0]
    result = denoise(grey, models=4)
    assert result.image.shape == grey.shape == result.std.shape
    assert psnr(result.image, scene()[..., 0]) > psnr(grey, scene()[..., 0]) + 8


def test_constant_image_stays_constant() -> None:
    for dtype, value in ((np.uint8, 77), (np.float32, 0.3), (np.float64, -1e9)):
        image = np.full((20, 30), value, dtype)
        for noise in ("auto", 0.1):
            result = denoise(image, models=2, noise=noise)
            np.testing.assert_array_equal(result.image, image)
            assert result.std.max() == 0
    assert denoise(image, models=2).noise == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (1, 9), (2, 2), (5, 3), (17, 16, 4)])
def test_tiny_images(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    result = denoise(image, preset="fast")
    assert result.image.shape == shape
    assert np.isfinite(result.image).all()
    assert np.isfinite(result.std).all()


def test_progress_grows_to_the_end_and_previews(noisy: np.ndarray) -> None:
    seen: list[Progress] = []
    denoise(noisy, models=3, preset="fast", callback=seen.append)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert fractions[0] < 0.2
    for progress in (seen[0], seen[-1]):
        assert progress.preview().shape == noisy.shape


def test_cancel_returns_what_the_finished_models_give(noisy: np.ndarray) -> None:
    def stop_at(stage: str) -> int:
        def stop(progress: Progress) -> bool:
            return progress.stage.startswith(stage)

        result = denoise(noisy, models=6, n_kernels=100, preset="fast", callback=stop)
        assert psnr(result.image, scene()) > psnr(noisy, scene())
        return len(result.models)

    assert stop_at("model 4") == 3
    assert stop_at("model 1") == 1


def test_pixels_without_weight_are_filled_in(noisy: np.ndarray) -> None:
    broken, weight = noisy.copy(), np.ones(noisy.shape[:2])
    broken[10:60:7, 10:100:7] = 1
    weight[10:60:7, 10:100:7] = 0
    result = denoise(broken, weight=weight, models=4)
    assert psnr(result.image[weight == 0], scene()[weight == 0]) > 24


@pytest.mark.parametrize(
    "options",
    [
        {"models": 0},
        {"models": 1.5},
        {"n_kernels": 0},
        {"n_kernels": "many"},
        {"noise": -1},
        {"noise": -0.1},
        {"noise": np.nan},
        {"noise": "loud"},
        {"noise": True},
        {"noise": (1, 2)},
        {"noise": (-1.0, 0.0, 1.0)},
        {"noise": (0.0, 5.0, 0.0)},
        {"start": "nowhere"},
        {"preset": "slow"},
    ],
)
def test_bad_options_are_refused(noisy: np.ndarray, options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        denoise(noisy, **options)


@pytest.mark.parametrize("threshold", [10, 20])
@pytest.mark.parametrize("allocation", ["content", "area", "paper"])
def test_kernels_can_be_dealt_out_to_segments(threshold: float, allocation: str) -> None:
    clean = scene(48, 56)
    grainy = noisy_of(clean, 0.03)
    options = {"start": "segmentation", "threshold": threshold, "allocation": allocation}
    result = denoise(grainy, models=2, n_kernels=100, preset="fast", **options)
    assert psnr(result.image, clean) > psnr(grainy, clean) + 8
    counts = {model.n_kernels for model in result.models}
    assert len(counts) == 1
    assert (counts == {100}) == (allocation != "paper")  # the same number for each segment, and some are left
    assert min(counts) > 50


def test_fewer_kernels_than_segments_are_refused(noisy: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"set n_kernels to at least \d+, a larger threshold or another allocation"):
        denoise(noisy, n_kernels=2, start="segmentation", threshold=10, allocation="paper")


def test_bad_images_are_refused() -> None:
    for bad in (np.zeros((4, 4), bool), np.zeros((0, 4)), np.full((4, 4), np.nan), np.zeros((4, 4, 7))):
        with pytest.raises(ImageError):
            denoise(bad)
    with pytest.raises(ImageError):
        denoise(np.zeros((4, 4)), weight=np.zeros((4, 4)))


def test_an_image_without_noise_is_returned_to_the_bit() -> None:
    ramp = np.add.outer(np.arange(80.0), np.arange(90.0)) / 7
    np.testing.assert_array_equal(denoise(ramp, models=2).image, ramp)


def test_dead_pixels_change_nothing_elsewhere() -> None:
    """Neither their height nor NaN: with weight 0 they set no range and attract no kernel."""
    grainy = 255 * noisy_of(scene())
    weight = np.ones(grainy.shape[:2])
    weight[::17, ::13] = 0
    good = weight > 0
    clean = denoise(grainy, models=4).image
    for value in (60_000.0, np.nan):
        broken = grainy.copy()
        broken[~good] = value
        image = denoise(broken, models=4, weight=weight).image
        assert psnr(image[good], 255 * scene()[good], 255) > psnr(clean[good], 255 * scene()[good], 255) - 0.7


def test_a_faint_channel_beside_a_bright_one_is_denoised_too() -> None:
    """A dye of 60 counts beside one of 20 000: noise counts in proportion to the range of its own channel."""
    rng = np.random.default_rng(3)
    bright, faint = np.hypot(*np.mgrid[-1:1:48j, -1:1:48j]) / 1.5, np.mgrid[0:1:48j, 0:1:48j][0] > 0.5
    clean = np.stack([20000 * bright, 60.0 * faint])
    noisy = clean + np.stack([rng.normal(0, 400, bright.shape), rng.normal(0, 2, bright.shape)])
    noise = [PoissonGaussian(0, 0, 400), PoissonGaussian(0, 0, 2)]
    result = denoise(noisy.astype(np.float32), channel_axis=0, preset="fast", noise=noise).image
    errors, before = (np.sqrt(np.mean((each - clean) ** 2, (1, 2))) for each in (result, noisy))
    assert (errors < 0.5 * before).all(), errors / before


def test_noise_factor_multiplies_noise_of_any_form():
    noisy = np.random.default_rng(3).normal(100, 10, (32, 40)).astype(np.float32)
    camera = PoissonGaussian(0.5, 10, 3)
    for noise, stronger in ((10.0, 14.0), (camera, camera.stronger(1.4**2))):
        factor = denoise(noisy, models=2, preset="fast", noise=noise, noise_factor=1.4)
        given = denoise(noisy, models=2, preset="fast", noise=stronger)
        np.testing.assert_array_equal(factor.image, given.image)
        assert factor.noise == given.noise
    measured = [denoise(noisy, models=1, preset="fast", noise_factor=f).noise for f in (1.0, 0.5)]
    assert measured[1] == pytest.approx(measured[0] / 2)
    with pytest.raises(ValueError, match="noise_factor"):
        denoise(noisy, noise_factor=0)
