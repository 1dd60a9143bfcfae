"""Power spectra of the blocks of an image, half of which overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import rfft2

from ..arrays import Array, Floats

MOST = 400
"""Blocks at most; more take time and tell nothing new."""


def taper(side: int) -> Array:
    """The window (side, side) by which blocks are multiplied."""
    window = np.hanning(side + 2)[1:-1]
    return np.outer(window, window)


def block_powers(planes: Sequence[Floats], side: int, fewest: int) -> Array | None:
    """Powers by frequency (n, side, side // 2 + 1), as `numpy.fft.rfft2` orders them, of blocks without their mean.

    Parameters
    ----------
    planes : sequence of ndarray of float32, shape (H, W)
        Parts of an image. Blocks with values that are not finite do not count.
    side : int
        Side of the blocks.
    fewest : int
        Blocks that are enough; None is returned if there are fewer.
    """
    blocks = np.concatenate([_blocks(plane, side) for plane in planes]) if planes else np.empty((0, side, side))
    blocks = blocks[np.isfinite(blocks).all((1, 2))]
    if len(blocks) < fewest:
        return None
    blocks = blocks[:: -(-len(blocks) // MOST)]
    powers: Array = np.square(np.abs(rfft2((blocks - blocks.mean((1, 2), keepdims=True)) * taper(side))))
    return powers


def folded(spectrum: Array) -> Array:
    """Means over frequencies and those mirrored, for the order of `numpy.fft.rfft2` or `numpy.fft.fft2`."""
    half = len(spectrum) // 2 + 1
    means: Array = (spectrum + np.roll(spectrum[::-1], 1, axis=0))[:half, :half] / 2
    return means


def _blocks(plane: Floats, side: int) -> NDArray[np.float64]:
    """Blocks (n, side, side) of a plane."""
    if min(plane.shape) < side:
        return np.empty((0, side, side))
    half = side // 2
    return sliding_window_view(plane, (side, side))[::half, ::half].reshape(-1, side, side).astype(np.float64)
