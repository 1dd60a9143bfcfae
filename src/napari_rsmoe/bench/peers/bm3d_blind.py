"""Blind BM3D, with the noise level that we estimate from the image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...image.inputs import Inputs
from ...noise.domain import StabilisedDomain
from ...noise.measure import measure_noise
from . import bm3d
from .denoiser import Noisy


def denoise(noisy: Noisy, seed: int) -> np.ndarray:
    """Colour BM3D, or BM3D for grey images. An image in which no noise is found is returned unchanged."""
    inputs = Inputs.of(noisy.image)
    pixels, layout = inputs.pixels, inputs.layout
    sigma = StabilisedDomain(measure_noise(pixels), pixels).sigma * layout.span
    return bm3d.colour(replace(noisy, sigma=sigma), seed) if sigma > 0 else noisy.image
