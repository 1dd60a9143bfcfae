"""Spectrum of the noise of a plane."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve

from ..arrays import Array, Mask
from .noise_model import BLOCK

FLATTEST = 0.1  # share of the blocks taken for flat
CONSTANT = 1e-9  # variance of a block, in that of the noise, below which it is taken to be of one value
UNEVEN = 1.5  # how many times as much as noise of its spectrum the power of flat blocks may scatter
COLOURED = 4.0  # power at coarser scales over power at the finest one, from which on noise counts as correlated
TAPER = np.outer(np.hanning(BLOCK), np.hanning(BLOCK))
SLOPES = np.indices((BLOCK, BLOCK)) - (BLOCK - 1) / 2  # along y and along x


@cache
def _flattened() -> Array:
    """Share of the power of white noise that is left at each frequency when a block is made flat."""
    slopes = np.stack([np.ones((BLOCK, BLOCK)), *SLOPES]).reshape(3, -1)
    slopes /= np.linalg.norm(slopes, axis=1, keepdims=True)
    pixels = (np.eye(BLOCK**2) - slopes.T @ slopes).reshape(-1, BLOCK, BLOCK)
    share: Array = np.square(np.abs(np.fft.fft2(pixels * TAPER))).sum(0) / np.square(TAPER).sum()
    return share


def neighbour_correlation(spectrum: Array) -> Array:
    """Correlation of neighbours along y and x, from the power of tapered blocks."""
    covariance = np.fft.ifft2(spectrum).real
    # The taper overlaps with itself less and less as it is shifted.
    overlap = np.fft.ifft2(np.square(np.abs(np.fft.fft2(TAPER)))).real
    along_y, along_x = (covariance[lag] / covariance[0, 0] * overlap[0, 0] / overlap[lag] for lag in ((1, 0), (0, 1)))
    return np.array([along_y, along_x])


def finest(spectrum: Array) -> float:
    """Mean power at the finest scale."""
    return float(spectrum[BLOCK // 2 - 2 : BLOCK // 2 + 3, BLOCK // 2].mean())


def as_noise(scatter: float) -> bool:
    """Whether flat places differ as those of noise do: content differs more, a regular pattern less."""
    return 1 / UNEVEN <= scatter <= UNEVEN


def coloured(white: NDArray[np.floating], spectra: Array) -> Array:
    """White noise (C, H, W) of variance 1 turned into noise of these spectra (C, ...) and variance 1."""
    kernels = np.fft.fftshift(np.fft.ifft2(np.sqrt(spectra)).real, (1, 2))
    kernels /= np.sqrt(np.square(kernels).sum((1, 2), keepdims=True))
    return np.stack([convolve(plane, kernel, mode="wrap") for plane, kernel in zip(white, kernels, strict=True)])


def flat_spectrum(plane: Array, variance: Array, used: Mask | None) -> tuple[Array, float, float]:
    """Spectrum of blocks with flat surroundings, and their variance, both in units of the given variance.

    The last value is how much the logarithm of their variances scatters, as a multiple of what noise of this spectrum
    does: about 1 for noise, more for content.
    """
    half = BLOCK // 2

    def blocks(values: NDArray[Any]) -> NDArray[Any]:
        return np.lib.stride_tricks.sliding_window_view(values, (BLOCK, BLOCK))[::half, ::half]

    expected = blocks(variance).mean((2, 3))
    content = blocks(plane)
    content = content - content.mean((2, 3), keepdims=True)
    for slope in SLOPES:
        share = (content * slope).sum((2, 3), keepdims=True) / np.square(slope).sum()
        content = content - share * slope
    ratio = content.var((2, 3)) / expected
    whole = ratio > CONSTANT  # blocks of one value tell nothing
    if used is not None:
        whole &= blocks(used).all((2, 3))
    if not whole.any():
        return np.ones((BLOCK, BLOCK)), 1.0, math.inf
    # Blocks that are flat themselves would be those with the weakest noise: their neighbours without overlap decide.
    around = np.ones((5, 5))
    around[1:4] = around[:, 1:4] = 0
    around[[0, 2, 4, 2], [2, 0, 2, 4]] = 1
    roughness = convolve(np.where(whole, ratio, ratio[whole].max()), around / around.sum(), mode="mirror")
    flat = whole & (roughness <= np.quantile(roughness[whole], FLATTEST))
    # The median is little moved by blocks with content; of exponentially distributed power it is ln 2 of the mean.
    power = np.median(np.square(np.abs(np.fft.fft2(content[flat] * TAPER))) / expected[flat, None, None], 0)
    weakest, strongest = np.quantile(ratio[flat], (0.1, 0.9))
    independent = power.sum() ** 2 / np.square(power).sum()  # values in a block
    expected_scatter = 2 * 1.2816 * math.sqrt(2 / independent)
    scatter = math.log(strongest / weakest) / expected_scatter
    return power / (math.log(2) * np.square(TAPER).sum() * _flattened()), float(np.median(ratio[flat])), scatter
