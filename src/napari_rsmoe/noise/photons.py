"""Noise that grows with brightness, measured in one image: the variance of patches against their mean."""

from __future__ import annotations

import math

import numpy as np

from ..arrays import Array, Limits, Mask
from .anscombe import stabilised_moments
from .noise_model import PoissonGaussian
from .patches import box_sums, longest_even_tail, patches_at

SIDE = 5  # px, of the patches
LEVELS, LEAST_LEVELS = 16, 4  # of brightness: how many are tried, and how many must be found
MOST_MEANS = 20_000  # patches whose means tell the darkest and the brightest level
MOST, FEWEST = 2500, 400  # patches of a level that are taken, and that it needs
SATURATED = 0.02  # share of values at the top end from which on a level is left out
GROWTH = 2.5  # variance at the brightest over that at the darkest level, from which on it counts as growing
CLOSE = 0.1  # median misfit of the line, in logarithms, that is good enough
MISFIT = 0.35  # largest one, and
AGAINST_EVEN = 0.5  # largest one as a share of that of even noise
FLOOR = 0.01  # of the largest variance: less is not told from nothing
ROUNDS = 10  # of weighing the levels by how well they fit


def variance_line(plane: Array, used: Mask | None, limits: Limits, apart: int = 1) -> PoissonGaussian | None:
    """Fit the noise of one channel by photons and a camera.

    The variance of photon noise is a line over the true value, so patches of one mean have, on average, the variance
    that belongs to that mean, whatever they show. At each of several levels of brightness it is told from the small
    eigenvalues of the covariance of patches, as in `noise.white_variance`; structure only adds to it, so levels above
    the line count less.

    Parameters
    ----------
    plane : ndarray of float64, shape (H, W)
        The channel.
    used : ndarray of bool, shape (H, W), or None
        Pixels that count; None: all.
    limits : (float, float)
        Where values were cut off.
    apart : int
        Distance of the pixels of a patch, px: more than 1 where neighbours share their noise.

    Returns
    -------
    PoissonGaussian or None
        Offset and read noise cannot both be told from variances: if the line reaches 0 above the smallest value, that
        is the offset, and there is no read noise; else the offset is the smallest value. None if the line falls, or
        there are too few levels.
    """
    means, variances, counts = _levels(plane, used, limits[1], apart)
    if len(means) < LEAST_LEVELS or variances.max() <= 0:
        return None
    return _law(*_line(means, variances, counts), float(plane.min()))


def photon_noise(
    plane: Array, used: Mask | None, sigma: float, limits: Limits, apart: int = 1, growth: float = GROWTH
) -> PoissonGaussian | None:
    """`variance_line` where the noise clearly grows with brightness; None where even noise explains it as well.

    `sigma` is that of even noise, as estimated. Where values are cut off it is weaker, which is no growth. `growth` is
    the least ratio of the variances at the brightest and the darkest level.
    """
    means, variances, counts = _levels(plane, used, limits[1], apart)
    if len(means) < LEAST_LEVELS or variances.max() <= 0:
        return None
    slope, constant = _line(means, variances, counts)
    expected = np.ones_like(means)
    if sigma > 0 and any(map(math.isfinite, limits)):
        expected = np.maximum(stabilised_moments(means, PoissonGaussian(0, 0, sigma), limits)[1], FLOOR)
    if _growth(means, slope, constant) < growth or _growth(means, *_line(means, variances / expected, counts)) < growth:
        return None
    floor = FLOOR * variances.max()
    observed = np.maximum(variances, floor)
    misfit = np.median(np.abs(np.log(observed / np.maximum(slope * means + constant, floor))))
    even = np.log(observed / expected)
    if misfit > max(CLOSE, min(MISFIT, AGAINST_EVEN * np.median(np.abs(even - np.median(even))))):
        return None
    return _law(slope, constant, float(plane.min()))


def _law(slope: float, constant: float, lowest: float) -> PoissonGaussian | None:
    if slope <= 0:
        return None
    at_lowest = slope * lowest + constant
    return PoissonGaussian(slope, lowest - min(at_lowest / slope, 0.0), math.sqrt(max(at_lowest, 0.0)))


def _levels(plane: Array, used: Mask | None, top: float, apart: int) -> tuple[Array, Array, Array]:
    """Mean, noise variance and number of patches at levels of brightness, from dark to bright."""
    side = (SIDE - 1) * apart + 1
    nothing = np.empty(0), np.empty(0), np.empty(0)
    if min(plane.shape) < side:
        return nothing
    means = box_sums(plane, (SIDE, SIDE), apart) / SIDE**2
    places = np.arange(means.size)
    if used is not None and not used.all():
        places = np.flatnonzero(box_sums(used, (SIDE, SIDE), apart) == SIDE**2)
    if len(places) == 0:
        return nothing
    values = means.ravel()[places]
    darkest, brightest = np.quantile(values[:: max(1, len(values) // MOST_MEANS)], (0.001, 0.999))
    # Most places of a micrograph are dark, and noise falls fastest there: levels are closer in the dark.
    inner = darkest + (brightest - darkest) * np.linspace(0, 1, LEVELS + 1)[1:-1] ** 2
    found = []
    level = np.searchsorted(inner, values, side="right").astype(np.int8)
    for number in range(LEVELS):
        members = np.flatnonzero(level == number)
        if len(members) < FEWEST:
            continue
        chosen = places[members[np.linspace(0, len(members) - 1, min(len(members), MOST)).astype(np.intp)]]
        patches = patches_at(plane, (SIDE, SIDE), chosen, apart)
        if np.mean(patches >= top) <= SATURATED:
            mean = patches.mean()
            found.append((mean, longest_even_tail(patches - mean), len(chosen)))
    levels, variances, counts = np.array(found).reshape(-1, 3).T
    return levels, variances, counts


def _line(means: Array, variances: Array, counts: Array) -> tuple[float, float]:
    """Slope and constant of the line through variances over means; those above it count less."""
    columns = np.stack([means, np.ones_like(means)], 1)
    floor = FLOOR * variances.max()
    fitted, trust = np.maximum(variances, floor), np.ones_like(variances)
    solution = np.zeros(2)
    for _ in range(ROUNDS):
        # An estimate of a variance scatters in proportion to it.
        weight = np.sqrt(counts * trust) / fitted
        solution = np.linalg.lstsq(columns * weight[:, None], variances * weight, rcond=None)[0]
        fitted = np.maximum(columns @ solution, floor)
        trust = 0.1 / np.maximum(variances / fitted - 1, 0.1)
    return float(solution[0]), float(solution[1])


def _growth(means: Array, slope: float, constant: float) -> float:
    """How many times stronger noise is at the brightest level than at the darkest."""
    darkest, brightest = slope * means[[0, -1]] + constant
    return brightest / max(darkest, FLOOR * abs(brightest), 1e-300)
