"""Square patches of a plane: their sums, their pixels, and the smallest eigenvalues of their covariance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array


def box_sums(values: NDArray[Any], size: tuple[int, int], apart: int = 1) -> Array:
    """Sum over the patch, `size` (height, width) pixels that are `apart` px from each other, that begins at a pixel."""
    rows, columns = (length - (side - 1) * apart for length, side in zip(values.shape, size, strict=True))
    sums = sum(values[k * apart : k * apart + rows].astype(np.float64) for k in range(size[0]))
    return np.asarray(sum(sums[:, k * apart : k * apart + columns] for k in range(size[1])))


def patches_at(plane: Array, side: int, places: NDArray[np.intp], apart: int = 1) -> Array:
    """Patches, shape (N, side^2), that begin at these places."""
    windows = np.lib.stride_tricks.sliding_window_view(plane, ((side - 1) * apart + 1,) * 2)[..., ::apart, ::apart]
    y, x = np.divmod(places, windows.shape[1])
    return windows[y, x].reshape(len(places), side * side)


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
