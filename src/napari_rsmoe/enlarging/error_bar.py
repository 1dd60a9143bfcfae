"""The error bar of an enlarged image: how far each pixel is from the truth, without knowing the truth."""

from __future__ import annotations

import numpy as np

from ..arrays import Floats
from ..image.blur import blurred

WINDOW = 3.0
"""Standard deviation, in output pixels, of the window in which detail is averaged."""
FACTOR = 1.0
"""Squared error relative to the squared detail that the pixels do not determine."""
LEAST = 2e-3
"""Error, as a fraction of the range of the image, that is claimed at least."""


def error_of(detail: Floats, image: Floats, changed: Floats, left: Floats | None) -> Floats:
    """Estimate the standard deviation of the error (H, W, C).

    Parameters
    ----------
    detail : ndarray of float32, shape (H, W, C)
        What of the image the pixels do not determine.
    image : ndarray of float32, shape (H, W, C)
        The enlarged image.
    changed : ndarray of float32, shape (H, W, C)
        Squared difference that the last round of refinement made.
    left : ndarray of float32, shape (H, W, C), or None
        Standard deviation of the error that noise has left.
    """
    power = np.moveaxis(blurred(np.ascontiguousarray(np.moveaxis(np.square(detail), -1, 0)), None, WINDOW), 0, -1)
    variance = FACTOR * power + LEAST**2
    if left is not None:
        variance = variance + np.square(left)
    return np.sqrt(variance, dtype=np.float32)
