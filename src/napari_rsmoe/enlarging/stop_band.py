"""The noise of a blurred image, measured at the frequencies that the optics do not pass: all that is there is noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter
from scipy.optimize import nnls

from .. import engine
from ..arrays import Mask
from ..noise.noise_model import PoissonGaussian
from .deconvolution import Blur

PASSED = 0.03
"""Amplitude that optics pass, up to which a frequency counts as not passed. With a larger value sharp edges count as
noise; with a smaller one few frequencies are left."""
FEWEST = 0.15
"""Fraction of the frequencies that must not be passed. With fewer the noise is not measured in this way."""
NEAR = 2.0
"""Standard deviation in pixels of the window in which brightness is averaged."""
ROUNDS = 4
"""Rounds of weighted least squares; the weights settle after three."""


def stop_band_noise(plane: NDArray[np.floating], used: Mask | None, blur: Blur) -> PoissonGaussian | None:
    """The noise of a plane (H, W), in its units; None if the optics pass too many frequencies.

    The variance of what is left of the plane at the other frequencies is a straight line over brightness: the slope is
    the gain of the camera, what is left at the darkest places its read noise.

    Parameters
    ----------
    plane : ndarray, shape (H, W)
        The noisy plane, blurred.
    used : ndarray of bool, shape (H, W), or None
        Pixels that count.
    blur : Blur
        The convolution.
    """
    stopped = np.clip(1 - np.abs(blur.transfer) / PASSED, 0, 1)
    fraction = irfft2(np.square(stopped).astype(np.complex128), blur.shape)[0, 0]  # The mean over all frequencies.
    if fraction < FEWEST:
        return None
    noise = blur.inner(irfft2(stopped * rfft2(blur.padded(plane)), blur.shape))
    engine.pause()
    power = (np.square(noise) / fraction).ravel()
    level = gaussian_filter(np.asarray(plane, np.float64), NEAR).ravel()
    if used is not None:
        power, level = power[used.ravel()], level[used.ravel()]
    dark = float(level.min())
    terms = np.stack([level - dark, np.ones_like(level)], 1)
    variance = np.full_like(power, power.mean())
    gain = read = 0.0
    for _ in range(ROUNDS):
        engine.pause()
        if not power.any():
            break
        weight = 1 / np.maximum(variance, 1e-3 * power.mean())
        (gain, read), _ = nnls(terms * weight[:, None], power * weight)
        variance = terms @ (gain, read)
    return PoissonGaussian(float(gain), dark, float(np.sqrt(read)))
