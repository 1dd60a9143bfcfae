"""The value without light of an image that is to be deconvolved, where nobody gives it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..noise.noise_model import PoissonGaussian
from .deconvolution import Blur

BACKGROUND = 0.05
"""Fraction of the pixels that are as dark as the darkest one if there is background. On simulated beads, filaments and
cells it is 0.28 to 0.82, on a micrograph full of soft texture 0.0005."""
ALIKE = 0.01
"""Difference from the darkest pixel, as a fraction of the range, that counts as equal; the noise does so, too."""
FILLED = 2.0
"""How far the light of a dip may lie below its blurred value, relative to the most that another blur would fill of any
dip. With less, narrow dips are cut off, and what is missing there makes rings; with more, the scale of the light
depends on single pixels."""


def darkness(plane: NDArray[Any], noise: PoissonGaussian, blur: Blur) -> float:
    """The smallest value that the light of a plane (H, W) without noise may have.

    Where many pixels are about as dark as the darkest one, this is the background. Otherwise the darkest pixel is a dip
    between structures, which the blur has filled. Then photon noise tells the value without light, at which it would
    vanish.

    Parameters
    ----------
    plane : ndarray
        The blurred plane, in any unit.
    noise : PoissonGaussian
        The noise that it had, in the same unit.
    blur : Blur
        The convolution.
    """
    lowest, highest = float(plane.min()), float(plane.max())
    alike = max(float(np.sqrt(noise.variance(np.array([lowest]))[0])), ALIKE * (highest - lowest))
    if np.mean(plane <= lowest + alike) >= BACKGROUND:
        return lowest
    filled = float(np.max(blur.inner(blur(blur.padded(plane))) - plane))
    bound = lowest - FILLED * max(filled, 0.0)
    if noise.gain == 0:
        return bound
    return min(lowest, max(bound, noise.offset - noise.read**2 / noise.gain))
