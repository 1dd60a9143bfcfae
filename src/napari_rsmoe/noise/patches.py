"""Square patches of a plane: their sums, their pixels, and the smallest eigenvalues of their covariance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array

Places = NDArray[np.intp]
"""Where patches begin: indices into the flattened result of `box_sums`."""


def box_sums(values: NDArray[Any], size: tuple[int, int], apart: int = 1) -> Array:
    """Sum over the patch, `size` (height, width) pixels that are `apart` px from each other, that begins at a pixel."""
    rows, columns = (length - (side - 1) * apart for length, side in zip(values.shape, size, strict=True))
    down = np.zeros((rows, values.shape[1]))
    for start in range(0, size[0] * apart, apart):
        down += values[start : start + rows]
    sums = np.zeros((rows, columns))
    for start in range(0, size[1] * apart, apart):
        sums += down[:, start : start + columns]
    return sums


def patches_at(plane: Array, size: tuple[int, int], places: Places, apart: int = 1) -> Array:
    """Patches, shape (N, height * width), that begin at these places."""
    extent = tuple((length - 1) * apart + 1 for length in size)
    windows = np.lib.stride_tricks.sliding_window_view(plane, extent)[..., ::apart, ::apart]
    y, x = np.divmod(places, windows.shape[1])
    return windows[y, x].reshape(len(places), size[0] * size[1])


def longest_even_tail(patches: Array) -> float:
    """Mean of the longest tail of the eigenvalues of the covariance of patches whose mean does not exceed its median.

    Patches should have been freed of the mean of their channel, so that little is lost to rounding. The last bits may
    depend on the number of threads of the linear algebra library, so results are rounded by callers.
    """
    mean = patches.mean(0)
    covariance = (patches.T @ patches - len(patches) * np.outer(mean, mean)) / (len(patches) - 1)
    values = np.maximum(np.linalg.eigvalsh(covariance), 0)  # ascending
    counts = np.arange(1, len(values) + 1)
    means = np.cumsum(values) / counts
    medians = (values[counts // 2] + values[(counts - 1) // 2]) / 2 if len(values) > 1 else values
    even = np.flatnonzero(means <= medians)
    return float(means[even[-1]]) if even.size else float(values[0])
