"""What denoising takes away is noise: it has no more power than the noise anywhere."""

from __future__ import annotations

import numpy as np

from ..arrays import Floats
from ..image.blur import blurred
from .nonlocal_bayes import Refined

WIDTH = 4.0  # px, of the blur that tells the power of the residual around a pixel
MOST = np.float32(1.15)  # power of the residual, in noise variances, that is put down to chance


def bound_residual(noisy: Floats, estimate: Refined, variance: Floats) -> Refined:
    """Put back part of what was taken away where that has more power than the noise.

    More than the noise can only be content. Around each pixel the residual is scaled down until it has the power of the
    noise; so an image of little noise changes no more than by that.

    Parameters
    ----------
    noisy : ndarray of float32, shape (C, H, W)
    estimate : Refined
        Of the image without noise.
    variance : ndarray of float32, shape (C, H, W)
        Of the noise at each pixel.
    """
    residual = noisy - estimate.image
    power = np.maximum(blurred(np.square(residual), None, WIDTH), np.float32(1e-20))
    share = np.minimum(np.sqrt(MOST * blurred(variance, None, WIDTH) / power), np.float32(1)).astype(np.float32)
    return Refined(noisy - share * residual, share * estimate.leverage + (1 - share))
