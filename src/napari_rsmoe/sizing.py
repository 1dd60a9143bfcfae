"""How many kernels an image needs for a given error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import exp, log
from typing import TypeVar

from .fitter import Fitter
from .settings import FitSettings

Result = TypeVar("Result")

SPARSEST = 1000  # pixels of a kernel, at most
PILOT_PIXELS_PER_KERNEL = 256
PILOT_STEPS = 100
DOUBLING = 10**-0.25  # factor of the squared error when kernels double: 2.5 dB, typical of photographs
CLOSE = 10**-0.01  # an error within 0.1 dB of the target is good enough,
NARROW = 1.04  # and so are kernel counts this near to each other
MOST_FITS = 6


def predict_kernels(
    shape: tuple[int, ...],
    target: float,
    densest: int,
    fitter: Callable[[int, FitSettings], Fitter],
    settings: FitSettings,
) -> int:
    """Kernels expected to reach a mean squared error, from one short fit with few.

    Parameters
    ----------
    shape : tuple of int
        (H, W, ...) of the image.
    target : float
        Mean squared error in the engine's range, positive.
    densest : int
        Pixels of a kernel, at least.
    fitter : callable
        Makes a fit of so many kernels with such settings.
    settings : FitSettings
        Of the fit that is planned.
    """
    pixels = shape[0] * shape[1]
    pilot = fitter(max(1, pixels // PILOT_PIXELS_PER_KERNEL), replace(settings, iterations=PILOT_STEPS))
    while pilot.remaining:
        pilot.chunk()
    most, least = max(1, pixels // densest), max(1, pixels // SPARSEST)
    return min(most, max(least, _rescaled(len(pilot.geometry), pilot.mean_squared_error, target)))


def as_few_as_reach(
    target: float,
    first: int,
    most: int,
    attempt: Callable[[int, int], tuple[Result, float]],
    stopped: Callable[[], bool],
) -> tuple[Result, float]:
    """Find the smallest kernel count whose fit reaches a mean squared error, within a few per cent.

    Brackets the count and interpolates log error over log count, which is nearly straight.

    Parameters
    ----------
    target : float
        Mean squared error to reach.
    first, most : int
        The count to begin with, and the largest allowed.
    attempt : callable
        Fits with a count, as number so-and-so of the attempts; returns the result and its error.
    stopped : callable
        Whether to give up.

    Returns
    -------
    tuple
        The result with the fewest kernels that reached the target, else the one with the least error.
    """
    enough: tuple[int, float, Result] | None = None
    short: tuple[int, float, Result] | None = None
    count = min(first, most)
    for index in range(MOST_FITS):
        result, error = attempt(count, index)
        if error <= target:
            enough = (count, error, result)
        elif short is None or error < short[1]:
            short = (count, error, result)
        near = enough is not None and enough[1] >= target * CLOSE
        if stopped() or near or (enough is None and count >= most) or (enough is not None and count <= 1):
            break
        if enough and short:
            if enough[0] <= short[0] * NARROW or enough[0] - short[0] <= 1:
                break
            count = _between(short, enough, target)
        else:
            count = min(most, max(1, _rescaled(count, error, target)))
            if short:  # rather a little too many: a bracket is what is needed
                count = min(most, max(round(1.03 * count), short[0] + 1))
            elif enough:
                count = max(1, min(count, enough[0] - 1))
    best = enough or short
    assert best is not None
    return best[2], best[1]


def _rescaled(count: int, error: float, target: float) -> int:
    """The count for the target, by the typical gain of doubling."""
    if error <= 0:
        return 1
    doublings = min(max(log(target / error) / log(DOUBLING), -8.0), 8.0)
    return max(1, round(count * 2**doublings))


def _between(short: tuple[int, float, object], enough: tuple[int, float, object], target: float) -> int:
    share = (log(target) - log(short[1])) / (log(max(enough[1], 1e-30)) - log(short[1]))
    count = round(exp(log(short[0]) + share * (log(enough[0]) - log(short[0]))))
    return min(max(count, short[0] + 1), enough[0] - 1)
