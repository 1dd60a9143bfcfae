"""Clipping: at which values an image was cut off, and the mean and variance that noise then has."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ..arrays import Array, Limits, Mask

NO_LIMITS: Limits = (-math.inf, math.inf)
"""Limits of an image that was not clipped."""
CLIPPED_SHARE = 0.002
"""Share of the pixels of a channel at one end of its range above which values were clipped there."""


FEW_VALUES = 32
"""Number of different values up to which an image may consist of counts, in which the lowest value is frequent because
few photons came, and not because values were cut off."""
DARK_SHARE = 0.5
"""Share of the pixels at the lowest two values from which a dark image may consist of counts, however bright its other
pixels are."""
PILED_UP = 1.25
"""Share of the lowest value times that of the third, over the squared share of the second, from which values were cut
off at the lowest. It is 1/2 for Poisson counts of any mean, and 2.6 for Gaussian noise of two steps cut off at its
mean."""
MOST_COUNTED = 100_000
"""Values among which different ones are counted, at most."""
FIRST_COUNTED = 2000
"""The same at first, which suffices if they are many."""


def clip_limits(plane: NDArray[np.floating], used: Mask | None = None) -> Limits:
    """The smallest and the largest value of a channel, each if it is so frequent that values were clipped there.

    Infinite otherwise. Of the pixels, those count that are used; but where one that is left out lies beyond them, their
    own extreme is no limit.
    """
    values = plane if used is None else plane[used]
    low, high = float(values.min()), float(values.max())
    below, above = (bool(np.count_nonzero(at) / at.size > CLIPPED_SHARE) for at in (values <= low, values >= high))
    if below and (counts := few_values(values)) is not None:
        # Counts end at 0, and large ones are rare.
        below, above = False, above and bool(counts[1][-1] > counts[1][-2])
    elif below and dark_counts(values):
        below = False
    below, above = below and low <= float(plane.min()), above and high >= float(plane.max())
    return low if below else -math.inf, high if above else math.inf


def few_values(values: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.intp]] | None:
    """The different values of an image in ascending order and how often each occurs, if there are few but several."""
    flat = values.ravel()
    counted = flat[:: max(1, flat.size // MOST_COUNTED)]
    if len(np.unique(counted[:: max(1, counted.size // FIRST_COUNTED)])) > FEW_VALUES:
        return None  # There are at least as many in all.
    found, often = np.unique(counted, return_counts=True)
    return (found, often) if 2 <= len(found) <= FEW_VALUES else None


def dark_counts(values: NDArray[np.floating]) -> bool:
    """Whether most values are the lowest two, as often as counts of few photons are, and not because of clipping."""
    flat = values.ravel()
    found, often = np.unique(flat[:: max(1, flat.size // MOST_COUNTED)], return_counts=True)
    if len(found) < 3 or often[:2].sum() < DARK_SHARE * often.sum():
        return False
    steps = np.diff(found[:3])
    even = bool(np.isclose(steps[0], steps[1], rtol=1e-3))
    return even and bool(often[0] * often[2] < PILED_UP * often[1] ** 2)


def two_valued(values: NDArray[np.floating]) -> bool:
    """Whether nearly all values are clipped, as in masks and printed text, so that nothing is known of their noise."""
    inside = (values > values.min()) & (values < values.max())
    return np.count_nonzero(inside) / inside.size <= CLIPPED_SHARE


def clipped_moments(value: Array, sigma: float, limits: Limits) -> tuple[Array, Array]:
    """Mean and variance of ``clip(value + sigma n, *limits)`` for standard normal n and positive sigma."""
    a, b = ((limit - value) / sigma for limit in limits)
    below, above = ndtr(a), ndtr(-b)
    inside = 1 - below - above
    density_a, density_b = _density(a), _density(b)
    low, high = (limit if math.isfinite(limit) else 0.0 for limit in limits)
    mean = value * inside + sigma * (density_a - density_b) + low * below + high * above
    # Moments are taken about the value, so that little is lost to rounding far from 0.
    a_part, b_part = (np.where(np.isfinite(z), z, 0) * density for z, density in ((a, density_a), (b, density_b)))
    square = sigma**2 * (inside + a_part - b_part) + np.square(low - value) * below + np.square(high - value) * above
    return mean, np.maximum(square - np.square(mean - value), 0)


def _density(z: Array) -> Array:
    """Density of the standard normal distribution."""
    density: Array = np.exp(-0.5 * np.square(z)) / math.sqrt(2 * math.pi)
    return density
