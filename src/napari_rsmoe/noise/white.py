"""The variance of white noise in one channel, from the smallest eigenvalues of the covariance of its patches."""

from __future__ import annotations

import math

import numpy as np

from ..arrays import Array, Limits, Mask
from ..image.bands import bands, by_bands
from ..progress import pause
from .clipping import clip_limits, clipped_moments
from .patches import Places, box_sums, even_tail_of, parts_at

PATCH = 7
"""Side of the patches whose covariance is taken, px."""
LINE = 15
"""Length of the patches of line scans, px."""
MOST_PATCHES = 10_000
"""Patches whose covariance is taken, at most. More hardly change the estimate; fewer make it scatter."""
FIRST_SHARE = 4
"""One in so many of these patches is used for the first estimate, which only selects flat patches."""
ROUNDS = 3
"""How often flat patches are selected by the estimate so far, at most."""
CONVERGED = 0.02
"""Relative change of the variance from one round to the next below which the rounds end."""
CLIPPED_PIXELS = 0.02
"""Share of clipped pixels in a patch that is always tolerated; patches with more are left out where others remain."""
MEANS = 256
"""Bins for the mean values of patches in which the effect of clipping is undone."""
BISECTIONS = 20
"""Halvings of the interval that holds the standard deviation before clipping."""


def white_variance(plane: Array, used: Mask | None = None) -> float:
    """Estimate the variance of additive white noise in a channel.

    The patches of an image lie near a subspace of few dimensions; white noise fills all dimensions equally. So the
    small eigenvalues of the covariance of the patches are the variance of the noise: the longest tail of the spectrum
    whose mean does not exceed its median [1]_. It is measured again over the patches that are flat by the estimate so
    far. Where values were clipped at the ends of the range, which shrinks the noise there, the patches with the fewest
    clipped pixels are taken, and the shrinkage that is left is undone.

    Parameters
    ----------
    plane : ndarray of float64, shape (H, W)
        The channel; finite.
    used : ndarray of bool, shape (H, W), or None
        Pixels that count; None: all.

    Returns
    -------
    float
        In squared units of the channel; 0 if the channel does not vary, and where it is too small to tell noise from
        content (fewer than 4 patches, or less than 9 px).

    References
    ----------
    .. [1] G. Chen, F. Zhu, P. A. Heng. An efficient statistical method for image noise level estimation. ICCV 2015.
       :doi:`10.1109/ICCV.2015.62`
    """
    size = patch_size(plane.shape)
    if min(plane.shape) == 0 or size[0] * size[1] < 9 or np.ptp(plane) == 0:
        return 0.0
    count = size[0] * size[1]
    sums = box_sums(plane, size)
    whole = np.ones(sums.shape, bool) if used is None or used.all() else box_sums(used, size) == count
    low, high = clip_limits(plane, used)
    if not math.isfinite(low) and not math.isfinite(high):
        return _flat_variance(plane, size, np.arange(whole.size) if whole.all() else np.flatnonzero(whole))
    clipped = box_sums((plane <= low) | (plane >= high), size) / count
    # Saturated areas hold no noise at all; a few clipped pixels hardly matter.
    most = max(float(np.quantile(clipped[whole], 0.25)), CLIPPED_PIXELS) if whole.any() else 0.0
    chosen = whole & (clipped <= most) & (clipped < 1)
    if chosen.sum() < count:
        chosen = whole & (clipped < 1)
    places = np.flatnonzero(chosen)
    if len(places) < 4:
        return 0.0
    return _before_clipping(sums.ravel()[places] / count, _flat_variance(plane, size, places), (low, high))


def patch_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of the patches of a channel; those of a line scan, below 3 px high or wide, are lines."""
    if min(shape) < 3:
        return (1, min(LINE, shape[1])) if shape[0] < shape[1] else (min(LINE, shape[0]), 1)
    side = min(PATCH, *shape)
    return side, side


def _flat_variance(plane: Array, size: tuple[int, int], places: Places) -> float:
    """Noise variance of the patches at these places: first of all, then of those in which noise outweighs content."""
    if len(places) < 4:
        return 0.0
    mean = plane.mean()
    centred = by_bands(lambda part: part - mean, plane)

    def variance_of(chosen: Places, most: int) -> float:
        return even_tail_of(parts_at(centred, size, chosen[:: max(1, len(chosen) // most)]))

    variance = variance_of(places, MOST_PATCHES // FIRST_SHARE)
    terms = 2 * size[0] * size[1] - sum(size)
    energy = _energy(plane, size).ravel()
    if len(places) < energy.size:
        energy = by_bands(energy.take, places)
    energy /= terms
    for _ in range(ROUNDS):
        pause()
        # Differences of white noise have twice its variance. Their mean square over a patch scatters by about
        # 2 / sqrt(terms), as neighbouring differences are correlated; patches within two such errors are flat.
        flat = places[energy < 2 * variance * (1 + 2 * 2 / math.sqrt(terms))]
        if len(flat) < max(10 * size[0] * size[1], 0.01 * len(places)):
            break
        before, variance = variance, variance_of(flat, MOST_PATCHES)
        if abs(variance - before) <= CONVERGED * before:
            break
    return variance


def _energy(plane: Array, size: tuple[int, int]) -> Array:
    """Sum of the squared differences of neighbours in each patch of this size."""
    height, width = size
    energy = np.empty((plane.shape[0] - height + 1, plane.shape[1] - width + 1))
    for band in bands(len(energy), plane.shape[1]):
        part = plane[band.start : band.stop + height - 1]
        down, across = (np.square(np.diff(part, axis=axis)) for axis in (0, 1))
        energy[band] = box_sums(down, (height - 1, width)) + box_sums(across, (height, width - 1))
    return energy


def _before_clipping(means: Array, observed: float, limits: Limits) -> float:
    """Variance of the noise whose clipped variance, averaged over patches of these means, is as observed."""
    if observed <= 0:
        return 0.0
    counts, edges = np.histogram(means, MEANS)
    centres, shares = (edges[1:] + edges[:-1])[counts > 0] / 2, counts[counts > 0] / len(means)
    low, high = math.sqrt(observed), 4 * math.sqrt(observed)
    start, stop = (limit if math.isfinite(limit) else end for limit, end in zip(limits, edges[[0, -1]], strict=True))
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        true = np.linspace(start - 3 * middle, stop + 3 * middle, 2 * MEANS)
        mean, variance = clipped_moments(true, middle, limits)
        too_weak = float(np.interp(centres, mean, variance) @ shares) < observed
        low, high = (middle, high) if too_weak else (low, middle)
    return float(0.5 * (low + high)) ** 2
