"""Planes beside a plane, averaged with it where they show the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..arrays import Floats
from ..errors import ImageError
from ..image.format import ImageFormat, channels_last

AGREEMENT_BLUR = 3.0  # px, of the window in which planes are compared
CHANGED = 2.0  # squared difference to a denoised plane, in noise variances, from which on something has changed
TOLERANCE = 0.15  # squared difference beyond that of noise, in its units, at which the weight has fallen to 1 / e


def neighbour_pixels(image: Any, layout: ImageFormat, shape: tuple[int, ...]) -> Floats:
    """A neighbouring plane in the units of the plane that `layout` and `shape` (H, W, C) describe."""
    pixels = channels_last(np.asarray(image), layout.channel_axis)
    if pixels.shape != shape or pixels.dtype.kind not in "iuf":
        raise ImageError(f"a neighbour has type {pixels.dtype} and shape {pixels.shape} (Y, X, C), the image {shape}.")
    units: Floats = ((pixels.astype(np.float64) - layout.low) / layout.span).astype(np.float32)
    return units


def average(pixels: Floats, neighbours: Sequence[Floats], variance: Floats) -> tuple[Floats, Floats]:
    """Average a plane with its neighbours where they agree.

    Two planes that show the same differ by twice the variance of the noise, in the mean over a small window. What they
    differ beyond that takes weight from the neighbour, so that what moves or changes is not blurred.

    Parameters
    ----------
    pixels : ndarray of float32, shape (H, W, C)
        The plane.
    neighbours : sequence of ndarray of float32, shape (H, W, C)
        In the same units; not finite where they do not count.
    variance : ndarray of float32, shape (H, W, C)
        Of the noise, which is independent between planes.

    Returns
    -------
    ndarray of float32, shape (H, W, C)
        The average.
    ndarray of float32, shape (H, W, 1)
        What share of the variance of the noise is left at each pixel.
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
    """Where, (H, W), a noisy plane shows the same as a denoised one before it; arguments as for `average`."""
    same: NDArray[np.bool_] = _difference(pixels, before, variance)[..., 0] < CHANGED
    return same


def _difference(pixels: Floats, other: Floats, variance: Floats) -> Floats:
    """Mean squared difference around each pixel, (H, W, 1), as a multiple of what the noise explains."""
    blur = (AGREEMENT_BLUR, AGREEMENT_BLUR, 0)
    finite = np.isfinite(other).all(2, keepdims=True)
    expected = np.maximum(variance, np.float32(1e-3) * variance.mean())
    difference = np.square(np.where(finite, other, pixels) - pixels) / expected
    share = np.maximum(gaussian_filter(finite.astype(np.float32), blur), np.float32(1e-3))
    mean: Floats = gaussian_filter(difference.mean(2, keepdims=True), blur) / share
    return mean
