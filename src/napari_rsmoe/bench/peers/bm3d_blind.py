"""BM3D without being told the noise: its level is estimated by us from the image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...image.inputs import Inputs
from ...noise.domain import StabilisedDomain
from ...noise.measure import measure_noise
from . import bm3d
from .denoiser import Noisy


def denoise(noisy: Noisy, seed: int) -> np.ndarray:
    """Colour BM3D, or for grey images BM3D; as it is where there seems to be no noise."""
    inputs = Inputs.of(noisy.image)
    pixels, layout = inputs.pixels, inputs.layout
    sigma = StabilisedDomain(measure_noise(pixels), pixels).sigma * layout.span
    return bm3d.colour(replace(noisy, sigma=sigma), seed) if sigma > 0 else noisy.image
