"""Noise at half and a quarter of the resolution, where interpolation has not taken it away."""

from __future__ import annotations

from math import sqrt

import numpy as np
from scipy.ndimage import gaussian_filter, minimum_filter, uniform_filter

from ..arrays import Array, Mask
from ..image.resize import resized
from .noise_model import PoissonGaussian, rounded
from .quiet import FAITHFUL, LOCAL_WIDTH, finest_detail, quietest_power
from .white import white_variance

STEADY = 0.95  # most that halving may leave of the standard deviation of noise; content hardly falls, or even grows
AROUND = 4.0  # px at half the resolution, of the blur that tells the power around a pixel
TINY = float(np.finfo(np.float64).tiny)
ENDS = 2.0  # standard deviations from the ends of the range, within which values may have been cut off


def pyramid_powers(plane: Array, used: Mask | None = None) -> Array:
    """Power of the noise of a channel below a half and below a quarter of the highest frequency.

    Each is told as that of white noise in an image of fewer pixels, as far as the quietest places there have it.

    Parameters
    ----------
    plane : ndarray of float64, shape (H, W)
        The channel; at least 32 px a side.
    used : ndarray of bool, shape (H, W), or None
        Pixels that count; None: all.

    Returns
    -------
    ndarray of float64, shape (2,)
        In squared units of the channel; white noise has its variance in both.
    """
    powers = []
    for gain in (4.0, 16.0):
        plane = _halved(plane)
        used = None if used is None else _halved_mask(used)
        sigma = sqrt(white_variance(plane, used))
        means = uniform_filter(plane, LOCAL_WIDTH)
        inside = (means > plane.min() + ENDS * sigma) & (means < plane.max() - ENDS * sigma)
        law = PoissonGaussian(0, 0, sigma)
        heard = quietest_power(plane, law, (-np.inf, np.inf), inside if used is None else inside & used) if sigma else 0
        powers.append(rounded(gain * sigma**2 * min(1.0, heard / FAITHFUL)))
    return np.array(powers)


def kurtosis(plane: Array, used: Mask | None = None) -> float:
    """Fourth moment of the finest details at half the resolution, where each is divided by the power around it.

    Of noise that is about 2.6, whatever its spectrum and strength; texture has more large and small details.
    """
    squares = np.square(finest_detail(_halved(plane)))
    counted = np.ones_like(squares) if used is None else _halved_mask(used).astype(np.float64)
    around = gaussian_filter(squares * counted, AROUND) / np.maximum(gaussian_filter(counted, AROUND), TINY)
    fourth = np.square(squares / np.maximum(around, TINY))[counted > 0]
    return float(fourth.mean()) if fourth.size else np.inf


def steady_power(half: float, quarter: float) -> float:
    """Power of noise at half the resolution; 0 if what was found there gets on growing as content does."""
    return half if quarter < 4 * STEADY**2 * half else 0.0


def _halved(plane: Array) -> Array:
    return resized(plane[None], [(length + 1) // 2 for length in plane.shape])[0].astype(np.float64)


def _halved_mask(used: Mask) -> Mask:
    halved: Mask = minimum_filter(used, 3)[::2, ::2]
    return halved
