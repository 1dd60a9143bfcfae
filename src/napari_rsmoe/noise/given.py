"""Noise that the user gives, in any form that `denoise` accepts."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..arrays import Floats, Mask
from ..checks import is_number
from ..image.format import ImageFormat
from .clipping import clip_limits
from .estimate import NoiseEstimate
from .measure import measure_noise
from .noise_model import NoiseModel, PoissonGaussian

Noise = float | str | PoissonGaussian | tuple[float, float, float] | NoiseEstimate
"""What `denoise` accepts as `noise`."""


def check_noise(noise: Any) -> None:
    """Raise a ValueError if `noise` is none of what `denoise` accepts."""
    _known_noise(noise)


def noise_model(noise: Noise, pixels: Floats, used: Mask | None, layout: ImageFormat) -> NoiseModel:
    """The noise model of an image in the engine's range, measured or as the user gives it.

    Parameters
    ----------
    noise : Noise
        What the user gives, in units of the image; "auto": measure it.
    pixels : ndarray of float32, shape (H, W, C)
        The image in the engine's range.
    used : ndarray of bool, shape (H, W), or None
        Pixels that count; None: all.
    layout : ImageFormat
        The units of the image.

    Warns
    -----
    UserWarning
        If noise of one standard deviation is given that exceeds the whole range of the image: its unit is wrong.
    """
    known = _known_noise(noise)
    # A constant image has no noise, whatever is given.
    if known is None or np.ptp(pixels) == 0:
        return measure_noise(pixels, used)
    factor = 1 / layout.span
    if isinstance(known, NoiseEstimate):
        estimated = known.model.scaled(factor, -layout.low * factor)
        if len(estimated.channels) != pixels.shape[2]:
            raise ValueError(
                f"noise was estimated for {len(estimated.channels)} channels, but the image has {pixels.shape[2]}."
            )
        return estimated
    if known.gain == 0 and known.read > layout.span:
        warnings.warn(
            f"The given noise of standard deviation {known.read:g} is larger than the range of the image, from "
            f"{layout.low:g} to {layout.high:g}. It must be in units of the image.",
            stacklevel=2,
        )
    model = known.scaled(factor, -layout.low * factor)
    planes = (pixels[..., c] if used is None else pixels[..., c][used] for c in range(pixels.shape[2]))
    limits = tuple(clip_limits(plane) for plane in planes)
    return NoiseModel((model,) * len(limits), limits)


def _known_noise(noise: Any) -> PoissonGaussian | NoiseEstimate | None:
    """What the user gives as noise, checked; None for "auto"."""
    if isinstance(noise, str) and noise == "auto":
        return None
    if isinstance(noise, NoiseEstimate | PoissonGaussian):
        given = noise
    elif is_number(noise) and noise > 0:
        given = PoissonGaussian(0.0, 0.0, float(noise))
    elif isinstance(noise, tuple | list) and len(noise) == 3 and all(map(is_number, noise)) and min(noise[::2]) >= 0:
        given = PoissonGaussian(*map(float, noise))
    else:
        given = PoissonGaussian(0.0)
    if isinstance(given, PoissonGaussian) and given.gain + given.read == 0:
        raise ValueError(
            f"noise={noise!r} must be 'auto', a positive standard deviation in units of the image, three numbers "
            "(gain, offset, read noise) of which gain and read noise are not negative and not both 0, a "
            "PoissonGaussian, or what estimate_noise returned."
        )
    return given
