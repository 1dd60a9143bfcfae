"""How likely what looks like noise in an image is noise, and not fine texture, from the slope of its power spectrum.

The power of texture falls towards high frequencies, most towards the highest along both axes, where any optics, camera
and reduction of an image pass least. The power of noise of single pixels does not.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import rfft2

from ..arrays import Array, Floats
from ..noise.noise_model import BLOCK

MIDDLE, HIGHEST = slice(3, 5), slice(7, 9)
"""Frequencies in parts of 1 / `BLOCK` of the sampling rate. The highest along both axes are compared with the highest
along one axis and half of that along the other. With half of it along both, content hides weak noise."""
FEWEST = 9
"""Blocks, half of which overlap, from which the slope is measured. With fewer, chance decides."""
MOST = 400
"""Blocks at most; more take time and tell nothing new."""
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
    if min(plane.shape) < BLOCK:
        return None
    blocks = sliding_window_view(plane, (BLOCK, BLOCK))[:: BLOCK // 2, :: BLOCK // 2].reshape(-1, BLOCK, BLOCK)
    blocks = blocks[np.isfinite(blocks).all((1, 2))]
    if len(blocks) < FEWEST:
        return None
    blocks = blocks[:: -(-len(blocks) // MOST)].astype(np.float64)
    window = np.outer(*2 * [np.hanning(BLOCK + 2)[1:-1]])
    window /= np.sqrt(np.square(window).sum())
    power = np.square(np.abs(rfft2((blocks - blocks.mean((1, 2), keepdims=True)) * window)))
    logarithm = np.log(power + ROUNDING).mean(0)
    return _slope(logarithm), math.log(sigma) - float(_folded(logarithm)[HIGHEST, HIGHEST].mean()) / 2


def _folded(logarithm: Array) -> Array:
    """Means over frequencies and those mirrored, for the order of `numpy.fft.rfft2` or `numpy.fft.fft2`."""
    half = BLOCK // 2 + 1
    folded: Array = (logarithm + np.roll(logarithm[::-1], 1, axis=0))[:half, :half] / 2
    return folded


def _slope(logarithm: Array) -> float:
    """By how much amplitudes fall to the highest frequencies; power as for `_folded`."""
    folded = _folded(logarithm)
    beside = folded[MIDDLE, HIGHEST].mean() + folded[HIGHEST, MIDDLE].mean()
    return float(beside / 2 - folded[HIGHEST, HIGHEST].mean()) / 2
