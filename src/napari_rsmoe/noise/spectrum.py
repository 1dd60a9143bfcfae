"""Spectrum of the noise of a plane, and how much of their noise the channels of an image share."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve

from .photons import FEWEST_BLOCKS, block_means, finest_power, quiet_power
from .white import Mask

Array = NDArray[np.float64]

BLOCK = 16  # px, side of the blocks whose spectra are taken
FLATTEST = 0.1  # share of the blocks taken for flat
CONSTANT = 1e-9  # variance of a block, in that of the noise, below which it is taken to be of one value
QUIETEST, QUIET = 0.01, 0.1  # shares of the small blocks in which the planes of an image are compared
SHARED = 0.45  # mean correlation of channels in the quietest, from which on they are taken to share noise, unless
EVEN = 1.2  # brightness has more than so many times as much power in the quiet ones
UNEVEN = 1.5  # how many times as much as noise of its spectrum the power of flat blocks may scatter
COLOURED = 4.0  # power at coarser scales over power at the finest one, from which on noise counts as correlated
TAPER = np.outer(np.hanning(BLOCK), np.hanning(BLOCK))
SLOPES = np.indices((BLOCK, BLOCK)) - (BLOCK - 1) / 2  # along y and along x


def shared_levels(planes: Array, variance: Array, used: Mask, certain: bool = False) -> Array:
    """Power of the white noise of decorrelated planes, in units of that of independent channels: 1 if they are that.

    Content is alike in all channels, and adds to brightness. So it is told in the quietest places, at the finest scale.
    Channels share noise only if they clearly do and it is as strong in one place as in another, or if they are equal.

    Parameters
    ----------
    planes, variance : ndarray of float64, shape (3, H, W)
        Brightness and two colour differences of the stabilised channels, and the variances they would have.
    used : ndarray of bool, shape (H, W)
        Pixels that count.
    certain : bool
        Channels are known to share noise.

    Returns
    -------
    ndarray of float64, shape (3,)
        Mean 1; less where quiet places have less noise than they were said to have.
    """
    if used.any() and not planes[1:, used].any():
        return np.array([3.0, 0, 0])
    power = np.stack([finest_power(plane, each) for plane, each in zip(planes, variance, strict=True)])
    power = power[:, (block_means(used) == 1) & (power.sum(0) > CONSTANT)]
    if power.shape[1] < FEWEST_BLOCKS:
        return np.ones(3)
    levels, quiet = (np.array([quiet_power(each, share) for each in power]) for share in (QUIETEST, QUIET))
    if certain or (channel_correlation(levels) >= SHARED and quiet[0] <= EVEN * levels[0]):
        return levels / max(levels.mean(), 1)
    return np.ones(3)


def channel_correlation(levels: Array) -> float:
    """Mean correlation of pairs of channels whose decorrelated planes have noise of these powers."""
    return float(levels[0] / levels.mean() - 1) / 2 if len(levels) == 3 else 0.0


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
