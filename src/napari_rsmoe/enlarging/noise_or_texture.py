"""How likely what looks like noise in an image is noise, and not fine texture, from the slope of its power spectrum.

The power of texture falls towards high frequencies, most towards the highest along both axes, where any optics, camera
and reduction of an image pass least. The power of noise of single pixels does not.
"""

from __future__ import annotations

import math

import numpy as np

from ..arrays import Array, Floats
from ..image.block_spectra import block_powers, folded, taper
from ..noise.noise_model import BLOCK

MIDDLE, HIGHEST = slice(3, 5), slice(7, 9)
"""Frequencies in parts of 1 / `BLOCK` of the sampling rate. The highest along both axes are compared with the highest
along one axis and half of that along the other. With half of it along both, content hides weak noise."""
FEWEST = 9
"""Blocks, half of which overlap, from which the slope is measured. With fewer, chance decides."""
ROUNDING = 1 / 12 / 255**2
"""Power of the rounding to 8 bits. It is added, so that images of floats and of integers compare."""
CERTAIN, FALL, PRESENT = 4.5, 14.0, 3.2
"""Logarithm of the odds of noise where the spectrum is as flat as that of the noise and as strong; by how much it falls
for a slope by which amplitudes become e times smaller; and by how much it grows where the noise is found e times as
strong as the highest frequencies. Learnt by ``python -m benchmarks.texture`` from images without noise in which noise
was found, and from images with noise."""


def likely_noise(plane: Floats, sigma: float, spectrum: Array | None) -> float:
    """How likely the noise that was found in an image is noise.

    Parameters
    ----------
    plane : ndarray of float32, shape (H, W)
        The brightness of the image on [0, 1]; NaN where it does not count.
    sigma : float
        Standard deviation of the noise in it.
    spectrum : ndarray of float64, shape (C, BLOCK, BLOCK), or None
        That of the noise, as in a `NoiseModel`; None: white.

    Returns
    -------
    float
        The probability; one half where an image is too small to tell.
    """
    terms = terms_of(plane, sigma)
    if terms is None:
        return 0.5
    of_noise = 0.0 if spectrum is None else _slope(np.log(spectrum[0] + ROUNDING))
    score = CERTAIN - FALL * (terms[0] - of_noise) + PRESENT * terms[1]
    return 1 / (1 + math.exp(-min(max(score, -50.0), 50.0)))


def terms_of(plane: Floats, sigma: float) -> tuple[float, float] | None:
    """What tells noise from texture; arguments as above. None if there are too few blocks.

    By how much amplitudes fall to the highest frequencies, and by how much the noise is stronger than these, as
    logarithms. Both are means over blocks, so that those with least content count as much as those with most.
    """
    powers = block_powers([plane], BLOCK, FEWEST)
    if powers is None:
        return None
    logarithm = np.log(powers / np.square(taper(BLOCK)).sum() + ROUNDING).mean(0)
    return _slope(logarithm), math.log(sigma) - float(folded(logarithm)[HIGHEST, HIGHEST].mean()) / 2


def _slope(logarithm: Array) -> float:
    """By how much amplitudes fall to the highest frequencies; power as for `folded`."""
    power = folded(logarithm)
    beside = power[MIDDLE, HIGHEST].mean() + power[HIGHEST, MIDDLE].mean()
    return float(beside / 2 - power[HIGHEST, HIGHEST].mean()) / 2
