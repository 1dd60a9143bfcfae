"""The noise of a plane, measured together with the planes around it that have noise of the same strength."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Floats, Mask
from ..image.inputs import Inputs
from ..noise.given import noise_model
from ..noise.measure import measured_pixels
from ..noise.noise_model import NoiseModel
from ..noise.white import white_variance
from .observation import measured_model

MOST_PIXELS = 2**18
"""Pixels of all planes together that are measured, if one plane has fewer: more take longer and add little."""
ALIKE = 2.0
"""Largest ratio of the variances of the noise of two planes that are measured together. Light that flickers changes the
variance of photon noise by less; another camera gain changes it by more."""


@dataclass(frozen=True)
class Measured:
    """A plane and the variance of its noise as if it were white and even, in units of the image."""

    inputs: Inputs
    strength: float

    @classmethod
    def of(cls, inputs: Inputs) -> Measured:
        """Measure a plane."""
        used = ~inputs.left_out
        known = None if used.all() else used
        channels = (inputs.pixels[..., c].astype(np.float64) for c in range(inputs.pixels.shape[2]))
        return cls(inputs, inputs.layout.span**2 * float(np.mean([white_variance(each, known) for each in channels])))

    def like(self, other: Measured) -> bool:
        """Whether two planes have noise of about the same strength."""
        one, two = self.strength, other.strength
        return one == two or max(one, two) <= ALIKE * min(one, two)


def pooled_model(plane: Measured, around: Sequence[Measured]) -> tuple[NoiseModel, list[bool]]:
    """Measure the noise of a plane, with the help of planes around it.

    A single small plane, or one with few bright places, does not always tell photon noise from even noise. A camera has
    the same noise in all planes, which together show more of it.

    Parameters
    ----------
    plane : Measured
        The plane.
    around : sequence of Measured
        Other planes of its shape.

    Returns
    -------
    NoiseModel
        The noise, in the engine's range of the plane.
    list of bool
        Which of the other planes have it too.
    """
    inputs = plane.inputs
    if inputs.extreme:
        return measured_model(inputs, "auto"), [False] * len(around)
    alike = [not each.inputs.extreme and plane.like(each) for each in around]
    planes = [inputs, *(each.inputs for each, like in zip(around, alike, strict=True) if like)]
    if len(planes) == 1:
        return measured_model(inputs, "auto"), alike
    height, width, _ = inputs.pixels.shape
    share = min(1.0, max(MOST_PIXELS, height * width) / (len(planes) * height * width)) ** 0.5
    rows, columns = (_middle(length, share) for length in (height, width))
    parts: list[Floats] = []
    masks: list[Mask] = []
    for each in planes:
        pixels, used = measured_pixels(each)
        scale, shift = each.layout.span / inputs.layout.span, (each.layout.low - inputs.layout.low) / inputs.layout.span
        parts.append((pixels[rows, columns] * np.float64(scale) + shift).astype(np.float32))
        masks.append(used[rows, columns])
    mosaic, used = np.concatenate(parts), np.concatenate(masks)
    return noise_model("auto", mosaic, None if used.all() else used, inputs.layout), alike


def _middle(length: int, share: float) -> slice:
    """The middle of a length, a share of it."""
    part = max(1, round(share * length))
    return slice((length - part) // 2, (length - part) // 2 + part)
