"""The level of white noise in one channel."""

from __future__ import annotations

import math

import numpy as np

from ..arrays import Array, Limits, Mask
from .clipping import clip_limits, clipped_moments

PATCH = 7  # px, side of the patches whose covariance is taken
MOST_PATCHES = 20_000  # a sample of so many patches is enough
ROUNDS = 3  # of choosing flat patches


def white_variance(plane: Array, used: Mask | None = None) -> float:
    """Estimate the variance of additive white noise in a channel (H, W).

    The patches of an image lie near a subspace of few dimensions; white noise fills all of them alike. So the small
    eigenvalues of the covariance of the patches are the variance of the noise: the longest tail of the spectrum
    whose mean does not exceed its median (Chen, Zhu and Heng, ICCV 2015). It is taken again over the patches that
    are flat by the estimate so far. Where values were cut off at the ends of the range, which shrinks the noise
    there, the patches with the fewest such pixels are taken, and the shrinkage that is left is undone.

    Parameters
    ----------
    plane : ndarray of float64, shape (H, W)
        Finite.
    used : ndarray of bool, shape (H, W), or None
        Pixels that count; None: all.

    Returns
    -------
    float
        In squared units of the channel; 0 if it does not vary, and where it is too small to tell noise from content
        (fewer than 4 patches, or a side under 3 px).
    """
    side = min(PATCH, *plane.shape)
    if side < 3 or np.ptp(plane) == 0:
        return 0.0
    patches = sampled_patches(plane, side, used)
    if len(patches) < 4:
        return 0.0
    low, span = plane.min(), np.ptp(plane)
    limits = clip_limits((plane if used is None else plane[used]) - low)
    limits = (limits[0], limits[1] / span)
    unit = (patches - low) / span
    if not any(map(math.isfinite, limits)):
        return _tail_variance(patches)
    ended = np.zeros(len(unit))
    for end, limit in ((unit <= 0, limits[0]), (unit >= 1, limits[1])):
        if math.isfinite(limit):
            ended += end.mean(1)
    # Flat saturated areas hold no noise at all; a few cut pixels hardly matter and are allowed for.
    chosen = ended <= max(float(np.quantile(ended, 0.25)), 0.02)
    if chosen.sum() < side * side:
        chosen = ended < 1
    if chosen.sum() < 4:
        return 0.0
    return _unclipped_variance(unit[chosen].mean(1), _tail_variance(unit[chosen]), limits) * span**2


def sampled_patches(plane: Array, side: int, used: Mask | None) -> Array:
    """Patches, shape (N, side^2), from all over a channel: an even sample of those without unused pixels."""
    windows = np.lib.stride_tricks.sliding_window_view(plane, (side, side))
    if used is None or used.all():
        places = np.arange(windows.shape[0] * windows.shape[1])
    else:
        places = np.flatnonzero(np.lib.stride_tricks.sliding_window_view(used, (side, side)).all((2, 3)))
    y, x = np.divmod(places[:: max(1, len(places) // MOST_PATCHES)], windows.shape[1])
    return windows[y, x].reshape(len(y), side * side)


def longest_even_tail(patches: Array) -> float:
    """Mean of the longest tail of the eigenvalues of the covariance whose mean does not exceed its median."""
    centred = patches - patches.mean(0)
    # Not through BLAS, whose last bits may depend on the number of threads.
    covariance = np.einsum("ni,nj->ij", centred, centred) / (len(centred) - 1)
    values = np.maximum(np.linalg.eigvalsh(covariance), 0)  # ascending
    for count in range(len(values), 1, -1):
        tail = values[:count]
        if tail.mean() <= np.median(tail):
            return float(tail.mean())
    return float(values[0])


def _tail_variance(patches: Array) -> float:
    """Noise variance of patches, shape (N, side^2): of all at first, then of those in which noise outweighs content."""
    variance = longest_even_tail(patches)
    side = round(patches.shape[1] ** 0.5)
    grid = patches.reshape(-1, side, side)
    energy = np.square(np.diff(grid, axis=1)).sum((1, 2)) + np.square(np.diff(grid, axis=2)).sum((1, 2))
    terms = 2 * side * (side - 1)
    for _ in range(ROUNDS):
        # Differences of white noise have twice its variance; a patch's mean square of them scatters by about
        # 2 / sqrt(terms), as neighbouring differences are correlated.
        flat = energy / terms < 2 * variance * (1 + 2 * 2 / np.sqrt(terms))
        if flat.sum() < max(10 * side * side, 0.01 * len(flat)):
            break
        variance = longest_even_tail(patches[flat])
    return variance


def _unclipped_variance(means: Array, observed: float, limits: Limits) -> float:
    """Variance of the noise whose clipped variance, averaged over patches of these means, is as observed."""
    grid = np.linspace(-0.5, 1.5, 801)

    def shrunk(sigma: float) -> float:
        mean, variance = clipped_moments(grid, sigma, limits)
        return float(np.interp(means, mean, variance).mean())

    low, high = np.sqrt(observed), 4 * np.sqrt(observed) + 1e-12
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if shrunk(middle) < observed else (low, middle)
    return float(0.5 * (low + high)) ** 2
