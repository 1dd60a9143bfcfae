"""The noise of an image that is to be enlarged: what is found of it, or what the user says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import engine
from ..arrays import Floats
from ..denoising.observation import measured_model
from ..image.beginning import reading_report
from ..image.inputs import Inputs
from ..noise.given import Noise, is_no_noise
from ..noise.measure import measured_pixels, strength
from ..noise.noise_model import NoiseModel
from ..noise.quiet import quietest_power
from ..notes import gathered, note
from ..progress import Callback
from .cleaned import cleaned
from .noise_or_texture import likely_noise

NOISY = 0.008
"""Standard deviation of the noise, in parts of the range of the image, from which it is removed. Below it, less is
gained on photographs than is lost where fine texture is removed as noise."""
LEAST_SHARE = 0.05
"""Share of the noise that is worth being removed. Less is kept, which saves the time."""
NEARLY_ALL = 0.9
"""Share of the noise from which it is said to be removed, without a figure."""
DOUBTED = 1.5
"""How many times the noise of the quietest places the measured one may be to be believed. Above lies texture or
correlated noise, which small images do not tell apart; below it quiet places that are so by chance."""
FEWEST_QUIET = 9
"""Blocks of 8x8 px among which the quietest places of small images are searched. Among fewer, none may be quiet."""


@dataclass(frozen=True)
class FoundNoise:
    """What looks like noise in an image, and how much of it is removed.

    Whether it is removed where it is texture, or kept where it is noise, the error grows with the square of what is
    wrong. So the share that loses least on average is the probability that it is noise.

    Attributes
    ----------
    noise : Noise
        The noise, in units of the image, as for `napari_rsmoe.denoise`.
    sigma : float
        Its standard deviation, in units of the image; 0: none was found, or the user has told it.
    likely : float
        How likely it is noise, and not texture: 1 for what the user has told.
    """

    noise: Noise
    sigma: float
    likely: float

    @property
    def share(self) -> float:
        """The share of it that is removed."""
        return self.likely if self.likely >= LEAST_SHARE else 0.0

    def less(self, given: NDArray[Any], clean: NDArray[Any]) -> NDArray[Any]:
        """The image, as given and without the noise, in between as far as it is texture."""
        given = given.astype(clean.dtype, copy=False)
        return np.where(np.isfinite(given), given + self.share * (clean - given), clean)

    def left(self, std: Floats) -> Floats:
        """Standard deviation of the error that is left, from that of the image without noise, in units of the image."""
        share, likely = self.share, self.likely
        texture_or_noise = (1 - share) ** 2 * likely + share**2 * (1 - likely)
        with np.errstate(over="ignore"):  # Single precision may not hold it: then the error bar is unknown.
            return np.hypot(np.float32(likely**0.5 * share) * std, np.float32(texture_or_noise**0.5 * self.sigma))

    def say(self) -> None:
        """Say what becomes of it, if there is any."""
        if self.sigma == 0:
            return
        noise = f"noise with a standard deviation of {self.sigma:.2g}"
        if self.share == 0:
            note(
                f"what looks like {noise} was taken for fine texture and kept; noise={self.sigma:.2g} (--noise "
                f"{self.sigma:.2g}) removes it"
            )
        elif self.share > NEARLY_ALL:
            note(f"{noise} was found and removed, not enlarged; where it is fine texture, noise=0 (--noise 0) keeps it")
        else:
            note(
                f"what looks like {noise} was removed by {self.share:.0%}, as some may be fine texture; noise=0 "
                f"(--noise 0) keeps all of it, noise={self.sigma:.2g} (--noise {self.sigma:.2g}) removes it"
            )


NONE = FoundNoise(0.0, 0.0, 0.0)
"""An image without noise."""


def removed(
    inputs: Inputs, noise: Noise, *, preset: str, seed: int, device: str, callback: Callback | None
) -> tuple[Inputs, Floats | None, float]:
    """An image without its noise, as far as it has any.

    Parameters
    ----------
    inputs : Inputs
        The image.
    noise : Noise
        As for `napari_rsmoe.denoise`; "auto": it is measured, and removed from `NOISY` on, as far as it is likely to
        be noise.
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
    report = reading_report(inputs.given, callback, "noise") if isinstance(noise, str) else None
    found = noise_of(inputs, noise, report)
    layout = inputs.layout
    if found.share == 0:
        left = found.left(np.zeros(inputs.pixels.shape, np.float32)) / layout.error_unit
        return inputs, np.nan_to_num(left, nan=0.0) if found.sigma else None, 0.0
    pixels, std, sigma = cleaned(inputs, found.noise, preset=preset, seed=seed, device=device, callback=callback)
    left = np.nan_to_num(found.left(std) / layout.error_unit, nan=0.0)
    pixels = found.less(inputs.pixels, pixels)
    return inputs.with_pixels(pixels), np.ascontiguousarray(left, np.float32), found.share * sigma


def noise_of(inputs: Inputs, noise: Noise, report: Callable[[float | None], bool] | None) -> FoundNoise:
    """The noise of an image, as the user has told it or as it is found; says what becomes of it."""
    if isinstance(noise, str):
        found = engine.attended(lambda: found_noise(inputs), report)
        found.say()
        return found
    if is_no_noise(noise):
        return NONE
    measured_model(inputs, noise)  # Says so if it is in doubt.
    return FoundNoise(noise, 0.0, 1.0)


def found_noise(inputs: Inputs) -> FoundNoise:
    """The noise of an image; `NONE` where it is too weak to be removed."""
    layout = inputs.layout
    with gathered():
        model = measured_model(inputs, "auto")
    pixels, used = measured_pixels(inputs)
    counted = pixels if used.all() else pixels[used]
    found = [strength(noise, counted[..., c].ravel()) for c, noise in enumerate(model.channels)]
    sigma = float(np.sqrt(np.mean(np.square(found))))
    quiet = sigma * _quiet_share(pixels, model)
    confirmed = sigma < DOUBTED * quiet
    surely = min(sigma, quiet)
    if surely <= NOISY:
        return NONE
    plane = np.where(used, pixels.mean(2), np.float32(np.nan))
    return FoundNoise(
        model.scaled(layout.span, layout.low) if confirmed else quiet * layout.span,
        surely * layout.span,
        likely_noise(plane, surely / np.sqrt(len(model.channels)), model.spectrum if confirmed else None),
    )


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
