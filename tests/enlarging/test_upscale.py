"""Enlargement: against bicubic interpolation, on noise, in agreement with the pixels, and with an error bar."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from napari_rsmoe import Restored, denoise, estimate_noise, psnr, upscale
from napari_rsmoe.engine import attention
from napari_rsmoe.enlarging.found_noise import FoundNoise, found_noise
from napari_rsmoe.enlarging.sharpening import overshoot
from napari_rsmoe.errors import StoppedError
from napari_rsmoe.image.inputs import Inputs
from napari_rsmoe.image.reduction import Reduction
from napari_rsmoe.image.resize import cubic
from napari_rsmoe.noise.noise_model import NoiseModel
from napari_rsmoe.notes import gathered

SIDE = 128


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """Part of a grey photograph on [0, 1]."""
    return np.asarray(data.camera()[60 : 60 + SIDE, 170 : 170 + SIDE] / np.float32(255))


def reduced(image: np.ndarray, factor: int, kind: str = "mean") -> np.ndarray:
    """The image with fewer pixels."""
    small = (image.shape[0] // factor, image.shape[1] // factor)
    return Reduction.of(image.shape[:2], small, kind).reduced(image[None])[0]


def bicubic(small: np.ndarray, large: np.ndarray) -> np.ndarray:
    return cubic(small, large.shape[:2])


@pytest.mark.parametrize(
    ("factor", "kind", "least"), [(2, "mean", 1.3), (2, "bicubic", 1.6), (4, "mean", 0.9), (4, "bicubic", 1.5)]
)
def test_detail_is_found_that_bicubic_interpolation_loses(
    photograph: np.ndarray, factor: int, kind: str, least: float
) -> None:
    small = reduced(photograph, factor, kind)
    large = upscale(small, factor, reduction=kind, noise=0)
    assert psnr(large, photograph, 1) > psnr(bicubic(small, photograph), photograph, 1) + least


@pytest.mark.parametrize(("scale", "kind"), [(2, "mean"), (2.5, "mean"), (1.3, "mean"), (3, "bicubic"), (9, "mean")])
def test_the_result_reduced_again_is_the_image(photograph: np.ndarray, scale: float, kind: str) -> None:
    small = photograph[40:66, 40:70]
    large = upscale(small, scale, reduction=kind, preset="fast", noise=0)
    back = Reduction.of(large.shape, small.shape, kind).reduced(large[None])[0]
    assert np.sqrt(np.mean((back - small) ** 2)) < 0.004


def test_a_noisy_image_is_denoised_and_enlarged_at_once(photograph: np.ndarray) -> None:
    small = reduced(photograph, 2)
    for sigma in (15, 25):
        noisy = small + np.random.default_rng(0).normal(0, sigma / 255, small.shape).astype(np.float32)
        known = sigma / 255
        apart = bicubic(denoise(noisy, noise=known).image, photograph)
        at_once = upscale(noisy, 2, noise=known)
        assert psnr(at_once, photograph, 1) > psnr(apart, photograph, 1)


def test_no_strokes_are_painted_on_flat_and_shaded_fields() -> None:
    y, x = np.mgrid[:128, :128] / 128
    shaded = (0.3 + 0.4 * y * x).astype(np.float32)
    shaded[100:, 100:] = 0.9  # Something that sets the range.
    noisy = shaded + np.random.default_rng(1).normal(0, 0.05, shaded.shape).astype(np.float32)
    result = upscale(noisy, 2, preset="fast", return_std=True)
    truth = np.repeat(np.repeat(shaded, 2, 0), 2, 1)
    field = np.s_[8:180, 8:180]
    error = np.abs(result.image - truth)[field]
    assert np.mean(error < 2 * result.std[field]) > 0.9
    assert error.std() < 0.01


@pytest.mark.parametrize(
    ("picture", "factor", "sigma", "least", "most"),
    [("gravel", 2, 0, 0, 0.3), ("grass", 2, 0, 0, 0.2), ("grass", 1, 10, 0.9, 1), ("camera", 4, 5, 0.7, 1)],
)
def test_texture_is_told_from_noise(picture: str, factor: int, sigma: int, least: float, most: float) -> None:
    small = reduced(getattr(data, picture)() / np.float32(255), factor)
    found = found_noise(
        Inputs.of(small + np.random.default_rng(0).normal(0, sigma / 255, small.shape).astype(np.float32))
    )
    assert found.sigma > 0
    assert least <= found.likely <= most


def test_what_becomes_of_noise_that_may_be_texture_is_said(photograph: np.ndarray) -> None:
    given = photograph[:32, :32]
    clean = given + np.float32(0.1)
    for likely, share, word in ((0.02, 0, "kept"), (0.5, 0.5, "50%"), (1.0, 1, "was found and removed")):
        found = FoundNoise(0.1, 0.1, likely)
        with gathered() as said:
            found.say()
        assert len(said) == 1
        assert word in said[0]
        assert "--noise" in said[0]
        assert found.less(given, clean) == pytest.approx(given + np.float32(0.1 * share), abs=1e-6)
        # The error is that of the clean image or noise, if there was noise; otherwise it is what was removed.
        expected = likely * ((share * 0.03) ** 2 + ((1 - share) * 0.1) ** 2) + (1 - likely) * (share * 0.1) ** 2
        assert found.left(np.full((2, 2), 0.03, np.float32)) == pytest.approx(expected**0.5, rel=1e-5)


def test_photon_noise_of_a_small_image_is_measured_by_its_law() -> None:
    y, x = np.mgrid[:96, :96]
    light = 30.0 + 400 / (1 + np.exp(np.hypot(y - 48, x - 48) - 30))
    noisy = np.random.default_rng(0).poisson(light).astype(np.uint16)
    found = found_noise(Inputs.of(noisy))
    assert found.sigma > 0
    assert found.likely > 0.9
    assert isinstance(found.noise, NoiseModel)
    channel = found.noise.channels[0]
    assert channel.variance(light).mean() == pytest.approx(light.mean(), rel=0.3)
    assert channel.gain == pytest.approx(estimate_noise(noisy).channels[0].gain, rel=1e-5)


def test_a_flat_image_stays_flat() -> None:
    assert np.ptp(upscale(np.full((40, 40), 7.0), 2, preset="fast")) == 0


def test_the_error_bar_holds_what_it_promises(photograph: np.ndarray) -> None:
    result = upscale(reduced(photograph, 2), 2, noise=0, return_std=True)
    assert isinstance(result, Restored)
    assert result.std.shape == result.image.shape == photograph.shape
    error = np.abs(result.image - photograph)
    assert 0.55 < np.mean(error < result.std) < 0.85
    assert np.corrcoef(error.ravel(), result.std.ravel())[0, 1] > 0.3
    smaller = upscale(photograph, 0.5, noise=0, preset="fast", return_std=True)
    assert smaller.std.max() < 0.01


def test_sharpening_stays_within_the_values_around_and_says_where_it_leaves_the_data() -> None:
    y, x = np.mgrid[:48, :48]
    disc = (0.5 + 0.4 * np.tanh((12 - np.hypot(y - 24, x - 24)) / 2)).astype(np.float32)
    plain = upscale(disc, 3, noise=0, preset="fast")
    with gathered() as said:
        sharp = upscale(disc, 3, 2.0, noise=0, preset="fast")
    assert sharp.min() >= plain.min()
    assert sharp.max() <= plain.max()
    beyond = float(np.mean(overshoot(sharp[..., None], disc[..., None]) > 0.02))
    assert (beyond > 1e-3) == any("sharpen=2" in note for note in said)
    assert np.mean(np.square(np.diff(sharp))) > np.mean(np.square(np.diff(plain)))


def test_colour_is_enlarged_by_its_brightness() -> None:
    full = data.astronaut()[100:196, 180:276]
    small = full.reshape(48, 2, 48, 2, 3).mean((1, 3)).round().astype(np.uint8)
    large = upscale(small, 2, preset="fast")
    assert large.dtype == np.uint8
    assert psnr(large, full) > psnr(cubic(small, (96, 96)), full) + 1


def test_the_check_and_the_search_for_noise_are_reported_and_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "FIRST", 0.0)
    monkeypatch.setattr(attention, "INTERVAL", 1e-3)
    image = np.random.default_rng(0).poisson(50, (400, 400))
    for stage in ("reading", "noise"):
        with pytest.raises(StoppedError):
            upscale(image, 2, callback=lambda progress, stage=stage: progress.stage == stage and progress.fraction == 0)
