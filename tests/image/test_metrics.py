"""Measures of likeness, against closed forms, scikit-image and published figures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.util import random_noise

from napari_rsmoe.image.metrics import flops_per_pixel, paper_ssim, psnr, ssim

MEASURES = [psnr, ssim, paper_ssim]


def pair(shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    reference = rng.random(shape)
    return np.clip(reference + rng.normal(0, 0.1, shape), 0, 1), reference


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64])
def test_equal_images(dtype: type) -> None:
    image = (np.random.default_rng(0).random((16, 20, 3)) * 100).astype(dtype)
    assert psnr(image, image) == float("inf")
    assert ssim(image, image) == pytest.approx(1, abs=1e-12)
    assert paper_ssim(image, image) == pytest.approx(1, abs=1e-12)


def test_psnr_in_closed_form() -> None:
    black = np.zeros((5, 7))
    assert psnr(black + 1, black) == pytest.approx(0)
    assert psnr(black + 0.1, black) == pytest.approx(20)
    assert psnr(black + 0.1, black, data_range=10) == pytest.approx(40)
    half = black.copy()
    half[:, :3] = 0.1  # 3 of 7 columns are off
    assert psnr(half, black) == pytest.approx(20 + 10 * np.log10(7 / 3))


def test_psnr_takes_one_mean_over_the_channels() -> None:
    black = np.zeros((4, 4, 2))
    image = black + np.array([0.1, 0.0])
    assert psnr(image, black) == pytest.approx(20 + 10 * np.log10(2))


def test_psnr_does_not_clip_or_wrap() -> None:
    assert psnr(np.full((2, 2), 1.5), np.ones((2, 2))) == pytest.approx(10 * np.log10(4))
    low, high = np.zeros((3, 3), np.uint8), np.full((3, 3), 255, np.uint8)
    assert psnr(low, high) == pytest.approx(0)
    assert psnr(high, low) == pytest.approx(0)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 4), st.integers(0, 2**32 - 1))
def test_psnr_agrees_with_scikit_image(height: int, width: int, channels: int, seed: int) -> None:
    image, reference = pair((height, width, channels)[: 2 + (channels > 0)], seed)
    expected = peak_signal_noise_ratio(reference, image, data_range=1)
    assert psnr(image, reference, data_range=1) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_units_do_not_matter(measure: Callable[..., float]) -> None:
    rng = np.random.default_rng(1)
    image, reference = (rng.integers(0, 256, (20, 24, 3), np.uint8) for _ in range(2))
    value = measure(image, reference)
    assert measure(image / 255, reference / 255) == pytest.approx(value, rel=1e-9)
    as_float32 = measure((image / 255).astype(np.float32), (reference / 255).astype(np.float32))
    assert as_float32 == pytest.approx(value, rel=1e-5)
    assert measure(image.astype(float), reference.astype(float), data_range=255) == pytest.approx(value)
    wide = measure(image.astype(np.uint16) * 257, reference.astype(np.uint16) * 257)
    assert wide == pytest.approx(value, rel=1e-9)
    big_endian = image.astype(np.dtype(np.uint16).newbyteorder(">")) * 257
    assert measure(big_endian, reference.astype(np.uint16) * 257) == pytest.approx(value, rel=1e-9)


def test_default_range_of_floats() -> None:
    image, reference = pair((8, 9))
    assert psnr(image, reference) == psnr(image, reference, data_range=1)
    dim = reference * 0.3
    assert psnr(image, dim) == psnr(image, dim, data_range=np.ptp(dim))
    beyond = reference * 7 - 2
    span = beyond.max() - beyond.min()
    assert psnr(image, beyond) == psnr(image, beyond, data_range=span)


@pytest.mark.parametrize(
    ("image", "reference", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), "shape"),
        (np.zeros((0, 3)), np.zeros((0, 3)), "empty"),
        (np.zeros((2, 2), bool), np.zeros((2, 2), bool), "bool"),
        (np.zeros((2, 2), complex), np.zeros((2, 2)), "complex"),
        (np.full((2, 2), np.nan), np.zeros((2, 2)), "NaN"),
        (np.zeros((2, 2)), np.full((2, 2), np.inf), "NaN or infinity"),
        (np.zeros((2, 2)), np.zeros((2, 2), np.uint8), "data_range"),
        (np.zeros((2, 2), np.uint16), np.zeros((2, 2), np.uint8), "data_range"),
        (np.zeros((2, 2)), np.full((2, 2), 7.0), "constant"),
    ],
)
@pytest.mark.parametrize("measure", MEASURES)
def test_refused(measure: Callable[..., float], image: np.ndarray, reference: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure(image, reference)


@pytest.mark.parametrize("data_range", [0, -1, float("nan"), float("inf")])
def test_bad_range_is_refused(data_range: float) -> None:
    with pytest.raises(ValueError, match="data_range"):
        psnr(np.zeros((2, 2)), np.ones((2, 2)), data_range)


@pytest.mark.parametrize("shape", [(11, 11), (17, 31), (24, 19, 3), (13, 12, 4)])
def test_ssim_agrees_with_scikit_image(shape: tuple[int, ...]) -> None:
    image, reference = pair(shape)
    expected = structural_similarity(
        reference,
        image,
        data_range=1,
        channel_axis=-1 if len(shape) == 3 else None,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(image, reference) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("measure", [ssim, paper_ssim])
def test_channels_may_lie_anywhere(measure: Callable[..., float]) -> None:
    image, reference = pair((15, 18, 3))
    value = measure(image, reference)
    mean = np.mean([measure(image[..., c], reference[..., c]) for c in range(3)])
    assert value == pytest.approx(mean)
    first = measure(np.moveaxis(image, -1, 0), np.moveaxis(reference, -1, 0), channel_axis=0)
    assert first == pytest.approx(value)


@pytest.mark.parametrize("measure", [ssim, paper_ssim])
@pytest.mark.parametrize("shape", [(12,), (12, 12, 5), (12, 12, 12, 3)])
def test_ambiguous_axes(measure: Callable[..., float], shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="channel_axis"):
        measure(*pair(shape))


@pytest.mark.parametrize("shape", [(10, 30), (30, 10), (1, 1)])
def test_ssim_needs_a_window(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="11 x 11"):
        ssim(*pair(shape))
    assert -1 <= paper_ssim(*pair(shape)) <= 1


def test_paper_ssim_by_hand() -> None:
    """Written out for every pixel of a small image, with explicit zeros around it."""
    image, reference = pair((6, 5))
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / 4.5)
    weights /= weights.sum()
    a, b = np.pad(image, 5), np.pad(reference, 5)
    values = []
    for y, x in np.ndindex(image.shape):
        p, q = a[y : y + 11, x : x + 11], b[y : y + 11, x : x + 11]
        mean_p, mean_q = (weights * p).sum(), (weights * q).sum()
        var_p, var_q = (weights * p * p).sum() - mean_p**2, (weights * q * q).sum() - mean_q**2
        cov = (weights * p * q).sum() - mean_p * mean_q
        top = (2 * mean_p * mean_q + 1e-4) * (2 * cov + 9e-4)
        values.append(top / ((mean_p**2 + mean_q**2 + 1e-4) * (var_p + var_q + 9e-4)))
    assert paper_ssim(image, reference) == pytest.approx(np.mean(values), rel=1e-9)


def test_flops_per_pixel() -> None:
    assert flops_per_pixel(0, 3) == 3
    assert flops_per_pixel(1, 1) == 16
    assert flops_per_pixel(28, 3) == 28 * 19 + 3
    # The paper's Table I: kernels a block, operations a pixel.
    for kernels, operations in [(2000, 4000), (56, 112), (40, 80), (10000, 20000), (51, 102)]:
        assert flops_per_pixel(kernels, counting="paper") == operations
    with pytest.raises(ValueError, match="kernels_per_tile"):
        flops_per_pixel(-1)
    with pytest.raises(ValueError, match="channels"):
        flops_per_pixel(1, 0)
    with pytest.raises(ValueError, match="counting"):
        flops_per_pixel(1, counting="half")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("level", "variance", "decibel", "similarity"), [(0, 0.0037, 24.44, 0.495), (3, 0.05, 13.84, 0.137)]
)
def test_noisy_kodak_meets_the_protocol(
    kodak: Callable[[int], np.ndarray], level: int, variance: float, decibel: float, similarity: float
) -> None:
    """The "noisy" row of the table in the README of the test images."""
    psnrs, ssims = [], []
    for number in range(1, 24, 2):
        clean = kodak(number) / 255
        seed = 20250600 + 1000 * level + number
        noisy = random_noise(clean, mode="gaussian", var=variance, clip=True, rng=seed)
        psnrs.append(psnr(noisy, clean))
        ssims.append(ssim(noisy, clean))
    assert np.mean(psnrs) == pytest.approx(decibel, abs=0.006)
    assert np.mean(ssims) == pytest.approx(similarity, abs=0.001)
