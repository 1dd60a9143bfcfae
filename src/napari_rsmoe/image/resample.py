"""Planes at a fraction of their resolution, and back: for what is so smooth that fewer pixels hold it."""

from __future__ import annotations

import numpy as np

from ..arrays import Floats


def pooled(image: Floats, factor: int) -> Floats:
    """Means of squares of `factor` by `factor` pixels of an image (H, W) or (H, W, C); at the end, edges are repeated.

    Examples
    --------
    >>> import numpy as np
    >>> pooled(np.arange(12, dtype=np.float32).reshape(3, 4), 2).tolist()
    [[2.5, 4.5], [8.5, 10.5]]
    """
    height, width = image.shape[:2]
    more = ((0, -height % factor), (0, -width % factor), *((0, 0),) * (image.ndim - 2))
    whole = np.pad(image, more, mode="edge") if height % factor or width % factor else image
    rows = whole[::factor].copy()
    for k in range(1, factor):
        rows += whole[k::factor]
    columns = rows[:, ::factor].copy()
    for k in range(1, factor):
        columns += rows[:, k::factor]
    means: Floats = columns * np.float32(1 / factor**2)
    return means


def pooled_planes(planes: Floats, factor: int) -> Floats:
    """The same of planes (C, H, W)."""
    return np.stack([pooled(plane, factor) for plane in planes])


def enlarged(plane: Floats, shape: tuple[int, ...]) -> Floats:
    """A plane (H, W) at a larger size, whose edges coincide, by linear interpolation.

    Examples
    --------
    >>> import numpy as np
    >>> enlarged(np.float32([[0, 4]]), (1, 4)).tolist()
    [[0.0, 1.0, 3.0, 4.0]]
    """
    if plane.shape == shape[:2]:
        return plane
    for axis, length in enumerate(shape[:2]):
        plane = _along(plane, axis, length)
    return plane


def enlarged_planes(planes: Floats, shape: tuple[int, ...]) -> Floats:
    """Planes (C, H, W) at the size of `shape`, each by `enlarged`."""
    return np.stack([enlarged(plane, shape) for plane in planes])


def _along(plane: Floats, axis: int, length: int) -> Floats:
    small = plane.shape[axis]
    places = np.clip((np.arange(length) + 0.5) * small / length - 0.5, 0, small - 1)
    first = np.minimum(places.astype(np.intp), max(small - 2, 0))
    share = (places - first).astype(np.float32)
    share = share[:, None] if axis == 0 else share
    low, high = np.take(plane, first, axis), np.take(plane, np.minimum(first + 1, small - 1), axis)
    grown: Floats = low + share * (high - low)
    return grown
