"""The error bar of an enlarged image: how far each pixel is from the truth, without knowing the truth."""

from __future__ import annotations

import numpy as np

from ..arrays import Floats
from ..image.blur import blurred

WINDOW = 1.5
"""Standard deviation, in pixels of the small image, of the window in which detail is averaged."""
FACTOR = 1.3
"""Squared error relative to the squared detail that the pixels do not determine. By it, two thirds of the errors lie
within the error bar for factors of 2 to 4."""
LEFT = 1.3
"""Squared error relative to that which noise has left in the pixels: detail that it hides there is missing between them
too."""
LEAST = 2e-3
"""Error, as a fraction of the range of the image, that is claimed at least."""


def error_of(hidden: Floats, left: Floats | None) -> Floats:
    """Estimate the standard deviation of the error (H, W, C).

    Parameters
    ----------
    hidden : ndarray of float32, shape (H, W, C)
        Mean square, around each pixel, of the detail that the pixels of the image do not determine. Where there is
        much, some of it is wrong and some is missing.
    left : ndarray of float32, shape (H, W, C), or None
        Standard deviation of the error that noise has left.
    """
    variance = FACTOR * np.maximum(hidden, 0) + LEAST**2
    if left is not None:
        variance = variance + LEFT * np.square(left)
    return np.sqrt(variance, dtype=np.float32)


def power_around(detail: Floats, width: float) -> Floats:
    """Mean square of detail (H, W, C) in a window with a standard deviation of `width` pixels."""
    planes = np.ascontiguousarray(np.moveaxis(np.square(detail), -1, 0))
    return np.moveaxis(blurred(planes, None, width), 0, -1)
