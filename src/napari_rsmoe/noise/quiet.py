"""Power of the noise in the quietest places of a channel, where there is least content."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from ..arrays import Array, Limits, Mask
from .anscombe import Stabiliser
from .noise_model import PoissonGaussian

FAITHFUL = 0.75
"""Power in the quietest places, relative to what a noise model predicts, above which the model is kept as it is. Below,
the model is too strong, at least in that proportion."""
BLOCK, FEWEST_BLOCKS = 8, 50  # px, side of the blocks that are compared with a law, and how many there must be
QUIETEST = 0.1  # share of the blocks that count as quiet; the power of few photons is spread widely, so of
QUIETEST_EVEN = 0.01  # even noise less of them will do
LOCAL_MEAN = 2.0  # px, of the blur that tells the brightness at a pixel
LOCAL_WIDTH = 7  # px, side of the box that tells the brightness at a pixel


def quietest_power(
    plane: Array, law: PoissonGaussian, limits: Limits, used: Mask | None, stabilised: tuple[Array, Array] | None = None
) -> float:
    """Power of the quietest blocks of a channel, as a share of what noise by a law has in its quietest blocks.

    Noise is everywhere, content that looks like noise is not. Parameters are as of `variance_line`. The power is taken
    at the finest scale, where there is least content. Blocks with values that were cut off, or with a neighbourhood of
    one value, do not count; where nearly all have some, the share is 1.
    """
    power = finest_power(*(stabilised or stabilised_plane(plane, law, limits)))
    kept = (plane > limits[0]) & (plane < limits[1]) & ~_constant(plane)
    counted = block_means(kept if used is None else kept & used) == 1
    if counted.sum() < FEWEST_BLOCKS:
        return 1.0
    return quiet_power(power[counted], QUIETEST if law.gain > 0 else QUIETEST_EVEN)


def stabilised_plane(plane: Array, law: PoissonGaussian, limits: Limits) -> tuple[Array, Array]:
    """A channel whose noise is stabilised by a law, and the variance that it then has at each pixel."""
    if law.gain == 0 and not any(map(math.isfinite, limits)):
        return plane / law.read, np.ones_like(plane)
    stabiliser = Stabiliser(law, float(plane.max()), limits)
    stabilised = stabiliser.forward(plane)
    return stabilised, stabiliser.variance(uniform_filter(stabilised, LOCAL_WIDTH))


def finest_detail(plane: Array) -> Array:
    """Second differences along both axes, of the variance of white noise in the plane."""
    padded = np.pad(plane, 1, mode="symmetric")
    return np.diff(np.diff(padded, 2, axis=0), 2, axis=1) / 6


def finest_power(plane: Array, variance: Array) -> Array:
    """Power of blocks at the finest scale, in that of white noise of this variance."""
    return block_means(np.square(finest_detail(plane)) / variance)


def _constant(plane: Array) -> Mask:
    """Pixels whose 3 x 3 px neighbourhood has one value."""
    padded = np.pad(plane, 1, mode="symmetric")
    along = padded[:, 1:] == padded[:, :-1]
    rows = along[:, 1:] & along[:, :-1]
    down = padded[1:, 1:-1] == padded[:-1, 1:-1]
    constant: Mask = rows[:-2] & rows[1:-1] & rows[2:] & down[1:] & down[:-1]
    return constant


def quiet_power(power: Array, share: float) -> float:
    """Power of the quietest share of blocks, in that of the quietest blocks of white noise of power 1."""
    return float(np.quantile(power, share)) / _quiet_noise(share)


@cache
def _quiet_noise(share: float) -> float:
    noise = np.random.default_rng(0).standard_normal((512, 512))
    return float(np.quantile(finest_power(noise, np.ones_like(noise)), share))


def block_means(values: NDArray[Any]) -> Array:
    """Means over blocks that do not overlap."""
    rows, columns = (length // BLOCK for length in values.shape)
    blocks = values[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    means: Array = blocks.mean((1, 3))
    return means
