"""Spectrum of the noise of a plane, from blocks with flat surroundings."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.ndimage import convolve

from ..arrays import Array, Mask
from ..image.bands import bands
from ..progress import pause
from .noise_model import BLOCK

CELL = BLOCK // 2
"""Side of a cell, px. Four cells make a block; blocks overlap by one cell."""
FLATTEST = 0.1
"""Fraction of the blocks that are assumed to be flat."""
CONSTANT = 1e-9
"""Variance of a block, relative to that of the noise, below which the block has one value and says nothing of noise."""
UNEVEN = 1.5
"""Scatter of the variances of flat blocks, relative to that of noise, up to which the blocks hold noise alone. Content
scatters more; a regular pattern scatters less than the inverse."""
COLOURED = 4.0
"""Power at coarser scales over power at the finest scale from which neighbours may share their noise."""
TAPER = np.outer(np.hanning(BLOCK), np.hanning(BLOCK))
"""Window by which blocks are multiplied before their Fourier transform."""
SLOPES = np.indices((BLOCK, BLOCK)) - (BLOCK - 1) / 2
"""Planes of slope 1 along y and along x."""
OUTER_DECILES = 2 * 1.2816
"""Distance of the first from the last decile of a normal distribution, in standard deviations."""


@cache
def _flattened() -> Array:
    """Share of the power of white noise left at each frequency when mean and slope of a block are removed."""
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
    """Whether the variances of flat blocks scatter like those of noise."""
    return 1 / UNEVEN <= scatter <= UNEVEN


def coloured(white: NDArray[np.floating], spectra: Array) -> Array:
    """Turn white noise (C, H, W) of variance 1 into noise of these spectra (C, BLOCK, BLOCK) and variance 1.

    The opposite ends of an axis are neighbours.
    """
    kernels = np.fft.fftshift(np.fft.ifft2(np.sqrt(spectra)).real, (1, 2))
    kernels /= np.sqrt(np.square(kernels).sum((1, 2), keepdims=True))
    return np.stack([_around(plane, kernel) for plane, kernel in zip(white, kernels, strict=True)])


def _around(plane: NDArray[np.floating], kernel: Array) -> NDArray[np.floating]:
    """The circular convolution of a plane (H, W) with a kernel (BLOCK, BLOCK), whose centre is BLOCK // 2.

    By Fourier transforms, as a sum over the kernel takes eight times as long.
    """
    whole = np.zeros(plane.shape, plane.dtype)
    lags = np.arange(BLOCK) - BLOCK // 2
    np.add.at(whole, (lags[:, None] % plane.shape[0], lags % plane.shape[1]), kernel)  # Of small planes more than once.
    found: NDArray[np.floating] = irfft2(rfft2(plane) * rfft2(whole), plane.shape)
    return found


def cell_sums(values: NDArray[Any]) -> Array:
    """Sums over cells, half as wide as a block, that do not overlap."""
    return _by_cells(lambda cells: cells.sum((1, 3), dtype=np.float64), values)


def _by_cells(function: Callable[[NDArray[Any]], NDArray[Any]], values: NDArray[Any]) -> Array:
    """What a function makes of cells (n, CELL, m, CELL): one number for each."""
    rows, columns = (length // CELL for length in values.shape)
    result = np.empty((rows, columns))
    for band in bands(rows * CELL, values.shape[1], CELL):
        result[band.start // CELL : band.stop // CELL] = function(_cells(values[band]))
    return result


def _cells(values: NDArray[Any]) -> NDArray[Any]:
    rows, columns = (length // CELL for length in values.shape)
    return values[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL)


def _block_sums(cells: Array) -> Array:
    """Sums over blocks of 2 x 2 cells, which overlap by half."""
    pairs = cells[1:] + cells[:-1]
    return np.asarray(pairs[:, 1:] + pairs[:, :-1])


def _residual_variance(plane: Array) -> Array:
    """Variance of blocks about the plane that fits them best, from sums over cells."""
    mean = plane.mean()
    inside = np.arange(CELL) - (CELL - 1) / 2
    sums = _by_cells(lambda cells: (cells - mean).sum((1, 3)), plane)
    left = _block_sums(_by_cells(lambda cells: np.square(cells - mean).sum((1, 3)), plane))
    left -= _block_sums(sums) ** 2 / BLOCK**2
    down = _by_cells(lambda cells: np.einsum("iajb,a->ij", cells - mean, inside), plane)
    across = _by_cells(lambda cells: np.einsum("iajb,b->ij", cells - mean, inside), plane)
    # The middles of the cells lie half a cell before and behind the middle of the block.
    down = _block_sums(down) + CELL / 2 * _block_sums_signed(sums, 0)
    across = _block_sums(across) + CELL / 2 * _block_sums_signed(sums, 1)
    left -= (down**2 + across**2) / np.square(SLOPES[0]).sum()
    return np.asarray(np.maximum(left, 0) / BLOCK**2)


def _block_sums_signed(cells: Array, axis: int) -> Array:
    """As `_block_sums`, where the first cells along an axis count negatively."""
    difference, other = np.diff(cells, axis=axis), 1 - axis
    length = difference.shape[other]
    return np.asarray(np.take(difference, range(1, length), other) + np.take(difference, range(length - 1), other))


def _without_slope(blocks: Array) -> Array:
    """Blocks (N, BLOCK, BLOCK) without the plane that fits them best."""
    blocks = blocks - blocks.mean((1, 2), keepdims=True)
    for slope in SLOPES:
        share = np.einsum("nij,ij->n", blocks, slope) / np.square(slope).sum()
        blocks = blocks - share[:, None, None] * slope
    return blocks


def flat_spectrum(plane: Array, variance: Array, used: Mask | None) -> tuple[Array, float, float]:
    """Measure the noise in blocks with flat surroundings.

    Parameters
    ----------
    plane, variance : ndarray of float64, shape (H, W)
        A plane, and the variance of white noise that a noise model predicts at each pixel.
    used : ndarray of bool, shape (H, W), or None
        Pixels that count; None: all.

    Returns
    -------
    spectrum : ndarray of float64, shape (BLOCK, BLOCK)
        Median power of flat blocks by frequency, relative to the prediction.
    excess : float
        Median variance of flat blocks, relative to the prediction.
    scatter : float
        Scatter of the logarithm of these variances, relative to that of noise of this spectrum: about 1 for noise, more
        for content, infinite if no block has more than one value.
    """
    expected = _block_sums(cell_sums(variance)) / BLOCK**2
    ratio = _residual_variance(plane) / expected
    whole = ratio > CONSTANT
    if used is not None:
        whole &= _block_sums(cell_sums(used)) == BLOCK**2
    if not whole.any():
        return np.ones((BLOCK, BLOCK)), 1.0, math.inf
    # The flattest blocks are those with the weakest noise, so the neighbours that do not overlap a block decide.
    around = np.ones((5, 5))
    around[1:4] = around[:, 1:4] = 0
    around[[0, 2, 4, 2], [2, 0, 2, 4]] = 1
    roughness = convolve(np.where(whole, ratio, ratio[whole].max()), around / around.sum(), mode="mirror")
    flat = whole & (roughness <= np.quantile(roughness[whole], FLATTEST))
    # Blocks with content hardly move the median. Power is exponentially distributed; its median is ln 2 of its mean.
    windows = np.lib.stride_tricks.sliding_window_view(plane, (BLOCK, BLOCK))[::CELL, ::CELL]
    flat_windows, level = windows[: flat.shape[0], : flat.shape[1]], expected[flat, None, None]
    powers = np.empty((int(np.count_nonzero(flat)), BLOCK, BLOCK))
    rows, columns = np.nonzero(flat)
    for band in bands(len(powers), BLOCK**2):
        content = _without_slope(flat_windows[rows[band], columns[band]])
        powers[band] = np.square(np.abs(np.fft.fft2(content * TAPER))) / level[band]
    power = np.empty((BLOCK, BLOCK))
    for row in range(BLOCK):
        pause()
        power[row] = np.median(powers[:, row], 0)
    weakest, strongest = np.quantile(ratio[flat], (0.1, 0.9))
    independent_values = power.sum() ** 2 / np.square(power).sum()
    expected_scatter = OUTER_DECILES * math.sqrt(2 / independent_values)
    scatter = math.log(strongest / weakest) / expected_scatter
    return power / (math.log(2) * np.square(TAPER).sum() * _flattened()), float(np.median(ratio[flat])), scatter
