"""The number of kernels that an image needs for a given error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import exp, log
from typing import TypeVar

from .fitter import Fitter
from .settings import FitSettings

Result = TypeVar("Result")

SPARSEST = 1000  # Largest number of pixels per kernel that is predicted.
PILOT_PIXELS_PER_KERNEL = 256  # Pixels per kernel of the pilot fit; fewer make it slower, more predict less exactly.
PILOT_STEPS = 100  # Steps of the pilot fit; more are slower, fewer predict too many kernels.
DOUBLING = 10**-0.25  # Factor of the squared error when the number of kernels doubles: 2.5 dB, typical of photographs.
CLOSE = 10**-0.01  # An error within this factor (0.1 dB) of the target ends the search.
NARROW = 1.04  # Kernel counts whose ratio is below this factor end the search.
AIM = 10**-0.004  # Factor of the target (0.04 dB better), so that about every second attempt reaches the target.
MOST_FITS = 8  # Largest number of fits of a search.


def predict_kernels(
    shape: tuple[int, ...],
    target: float,
    densest: int,
    fitter: Callable[[int, FitSettings], Fitter],
    settings: FitSettings,
    step: Callable[[Fitter], None],
    stop: Callable[[Fitter], bool],
) -> int:
    """The number of kernels expected to reach a mean squared error, from a short fit with few kernels.

    Parameters
    ----------
    shape : tuple of int
        (H, W, ...) of the image.
    target : float
        Mean squared error in the engine's range, positive.
    densest : int
        Smallest number of pixels per kernel.
    fitter : callable
        Makes a fit from a number of kernels and settings.
    settings : FitSettings
        Settings of the planned fit.
    step : callable
        Takes the next few steps of the pilot.
    stop : callable
        Called with the pilot at intervals; returning True ends it early.
    """
    pixels = shape[0] * shape[1]
    pilot = fitter(max(1, pixels // PILOT_PIXELS_PER_KERNEL), replace(settings, iterations=PILOT_STEPS))
    while pilot.remaining:
        step(pilot)
        if pilot.due() and stop(pilot):
            break
    most, least = max(1, pixels // densest), max(1, pixels // SPARSEST)
    return min(most, max(least, _rescaled(len(pilot.geometry), pilot.mean_squared_error, target, limit=8.0)))


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
        Takes a count and the number of the attempt, and returns the result and its error.
    stopped : callable
        Returns whether to stop the search.

    Returns
    -------
    tuple
        The result with the fewest kernels that reached the target, else the one with the least error.
    """
    enough: tuple[int, float, Result] | None = None  # The smallest count that reached the target.
    short: tuple[int, float, Result] | None = None  # The largest count that did not reach the target.
    count, reached = min(first, most), [False]
    for index in range(MOST_FITS):
        result, error = attempt(count, index)
        reached.append(error <= target)
        if error <= target:
            enough = (count, error, result) if enough is None or count < enough[0] else enough
        elif short is None or count > short[0]:
            short = (count, error, result)
        if stopped() or (enough is None and count >= most):
            break
        if enough is None:
            assert short is not None
            count = min(most, max(round(1.03 * _rescaled(count, error, target)), short[0] + 1))
        elif enough[1] >= target * CLOSE or enough[0] == 1:
            break
        elif short is None:
            count = min(max(1, _rescaled(count, error, target)), enough[0] - 1)
        elif enough[0] <= max(NARROW * short[0], short[0] + 1):
            break
        else:  # After two attempts on the same side interpolation converges slowly, so the bracket is halved.
            halve = len(reached) > 2 and reached[-1] == reached[-2]
            count = _between(short, enough, None if halve else AIM * target)
    best = enough or short
    assert best is not None
    return best[2], best[1]


def _rescaled(count: int, error: float, target: float, limit: float = 2.5) -> int:
    """The count for the target, by the typical gain of doubling; at most `limit` doublings or halvings away."""
    if error <= 0:
        return 1
    doublings = min(max(log(target / error) / log(DOUBLING), -limit), limit)
    return max(1, round(count * 2**doublings))


def _between(short: tuple[int, float, object], enough: tuple[int, float, object], target: float | None) -> int:
    """The count between two where the error should meet the target; None: the middle."""
    share = 0.5
    if target is not None:
        span = log(max(enough[1], 1e-30)) - log(short[1])
        share = min(max((log(target) - log(short[1])) / span, 0.02), 0.98) if span < 0 else 0.5
    count = round(exp(log(short[0]) + share * (log(enough[0]) - log(short[0]))))
    return min(max(count, short[0] + 1), enough[0] - 1)
