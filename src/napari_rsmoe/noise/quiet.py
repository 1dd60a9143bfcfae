"""The power of a channel in its quietest places at the finest scale, where there is least content."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from ..arrays import Array, Limits, Mask
from ..image.bands import bands, by_bands, separably
from ..progress import pause
from .anscombe import Stabiliser
from .noise_model import PoissonGaussian
from .spectrum import CONSTANT

FAITHFUL = 0.75
"""Power in the quietest places, relative to what a noise model predicts, above which the model is kept as it is. Below,
the model is too strong, at least in that proportion."""
SMALL_BLOCK = 8
"""Side of the blocks whose powers are compared, px."""
BAND = 8 * SMALL_BLOCK
"""Rows that are worked on at once. With more, more memory is taken; with fewer, more time on the rows between them."""
FEWEST_BLOCKS = 50
"""Number of blocks below which nothing is concluded from their powers."""
QUIETEST_PHOTON = 0.1
"""Quantile of the block powers that is compared for photon noise. The power of few photons scatters widely, so that a
lower quantile would be uncertain."""
QUIETEST_EVEN = 0.01
"""The same for even noise. A higher quantile would meet content more often."""
OF_WHITE_NOISE = {QUIETEST_PHOTON: 0.627923468258643, QUIETEST_EVEN: 0.44568458821706725}
"""The same quantiles of the block powers of unit white noise, of one sample of 512 x 512 px."""
LOCAL_WIDTH = 7
"""Side of the box over which the brightness around a pixel is averaged, px."""


def quietest_power(
    plane: Array,
    model: PoissonGaussian,
    limits: Limits,
    used: Mask | None,
    stabilised: tuple[Array, Array] | None = None,
    fewest: int = FEWEST_BLOCKS,
) -> float:
    """Measure the power of a channel in its quietest blocks, relative to what a noise model predicts there.

    Noise is everywhere; content that looks like noise leaves out some places. So a result below 1 means that the model
    is too strong.

    Parameters
    ----------
    plane : ndarray of float64, shape (H, W)
        The channel.
    model : PoissonGaussian
        Its noise model; not zero.
    limits : (float, float)
        Values at which the channel was clipped; infinite: not at all.
    used : ndarray of bool, shape (H, W), or None
        Pixels that count; None: all.
    stabilised : tuple of two ndarrays, optional
        What `stabilised_plane` returns for the same channel, model and limits, if it is known already.
    fewest : int
        Number of blocks below which nothing is concluded.

    Returns
    -------
    float
        Blocks with clipped values or with a neighbourhood of one value do not count. If fewer than `fewest` are left,
        the result is 1.
    """
    power = finest_power(*(stabilised or stabilised_plane(plane, model, limits)))
    counted = _counted_blocks(plane, limits, used)
    if counted.sum() < fewest:
        return 1.0
    return quiet_power(power[counted], QUIETEST_PHOTON if model.gain > 0 else QUIETEST_EVEN)


def stabilised_plane(plane: Array, model: PoissonGaussian, limits: Limits) -> tuple[Array, Array]:
    """Stabilise the noise of a channel, and tell the variance that the noise then has at each pixel."""
    if model.gain == 0 and not any(map(math.isfinite, limits)):
        return by_bands(lambda part: part / model.read, plane), np.ones_like(plane)
    stabiliser = Stabiliser(model, float(plane.max()), limits)
    stabilised = by_bands(stabiliser.forward, plane)
    return stabilised, by_bands(stabiliser.variance, local_means(stabilised))


def local_means(plane: Array) -> Array:
    """Means over the box of `LOCAL_WIDTH` around each pixel."""
    return separably(uniform_filter1d, plane, LOCAL_WIDTH)


def finest_detail(plane: Array) -> Array:
    """Second differences along both axes, scaled so that white noise keeps its variance."""
    padded = np.pad(plane, 1, mode="symmetric")
    return np.diff(np.diff(padded, 2, axis=0), 2, axis=1) / 6


def finest_power(plane: Array, variance: Array) -> Array:
    """Powers of blocks at the finest scale, relative to those of white noise of this variance.

    They are computed band by band, as the intermediate results would take five times as much memory as the plane.
    """
    return np.concatenate([_band_power(plane, variance, first) for first in range(0, len(plane), BAND)])


def _band_power(plane: Array, variance: Array, first: int) -> Array:
    """The same for the blocks in rows `first` to `first` + BAND."""
    pause()
    above, last = min(first, 1), min(first + BAND, len(plane))
    detail = finest_detail(plane[first - above : last + 1])[above : above + last - first]
    return block_means(np.square(detail) / variance[first:last])


def quiet_power(power: Array, share: float) -> float:
    """The given quantile of the block powers, relative to the same quantile for unit white noise."""
    return float(np.quantile(power, share)) / OF_WHITE_NOISE[share]


def quiet_variance(plane: Array, variance: Array, used: Mask | None) -> float:
    """Variance of all that quiet blocks hold, content and noise of all scales, relative to the given one of noise.

    Blocks of one value do not count. Infinite if no block counts.
    """
    spread = np.concatenate([_blocks(plane[first : first + BAND]).var((1, 3)) for first in range(0, len(plane), BAND)])
    ratio = spread / block_means(variance)
    counted = ratio > CONSTANT
    if used is not None:
        counted &= block_means(used) == 1
    return float(np.quantile(ratio[counted], QUIETEST_PHOTON)) if counted.any() else math.inf


def block_means(values: NDArray[Any]) -> Array:
    """Means over blocks that do not overlap."""
    means: Array = _blocks(values).mean((1, 3))
    return means


def _blocks(values: NDArray[Any]) -> NDArray[Any]:
    """Blocks that do not overlap, shape (rows, SMALL_BLOCK, columns, SMALL_BLOCK)."""
    rows, columns = (length // SMALL_BLOCK for length in values.shape)
    return values[: rows * SMALL_BLOCK, : columns * SMALL_BLOCK].reshape(rows, SMALL_BLOCK, columns, SMALL_BLOCK)


def _counted_blocks(plane: Array, limits: Limits, used: Mask | None) -> Mask:
    """Blocks of which all pixels count, are not clipped, and differ from their neighbours."""
    found = []
    for band in bands(len(plane) // SMALL_BLOCK * SMALL_BLOCK, plane.shape[1], SMALL_BLOCK):
        above, last = min(band.start, 1), min(band.stop + 1, len(plane))
        part = plane[band.start - above : last]
        kept = (part > limits[0]) & (part < limits[1]) & ~_constant(part)
        kept = kept[above : above + band.stop - band.start]
        found.append(block_means(kept if used is None else kept & used[band]) == 1)
    return np.concatenate(found) if found else np.zeros((0, plane.shape[1] // SMALL_BLOCK), bool)


def _constant(plane: Array) -> Mask:
    """Pixels whose 3 x 3 px neighbourhood has one value."""
    padded = np.pad(plane, 1, mode="symmetric")
    along = padded[:, 1:] == padded[:, :-1]
    rows = along[:, 1:] & along[:, :-1]
    down = padded[1:, 1:-1] == padded[:-1, 1:-1]
    constant: Mask = rows[:-2] & rows[1:-1] & rows[2:] & down[1:] & down[:-1]
    return constant
