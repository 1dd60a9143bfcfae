"""Colour channels turned into brightness and two colour differences, in which a photograph is sparser."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Rows: brightness, red - blue, green - magenta. Orthonormal, so that white noise stays white and equally strong.
_OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [-1, 2, -1]]) / np.sqrt([[3], [2], [6]])


def opponent_matrix(channels: int) -> Floats:
    """Orthonormal (C, C) matrix from channels to decorrelated ones; for other than three, the identity."""
    matrix = _OPPONENT if channels == 3 else np.eye(channels)
    return matrix.astype(np.float32)


def decorrelate(image: Floats) -> Floats:
    """Turn (H, W, C) into decorrelated planes (C, H, W). Noise of equal strength in all channels keeps its strength."""
    return _mixed(np.moveaxis(image, -1, 0), opponent_matrix(image.shape[2]))


def recorrelate(planes: Floats) -> Floats:
    """Undo `decorrelate`: (C, H, W) to (H, W, C)."""
    return np.ascontiguousarray(np.moveaxis(_mixed(planes, opponent_matrix(len(planes)).T), 0, -1))


def decorrelated_variance(variance: Floats) -> Floats:
    """Variances (H, W, C) of independent channels turned into those of the decorrelated planes (C, H, W)."""
    return _mixed(np.moveaxis(variance, -1, 0), np.square(opponent_matrix(variance.shape[2])))


def recorrelated_variance(planes: Floats) -> Floats:
    """Variances (C, H, W) of independent planes turned into those of the channels (H, W, C)."""
    matrix = np.square(opponent_matrix(len(planes))).T
    return np.ascontiguousarray(np.moveaxis(_mixed(planes, matrix), 0, -1))


def _mixed(planes: Floats, matrix: Floats) -> Floats:
    if len(planes) != 3:
        return np.ascontiguousarray(planes)
    # Written out, not through BLAS, whose last bits may depend on the number of threads.
    return np.stack([row[0] * planes[0] + row[1] * planes[1] + row[2] * planes[2] for row in matrix])
