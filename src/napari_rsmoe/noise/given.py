"""Noise that the user gives, in any form that `denoise` accepts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import Floats, Mask
from ..checks import is_number
from ..image.format import ImageFormat
from ..memory import WORTH_RELEASE, release
from ..notes import note
from .channels import equal_levels
from .clipping import clip_limits
from .doubts import doubt_given, doubt_measured
from .estimate import NoiseEstimate
from .measure import in_linear_units, measure_noise
from .noise_model import NoiseModel, PoissonGaussian, flat_spectra

Noise = (
    float | str | PoissonGaussian | tuple[float, float, float] | Sequence[PoissonGaussian] | NoiseEstimate | NoiseModel
)
"""What `denoise` accepts as `noise`."""
STRENGTHS = (1e-12, 1e6)
"""Standard deviations of given noise at the brightest pixel, as fractions of the range of the image, that are taken.
Weaker noise is far below the rounding of single precision, stronger noise would have made the range larger."""


def is_no_noise(noise: Any) -> bool:
    """Whether the user says that there is no noise to be removed."""
    return is_number(noise) and noise == 0


def noise_or_sigma(noise: Noise, sigma: float | None) -> Noise:
    """The noise, which may be given by the name that it has in scikit-image; a TypeError if it is given by both."""
    if sigma is None:
        return noise
    if not (isinstance(noise, str) and noise == "auto"):
        raise TypeError("sigma is another name of noise; give one of them.")
    return sigma


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
        The image in the engine's range, as `measured_pixels` gives it.
    used : ndarray of bool, shape (H, W), or None
        Pixels that count; None: all.
    layout : ImageFormat
        The units of the image.

    Warns
    -----
    ImageWarning
        If no noise is found, if given noise seems to be in another unit, or if three numbers for an image of three
        channels might mean something else.
    """
    known = _known_noise(noise)
    # A constant image has no noise, whatever is given.
    if known is None or np.ptp(pixels) == 0:
        measured = measure_noise(pixels, used)
        release(WORTH_RELEASE)
        doubt_measured(measured, pixels, used)
        return in_linear_units(measured, layout)
    factor = 1 / layout.span
    channels = pixels.shape[2]
    if isinstance(known, NoiseModel):
        estimated = known.scaled(factor, -layout.low * factor)
        if len(estimated.channels) != channels:
            raise ValueError(
                f"noise was estimated for {len(estimated.channels)} channels, but the image has {channels}."
            )
        return estimated
    if isinstance(noise, tuple | list) and not isinstance(known, tuple) and channels == len(noise):
        note(
            f"noise={noise!r} is gain, offset and read noise, the same for all channels; a list of one PoissonGaussian "
            "for each channel gives each its own",
        )
    each = known if isinstance(known, tuple) else (known,) * channels
    if len(each) != channels:
        raise ValueError(f"noise is given for {len(each)} channels, but the image has {channels}.")
    models = tuple(model.scaled(factor, -layout.low * factor) for model in each)
    for given, model in zip(each, models, strict=True):
        _refuse_impossible(given, model, float(pixels.max()), layout)
    for c, model in enumerate(models if isinstance(known, tuple) else models[:1]):
        if model.gain + model.read > 0:
            doubt_given(model, pixels[..., c : c + 1] if isinstance(known, tuple) else pixels, used, layout)
    limits = tuple(clip_limits(pixels[..., c], used) for c in range(channels))
    same = len(set(models)) == 1
    spectra = flat_spectra(equal_levels(pixels)) if same else None
    return in_linear_units(NoiseModel(models, limits, spectra), layout)


def _refuse_impossible(given: PoissonGaussian, scaled: PoissonGaussian, highest: float, layout: ImageFormat) -> None:
    """Raise a ValueError for noise, in units of the image and of the engine, that no image like this one can have."""
    light = max(highest - scaled.offset, 0.0)
    strength = math.hypot(math.sqrt(scaled.gain) * math.sqrt(light), scaled.read)
    if strength > 0 and not STRENGTHS[0] <= strength <= STRENGTHS[1]:  # It is 0 where all is darker than the offset.
        size = f"{strength * layout.span:.4g}"
        raise ValueError(
            f"noise is given as {given}, a standard deviation of {size} at the brightest pixel of an image from "
            f"{layout.low:.6g} to {layout.high:.6g}: {'more' if strength > 1 else 'less'} than it can have. Give it in "
            "units of the image, or leave it to the program with 'auto'."
        )


def _known_noise(noise: Any) -> PoissonGaussian | tuple[PoissonGaussian, ...] | NoiseModel | None:
    """What the user gives as noise, checked: one model, or one for each channel; None for "auto"."""
    if isinstance(noise, str) and noise == "auto":
        return None
    if isinstance(noise, tuple | list) and noise and all(isinstance(each, PoissonGaussian) for each in noise):
        return tuple(noise)
    if isinstance(noise, NoiseEstimate):
        return noise.model
    if isinstance(noise, NoiseModel):
        return noise
    if isinstance(noise, PoissonGaussian):
        given = noise
    elif is_number(noise) and noise >= 0:
        given = PoissonGaussian(0.0, 0.0, float(noise))
    elif isinstance(noise, tuple | list) and len(noise) == 3 and all(map(is_number, noise)) and min(noise[::2]) >= 0:
        given = PoissonGaussian(*map(float, noise))
    else:
        given = PoissonGaussian(0.0)
    if given.gain + given.read == 0 and not is_no_noise(noise):
        raise ValueError(
            f"noise={noise!r} must be 'auto', a standard deviation in units of the image, three numbers "
            "(gain, offset, read noise) of which gain and read noise are not negative and not both 0, a "
            "PoissonGaussian or one for each channel, or what estimate_noise returned."
        )
    return given
