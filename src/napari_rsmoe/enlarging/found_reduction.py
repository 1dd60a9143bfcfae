"""How the pixels of an image came about, found from its power spectrum: as means over their area, or bicubically."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np

from ..arrays import Array, Floats
from ..image.block_spectra import block_powers, folded
from ..image.inputs import Inputs
from ..image.reduction import REDUCTIONS
from .refinement import MOST_REFINED

LOG = logging.getLogger(__name__)
CHOICES = ("auto", *REDUCTIONS)
"""What users say of the pixels of an image; "auto": it is found."""
BLOCK = 32
"""Side in pixels of the blocks whose spectra are averaged. Larger ones are too few in small images, smaller ones
resolve frequencies less."""
FEWEST = 4
"""Blocks, half of which overlap, from which the reduction is found. With fewer, chance decides."""
ROUNDING = 2e-4
"""Power of the rounding to 8 bits in a block. It is added, so that images of floats and of integers compare."""
ENDS = (0, 4, 8, 12, 15, 17)
"""Ends of the bands of frequencies along an axis, in parts of 1 / `BLOCK` of the sampling rate; narrower where the
reductions differ most, just below half of the sampling rate."""
CELLS = tuple((a, b) for a in range(len(ENDS) - 1) for b in range(a, len(ENDS) - 1))
"""Bands along both axes; both axes count equally."""
WEIGHTS = (-1.92, 2.19, 0.25, -0.89, -2.16, 3.14, -0.44, -2.98, 4.18, 2.13, -1.02, -0.12, -2.28, -1.00, -6.36)
"""Weights of the logarithm of the power in all cells but the first, relative to the first, and a constant. Learnt from
images that were reduced in both ways, by ``python -m benchmarks.reduction``."""
COST = 3.6
"""Loss in dB where means are treated as bicubically reduced pixels, relative to the reverse, times the factor: at 2
times the former loses nearly twice as much, at 4 times both lose the same."""


def share_of(reduction: str, parts: Sequence[Inputs], factor: float) -> float:
    """The share of bicubic interpolation in how pixels came about, of `CHOICES`, for `image.reduction.Reduction`.

    Parameters
    ----------
    reduction : str
        As for `napari_rsmoe.upscale`.
    parts : sequence of Inputs
        The image, or parts of it.
    factor : float
        By how much it is enlarged.
    """
    if reduction != "auto":
        return float(REDUCTIONS.index(reduction))
    share = best_share([_brightness(part) for part in parts], factor)
    LOG.info(
        "the pixels are treated as means over their area by %.2f, as reduced bicubically by %.2f", 1 - share, share
    )
    return share


def _brightness(part: Inputs) -> Floats:
    """The mean of the channels (H, W) of an image; NaN where it does not count."""
    plane = part.pixels.mean(2)
    return plane if part.weight is None else np.where(part.weight > 0, plane, np.float32(np.nan))


def best_share(planes: Sequence[Floats], factor: float) -> float:
    """The share of bicubic interpolation that loses least on average.

    Both losses grow with the square of the share that is wrong, so it follows from their ratio and the probability.

    Parameters
    ----------
    planes : sequence of ndarray of float32, shape (H, W)
        Parts of an image on [0, 1]; NaN where it does not count.
    factor : float
        By how much it is enlarged.
    """
    likely = likely_bicubic(planes)
    return likely / (likely + COST / min(factor, MOST_REFINED) * (1 - likely))


def likely_bicubic(planes: Sequence[Floats]) -> float:
    """How likely bicubic interpolation with antialiasing has reduced an image; `planes` as above.

    The mean over the area of a pixel lets more of the frequencies near half of the sampling rate pass, and of those
    above it, which return below it as aliases. So the spectrum of the image ends flatter than after bicubic
    interpolation, as it does where there is noise of single pixels. Images of too few pixels are 0: means over the
    area, as of a camera.
    """
    terms = shape_of_spectrum(planes)
    if terms is None:
        return 0.0
    score = float(np.dot(terms, WEIGHTS[:-1])) + WEIGHTS[-1]
    return 1 / (1 + math.exp(-min(max(score, -50.0), 50.0)))


def shape_of_spectrum(planes: Sequence[Floats]) -> Array | None:
    """Logarithm of the power in `CELLS` but the first, relative to the first; None if there are too few blocks.

    Amplitudes are averaged: of powers the blocks with the strongest edges would decide, of logarithms those where there
    is nothing to see. Blocks with values that are not finite do not count.
    """
    powers = block_powers(planes, BLOCK, FEWEST)
    if powers is None:
        return None
    logarithm = folded(2 * np.log(np.sqrt(powers + ROUNDING).mean(0)))
    power = (logarithm + logarithm.T) / 2
    found = np.array([power[ENDS[a] : ENDS[a + 1], ENDS[b] : ENDS[b + 1]].mean() for a, b in CELLS])
    return found[1:] - found[0]
