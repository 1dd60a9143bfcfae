"""Variance stabilisation and BM3D, the usual method for photon noise.

The generalised Anscombe transform gives the noise a constant variance, BM3D removes it, and an unbiased inverse
follows.

References
----------
M. Mäkitalo, A. Foi, "Optimal inversion of the generalized Anscombe transformation for Poisson-Gaussian noise", IEEE
Transactions on Image Processing 22, 2013, doi:10.1109/TIP.2012.2202675.
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

LEVELS = 40  # Number of brightness levels at which the variance is measured.


def true_noise(noisy: Noisy, seed: int) -> np.ndarray:
    """Denoise with the true noise model, fitted to the variance against the truth at levels of brightness."""
    return _denoised(noisy.image, true_model(noisy), NO_LIMITS)


def blind(noisy: Noisy, seed: int) -> np.ndarray:
    """Denoise with the noise model estimated from the image. An image without noise is returned unchanged."""
    inputs = Inputs.of(noisy.image)
    pixels, layout = inputs.pixels, inputs.layout
    model = measure_noise(pixels).scaled(layout.span, layout.low)
    noise, limits = model.channels[0], model.limits[0]
    return _denoised(noisy.image, noise, limits) if max(noise.gain, noise.read) > 0 else noisy.image


def true_model(noisy: Noisy) -> PoissonGaussian:
    """Fit gain, offset and read noise by weighted least squares."""
    parts = np.array_split(np.argsort(noisy.clean, axis=None), LEVELS)
    squares = np.square(noisy.image - noisy.clean)
    level = np.array([noisy.clean.flat[part].mean() for part in parts])
    variance = np.array([squares.flat[part].mean() for part in parts])
    weight = 1 / np.maximum(variance, 1e-7)  # The standard error of a variance is proportional to it.
    gain, dark = (float(x) for x in np.polyfit(level, variance, 1, w=weight))
    if gain <= 0:
        return PoissonGaussian(0.0, 0.0, float(np.sqrt(squares.mean())))
    return PoissonGaussian(gain, max(-dark / gain, 0.0), max(dark, 0.0) ** 0.5)


def _denoised(image: np.ndarray, noise: PoissonGaussian, limits: Limits) -> np.ndarray:
    stable = stabilise(image, noise)
    low, span = float(stable.min()), max(float(np.ptp(stable)), 1e-9)
    clean = np.reshape(bm3d.bm3d((stable - low) / span, 1 / span), stable.shape) * span + low
    return unstabilise(clean, noise, limits)
