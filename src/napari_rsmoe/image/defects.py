"""Hot and dead pixels: single pixels far from everything around them, which no lens can draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Mask
from .masks import fill_nearest

DETAIL = 0.98
"""Quantile of the differences between pixels and their neighbours by which the detail is measured. Of the four
differences of a pixel the second smallest counts, which is large for a defect but not for its neighbours."""
ABOVE_DETAIL = 5.0
"""Difference of a defect from its neighbours, relative to the detail, at least: about ten standard deviations of
white noise. Below, specks of photographs count as defects."""
ABOVE_SURROUNDINGS = 8.0
"""Difference of a defect from the median around it, relative to the range of values there without their slope, at
least. Below, specks of photographs count as defects."""
BEYOND_SURROUNDINGS = 4.0
"""The same for a pixel that lies beyond all other values of the channel, further than the detail."""
LEAK = 0.1
"""Fraction of the difference that the four neighbours show too, above which the pixel is the image of a small source,
such as a star, through a lens."""
FEWEST_STEPS = 12
"""Difference of a defect in a channel of integers, in steps of their values, at least, so that photons are none."""
MOST = 0.01
"""Largest fraction of the pixels that can be defects. If more stand out, they are the noise or the content."""
ROUNDS = 3
"""How often defects are sought, at most. Those of one round hide others near them, which the next round finds."""
AROUND = 5
"""Side of the square around a pixel, px."""


def find_defects(values: NDArray[Any], left_out: Mask | None = None) -> Mask:
    """Find hot and dead pixels.

    A defect differs from its surroundings far more than the detail of the image does and than the surroundings vary,
    and its neighbours show nothing of it. Two defects may touch each other. Images with more than one defect for 100
    pixels are left as they are.

    Parameters
    ----------
    values : ndarray, shape (H, W, C)
        The image; finite.
    left_out : ndarray of bool, shape (H, W), optional
        Pixels that are no defects whatever their value.

    Returns
    -------
    ndarray of bool, shape (H, W)
        Pixels that are defects in any channel; none in an image of less than 5 px a side.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe.image.defects import find_defects
    >>> dark = np.random.default_rng(0).normal(100, 3, (32, 32, 1))
    >>> dark[7, 9] = 4000
    >>> np.argwhere(find_defects(dark)).tolist()
    [[7, 9]]
    """
    found = np.zeros(values.shape[:2], bool)
    if min(values.shape[:2]) < AROUND:
        return found
    for _ in range(ROUNDS):
        more = np.zeros_like(found)
        for plane in np.moveaxis(values, -1, 0):
            more |= _defects_of(plane)
        more &= ~found if left_out is None else ~(found | left_out)
        if not more.any():
            break
        found |= more
        values = fill_nearest(values, found)
    return found if found.mean() <= MOST else np.zeros_like(found)


def _defects_of(plane: NDArray[Any]) -> Mask:
    """Defects of one channel (H, W)."""
    step = FEWEST_STEPS if plane.dtype.kind in "iu" else 0.0
    found = np.zeros(plane.shape, bool)
    padded = np.pad(plane.astype(np.float64), AROUND // 2, mode="reflect")
    middle = padded[1:-1, 1:-1]
    sides = (middle[:-2, 1:-1], middle[2:, 1:-1], middle[1:-1, :-2], middle[1:-1, 2:])
    nearest = (sides[0] + sides[1] + sides[2] + sides[3]) / 4
    difference = _second_smallest([np.abs(middle[1:-1, 1:-1] - side) for side in sides])
    detail = float(np.quantile(difference, DETAIL))
    # Where nearly all pixels equal their neighbours, as in drawings, a dot is content.
    if detail == 0:
        return found
    y, x = np.nonzero(difference > max(ABOVE_DETAIL * detail, step))
    if len(y) == 0 or len(y) > 2 * MOST * plane.size + 1:
        return found
    around = np.lib.stride_tricks.sliding_window_view(padded, (AROUND, AROUND))[y, x].reshape(len(y), -1)
    # Means of opposite pixels do not change on a slope.
    half = AROUND**2 // 2
    means = np.sort((around[:, :half] + around[:, :half:-1]) / 2, axis=1)
    excess = plane[y, x].astype(np.float64) - np.median(means, axis=1)
    # The most extreme mean may hold another defect.
    spread = np.where(excess > 0, means[:, -2] - means[:, 0], means[:, -1] - means[:, 1])
    leak = (nearest[y, x] - np.median(means, axis=1)) / np.where(excess == 0, 1, excess)
    usual = np.ones(plane.shape, bool)
    usual[y, x] = False
    lowest, highest = float(plane[usual].min()), float(plane[usual].max())
    values, margin = plane[y, x].astype(np.float64), ABOVE_DETAIL * detail
    beyond = (values > highest + margin) | (values < lowest - margin)
    factor = np.where(beyond, BEYOND_SURROUNDINGS, ABOVE_SURROUNDINGS)
    isolated = (np.abs(excess) > factor * spread) & ((leak < LEAK) | _pairs(means, excess))
    found[y[isolated], x[isolated]] = True
    return found


def _second_smallest(four: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The second smallest of four arrays, pixel by pixel."""
    low, high = np.minimum(four[0], four[1]), np.maximum(four[0], four[1])
    other, larger = np.minimum(four[2], four[3]), np.maximum(four[2], four[3])
    second: NDArray[np.float64] = np.minimum(np.maximum(low, other), np.minimum(high, larger))
    return second


def _pairs(means: NDArray[np.float64], excess: NDArray[np.float64]) -> Mask:
    """Whether a single pixel of the surroundings stands out as the defect itself does, which is a second defect."""
    second = np.where(excess > 0, means[:, -1] - means[:, -2], means[:, 1] - means[:, 0])
    pairs: Mask = second > np.abs(excess) / 4
    return pairs
