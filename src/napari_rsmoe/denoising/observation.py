"""A noisy image in the domain in which it is denoised."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..arrays import Floats
from ..errors import ImageError
from ..image.format import ImageFormat, channels_last
from ..image.inputs import Inputs
from ..image.opponent import Opponent
from ..noise.domain import StabilisedDomain
from ..noise.given import Noise, noise_model
from ..noise.measure import measured_pixels
from ..noise.noise_model import NoiseModel
from .brightness import Brightness
from .through_planes import Around


@dataclass(frozen=True)
class Observation:
    """A noisy image with its noise model and its pixels in the variance-stabilised domain.

    Attributes
    ----------
    inputs : Inputs
        The image.
    noise : StabilisedDomain
        Its noise, and the transform to the domain and back.
    pixels : ndarray of float32, shape (H, W, C)
        The image in the domain, possibly averaged with neighbouring planes.
    measured : bool
        Whether the noise was measured in the image and is taken away as it is, so that it may be measured again once
        most of the content is known.
    around : Around or None
        The image and its neighbours, if groups of patches reach into them.
    helped : bool
        Whether the pixels are an average of the image and its neighbours.
    """

    inputs: Inputs
    noise: StabilisedDomain
    pixels: Floats
    measured: bool = False
    around: Around | None = None
    helped: bool = False

    @classmethod
    def of(cls, inputs: Inputs, noise: Noise, factor: float = 1.0) -> Observation:
        """Transform an image to the domain of `factor` times its noise, which is measured if `noise` is "auto"."""
        domain = StabilisedDomain(measured_model(inputs, noise).stronger(factor**2), inputs.pixels)
        return cls(inputs, domain, domain.stabilised(inputs.pixels), isinstance(noise, str) and factor == 1)

    def of_plane(self, image: Any, brightness: Brightness | None = None) -> Floats:
        """Transform another plane, with the shape and axis order of the image, to the domain; returns (H, W, C).

        If it is known, `brightness` brings it to the brightness of the image before.
        """
        pixels = _plane_pixels(image, self.inputs.layout, self.pixels.shape)
        return self.noise.stabilised(pixels if brightness is None else brightness.of(pixels))

    @property
    def described(self) -> str:
        """What is known of the noise, in a few words."""
        if self.noise.sigma == 0:
            return "no noise"
        model = self.noise.model
        kinds = ["white" if model.white else "correlated"]
        if any(channel.gain for channel in model.channels):
            kinds.append("growing with brightness")
        return f"noise of standard deviation {self.noise.sigma * self.inputs.layout.span:.4g}, {', '.join(kinds)}"

    @property
    def opponent(self) -> Opponent:
        """The transform from the channels to the planes that are denoised."""
        return self.noise.opponent

    @cached_property
    def planes(self) -> Floats:
        """The image as planes (C, H, W) of the opponent transform."""
        return self.opponent.planes(self.pixels)


def measured_model(inputs: Inputs, noise: Noise) -> NoiseModel:
    """The noise model of an image in the engine's range, measured if `noise` is "auto"."""
    filled, used = measured_pixels(inputs)
    return noise_model(noise, filled, None if used.all() else used, inputs.layout)


def _plane_pixels(image: Any, layout: ImageFormat, shape: tuple[int, ...]) -> Floats:
    """Bring another plane to the engine's range of the plane that `layout` and `shape` (H, W, C) describe."""
    pixels = channels_last(np.asarray(image), layout.channel_axis)
    if pixels.shape != shape or pixels.dtype.kind not in "iuf":
        raise ImageError(f"a plane has type {pixels.dtype} and shape {pixels.shape} (Y, X, C), the image {shape}.")
    units: Floats = ((pixels.astype(np.float64) - layout.low) / layout.span).astype(np.float32)
    return units
