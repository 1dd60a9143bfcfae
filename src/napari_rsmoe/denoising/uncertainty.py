"""How far the final image is from the truth, place by place, without knowing it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .fusion import Floats, blurred

SPREAD_BLUR = 3.0  # px, of the spread of the models
# The law, with variances in units of that of the noise: factor * spread^a * leverage^b * exp(c * what is left).
FACTOR = (1.58, 0.75)  # for brightness, for colour differences
SPREAD_POWER = 0.46
LEVERAGE_POWER = 0.6
LEFT_RATE = 2.0
CORRELATED = np.float32(1.8)  # times the law, if the noise is correlated
LEAST_SPREAD, LEAST_LEVERAGE = np.float32(1e-5), np.float32(1e-4)


def error_variance(
    image: Floats, noisy: Floats, variance: Floats, spread: Floats, leverage: Floats, *, white: bool
) -> Floats:
    """Estimate the mean squared error of a denoised image at each pixel.

    Three things tell it, all of them from the noisy image alone. The spread of the models knows where the content is
    hard: at edges and in texture. The leverage tells how much of the noise is left in the final image. And where
    content was lost, neighbours in the residual are alike, as white noise is not: that recalibrates the whole, plane by
    plane. They enter a law whose constants were chosen on images with ground truth.

    Parameters
    ----------
    image, noisy : ndarray of float32, shape (C, H, W)
        The final image, and the noisy one, which is the same where pixels do not count.
    variance : ndarray of float32, shape (C, H, W)
        Of the noise, positive.
    spread : ndarray of float32, shape (C, H, W)
        Variance of the models.
    leverage : ndarray of float32, shape (C, H, W)
        Covariance of the noise and the final image as a share of the noise variance.
    white : bool
        Whether the noise is; otherwise neighbours in the residual are alike anyway, and a constant takes the place.

    Returns
    -------
    ndarray of float32, shape (C, H, W)
    """
    noise = np.maximum(variance, np.float32(1e-12))
    law = noise * np.float32(FACTOR[0])
    if len(law) == 3:
        law[1:] *= np.float32(FACTOR[1] / FACTOR[0])
    wide = blurred(spread, None, SPREAD_BLUR) / noise
    law *= np.power(wide + LEAST_SPREAD, np.float32(SPREAD_POWER))
    law *= np.power(leverage + LEAST_LEVERAGE, np.float32(LEVERAGE_POWER))
    if white:
        law *= np.exp(np.float32(LEFT_RATE) * _likeness((noisy - image) / np.sqrt(noise)))[:, None, None]
    else:
        law *= CORRELATED
    return law


def _likeness(residual: NDArray[np.floating]) -> Floats:
    """Mean product of neighbours in each plane (C, H, W), along both axes; from -1 to 1."""
    sums = np.zeros(len(residual))
    pairs = 0
    for first, second in ((residual[:, 1:], residual[:, :-1]), (residual[..., 1:], residual[..., :-1])):
        sums += (first * second).sum((1, 2), dtype=np.float64)
        pairs += first[0].size
    return np.clip(sums / max(pairs, 1), -1, 1).astype(np.float32)
