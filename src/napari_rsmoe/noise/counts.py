"""Counts of few photons, whose noise is known from their steps."""

from __future__ import annotations

import numpy as np

from ..arrays import Array, Mask
from .clipping import few_values
from .noise_model import PoissonGaussian

FEWEST_AT_LOWEST = 0.05
"""Share of the pixels at the lowest value from which an image may consist of counts of few photons."""
PER_PHOTON = (0.5, 2.0)
"""Variance over mean, in steps of the values, between which noise is that of photons; it is 1 for ideal counts."""
MOSTLY_EMPTY = 0.9
"""Share of the pixels at the lowest value from which patches of the image say nothing about single photons."""
SCATTERED = 0.1
"""Correlation of neighbours up to which the two values of an image are scattered at random, as single photons are.
Masks have more, and dithered pictures a negative one."""


def count_noise(plane: Array, used: Mask | None, sigma: float) -> PoissonGaussian | None:
    """The noise of counts of few photons, whose gain is the step between their values; None if there are none.

    Parameters
    ----------
    plane : ndarray of float64, shape (H, W)
        The channel.
    used : ndarray of bool, shape (H, W), or None
        Pixels that count; None: all.
    sigma : float
        Standard deviation of even noise, as estimated.
    """
    values = plane if used is None else plane[used]
    found = few_values(values)
    if found is None or found[1][0] < FEWEST_AT_LOWEST * found[1].sum():
        return None
    lowest, step = float(found[0][0]), float(np.diff(found[0]).min())
    per_photon = sigma**2 / (step * (float(values.mean()) - lowest))
    return PoissonGaussian(step, lowest, 0.0) if PER_PHOTON[0] <= per_photon <= PER_PHOTON[1] else None


def single_photons(plane: Array, used: Mask | None) -> bool:
    """Whether a channel holds single photons in the dark: few values, nearly all the lowest, scattered at random."""
    found = few_values(plane if used is None else plane[used])
    return found is not None and bool(found[1][0] >= MOSTLY_EMPTY * found[1].sum()) and scattered(plane)


def scattered(plane: Array) -> bool:
    """Whether neighbours in a channel have independent values."""
    centred = plane - plane.mean()
    variance = float(np.square(centred).mean())
    pairs = ((centred[1:], centred[:-1]), (centred[:, 1:], centred[:, :-1]))
    return variance > 0 and all(
        first.size > 0 and abs(float((first * second).mean())) < SCATTERED * variance for first, second in pairs
    )
