"""Each peer against an independent implementation or a closed form, so that no broken peer is beaten."""

from __future__ import annotations

import io
import pickle
from types import ModuleType

import bm3d
import numpy as np
import pytest
import pywt
import torch
from scipy.ndimage import uniform_filter
from skimage import data, filters

from napari_rsmoe.bench import perceptual
from napari_rsmoe.bench.peers import bm3d as bm3d_peer
from napari_rsmoe.bench.peers import (
    bm3d_blind,
    gaussian_blur,
    gaussian_image,
    interpolation,
    multi_model,
    nl_ridge,
    nonlocal_means,
    similar_patches,
    total_variation,
    vst_bm3d,
    wavelet,
    wnnm,
)
from napari_rsmoe.bench.peers.denoiser import Denoised, Noisy
from napari_rsmoe.bench.peers.methods import FITS
from napari_rsmoe.bench.protocol import quality, unit
from napari_rsmoe.engine import reference


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """(48, 64, 3) uint8."""
    image: np.ndarray = data.cat()[100:148, 150:214]
    return image


@pytest.fixture(scope="module")
def noisy(photo: np.ndarray) -> Noisy:
    clean = unit(photo)
    added = clean + 0.1 * np.random.default_rng(0).standard_normal(clean.shape)
    return Noisy(added.astype(np.float32), 0.1, False, clean)


def grey(noisy: Noisy) -> Noisy:
    return Noisy(np.ascontiguousarray(noisy.image[..., 0]), noisy.sigma, False, noisy.clean[..., 0])


def psnr(result: np.ndarray, noisy: Noisy) -> float:
    return quality(result, noisy.clean)["psnr"]


# ---------------------------------------------------------------------------------------------- fits


@pytest.mark.parametrize("method", FITS, ids=lambda method: method.name)
def test_fits_draw_what_the_plain_mixture_says(method, photo):
    model = method.fit(photo, 60, 120, 0)
    drawn = reference.render(
        model.geometry.double(), model.experts.double(), *model.shape, normalised=model.mode == "smoe"
    ).clamp(0, 1)
    assert model.n_kernels == 60
    error = np.abs(unit(model.render()) - (drawn * model.layout.span + model.layout.low).permute(1, 2, 0).numpy() / 255)
    # The paper's ellipse and GaussianImage's 3 standard deviations cut tails off; the rest is rounding to 8 bits.
    assert np.quantile(error, 0.99) < (0.02 if model.confidence else 0.003)


def test_gaussian_image_is_a_sum_of_gaussians_with_cholesky_covariance():
    rng = np.random.default_rng(0)
    y, x, l11, l22 = rng.uniform(2, 14, (4, 3)) / np.array([1, 1, 5, 5])[:, None]
    l21, colours = rng.uniform(-2, 2, 3), rng.random((3, 2))
    geometry = gaussian_image.geometry_of(*map(torch.tensor, (y, x, l11, l21, l22)))
    image = reference.render(geometry, torch.tensor(colours), 16, 16, normalised=False).numpy()
    rows, columns = np.mgrid[:16, :16]
    expected = np.zeros((2, 16, 16))
    for k in range(3):
        factor = np.array([[l11[k], 0], [l21[k], l22[k]]])
        offset = np.stack([columns - x[k], rows - y[k]])
        distance = np.einsum("iyx,ij,jyx->yx", offset, np.linalg.inv(factor @ factor.T), offset)
        expected += colours[k][:, None, None] * np.exp(-distance / 2)
    np.testing.assert_allclose(image, expected, atol=1e-9)


def test_adan_follows_its_definition():
    target = torch.tensor([1.0, -2.0], dtype=torch.float64)
    value = torch.zeros(2, dtype=torch.float64)
    optimiser = gaussian_image.Adan([value])
    b1, b2, b3 = gaussian_image.BETAS
    x, m, v, n, last = np.zeros(2), np.zeros(2), np.zeros(2), np.zeros(2), None
    for step in range(1, 30):
        optimiser.step((2 * (value - target),), 0.05)
        g = 2 * (x - target.numpy())
        change = np.zeros(2) if last is None else g - last
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * change
        n = b3 * n + (1 - b3) * (g + b2 * change) ** 2
        last = g
        update = m / (1 - b1**step) + b2 * v / (1 - b2**step)
        x = x - 0.05 * update / (np.sqrt(n / (1 - b3**step)) + 1e-8)
    np.testing.assert_allclose(value.numpy(), x, rtol=1e-9)


def test_gaussian_image_learns(photo):
    course: list[tuple[int, float, float]] = []
    model = gaussian_image.fit(photo, 150, 700, 0, course)
    assert course[-1][1] < 0.1 * course[0][1]
    assert quality(unit(model.render()), unit(photo))["psnr"] > 18


# ---------------------------------------------------------------------------------------------- denoisers


def test_multi_model_puts_the_models_back_in_place(noisy):
    recipe = multi_model.Recipe(60_000, multi_model.TUNED["smoe"].settings)
    rows = multi_model.denoising("MM", 16, "smoe", None, recipe)(noisy, 0)
    assert list(rows) == ["MM, 1 model", "MM, 8 models", "MM, 16 models"]
    assert [row.share for row in rows.values()] == [1 / 16, 0.5, 1]
    one, eight, sixteen = (psnr(row.image, noisy) for row in rows.values())
    assert sixteen > eight > one > psnr(noisy.image, noisy)
    moved = Denoised(np.roll(rows["MM, 16 models"].image, 1, axis=1))
    assert psnr(moved.image, noisy) < one


def test_multi_model_s_segmentation_start():
    step = (0.5 + 0.1 * (np.mgrid[:40, :40][1] > 19)).astype(np.float32)
    flat = Noisy(step, 0.1, False, step)
    for recipe in (multi_model.TUNED["smoe"], multi_model.RELEASED):
        rows = multi_model.denoising("MM", 1, "smoe", 20.0, recipe)(flat, 0)
        assert np.abs(rows["MM, 1 model"].image - step).mean() < 0.01


def test_bm3d_in_its_three_forms(noisy):
    """Every call takes half a second, however small the image is, so that two channels stand for three."""
    two = Noisy(noisy.image[..., :2], noisy.sigma, False, noisy.clean[..., :2])
    channels, first = (method(two, 0) for method in (bm3d_peer.each_channel, bm3d_peer.first_stage))
    results = (bm3d_peer.colour(noisy, 0)[..., :2], channels, first, two.image)
    colour, each, start, before = (float(np.square(result - two.clean).mean()) for result in results)
    assert colour < each < start < before / 2
    one = grey(noisy)
    plain = np.squeeze(bm3d.bm3d(one.image.astype(float), 0.1))
    np.testing.assert_allclose(channels[..., 0], plain, atol=1e-5)
    assert psnr(bm3d_blind.denoise(one, 0), one) == pytest.approx(psnr(plain, one), abs=0.5)
    constant = Noisy(np.full((32, 32), 0.5, np.float32), 0.0, False, np.full((32, 32), 0.5))
    np.testing.assert_array_equal(bm3d_blind.denoise(constant, 0), constant.image)


def test_variance_stabilisation_against_drawn_photons():
    rng = np.random.default_rng(0)
    gain, read = 0.02, 0.03
    clean = np.tile(np.linspace(0.05, 0.95, 160), (160, 1))
    seen = gain * rng.poisson(clean / gain) + read * rng.standard_normal(clean.shape)
    given = Noisy(seen.astype(np.float32), 0.1, False, clean)
    law = vst_bm3d.true_model(given)
    assert law.gain == pytest.approx(gain, rel=0.05)
    assert law.variance(np.array([0.5])) == pytest.approx(gain * 0.5 + read**2, rel=0.03)
    part = Noisy(given.image[:64], 0.1, False, clean[:64])
    result = vst_bm3d.true_noise(part, 0)
    best = psnr(result, part)
    assert best > psnr(bm3d_peer.colour(part, 0), part)
    assert psnr(vst_bm3d.blind(part, 0), part) == pytest.approx(best, abs=0.7)
    # The mean of each strip of one brightness comes back without bias.
    np.testing.assert_allclose(result[8:-8, 20:140].mean(0), clean[0, 20:140], rtol=0.1)
    assert result[8:-8, 20:40].mean() == pytest.approx(clean[0, 20:40].mean(), rel=0.03)


def test_nonlocal_means_becomes_a_box_where_all_patches_are_alike(noisy):
    one = Noisy(grey(noisy).image, 100.0, False, noisy.clean)
    inside = (slice(9, -9), slice(9, -9))
    np.testing.assert_allclose(nonlocal_means.denoise(one, 0)[inside], uniform_filter(one.image, 13)[inside], atol=1e-4)


def test_wavelet_shrinkage_by_its_formula(noisy):
    one = grey(noisy)
    coefficients = pywt.wavedecn(one.image.astype(float), "db1", level=pywt.dwtn_max_level(one.image.shape, "db1") - 3)
    for details in coefficients[1:]:
        for name, values in details.items():
            signal = np.sqrt(max(np.mean(values**2) - one.sigma**2, np.finfo(float).eps))
            details[name] = pywt.threshold(values, one.sigma**2 / signal, "soft")
    np.testing.assert_allclose(wavelet.denoise(one, 0), pywt.waverecn(coefficients, "db1"), atol=2e-4)


def test_total_variation_of_a_step_in_closed_form():
    columns, sigma = 6, 0.2
    step = np.repeat([0.0, 1.0], columns)[None].repeat(30, 0).astype(np.float32)
    shift = total_variation.WEIGHT * sigma / columns  # each half gives way by weight / width
    expected = np.where(step > 0.5, 1 - shift, shift)
    np.testing.assert_allclose(total_variation.denoise(Noisy(step, sigma, False, step), 0), expected, atol=1e-3)


def test_oracles_choose_what_the_truth_likes(noisy):
    best = psnr(total_variation.oracle(noisy, 0), noisy)
    assert best >= psnr(total_variation.denoise(noisy, 0), noisy) - 0.05
    blurred = [filters.gaussian(noisy.image, width, channel_axis=-1, mode="reflect") for width in gaussian_blur.WIDTHS]
    assert psnr(gaussian_blur.oracle(noisy, 0), noisy) == pytest.approx(max(psnr(b, noisy) for b in blurred), abs=0.01)


# ---------------------------------------------------------------------------------------------- enlargement


def test_interpolation_by_its_formula():
    row = np.random.default_rng(0).random(24).astype(np.float32)
    image, scale = np.tile(row, (24, 1)), 4

    def lanczos(t: np.ndarray) -> np.ndarray:
        return np.where(np.abs(t) < 3, np.sinc(t) * np.sinc(t / 3), 0)

    def cubic(t: np.ndarray) -> np.ndarray:
        t, a = np.abs(t), -0.5
        near, far = ((a + 2) * t - (a + 3)) * t**2 + 1, ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
        return np.where(t < 1, near, np.where(t < 2, far, 0))

    for name, kernel in (("Lanczos", lanczos), ("bicubic", cubic)):
        large = interpolation.enlarge(name)(image, scale, 1.0, 0)
        assert large.shape == (96, 96)
        for place in range(20, 76):
            weights = kernel((place + 0.5) / scale - 0.5 - np.arange(24))
            assert large[48, place] == pytest.approx(float(weights @ row / weights.sum()), abs=1e-4)
    np.testing.assert_array_equal(
        interpolation.enlarge("nearest neighbour")(image, 2, 1.0, 0), image.repeat(2, 0).repeat(2, 1)
    )


# ---------------------------------------------------------------------------------------------- perceptual distance


def test_weights_are_read_without_running_anything():
    class Evil:
        def __reduce__(self):
            return print, ("gone wrong",)

    with pytest.raises(pickle.UnpicklingError, match="no place"):
        perceptual._ArraysOnly(io.BytesIO(pickle.dumps({"a": Evil()}))).load()
    arrays = {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}
    found = perceptual._ArraysOnly(io.BytesIO(pickle.dumps(arrays, protocol=4))).load()
    np.testing.assert_array_equal(found["kernel"], arrays["kernel"])


@pytest.mark.skipif(bool(perceptual.why_not()), reason="the weights of LPIPS are not installed")
def test_lpips_by_hand(photo):
    a, b = unit(photo), unit(photo[:, ::-1])
    for net in perceptual.FILES:
        assert perceptual.lpips(a, a, net) == 0
        slight = perceptual.lpips(np.clip(a + 0.02, 0, 1), a, net)
        assert 0 < slight < perceptual.lpips(b, a, net)
    # the first layer of AlexNet in NumPy
    kernels, heads = perceptual._weights("alex")
    features = []
    for image in (a, b):
        x = np.pad((image - perceptual.SHIFT) / perceptual.SCALE, ((2, 2), (2, 2), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(x, (11, 11), (0, 1))[::4, ::4]
        y = np.maximum(
            np.einsum("yxcij,ocij->oyx", windows, kernels[0][0].numpy()) + kernels[0][1].numpy()[:, None, None], 0
        )
        features.append(y / (np.sqrt((y**2).sum(0)) + 1e-10))
    expected = np.einsum("oyx,o->yx", (features[0] - features[1]) ** 2, heads[0].numpy()[0, :, 0, 0]).mean()
    first = [perceptual._features(perceptual._input(image), kernels, "alex")[0] for image in (a, b)]
    assert float(perceptual._distance(*first, heads[0])) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("method", [wnnm, nl_ridge], ids=["wnnm", "nl-ridge"])
def test_methods_of_similar_patches_beat_a_blur(method: ModuleType) -> None:
    """On stripes, whose patches repeat; the members of a group are the nearest of all."""
    y, x = np.mgrid[:24, :26]
    clean = 0.5 + 0.2 * np.sin(0.9 * x + 0.4 * y)
    noisy = Noisy(
        (clean + 0.05 * np.random.default_rng(0).normal(size=clean.shape)).astype(np.float32), 0.05, False, clean
    )
    assert psnr(method.denoise(noisy, 0), noisy) > psnr(gaussian_blur.oracle(noisy, 0), noisy)
    members = similar_patches.groups(clean, 6, 7, 50, 9)
    every = similar_patches.patches(clean, 6)
    distances = np.square(every[members[:, :1]] - every).sum(2)
    found = np.take_along_axis(distances, members, 1)
    np.testing.assert_allclose(found, np.sort(distances, 1)[:, :9], atol=1e-4)
