"""Noise that grows with brightness, measured in one image: the variance of patches against their mean."""

from __future__ import annotations

import math

import numpy as np

from ..arrays import Array, Limits, Mask
from ..image.bands import by_bands
from ..progress import pause
from .anscombe import stabilised_moments
from .noise_model import PoissonGaussian
from .patches import box_sums, longest_even_tail, patches_at

SIDE = 5
"""Side of the patches, px."""
LEVELS = 16
"""Levels of brightness at which the variance is measured."""
LEAST_LEVELS = 4
"""Levels with enough patches that are needed to fit a line."""
MOST_MEANS = 20_000
"""Patches whose means set the darkest and the brightest level."""
MOST = 2500
"""Patches of a level whose covariance is taken, at most."""
FEWEST = 400
"""Patches below which a level is left out, as its eigenvalues scatter; unless too few levels are left for a line."""
SPARSE = 150
"""The same for images that have too few levels otherwise, as images of 128 px and less have where few pixels are
bright."""
SURELY = 2.5
"""How much more noise must grow to be seen in such levels, as a factor: content alone may double their variance."""
SATURATED = 0.02
"""Share of values at the upper limit from which a level is left out."""
GROWTH = 2.5
"""Variance at the brightest over that at the darkest level. From this ratio on, noise grows with brightness if the line
fits the variances; below, the noise is assumed to be even."""
CLOSE = 0.1
"""Median distance of the variances from the line, in natural logarithms, up to which the line always fits. Above it,
even noise must fit worse."""
MISFIT = 0.35
"""Median distance of the variances from the line, in natural logarithms. Up to it the line may fit; above, the
variances are those of content, and the noise is assumed to be even."""
AGAINST_EVEN = 0.5
"""Median distance of the variances from the line, relative to their distance from even noise. Up to it the line
explains them; above, even noise does so nearly as well and is taken."""
FLOOR = 0.01
"""Smallest variance that is distinguished from zero, relative to the largest."""
ROUNDS = 10
"""How often levels are weighted by how well they fit."""
TOLERANCE = 0.1
"""Relative excess of a variance over the line up to which its level counts in full; beyond, its weight falls."""


def variance_line(plane: Array, used: Mask | None, limits: Limits, apart: int = 1) -> PoissonGaussian | None:
    """Fit a Poisson-Gaussian noise model to one channel.

    The variance of photon noise is a line over the true value [1]_, so patches of one mean have, on average, the
    variance that belongs to that mean, whatever they show. At each of several levels of brightness the variance is
    estimated from the small eigenvalues of the covariance of patches, as in `white_variance`. Content only adds to it,
    so levels above the line count less.

    Parameters
    ----------
    plane : ndarray of float64, shape (H, W)
        The channel.
    used : ndarray of bool, shape (H, W), or None
        Pixels that count; None: all.
    limits : (float, float)
        Values at which the channel was clipped; infinite: not at all.
    apart : int
        Distance of the pixels of a patch, px: more than 1 where neighbours share their noise.

    Returns
    -------
    PoissonGaussian or None
        Variances do not determine both offset and read noise: if the line reaches 0 above the smallest value, the
        offset is there and read noise is 0; else the offset is the smallest value. None if the line falls, or if there
        are too few levels.

    References
    ----------
    .. [1] A. Foi, M. Trimeche, V. Katkovnik, K. Egiazarian. Practical Poissonian-Gaussian noise modeling and fitting
       for single-image raw-data. IEEE Transactions on Image Processing 17, 2008. :doi:`10.1109/TIP.2008.2001399`
    """
    means, variances, counts = _levels(plane, used, limits[1], apart)
    if len(means) < LEAST_LEVELS or variances.max() <= 0:
        return None
    return _model(*_line(means, variances, counts), float(plane.min()))


def photon_noise(
    plane: Array, used: Mask | None, sigma: float, limits: Limits, apart: int = 1, growth: float = GROWTH
) -> PoissonGaussian | None:
    """`variance_line` if the noise clearly grows with brightness; None if even noise explains the variances as well.

    Parameters
    ----------
    plane, used, limits, apart
        As `variance_line` takes them.
    sigma : float
        Standard deviation of even noise, as estimated. Clipping makes even noise weaker at the ends of the range; that
        is no growth.
    growth : float
        Variance at the brightest over that at the darkest level from which noise grows.

    Returns
    -------
    PoissonGaussian or None
        As `variance_line` returns it.
    """
    means, variances, counts = _levels(plane, used, limits[1], apart)
    if len(means) < LEAST_LEVELS or variances.max() <= 0:
        return None
    growth *= SURELY if counts.min() < FEWEST else 1.0
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
    return _model(slope, constant, float(plane.min()))


def variance_levels(plane: Array, used: Mask | None, limits: Limits, apart: int = 1) -> tuple[Array, Array]:
    """Brightness (n,) and variance (n,) of the noise at the levels that `variance_line` fits; empty if there are none.

    Parameters
    ----------
    plane, used, limits, apart
        As `variance_line` takes them.
    """
    means, variances, _ = _levels(plane, used, limits[1], apart)
    return means, variances


def _model(slope: float, constant: float, lowest: float) -> PoissonGaussian | None:
    """The noise model of a line of variances, in an image whose smallest value is `lowest`."""
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
    means = box_sums(plane, (SIDE, SIDE), apart)
    means /= SIDE**2
    pause()
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
    level = by_bands(lambda part: np.asarray(np.searchsorted(inner, part, side="right")), values, dtype=np.int8)
    for number in range(LEVELS):
        pause()
        members = np.flatnonzero(level == number)
        if len(members) < SPARSE:
            continue
        chosen = places[members[np.linspace(0, len(members) - 1, min(len(members), MOST)).astype(np.intp)]]
        patches = patches_at(plane, (SIDE, SIDE), chosen, apart)
        if np.mean(patches >= top) <= SATURATED:
            mean = patches.mean()
            found.append((mean, longest_even_tail(patches - mean), len(chosen)))
    dense = [each for each in found if each[2] >= FEWEST]
    means, variances, counts = np.array(dense if len(dense) >= LEAST_LEVELS else found).reshape(-1, 3).T
    return means, variances, counts


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
        trust = TOLERANCE / np.maximum(variances / fitted - 1, TOLERANCE)
    return float(solution[0]), float(solution[1])


def _growth(means: Array, slope: float, constant: float) -> float:
    """Variance at the brightest level over that at the darkest, by a line."""
    darkest, brightest = slope * means[[0, -1]] + constant
    return brightest / max(darkest, FLOOR * abs(brightest), 1e-300)
