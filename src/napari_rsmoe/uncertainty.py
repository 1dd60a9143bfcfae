"""How far the final image is from the truth, place by place, without knowing it."""

from __future__ import annotations

import numpy as np

from .fusion import Floats, blurred

SPREAD_BLUR = 3.0  # px, of the spread of the models
# The law: error = noise * factor * (spread / noise) ^ a * (leverage) ^ b, where noise and spread are variances.
FACTOR = 1.76
SPREAD_POWER = 1.1
LEVERAGE_POWER = 0.19
LEAST = 1e-5  # of the noise variance, that counts as spread or leverage where there is less


def error_variance(variance: Floats, spread: Floats, leverage: Floats) -> Floats:
    """Estimate the mean squared error of a denoised image at each pixel.

    Two things tell it. The spread of the models knows where the content is hard: at edges and in texture. The leverage
    tells how much of the noise is left in the final image. Both come from the noisy image alone. They enter a power
    law whose constants were chosen on images with ground truth.

    Parameters
    ----------
    variance : ndarray of float32, shape (C, H, W)
        Of the noise, positive.
    spread : ndarray of float32, shape (C, H, W)
        Variance of the models.
    leverage : ndarray of float32, shape (C, H, W)
        Covariance of the noise and the final image as a share of the noise variance.
    """
    noise = np.maximum(variance, np.float32(1e-12))
    law = noise * np.float32(FACTOR)
    for share, power in ((blurred(spread, None, SPREAD_BLUR) / noise, SPREAD_POWER), (leverage, LEVERAGE_POWER)):
        law *= np.power(share + np.float32(LEAST), np.float32(power))
    return law
