"""Average a plane with its neighbours in a stack or film where they show the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..arrays import Floats
from ..errors import ImageError
from ..image.format import ImageFormat, channels_last

AGREEMENT_BLUR = 3.0
"""Standard deviation, in pixels, of the window in which planes are compared.

In a smaller window the noise makes equal planes seem different; in a larger one small changes are missed."""
CHANGED = 2.0
"""Squared difference between a noisy and a denoised plane, in noise variances, above which something has changed.

It is 1 on average where they show the same."""
TOLERANCE = 0.15
"""Squared difference beyond that of the noise, relative to it, at which the weight of a neighbour has fallen to 1/e.

Smaller values average less noise away, larger ones blur what moves."""
LEAST_VARIANCE = np.float32(1e-3)
"""Fraction of the mean noise variance that counts as noise variance where there is less."""
LEAST_WEIGHT = np.float32(1e-3)
"""Least weight of finite pixels in a window that a mean difference is divided by."""


def neighbour_pixels(image: Any, layout: ImageFormat, shape: tuple[int, ...]) -> Floats:
    """Bring a neighbouring plane to the engine's range of the plane that `layout` and `shape` (H, W, C) describe."""
    pixels = channels_last(np.asarray(image), layout.channel_axis)
    if pixels.shape != shape or pixels.dtype.kind not in "iuf":
        raise ImageError(f"a neighbour has type {pixels.dtype} and shape {pixels.shape} (Y, X, C), the image {shape}.")
    units: Floats = ((pixels.astype(np.float64) - layout.low) / layout.span).astype(np.float32)
    return units


def average(pixels: Floats, neighbours: Sequence[Floats], variance: Floats) -> tuple[Floats, Floats]:
    """Average a plane with its neighbours where they agree.

    The mean squared difference of two planes that show the same is twice the variance of the noise. The more it exceeds
    that in a small window, the less the neighbour weighs there, so that what moves or changes is not blurred.

    Parameters
    ----------
    pixels : ndarray of float32, shape (H, W, C)
        The plane.
    neighbours : sequence of ndarray of float32, shape (H, W, C)
        Neighbouring planes in the same units; pixels that are not finite do not count.
    variance : ndarray of float32, shape (H, W, C)
        Variance of the noise, which is independent between planes.

    Returns
    -------
    ndarray of float32, shape (H, W, C)
        The average.
    ndarray of float32, shape (H, W, 1)
        Fraction of the noise variance that is left at each pixel.
    """
    total = pixels.copy()
    weights, squares = np.ones((2, *pixels.shape[:2], 1), np.float32)
    for other in neighbours:
        excess = _difference(pixels, other, 2 * variance) - 1
        finite = np.isfinite(other).all(2, keepdims=True)
        weight = (np.exp(-np.maximum(excess, 0) / TOLERANCE) * finite).astype(np.float32)
        total += weight * np.where(finite, other, 0)
        weights += weight
        squares += np.square(weight)
    return total / weights, squares / np.square(weights)


def unchanged(pixels: Floats, before: Floats, variance: Floats) -> NDArray[np.bool_]:
    """Where a noisy plane shows the same as the denoised plane before it, (H, W); arguments as for `average`."""
    same: NDArray[np.bool_] = _difference(pixels, before, variance)[..., 0] < CHANGED
    return same


def _difference(pixels: Floats, other: Floats, variance: Floats) -> Floats:
    """Mean squared difference around each pixel, (H, W, 1), in units of the given variance."""
    blur = (AGREEMENT_BLUR, AGREEMENT_BLUR, 0)
    finite = np.isfinite(other).all(2, keepdims=True)
    expected = np.maximum(variance, LEAST_VARIANCE * variance.mean())
    difference = np.square(np.where(finite, other, pixels) - pixels) / expected
    share = np.maximum(gaussian_filter(finite.astype(np.float32), blur), LEAST_WEIGHT)
    mean: Floats = gaussian_filter(difference.mean(2, keepdims=True), blur) / share
    return mean
