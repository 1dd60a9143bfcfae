"""Groups of similar patches in plain NumPy, for methods that have no maintained package."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def patches(image: Array, side: int) -> Array:
    """All patches (N, side * side) of an image (H, W), in raster order of their corners."""
    view = np.lib.stride_tricks.sliding_window_view(image, (side, side))
    return view.reshape(-1, side * side)


def groups(image: Array, side: int, stride: int, reach: int, count: int) -> Indices:
    """Numbers of the `count` nearest patches to every reference patch (references, count), itself first.

    Reference patches lie `stride` px apart; others are searched within `reach` px along both axes.
    """
    down, across = image.shape[0] - side + 1, image.shape[1] - side + 1
    rows, columns = (np.unique(np.r_[np.arange(0, n, stride), n - 1]) for n in (down, across))
    wide = np.pad(image, reach, mode="reflect")
    steps = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    distances = np.empty((len(steps), len(rows), len(columns)), np.float32)
    numbers = np.empty(distances.shape, np.int64)
    half = side // 2
    for distance, number, (dy, dx) in zip(distances, numbers, steps, strict=True):
        moved = wide[reach + dy : reach + dy + image.shape[0], reach + dx : reach + dx + image.shape[1]]
        means = uniform_filter(np.square(image - moved), side, origin=-half if side % 2 == 0 else 0)
        offset = 0 if side % 2 == 0 else half
        y, x = rows[:, None] + dy, columns + dx
        inside = (y >= 0) & (y < down) & (x >= 0) & (x < across)
        own = -1.0 if dy == dx == 0 else 0.0
        distance[:] = np.where(inside, means[rows[:, None] + offset, columns + offset] + own, np.inf)
        number[:] = np.where(inside, y * across + x, 0)
    order = np.argpartition(distances, count - 1, axis=0)[:count]
    order = np.take_along_axis(order, np.take_along_axis(distances, order, 0).argsort(0, kind="stable"), 0)
    return np.take_along_axis(numbers, order, 0).reshape(count, -1).T


def averaged(members: Indices, values: Array, weights: Array, shape: tuple[int, int], side: int) -> Array:
    """The image (H, W) of the patches (references, count, side * side) of all groups, with weights."""
    down, across = shape[0] - side + 1, shape[1] - side + 1
    sums = np.zeros((down * across, side * side))
    totals = np.zeros(down * across)
    np.add.at(sums, members, values * weights[..., None])
    np.add.at(totals, members, weights)
    image, weight = np.zeros((2, *shape))
    for place in range(side * side):
        part = np.s_[place // side : place // side + down, place % side : place % side + across]
        image[part] += sums[:, place].reshape(down, across)
        weight[part] += totals.reshape(down, across)
    return image / weight
