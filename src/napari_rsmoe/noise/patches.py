"""Square patches of a plane: their sums, their pixels, and the smallest eigenvalues of their covariance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..image.bands import bands
from ..progress import pause

MOST_AT_ONCE = 2000
"""Patches that are held at once: 1 MB of 8 x 8 px. More take more memory, fewer more time."""
Places = NDArray[np.intp]
"""Where patches begin: indices into the flattened result of `box_sums`."""


def box_sums(values: NDArray[Any], size: tuple[int, int], apart: int = 1) -> Array:
    """Sum over the patch, `size` (height, width) pixels that are `apart` px from each other, that begins at a pixel."""
    rows, columns = (length - (side - 1) * apart for length, side in zip(values.shape, size, strict=True))
    sums = np.zeros((rows, columns))
    for band in bands(rows, values.shape[1]):
        down = np.zeros((band.stop - band.start, values.shape[1]))
        for start in range(0, size[0] * apart, apart):
            down += values[band.start + start : band.stop + start]
        for start in range(0, size[1] * apart, apart):
            sums[band] += down[:, start : start + columns]
    return sums


def patches_at(plane: Array, size: tuple[int, int], places: Places, apart: int = 1) -> Array:
    """Patches, shape (N, height * width), that begin at these places."""
    rows, columns = ((side - 1) * apart + 1 for side in size)
    windows = np.lib.stride_tricks.sliding_window_view(plane, (rows, columns))[..., ::apart, ::apart]
    found: Array = windows[np.divmod(places, windows.shape[1])].reshape(len(places), -1)
    return found


def parts_at(plane: Array, size: tuple[int, int], places: Places) -> Iterator[Array]:
    """The patches that begin at these places, `MOST_AT_ONCE` at a time."""
    for first in range(0, len(places), MOST_AT_ONCE):
        pause()
        yield patches_at(plane, size, places[first : first + MOST_AT_ONCE])


def longest_even_tail(patches: Array) -> float:
    """Mean of the longest tail of the eigenvalues of the covariance of patches whose mean does not exceed its median.

    Patches should have been freed of the mean of their channel, so that little is lost to rounding. The last bits may
    depend on the number of threads of the linear algebra library, so results are rounded by callers.
    """
    return even_tail_of([patches])


def even_tail_of(parts: Iterable[Array]) -> float:
    """The same of patches that are made part by part, as all of them at once would take megabytes."""
    count = 0
    total: Any = 0.0
    products: Any = 0.0
    for patches in parts:
        count += len(patches)
        total = total + patches.sum(0)
        products = products + patches.T @ patches
    covariance = (products - np.outer(total, total) / count) / (count - 1)
    values = np.maximum(np.linalg.eigvalsh(covariance), 0)  # ascending
    counts = np.arange(1, len(values) + 1)
    means = np.cumsum(values) / counts
    medians = (values[counts // 2] + values[(counts - 1) // 2]) / 2 if len(values) > 1 else values
    even = np.flatnonzero(means <= medians)
    return float(means[even[-1]]) if even.size else float(values[0])
