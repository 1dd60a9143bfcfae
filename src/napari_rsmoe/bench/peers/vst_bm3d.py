"""Variance stabilisation, BM3D, and back: the usual answer to photon noise (Mäkitalo and Foi, 2013).

The generalised Anscombe transform makes the noise even, BM3D removes it, and an inverse without bias leads back.
"""

from __future__ import annotations

import bm3d
import numpy as np

from ...arrays import Limits
from ...image.inputs import Inputs
from ...noise.anscombe import stabilise, unstabilise
from ...noise.clipping import NO_LIMITS
from ...noise.measure import measure_noise
from ...noise.noise_model import PoissonGaussian
from .denoiser import Noisy

LEVELS = 40  # of brightness, at which the variance is taken


def told(noisy: Noisy, seed: int) -> np.ndarray:
    """Given the true noise model: the line that fits the variance against the truth at levels of brightness."""
    return _denoised(noisy.image, true_model(noisy), NO_LIMITS)


def blind(noisy: Noisy, seed: int) -> np.ndarray:
    """With the noise model that we estimate from the image; as it is where there seems to be no noise."""
    inputs = Inputs.of(noisy.image)
    pixels, layout = inputs.pixels, inputs.layout
    model = measure_noise(pixels).scaled(layout.span, layout.low)
    law, limits = model.channels[0], model.limits[0]
    return _denoised(noisy.image, law, limits) if max(law.gain, law.read) > 0 else noisy.image


def true_model(noisy: Noisy) -> PoissonGaussian:
    """Gain, offset and read noise by weighted least squares."""
    parts = np.array_split(np.argsort(noisy.clean, axis=None), LEVELS)
    squares = np.square(noisy.image - noisy.clean)
    level = np.array([noisy.clean.flat[part].mean() for part in parts])
    variance = np.array([squares.flat[part].mean() for part in parts])
    weight = 1 / np.maximum(variance, 1e-7)  # a variance of n values scatters in proportion to itself
    gain, dark = (float(x) for x in np.polyfit(level, variance, 1, w=weight))
    if gain <= 0:
        return PoissonGaussian(0.0, 0.0, float(np.sqrt(squares.mean())))
    return PoissonGaussian(gain, max(-dark / gain, 0.0), max(dark, 0.0) ** 0.5)


def _denoised(image: np.ndarray, law: PoissonGaussian, limits: Limits) -> np.ndarray:
    stable = stabilise(image, law)
    low, span = float(stable.min()), max(float(np.ptp(stable)), 1e-9)
    clean = np.reshape(bm3d.bm3d((stable - low) / span, 1 / span), stable.shape) * span + low
    return unstabilise(clean, law, limits)
