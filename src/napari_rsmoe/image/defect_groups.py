"""Hot and dead pixels that lie together: clusters of up to three by three, and columns and rows of a detector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Mask
from ..progress import pause

LARGEST = 3
"""Side of the square that a cluster fits into at most, px. Larger ones may be content."""
REACH = LARGEST + 1
"""Distance at which a pixel lies outside the cluster of another, px."""
FEWEST = 3
"""Pixels of a cluster at least; one, and two side by side, are found as single defects."""
MOST = 0.01
"""Fraction of the pixels that may stand out from their surroundings, above which they are content."""
LEAK = 0.03
"""Fraction of the difference between a cluster and its surroundings that its neighbours show too, above which it is
the image of a small source through a lens. Sources of a standard deviation of 0.54 px and more have more."""
BEYOND = 4.0
"""Difference of a cluster from its surroundings, relative to the range of values there, at least."""
RIDGE = 12.0
"""Median difference of a line of pixels from the lines beside it, relative to that of most lines, at least."""
ABOVE_NOISE = 3.0
"""The same, relative to the median difference between pixels."""
ONE_SIGN = 0.95
"""Fraction of the pixels of a line that differ in one direction from the lines beside it, at least."""
LINE_LEAK = 0.1
"""Fraction of the difference of a line that the lines beside it show too, at most."""
SHORTEST = 32
"""Pixels of a line of one value at least."""
SHORTEST_UNEVEN = 100
"""Pixels of any other line at least, so that edges of content that happen to lie along it are not lines."""
ONE_VALUE = 0.9
"""Fraction of the pixels of a line that have its median value from which it is one of one value."""
BORDER = 8
"""Distance of a line from the border at least, px: images that were scanned or resized have edges there."""
WIDEST = 2
"""Width of a group of broken lines at most, px."""
BAND = 1 << 19
"""Pixels whose ridges are found between two chances to stop: a few hundredths of a second."""


def find_clusters(plane: NDArray[Any], out: Mask) -> Mask:
    """Clusters of defects of a channel.

    Their neighbours show nothing of them, unlike those of small sources that a lens draws.

    Parameters
    ----------
    plane : ndarray, shape (H, W)
        The channel.
    out : ndarray of bool, shape (H, W)
        Pixels that differ from those `REACH` px away.
    """
    from scipy.ndimage import find_objects, label  # here: it would delay the help of every verb

    found = np.zeros(plane.shape, bool)
    if not 0 < out.mean() <= MOST:
        return found
    labels, _ = label(out, np.ones((3, 3), int))
    for number, (rows, columns) in enumerate(find_objects(labels), 1):
        pause()
        if rows.stop - rows.start > LARGEST or columns.stop - columns.start > LARGEST:
            continue
        around = (
            slice(max(0, rows.start - REACH), rows.stop + REACH),
            slice(max(0, columns.start - REACH), columns.stop + REACH),
        )
        at = labels[around] == number
        if at.sum() >= FEWEST and _is_cluster(
            plane[around].astype(np.result_type(plane.dtype, np.float32)), at, out[around]
        ):
            found[around] |= at
    return found


def _is_cluster(values: NDArray[np.floating], at: Mask, out: Mask) -> bool:
    """Whether pixels of a small part of an image are a cluster of defects; `out` are all that stand out."""
    beside = np.pad(at, 1)
    beside = (beside[:-2, 1:-1] | beside[2:, 1:-1] | beside[1:-1, :-2] | beside[1:-1, 2:]) & ~at
    usual = values[~out & ~beside]
    if not usual.size or not beside.any():
        return False
    level = float(np.median(usual))
    differences = values[at] - level
    height = float(np.abs(differences).min()) * float(np.sign(differences.mean()))
    if not (np.sign(differences) == np.sign(height)).all():
        return False
    low, high = np.quantile(usual, [0.02, 0.98])
    leak = (float(values[beside].mean()) - level) / height
    return abs(height) > BEYOND * float(high - low) and leak < LEAK


def find_lines(plane: NDArray[Any], noise: float) -> Mask:
    """Broken columns and rows of a channel (H, W), whole or up to an edge.

    Parameters
    ----------
    plane : ndarray, shape (H, W)
        The channel.
    noise : float
        Median difference between neighbours.
    """
    values = plane.astype(np.result_type(plane.dtype, np.float32))
    return _columns(values, noise) | _columns(values.T, noise).T


def _columns(values: NDArray[np.floating], noise: float) -> Mask:
    """Broken columns, of all rows or of those of the upper or lower half and what follows on."""
    found = np.zeros(values.shape, bool)
    height = len(values)
    for part in (slice(0, height), slice(0, height // 2), slice(height - height // 2, height)):
        if part.stop - part.start < SHORTEST or values.shape[1] < SHORTEST:
            continue
        for width in range(1, WIDEST + 1):
            for first in _broken(values[part], width, noise):
                rows = _extended(values, part, first, width)
                found[rows, first : first + width] = True
    return found


def _broken(values: NDArray[np.floating], width: int, noise: float) -> list[int]:
    """First columns of groups of `width` that differ from the columns beside them all along."""
    steady = (_along(values, width, _one_sign) >= ONE_SIGN).nonzero()[0]
    if not steady.size:
        return []
    middle = _along(values, width, _middle)
    usual = float(np.median(np.abs(middle)))
    chosen = []
    for k in steady:
        first = int(k) + 2  # Two columns on either side are needed.
        line = values[:, first : first + width]
        even = (line == np.median(line)).mean() >= ONE_VALUE
        if not (even or len(values) >= SHORTEST_UNEVEN) or not BORDER <= first < values.shape[1] - BORDER:
            continue
        left, right = (
            values[:, first - 1] - values[:, first - 2],
            values[:, first + width] - values[:, first + width + 1],
        )
        leak = float(np.median(left + right)) / 2 / float(middle[k]) if middle[k] else 1.0
        if abs(float(middle[k])) > max(RIDGE * usual, ABOVE_NOISE * noise) and leak < LINE_LEAK:
            chosen.append(first)
    return chosen


def _along(
    values: NDArray[np.floating], width: int, measure: Callable[[NDArray[np.floating]], NDArray[Any]]
) -> NDArray[Any]:
    """Measure the ridges of `_ridges` along each group of columns."""
    step = max(1, BAND // len(values))
    found = []
    for first in range(0, values.shape[1] - width - 3, step):
        pause()
        found.append(measure(_ridges(values[:, first : first + step + width + 3], width)))
    return np.concatenate(found)


def _middle(ridge: NDArray[np.floating]) -> NDArray[np.floating]:
    """The median along each column."""
    middle: NDArray[np.floating] = np.median(ridge, axis=0)
    return middle


def _one_sign(ridge: NDArray[np.floating]) -> NDArray[np.float64]:
    """The fraction of each column that has its usual sign."""
    share: NDArray[np.float64] = np.maximum((ridge > 0).mean(0), (ridge < 0).mean(0))
    return share


def _ridges(values: NDArray[np.floating], width: int) -> NDArray[np.floating]:
    """How far groups of columns lie beyond both neighbours."""
    count = values.shape[1] - width - 3
    lefts, rights = values[:, 1 : 1 + count], values[:, 2 + width : 2 + width + count]
    groups = np.stack([values[:, 2 + k : 2 + k + count] for k in range(width)])
    above = groups.min(0) - np.maximum(lefts, rights)
    below = groups.max(0) - np.minimum(lefts, rights)
    return np.where(above > 0, above, np.where(below < 0, below, 0))


def _extended(values: NDArray[np.floating], part: slice, first: int, width: int) -> slice:
    """The rows of a broken column: those of a part, and those that follow as long as they differ in the same way."""
    ridge = _ridges(values[:, first - 2 : first + width + 2], width)[:, 0]
    same = np.sign(ridge) == np.sign(np.median(ridge[part]))
    start, stop = part.start, part.stop
    while start > 0 and same[start - 1]:
        start -= 1
    while stop < len(same) and same[stop]:
        stop += 1
    return slice(start, stop)
