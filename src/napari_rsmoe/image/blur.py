"""Gaussian averages of planes, over the pixels that count."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..arrays import Floats
from .bands import separably

REACH = 3.0
"""Standard deviations from a pixel beyond which others do not count; the Gaussian has fallen to 1 % there."""
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
    """`scipy.ndimage.gaussian_filter` of each plane, which may be stopped."""
    return np.stack([separably(gaussian_filter1d, plane, width, truncate=REACH) for plane in planes])
