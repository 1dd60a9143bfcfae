"""The noise of an image that is to be enlarged: what is found of it, or what the user says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .. import engine
from ..arrays import Floats
from ..checks import is_number
from ..denoising.denoise import denoise
from ..denoising.observation import measured_model
from ..image.beginning import reading_report
from ..image.inputs import Inputs
from ..noise.given import Noise
from ..noise.measure import measured_pixels, strength
from ..noise.noise_model import NoiseModel
from ..noise.quiet import quietest_power
from ..notes import gathered, note
from ..progress import Callback

NOISY = 0.008
"""Standard deviation of the noise, in parts of the range of the image, from which it is removed. Below it, less is
gained on photographs than is lost where fine texture is removed as noise."""
SURE_SIDE = 128
"""Smallest side in pixels of an image whose measured noise is believed as it is. In smaller ones texture is too often
measured as noise, and the quietest places bound it."""
NOISY_SMALL, NOISY_DOUBTED = 0.015, 0.03
"""The same as `NOISY` for images that are smaller than that: if their quietest places confirm what was measured, and if
they have less noise. Below the former, noise of 5 of 255 would be enlarged, which costs up to 4 dB; above it, removed
texture costs 0.7 dB at most."""
DOUBTED = 1.5
"""How many times the noise of the quietest places the measured one may be to be believed. Above lies texture or
correlated noise, which small images do not tell apart; below it quiet places that are so by chance."""
FEWEST_QUIET = 9
"""Blocks of 8x8 px among which the quietest places of small images are searched. Among fewer, none may be quiet."""


def removed(
    inputs: Inputs, noise: Noise, *, preset: str, seed: int, device: str, callback: Callback | None
) -> tuple[Inputs, Floats | None, float]:
    """An image without its noise, as far as it has any.

    Parameters
    ----------
    inputs : Inputs
        The image.
    noise : Noise
        As for `napari_rsmoe.denoise`; "auto": it is measured, and removed from `NOISY` on.
    preset, seed, device, callback
        As for `napari_rsmoe.denoise`.

    Returns
    -------
    inputs : Inputs
        The image without its noise.
    std : ndarray of float32, shape (H, W, C), or None
        Standard deviation of the error that is left at each pixel, in the engine's range; None: there was no noise.
    sigma : float
        Standard deviation of the noise that was removed, in units of the image.
    """
    known, kept = noise, 0.0
    if isinstance(noise, str):
        known, kept = engine.attended(lambda: found_noise(inputs), reading_report(inputs.given, callback, "noise"))
        if kept:
            height, width, _ = inputs.pixels.shape
            note(
                f"what looks like noise with a standard deviation of {kept:.2g} was kept and enlarged, as in {width} x "
                f"{height} px it may be fine texture; noise={kept:.2g} (--noise {kept:.2g}) removes it"
            )
    if is_number(known) and float(known) == 0:  # type: ignore[arg-type]
        left = np.full(inputs.pixels.shape, kept / inputs.layout.span, np.float32) if kept else None
        return inputs, left, 0.0
    if not isinstance(noise, str):
        measured_model(inputs, noise)  # Says so if it is in doubt.
    layout = inputs.layout
    single = np.float32 in (np.dtype(layout.dtype), layout.exact_type)
    # In single precision, values of other types would lose digits where they are far from 0, or be beyond its range.
    noisy = inputs if single else replace(inputs, layout=replace(layout, dtype="<f8"))
    dtype = "float32" if single else "same"
    with gathered():  # What is said there is about the result of another job.
        clean = denoise(noisy, noise=known, preset=preset, dtype=dtype, seed=seed, device=device, callback=callback)
    pixels, std = (np.atleast_3d(layout.channels_last(each)) for each in (clean.image, clean.std))
    if isinstance(noise, str):
        note(
            f"noise with a standard deviation of {clean.noise:.2g} was found and removed, not enlarged; where it is "
            "fine texture, noise=0 (--noise 0) keeps it"
        )
    left = np.nan_to_num(std / np.float32(layout.span), nan=0.0)
    return inputs.with_pixels(layout.unit(pixels)), np.ascontiguousarray(left, np.float32), clean.noise


def found_noise(inputs: Inputs) -> tuple[NoiseModel | float, float]:
    """The noise of an image, 0 where it is too weak to be removed, and the standard deviation of what is kept in doubt.

    In doubt is noise of small images that would be removed from larger ones, of which more is known.
    """
    height, width, _ = inputs.pixels.shape
    layout = inputs.layout
    with gathered():
        model = measured_model(inputs, "auto")
    pixels, used = measured_pixels(inputs)
    counted = pixels if used.all() else pixels[used]
    found = [strength(noise, counted[..., c].ravel()) for c, noise in enumerate(model.channels)]
    sigma = float(np.sqrt(np.mean(np.square(found))))
    quiet = sigma * _quiet_share(pixels, model)
    confirmed = sigma < DOUBTED * quiet
    least = NOISY if min(height, width) >= SURE_SIDE else NOISY_SMALL if confirmed else NOISY_DOUBTED
    surely = min(sigma, quiet)
    if surely <= least:
        return 0.0, surely * layout.span if surely > NOISY else 0.0
    return (model.scaled(layout.span, layout.low) if confirmed else quiet * layout.span), 0.0


def _quiet_share(pixels: Floats, model: NoiseModel) -> float:
    """Standard deviation that the noise of an image (H, W, C) has in its quietest places, relative to a model of it.

    The model counts as white there: small images do not tell correlated noise from texture.
    """
    power = [
        quietest_power(pixels[..., c].astype(np.float64), channel, model.limits[c], None, fewest=FEWEST_QUIET)
        for c, channel in enumerate(model.channels)
        if channel.gain + channel.read > 0
    ]
    return float(np.sqrt(max(power, default=0.0)))
