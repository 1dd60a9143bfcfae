"""The colour transform in which images are denoised, chosen once for an image by `Opponent.of`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Floats

BRIGHTNESS, RED_BLUE, GREEN_MAGENTA = (1, 1, 1), (1, 0, -1), (-1, 2, -1)
COLOUR_CHANNELS = 3
"""Channels of a colour image. The channels of any other image are treated as separate detectors."""


@dataclass(frozen=True)
class Opponent:
    """An orthonormal transform from the channels of an image to the planes that are denoised.

    Of three colours it makes brightness and two colour differences, red minus blue and green minus magenta, in which
    a photograph is sparser. Detectors stay as they are. As the transform is orthonormal, white noise that is equally
    strong in all channels stays white and equally strong.

    Attributes
    ----------
    matrix : ndarray of float32, shape (C, C)
        One row for each plane.
    identity : bool
        Whether planes are the channels themselves.
    """

    matrix: Floats
    identity: bool

    @classmethod
    def of(cls, channels: int) -> Opponent:
        """The transform for an image with the given number of channels."""
        if channels != COLOUR_CHANNELS:
            return cls(np.eye(channels, dtype=np.float32), identity=True)
        rows = np.array([BRIGHTNESS, RED_BLUE, GREEN_MAGENTA], np.float64)
        return cls((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), identity=False)

    def planes(self, image: Floats) -> Floats:
        """Turn the channels (H, W, C) of an image into planes (C, H, W)."""
        return self._mixed(np.moveaxis(image, -1, 0), self.matrix)

    def image(self, planes: Floats) -> Floats:
        """Turn planes (C, H, W) back into an image (H, W, C)."""
        return np.ascontiguousarray(np.moveaxis(self._mixed(planes, self.matrix.T), 0, -1))

    def plane_variance(self, variance: Floats) -> Floats:
        """Turn variances (H, W, C) of independent channels into variances (C, H, W) of the planes."""
        return self._mixed(np.moveaxis(variance, -1, 0), np.square(self.matrix))

    def image_variance(self, planes: Floats) -> Floats:
        """Turn variances (C, H, W) of independent planes into variances (H, W, C) of the channels."""
        return np.ascontiguousarray(np.moveaxis(self._mixed(planes, np.square(self.matrix).T), 0, -1))

    def by_plane(self, brightness: float, difference: float) -> Floats:
        """One number for each plane, (C, 1, 1): the second for colour differences, the first for all other planes."""
        values = np.full((len(self.matrix), 1, 1), brightness, np.float32)
        if not self.identity:
            values[1:] = difference
        return values

    def _mixed(self, planes: Floats, matrix: Floats) -> Floats:
        if self.identity:
            return np.ascontiguousarray(planes)
        # Written out instead of a matrix product by BLAS, whose last bits may depend on the number of threads.
        return np.stack([row[0] * planes[0] + row[1] * planes[1] + row[2] * planes[2] for row in matrix])
