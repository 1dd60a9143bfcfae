"""Noise that neighbours share is filtered at several scales."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_rsmoe import engine
from napari_rsmoe.denoising.multiscale import (
    LEAST_CORRELATED,
    patch_correlation,
    refine_scales,
    refine_scales_with_noise,
)
from napari_rsmoe.denoising.nonlocal_bayes import refine
from napari_rsmoe.noise.noise_model import BLOCK

SIGMA = 0.08
VARIANCE = np.float32(SIGMA**2)


def soft_noise(shape: tuple[int, ...], width: float) -> tuple[np.ndarray, np.ndarray]:
    """Blurred noise of variance 1, and the spectrum of mean 1 of each plane."""
    point = np.zeros((BLOCK, BLOCK))
    point[0, 0] = 1
    spectrum = np.square(np.abs(np.fft.fft2(gaussian_filter(point, width, mode="wrap")))) + 1e-3
    noise = gaussian_filter(np.random.default_rng(0).normal(size=shape), (0, width, width), mode="wrap")
    return noise / noise.std(), np.tile(spectrum / spectrum.mean(), (shape[0], 1, 1))


def error(image: np.ndarray, clean: np.ndarray) -> float:
    return float(np.mean(np.square(image - clean)))


@pytest.mark.parametrize("size", [(112, 128), (105, 131)], ids=["even", "odd"])
def test_blobs_that_one_scale_leaves_are_removed(size: tuple[int, int]) -> None:
    y, x = np.mgrid[: size[0], : size[1]]
    disc = (y - 60) ** 2 + (x - 50) ** 2 < 30**2
    clean = np.stack([0.3 + 0.4 * disc, 0.5 + 0.2 * np.sin(x / 9)]).astype(np.float32)
    noise, spectrum = soft_noise(clean.shape, 1.2)
    noisy = (clean + SIGMA * noise).astype(np.float32)
    pilot = gaussian_filter(noisy, (0, 3, 3))  # much of the blobs is left in it
    variance = np.full_like(clean, VARIANCE)
    one = refine(noisy, pilot, variance, patch_correlation(spectrum, engine.PATCH_SIDE))
    scales = refine_scales(noisy, pilot, variance, spectrum)
    assert error(scales.image, clean) < 0.6 * min(error(one.image, clean), error(pilot, clean))
    # What the filter says is left of the noise is no more than there was, and less than one scale leaves.
    assert 0 < scales.leverage.mean() < 0.8 * one.leverage.mean() < 0.8


def test_noise_on_a_flat_image_becomes_flat_and_a_flat_image_stays() -> None:
    noise, spectrum = soft_noise((3, 90, 100), 1.0)
    flat = np.full(noise.shape, 0.25, np.float32)
    refined = refine_scales((flat + SIGMA * noise).astype(np.float32), flat, np.full_like(flat, VARIANCE), spectrum)
    assert refined.image.std() < SIGMA / 8
    np.testing.assert_allclose(refine_scales(flat, flat, np.full_like(flat, VARIANCE), spectrum).image, flat, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 20, 9), (2, 33, 31), (1, 17, 70)])
def test_small_images_have_fewer_scales(shape: tuple[int, int, int]) -> None:
    noise, spectrum = soft_noise((*shape[:1], 80, 80), 1.0)
    noisy = (0.5 + SIGMA * noise[:, : shape[1], : shape[2]]).astype(np.float32)
    refined = refine_scales(noisy, gaussian_filter(noisy, (0, 2, 2)), np.full_like(noisy, VARIANCE), spectrum)
    assert refined.image.shape == shape
    assert error(refined.image, np.float32(0.5)) <= error(noisy, np.float32(0.5))


@pytest.mark.parametrize("strength", [1.0, 1.3, 2.0], ids=["right", "too strong", "far too strong"])
def test_correlated_noise_is_measured_again_by_what_was_left_out(strength: float) -> None:
    noise, spectrum = soft_noise((1, 96, 96), 1.0)
    clean = np.full(noise.shape, 0.5, np.float32)
    clean[:, 30:70, 20:60] = 0.8
    noisy = (clean + SIGMA * noise).astype(np.float32)
    pilot, variance = gaussian_filter(noisy, (0, 2, 2)), np.full_like(clean, VARIANCE * np.float32(strength))
    again, power = refine_scales_with_noise(noisy, pilot, variance, spectrum, None, None, LEAST_CORRELATED)
    assert power == pytest.approx(max(1 / strength, LEAST_CORRELATED), rel=0.12)
    once = refine_scales(noisy, pilot, variance * np.float32(power), spectrum)
    np.testing.assert_array_equal(again.image, once.image)
    told, kept = refine_scales_with_noise(noisy, pilot, variance, spectrum, None, 1.0)
    np.testing.assert_array_equal(told.image, refine_scales(noisy, pilot, variance, spectrum).image)
    assert kept == 1.0
