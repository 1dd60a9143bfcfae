"""Gaussian averages of planes, over the pixels that count."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import engine
from ..arrays import Floats

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
    return np.stack([gaussian(plane, width, REACH) for plane in planes])


def gaussian(values: NDArray[Any], width: float, reach: float = 4.0, dtype: Any = None) -> NDArray[Any]:
    """Average an image with Gaussian weights, with the bits of `scipy.ndimage.gaussian_filter`, and faster.

    Parameters
    ----------
    values : ndarray, shape (H, W) or (H, W, C)
        Numbers; the average is taken along the first two axes.
    width : float
        Standard deviation of the weights in pixels.
    reach : float
        Standard deviations from a pixel beyond which others do not count.
    dtype : data type, optional
        Of the result, float32 or float64; by default that of the values.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe.image.blur import gaussian
    >>> gaussian(np.eye(3), 1.0).round(2).tolist()
    [[0.5, 0.33, 0.17], [0.33, 0.34, 0.33], [0.17, 0.33, 0.5]]
    """
    away = np.arange(-int(reach * width + 0.5), int(reach * width + 0.5) + 1)
    weights = np.exp(-0.5 / (width * width) * away**2)
    weights /= weights.sum()
    return engine.smooth(np.asarray(values, dtype), weights[len(away) // 2 :])
