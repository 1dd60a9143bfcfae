"""Hot and dead pixels: single ones, clusters, columns and rows far from all around them, which no lens can draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Mask
from ..progress import pause
from .defect_groups import REACH, find_clusters, find_lines
from .masks import fill_nearest
from .quantiles import quantiles

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
"""Largest fraction of the pixels that can be defects of any value. If more stand out, they are the noise or the
content, unless they are stuck at one value."""
MOST_STUCK = 0.3
"""Largest fraction of the pixels that can be stuck at the lowest or at the highest value of the image."""
SCATTERED = 0.15
"""Fraction of the pixels at a value that have two or more neighbours at that value, beyond the fraction by chance,
above which they are not scattered. Most pixels of clipped regions and lines have such neighbours."""
GAP = 2.0
"""Distance of the value at which pixels are stuck from all other values, relative to the median difference between
neighbours, above which it is a value of its own. Values that are clipped have no such gap."""
STAND_OUT = 0.9
"""Fraction of the scattered pixels that stand out from their neighbours, relative to the fraction of the whole image
where their value would, at least: stuck pixels lie anywhere, but highlights and shadows lie among bright and dark
pixels."""
ROUNDS = 3
"""How often defects are sought, at most. Those of one round hide others near them, which the next round finds."""
AROUND = 5
"""Side of the square around a pixel, px."""
BAND = 64
"""Rows that are worked on at once, between two chances to stop. With more, more memory is taken; with fewer, more time
for each row."""


def find_defects(values: NDArray[Any], left_out: Mask | None = None) -> Mask:
    """Find hot and dead pixels.

    A defect differs from its surroundings far more than the detail of the image does and than the surroundings vary,
    and its neighbours show nothing of it. Defects may form clusters of up to 3 x 3 px, and broken columns and rows.
    Up to 30 % of the pixels may be stuck at the lowest, and as many at the highest value, scattered over the image.
    Images with more than one other single defect for 100 pixels are left as they are.

    Parameters
    ----------
    values : ndarray, shape (H, W, C)
        The image; finite.
    left_out : ndarray of bool, shape (H, W), optional
        Pixels that are no defects whatever their value.

    Returns
    -------
    ndarray of bool, shape (H, W)
        Pixels that are defects in any channel; none in an image of less than 9 px a side.

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
    if min(values.shape[:2]) < 2 * REACH + 1:
        return found
    stuck = np.zeros_like(found)
    for plane in np.moveaxis(values, -1, 0):
        stuck |= _stuck(plane, np.zeros_like(found) if left_out is None else left_out)
    single = None
    if not stuck.any():
        single = np.zeros_like(found)
        for plane in np.moveaxis(values, -1, 0):
            detail = _Detail.of(plane)
            stuck |= _groups(plane, detail)
            single |= _defects_of(plane, detail)
    if stuck.any():
        single = None
        values = fill_nearest(values, stuck)
        left_out = stuck if left_out is None else stuck | left_out
    for _ in range(ROUNDS):
        if single is None:
            single = np.zeros_like(found)
            for plane in np.moveaxis(values, -1, 0):
                single |= _defects_of(plane, _Detail.of(plane))
        more, single = single, None
        more &= ~found if left_out is None else ~(found | left_out)
        if not more.any():
            break
        found |= more
        values = fill_nearest(values, found)
    return stuck | found if found.mean() <= MOST else stuck


@dataclass(frozen=True)
class _Detail:
    """What neighbours differ by in one channel.

    Attributes
    ----------
    differences : ndarray of float64, shape (H, W)
        As of `_differences`.
    noise, detail : float
        Their median, and their quantile DETAIL.
    """

    differences: NDArray[np.float64]
    noise: float
    detail: float

    @classmethod
    def of(cls, plane: NDArray[Any]) -> _Detail:
        """The detail of a channel (H, W)."""
        differences = _differences(plane)
        return cls(differences, *quantiles(differences, [0.5, DETAIL]))


def _groups(plane: NDArray[Any], beside: _Detail) -> Mask:
    """Pixels of one channel (H, W) that are defects together: clusters, columns and rows."""
    detail = beside.detail
    if detail == 0:
        return np.zeros(plane.shape, bool)
    lines = find_lines(plane, beside.noise)
    rest = fill_nearest(plane[..., None], lines)[..., 0] if lines.any() else plane
    step = FEWEST_STEPS if plane.dtype.kind in "iu" else 0.0
    far = _differences(rest, REACH)
    return lines | find_clusters(rest, far > max(ABOVE_DETAIL * detail, step))


def _stuck(plane: NDArray[Any], left_out: Mask) -> Mask:
    """Pixels of one channel (H, W) that are stuck at its lowest or highest value, if they are more than `MOST`."""
    none = np.zeros(plane.shape, bool)
    counted = plane[~left_out] if left_out.any() else plane
    pause()
    ends = (counted.min(), counted.max()) if counted.size else ()
    sets = [at for value in ends if _is_scattered(at := (plane == value) & ~left_out)]
    together = sum(sets, none)
    if not MOST < _fraction(together) <= 2 * MOST_STUCK:
        return none
    rest = fill_nearest(plane[..., None], together | left_out)[..., 0].astype(np.float64)
    beside = _Detail.of(rest)
    noise, detail = beside.noise, beside.detail
    if detail == 0:
        return none
    step = FEWEST_STEPS if plane.dtype.kind in "iu" else 0.0
    enough = max(ABOVE_DETAIL * detail, step)
    found = none
    for at in sets:
        value = float(plane[at][0])
        clear = np.abs(value - rest) > enough
        gap = min(abs(value - float(rest.min())), abs(value - float(rest.max())))
        if gap > max(GAP * noise, step):
            clear[:] = True
        if (clear & at).sum() > STAND_OUT * clear.mean() * at.sum() > 0 and not _shine(plane, rest, at & clear):
            # The others at this value that lie apart are stuck too, and those that touch may be a highlight.
            found = found | (at & (clear | (_equal_neighbours(at) < 2)))
    return found


def _is_scattered(at: Mask) -> bool:
    """Whether pixels (H, W) are few and lie apart, unlike those of a clipped region or a line."""
    share = _fraction(at)
    if not 0 < share <= MOST_STUCK:
        return False
    by_chance = 1 - (1 - share) ** 4 - 4 * share * (1 - share) ** 3
    together = 0
    for first in range(0, len(at), BAND):
        pause()
        above, last = min(first, 1), min(first + BAND, len(at))
        beside = _equal_neighbours(at[first - above : last + 1])[above : above + last - first]
        together += int(np.count_nonzero(beside[at[first:last]] >= 2))
    return together / int(np.count_nonzero(at)) <= by_chance + SCATTERED


def _fraction(at: Mask) -> float:
    """The fraction of all pixels that belong to a set."""
    return int(np.count_nonzero(at)) / at.size


def _equal_neighbours(at: Mask) -> NDArray[np.int8]:
    """How many of the four neighbours of each pixel (H, W) belong to a set."""
    near = np.pad(at, 1).astype(np.int8)
    beside: NDArray[np.int8] = near[:-2, 1:-1] + near[2:, 1:-1] + near[1:-1, :-2] + near[1:-1, 2:]
    return beside


def _shine(plane: NDArray[Any], rest: NDArray[np.float64], at: Mask) -> bool:
    """Whether pixels of a plane light up those beside them, as small sources do through a lens.

    Parameters
    ----------
    plane, rest : ndarray, shape (H, W)
        The values, and the same with the pixels filled in.
    at : ndarray of bool, shape (H, W)
        The pixels.
    """
    from scipy.ndimage import median_filter  # here: it would delay the help of every verb

    usual = median_filter(rest, AROUND, mode="reflect")
    nearest = sum(_sides(rest)) / 4
    leak = (nearest - usual)[at] / (plane - usual)[at]
    return bool(np.median(leak) > LEAK)


def _differences(plane: NDArray[Any], reach: int = 1) -> NDArray[np.float64]:
    """The second smallest difference of each pixel of (H, W) from the four `reach` px away.

    It is computed band by band, as the intermediate results would take eight times as much memory as the plane.
    """
    found = np.empty(plane.shape)
    for first in range(0, len(found), BAND):
        pause()
        last = min(first + BAND, len(found))
        rows = np.abs(np.arange(first - reach, last + reach))  # Mirrored at the first and at the last row.
        rows = np.minimum(rows, 2 * (len(found) - 1) - rows)
        part = np.pad(plane[rows].astype(np.float64), ((0, 0), (reach, reach)), mode="reflect")
        distances = [np.abs(part[reach:-reach, reach:-reach] - side) for side in _within(part, reach)]
        found[first:last] = _second_smallest(distances)
    return found


def _sides(plane: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The four neighbours of each pixel of (H, W)."""
    return _within(np.pad(plane, 1, mode="reflect"))


def _within(padded: NDArray[Any], reach: int = 1) -> list[NDArray[Any]]:
    """The four pixels `reach` px away from each pixel of a plane (H, W) that has `reach` px around it."""
    inner, twice = slice(reach, -reach), 2 * reach
    return [padded[:-twice, inner], padded[twice:, inner], padded[inner, :-twice], padded[inner, twice:]]


def _defects_of(plane: NDArray[Any], beside: _Detail) -> Mask:
    """Defects of one channel (H, W)."""
    step = FEWEST_STEPS if plane.dtype.kind in "iu" else 0.0
    found = np.zeros(plane.shape, bool)
    difference, detail = beside.differences, beside.detail
    # Where nearly all pixels equal their neighbours, as in drawings, a dot is content.
    if detail == 0:
        return found
    y, x = np.nonzero(difference > max(ABOVE_DETAIL * detail, step))
    if len(y) == 0 or len(y) > 2 * MOST * plane.size + 1:
        return found
    pause()
    padded = np.pad(plane, AROUND // 2, mode="reflect")
    above, below, left, right = (side[y, x].astype(np.float64) for side in _within(padded[1:-1, 1:-1]))
    nearest = (above + below + left + right) / 4
    around = (
        np.lib.stride_tricks.sliding_window_view(padded, (AROUND, AROUND))[y, x].reshape(len(y), -1).astype(np.float64)
    )
    pause()
    # Means of opposite pixels do not change on a slope.
    half = AROUND**2 // 2
    means = np.sort((around[:, :half] + around[:, :half:-1]) / 2, axis=1)
    excess = plane[y, x].astype(np.float64) - np.median(means, axis=1)
    # The most extreme mean may hold another defect.
    spread = np.where(excess > 0, means[:, -2] - means[:, 0], means[:, -1] - means[:, 1])
    leak = (nearest - np.median(means, axis=1)) / np.where(excess == 0, 1, excess)
    lowest, highest = _extremes_without(plane, y, x)
    values, margin = plane[y, x].astype(np.float64), ABOVE_DETAIL * detail
    beyond = (values > highest + margin) | (values < lowest - margin)
    factor = np.where(beyond, BEYOND_SURROUNDINGS, ABOVE_SURROUNDINGS)
    isolated = (np.abs(excess) > factor * spread) & ((leak < LEAK) | _pairs(means, excess))
    found[y[isolated], x[isolated]] = True
    return found


def _extremes_without(plane: NDArray[Any], y: NDArray[Any], x: NDArray[Any]) -> tuple[float, float]:
    """The smallest and the largest value of the pixels (H, W) but for those in these rows and columns."""
    usual = np.ones(plane.shape, bool)
    usual[y, x] = False
    ends: list[tuple[float, float]] = []
    for first in range(0, len(plane), BAND):
        pause()
        values = plane[first : first + BAND][usual[first : first + BAND]]
        if values.size:
            ends.append((float(values.min()), float(values.max())))
    lowest, highest = zip(*ends, strict=True)
    return min(lowest), max(highest)


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
