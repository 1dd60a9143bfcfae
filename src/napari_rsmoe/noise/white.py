"""The variance of white noise in one channel, from the smallest eigenvalues of the covariance of its patches."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, Limits, Mask
from .clipping import clip_limits, clipped_moments
from .patches import box_sums, longest_even_tail, patches_at

PATCH = 7
"""Side of the patches whose covariance is taken, px."""
MOST_PATCHES = 10_000
"""Patches of a channel that are looked at. More hardly change the estimate; fewer make it scatter."""
FIRST_SHARE = 4
"""One in so many patches is used for the first estimate, which only selects flat patches."""
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
        content (fewer than 4 patches, or a side under 3 px).

    References
    ----------
    .. [1] G. Chen, F. Zhu, P. A. Heng. An efficient statistical method for image noise level estimation. ICCV 2015.
       :doi:`10.1109/ICCV.2015.62`
    """
    side = min(PATCH, *plane.shape)
    if side < 3 or np.ptp(plane) == 0:
        return 0.0
    places = sampled_places(plane.shape, side, used)
    if len(places) < 4:
        return 0.0
    low, high = clip_limits(plane if used is None else plane[used])
    if not math.isfinite(low) and not math.isfinite(high):
        return _flat_variance(plane, side, places)
    clipped = box_sums((plane <= low) | (plane >= high), (side, side)).ravel()[places] / side**2
    # Saturated areas hold no noise at all; a few clipped pixels hardly matter.
    chosen = clipped <= max(float(np.quantile(clipped, 0.25)), CLIPPED_PIXELS)
    if chosen.sum() < side * side:
        chosen = clipped < 1
    if chosen.sum() < 4:
        return 0.0
    places = places[chosen]
    means = box_sums(plane, (side, side)).ravel()[places] / side**2
    return _before_clipping(means, _flat_variance(plane, side, places), (low, high))


def sampled_places(shape: tuple[int, ...], side: int, used: Mask | None) -> NDArray[np.intp]:
    """Where patches begin, in the order of `box_sums`: an even sample of those without unused pixels."""
    count = (shape[0] - side + 1) * (shape[1] - side + 1)
    if used is None or used.all():
        return np.arange(0, count, max(1, count // MOST_PATCHES))
    places = np.flatnonzero(box_sums(used, (side, side)) == side**2)
    return places[:: max(1, len(places) // MOST_PATCHES)]


def _flat_variance(plane: Array, side: int, places: NDArray[np.intp]) -> float:
    """Noise variance of the patches at these places: first of all, then of those in which noise outweighs content."""
    patches = patches_at(plane - plane.mean(), side, places)
    variance = longest_even_tail(patches[::FIRST_SHARE] if len(patches) > FIRST_SHARE * 10 * side**2 else patches)
    terms = 2 * side * (side - 1)
    down, across = (np.square(np.diff(plane, axis=axis)) for axis in (0, 1))
    energy = (box_sums(down, (side - 1, side)) + box_sums(across, (side, side - 1))).ravel()[places] / terms
    for _ in range(ROUNDS):
        # Differences of white noise have twice its variance. Their mean square over a patch scatters by about
        # 2 / sqrt(terms), as neighbouring differences are correlated; patches within two such errors are flat.
        flat = energy < 2 * variance * (1 + 2 * 2 / math.sqrt(terms))
        if flat.sum() < max(10 * side * side, 0.01 * len(flat)):
            break
        before, variance = variance, longest_even_tail(patches[flat])
        if abs(variance - before) <= CONVERGED * before:
            break
    return variance


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
