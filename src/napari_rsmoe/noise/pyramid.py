"""Noise at coarser levels of the pyramid: at half and a quarter of the resolution, where interpolation leaves it."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import minimum_filter1d

from ..arrays import Array, Mask
from ..image.bands import bands, separably
from ..image.blur import gaussian
from ..image.resize import halved
from ..progress import pause
from .clipping import NO_LIMITS
from .noise_model import PoissonGaussian, rounded
from .quiet import FAITHFUL, finest_detail, local_means, quietest_power
from .white import white_variance

STEADY = 0.95
"""Largest share of its standard deviation that noise keeps from one pyramid level to the next, where white noise keeps
a half. Content keeps more, or even grows."""
LOCAL_POWER = 4.0
"""Standard deviation of the blur that measures the power around a pixel, px at half the resolution."""
TINY = float(np.finfo(np.float64).tiny)
"""Smallest divisor."""
FROM_ENDS = 2.0
"""Distance from the ends of the range, in standard deviations of the noise, within which values may be clipped."""


def pyramid_powers(plane: Array, used: Mask | None = None) -> Array:
    """Measure the noise of a channel at half and at a quarter of the resolution.

    At each level the variance of white noise is estimated, and reduced to what the quietest places there have.

    Parameters
    ----------
    plane : ndarray of float64, shape (H, W)
        The channel; at least 32 px a side.
    used : ndarray of bool, shape (H, W), or None
        Pixels that count; None: all.

    Returns
    -------
    ndarray of float64, shape (2,)
        Scaled so that white noise has its variance at both levels, in squared units of the channel.
    """
    powers = []
    for gain in (4.0, 16.0):
        plane = halved(plane)
        used = None if used is None else _halved_mask(used)
        sigma = math.sqrt(white_variance(plane, used))
        means = local_means(plane)
        pause()
        inside = (means > plane.min() + FROM_ENDS * sigma) & (means < plane.max() - FROM_ENDS * sigma)
        inside = inside if used is None else inside & used
        quiet = quietest_power(plane, PoissonGaussian(0, 0, sigma), NO_LIMITS, inside) if sigma else 0.0
        powers.append(rounded(gain * sigma**2 * min(1.0, quiet / FAITHFUL)))
    return np.array(powers)


def kurtosis(plane: Array, used: Mask | None = None) -> float:
    """Kurtosis of the finest details at half the resolution, each divided by the root of the power around it.

    It is about 2.6 for noise of any spectrum and strength. Texture has more large and more small details, so that its
    kurtosis is higher. It is infinite if no pixel counts.
    """
    squares = _squared_details(halved(plane))
    counted = np.ones(squares.shape, bool) if used is None else _halved_mask(used)
    if not counted.any():
        return math.inf
    squares[~counted] = 0
    share = gaussian(counted.astype(np.float64), LOCAL_POWER)[counted]
    around = gaussian(squares, LOCAL_POWER)[counted]
    pause()
    around /= share
    relative = squares[counted]
    pause()
    relative /= np.maximum(around, TINY)
    pause()
    return float(np.square(relative).mean())


def steady_power(half: float, quarter: float) -> float:
    """Power of noise at half the resolution; 0 if the power goes on growing from level to level, as that of content."""
    return half if quarter < 4 * STEADY**2 * half else 0.0


def _squared_details(plane: Array) -> Array:
    """The squares of `finest_detail`."""
    squares = np.empty_like(plane)
    for band in bands(len(plane), plane.shape[1]):
        above = min(band.start, 1)
        detail = finest_detail(plane[band.start - above : band.stop + 1])
        squares[band] = np.square(detail[above : above + band.stop - band.start])
    return squares


def _halved_mask(used: Mask) -> Mask:
    """Pixels at half the resolution whose surroundings all count."""
    if used.all():
        return used[::2, ::2]
    return separably(minimum_filter1d, used.astype(np.uint8), 3)[::2, ::2] > 0
