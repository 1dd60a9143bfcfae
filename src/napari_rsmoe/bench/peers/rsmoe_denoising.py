"""Denoising with `napari_rsmoe.denoise`."""

from __future__ import annotations

import numpy as np

from ...denoising.denoise import denoise
from ...image.inputs import Inputs
from ...noise.clipping import clipped_moments
from ...noise.measure import measure_noise
from .denoiser import Denoise, Denoised, Noisy


def denoising(preset: str) -> Denoise:
    """`napari_rsmoe.denoise` with a preset and default settings, which estimates the noise."""

    def run(noisy: Noisy, seed: int) -> Denoised:
        image = denoise(noisy.image, preset=preset, seed=seed, device="cpu").image
        return Denoised(image, plain=(lambda: uncorrected(image, noisy.image)) if noisy.clipped else None)

    return run


def uncorrected(result: np.ndarray, noisy: np.ndarray) -> np.ndarray:
    """The result without the correction of clipping, computed with the noise estimated from the image."""
    inputs = Inputs.of(noisy)
    pixels, layout = inputs.pixels, inputs.layout
    model = measure_noise(pixels).scaled(layout.span, layout.low)
    channels = np.atleast_3d(result).astype(np.float64)
    for c, (noise, limits) in enumerate(zip(model.channels, model.limits, strict=True)):
        if noise.gain == 0 and noise.read > 0 and np.isfinite(limits).any():
            channels[..., c], _ = clipped_moments(channels[..., c], noise.read, limits)
    return channels.reshape(result.shape)
