"""Gaussian averages of planes, over the pixels that count."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from .. import engine
from ..arrays import Floats

REACH = 3.0
"""Standard deviations from a pixel beyond which others do not count; the Gaussian has fallen to 1 % there."""
BAND = 1 << 20
"""Pixels that are filtered between two chances to stop: a few hundredths of a second."""
LEAST_WEIGHT = np.float32(1e-6)
"""Least weight that an average is divided by, so that it is 0 far from all pixels that count."""


def blurred(planes: Floats, used: Floats | None, width: float) -> Floats:
    """Average planes (C, H, W) with Gaussian weights.

    Parameters
    ----------
    planes : ndarray of float32, shape (C, H, W)
        The planes.
    used : ndarray of float32, shape (H, W), or None
        1 where a pixel counts, 0 where it does not; None: all count.
    width : float
        Standard deviation of the weights in pixels.
    """
    if used is None:
        return _gaussian(planes, width)
    weight = np.maximum(_gaussian(used[None], width)[0], LEAST_WEIGHT)
    averaged: Floats = _gaussian(planes * used, width) / weight
    return averaged


def _gaussian(planes: Floats, width: float) -> Floats:
    """`scipy.ndimage.gaussian_filter` of each plane, in bands between which the work may be stopped.

    Lines along the axis of a pass do not depend on each other, so the bits are those of filtering the whole at once.
    """
    result = np.empty_like(planes)
    for plane, blurred_plane in zip(planes, result, strict=True):
        down = np.empty_like(plane)
        for band in _bands(plane.shape, axis=1):
            engine.pause()
            gaussian_filter1d(plane[:, band], width, axis=0, truncate=REACH, output=down[:, band])
        for band in _bands(plane.shape, axis=0):
            engine.pause()
            gaussian_filter1d(down[band], width, axis=1, truncate=REACH, output=blurred_plane[band])
    return result


def _bands(shape: tuple[int, ...], axis: int) -> list[slice]:
    """Parts of an axis that hold about `BAND` pixels each."""
    size = max(1, BAND // max(1, shape[1 - axis]))
    return [slice(start, start + size) for start in range(0, shape[axis], size)]
