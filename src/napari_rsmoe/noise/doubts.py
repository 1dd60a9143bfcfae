"""Words on noise in doubt: none found, too little image, or given in the wrong unit."""

from __future__ import annotations

import math

import numpy as np

from ..arrays import Floats, Mask
from ..image.format import ImageFormat
from ..notes import note
from .clipping import two_valued
from .noise_model import NoiseModel, PoissonGaussian
from .white import white_variance

TOO_STRONG = 2.0
"""Given noise, relative to the standard deviation of all values of the image, above which its unit is wrong. Values
that are cut off vary less than their noise, but hardly by half."""
TOO_WEAK = 1 / 30
"""Given noise, relative to what the image shows at its finest scale, below which its unit is wrong."""
SMALL = 32 * 32
"""Number of pixels below which the noise of an image is uncertain."""


def doubt_measured(model: NoiseModel, pixels: Floats, used: Mask | None) -> None:
    """Say why no noise was found in an image (H, W, C), or that it is too small for its noise to be certain."""
    height, width, channels = pixels.shape
    values = pixels if used is None else pixels[used]
    found = any(channel.gain + channel.read > 0 for channel in model.channels)
    if found and height * width >= SMALL:
        return
    if np.ptp(values) == 0:
        reason = "it has one value only"
    elif all(two_valued(values[..., c]) for c in range(channels)):
        reason = "nearly all of its pixels have one of two values, as in a mask"
    elif height * width < SMALL:
        reason = f"its {width} x {height} px are too few to be certain"
    else:
        reason = "its finest details are not those of noise"
    if found:
        note(f"the noise of the image is a guess, as {reason}; noise= (--noise) gives it")
    else:
        note(f"no noise was found in the image, as {reason}; noise= (--noise) gives it")


def doubt_given(model: PoissonGaussian, pixels: Floats, used: Mask | None, layout: ImageFormat) -> None:
    """Say if given noise is far stronger or weaker than what an image (H, W, C) can have, so that its unit is wrong.

    Parameters
    ----------
    model : PoissonGaussian
        The given noise, in the engine's range.
    pixels : ndarray of float32, shape (H, W, C)
        The image in the engine's range.
    used : ndarray of bool, shape (H, W), or None
        Pixels that count; None: all.
    layout : ImageFormat
        The units of the image.
    """
    values = (pixels if used is None else pixels[used]).astype(np.float64)
    given, spread = math.sqrt(float(model.variance(values).mean())), float(values.std())
    unit = "It must be in units of the image"
    named = f"The given noise, a standard deviation of {given * layout.span:.4g},"
    if given > TOO_STRONG * spread:
        note(
            f"{named} is larger than the variation of the image, {spread * layout.span:.4g} in a range from "
            f"{layout.low:.6g} to {layout.high:.6g}. {unit}",
        )
        return
    shown = math.sqrt(white_variance(pixels[..., 0].astype(np.float64), used))
    if given < TOO_WEAK * shown:
        note(f"{named} is far less than the image shows, about {shown * layout.span:.4g}. {unit}")
