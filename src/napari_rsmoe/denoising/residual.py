"""Denoising takes away noise only: nowhere does the residual have more power than the noise."""

from __future__ import annotations

import numpy as np

from ..arrays import Floats
from ..image.blur import blurred
from .nonlocal_bayes import PASSES, Pass, Refined, has_group, refine

WIDTH = 4.0
"""Standard deviation, in pixels, of the window in which the power of the residual is measured.

In a smaller window chance moves the power more; a larger one mixes places with and without content."""
MOST_POWER = np.float32(1.15)
"""Power of the residual, in noise variances, up to which it may be chance. What lies above is put back."""
MOST_DEVIATIONS = np.float32(3)
"""Residual of a pixel with noise of its own, in standard deviations, up to which it may be chance."""
REMEASURED = (0.94, 1.15)
"""Variance of the noise relative to the first measurement, between which a second one is believed. Outside, the
residual tells more of content than of noise."""
LEAST_PHOTONS = 0.7
"""The lower bound for photon noise. It is measured at levels of brightness, where fine content adds up to half to the
variance; above this bound such noise stays too strong, below it texture that fills all frequencies is left as noise."""
LEAST_POWER = np.float32(1e-20)
"""Power below which the residual counts as zero; it only keeps the division finite."""


def noise_left_out(
    noisy: Floats, estimate: Refined, variance: Floats, used: Floats | None, least: float = REMEASURED[0]
) -> float:
    """Measure the noise of an image again by the residual of an estimate; relative to its variance so far.

    An estimate with leverage h takes 1 - h of the power of the noise away, if it errs as its Gaussian model predicts.
    Where texture fills all frequencies, so that the noise was found too strong, less power is in the residual. The
    planes are measured together, so that those without noise, such as the colours of grey stored as RGB, tell nothing.

    Parameters
    ----------
    noisy, estimate, variance
        As for `bound_residual`.
    used : ndarray of float32, shape (H, W), or None
        1 where the noisy image counts, 0 where it does not; None: everywhere.
    least : float
        Power down to which it is believed.
    """
    counted = np.ones(noisy.shape[1:], np.float32) if used is None else used
    weight = counted / np.maximum(variance.sum(0), LEAST_POWER)
    found = float((weight * np.square(noisy - estimate.image)).sum(dtype=np.float64))
    expected = float((weight * variance * (1 - estimate.leverage)).sum(dtype=np.float64))
    return 1.0 if expected <= 0 else min(max(found / expected, least), REMEASURED[1])


def refine_with_noise(
    noisy: Floats,
    pilot: Floats,
    variance: Floats,
    used: Floats | None,
    power: float | None,
    least: float = REMEASURED[0],
    passes: tuple[Pass, ...] = PASSES,
) -> tuple[Refined, float]:
    """Filter patches by `nonlocal_bayes.refine`, and measure the noise again after the first pass.

    Parameters
    ----------
    noisy, pilot, variance
        As `refine` takes them, with white noise.
    used
        As for `noise_left_out`.
    power : float or None
        Variance of the noise relative to `variance`; None: it is measured after the first pass.
    least : float
        As for `noise_left_out`.
    passes : tuple of Pass
        Settings of each pass.

    Returns
    -------
    Refined
        The estimate.
    float
        The power with which it was made.
    """
    first = refine(noisy, pilot, variance * np.float32(power or 1.0), passes=passes[:1])
    if not has_group(noisy.shape):
        return first, power or 1.0
    power = noise_left_out(noisy, first, variance, used, least) if power is None else power
    return refine(noisy, first.image, variance * np.float32(power), passes=passes[1:]), power


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
