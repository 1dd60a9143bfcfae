"""Denoising takes away noise only: nowhere does the residual have more power than the noise."""

from __future__ import annotations

import numpy as np

from ..arrays import Floats
from ..image.blur import blurred
from .nonlocal_bayes import Refined

WIDTH = 4.0
"""Standard deviation, in pixels, of the window in which the power of the residual is measured.

In a smaller window chance moves the power more; a larger one mixes places with and without content."""
MOST_POWER = np.float32(1.15)
"""Power of the residual, in noise variances, up to which it may be chance. What lies above is put back."""
MOST_DEVIATIONS = np.float32(3)
"""Residual of a pixel with noise of its own, in standard deviations, up to which it may be chance."""
LEAST_POWER = np.float32(1e-20)
"""Power below which the residual counts as zero; it only keeps the division finite."""


def bound_residual(noisy: Floats, estimate: Refined, variance: Floats, *, uneven: bool = False) -> Refined:
    """Put back part of the residual, which is the noisy image minus the estimate, where it has too much power.

    Power beyond that of the noise can only be content. Around each pixel the residual is scaled down until it has the
    power of the noise. So an image with little noise cannot change by more than its noise.

    Parameters
    ----------
    noisy : ndarray of float32, shape (C, H, W)
        The noisy image.
    estimate : Refined
        The estimate of the image without noise.
    variance : ndarray of float32, shape (C, H, W)
        Variance of the noise at each pixel.
    uneven : bool
        Whether a few pixels have far weaker noise than their surroundings, as extreme pixels do in the domain. Their
        residual is then bounded by their own noise.

    Returns
    -------
    Refined
        The estimate with content put back, and its leverage, which is 1 where the noisy image is put back whole.
    """
    residual = noisy - estimate.image
    power = np.maximum(blurred(np.square(residual), None, WIDTH), LEAST_POWER)
    share = np.minimum(np.sqrt(MOST_POWER * blurred(variance, None, WIDTH) / power), np.float32(1)).astype(np.float32)
    if uneven:
        deviation = MOST_DEVIATIONS * np.sqrt(variance)
        own = np.minimum(deviation / np.maximum(np.abs(share * residual), np.sqrt(LEAST_POWER)), np.float32(1))
        share = share * own
        squares = np.square(share * residual) / np.maximum(variance, LEAST_POWER)
        power = np.maximum(blurred(squares.astype(np.float32), None, WIDTH), LEAST_POWER)
        share = (share * np.minimum(np.sqrt(MOST_POWER / power), 1)).astype(np.float32)
    return Refined(noisy - share * residual, share * estimate.leverage + (1 - share))
