"""Two images in one array, without a copy of either: one before an edge, the other behind it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ImageError

STRAIGHT = 1e-6
"""Largest share of another axis, relative to the pixels of the axis itself, for two grids to count as parallel."""


class Halves:
    """An array of the shape of `after` that shows `before` up to an edge along one axis.

    Parts are read when they are asked for, so that lazy and large images can be compared too.

    Parameters
    ----------
    before, after : array-like
        Of the same number of axes.
    factor, shift : numpy.ndarray
        (N,) for N axes without colour: pixel i of `after` is pixel ``factor * i + shift`` of `before`.
    axis : int
        The axis that the edge divides.
    """

    def __init__(self, before: Any, after: Any, factor: np.ndarray, shift: np.ndarray, axis: int) -> None:
        self._before, self._after, self._factor, self._shift = before, after, factor, shift
        self.axis, self.edge = axis, 0
        self.shape: tuple[int, ...] = tuple(int(n) for n in after.shape)
        self.dtype: np.dtype[Any] = np.result_type(before.dtype, after.dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[...], dtype)

    def __getitem__(self, index: Any) -> np.ndarray:
        """The pixels at an index of integers and slices."""
        whole = index if isinstance(index, tuple) else (index,)
        if Ellipsis in whole:
            where = whole.index(Ellipsis)
            filled = (slice(None),) * (self.ndim - len(whole) + 1)
            whole = (*whole[:where], *filled, *whole[where + 1 :])
        whole = (*whole, *(slice(None),) * (self.ndim - len(whole)))
        places = [np.arange(n)[part] for n, part in zip(self.shape, whole, strict=True)]
        joined: np.ndarray = np.array(self._after[whole], self.dtype)
        left = places[self.axis] < self.edge
        if not left.any():
            return joined
        earlier = self._taken(places)
        if np.ndim(places[self.axis]) == 0:
            joined[...] = earlier
            return joined
        kept = sum(1 for place in places[: self.axis] if np.ndim(place))  # Its position among the axes that are left.
        chosen: tuple[Any, ...] = (slice(None),) * kept + (left,)
        joined[chosen] = earlier[chosen]
        return joined

    def _taken(self, places: list[np.ndarray]) -> np.ndarray:
        """The nearest pixels of `before`."""
        outer: list[Any] = []
        inner: list[Any] = []
        for axis, place in enumerate(places):
            if axis >= len(self._factor):  # Colour.
                outer.append(slice(None))
                inner.append(place)
                continue
            nearest = np.rint(self._factor[axis] * place + self._shift[axis]).astype(int)
            nearest = np.clip(nearest, 0, self._before.shape[axis] - 1)
            if nearest.ndim == 0:
                outer.append(int(nearest))
            else:
                low = int(nearest.min())
                outer.append(slice(low, int(nearest.max()) + 1))
                inner.append(nearest - low)
        part = np.asarray(self._before[tuple(outer)])
        return part[np.ix_(*inner)] if inner else part


def halves_of(before: Any, after: Any, axis: int) -> Halves:
    """The two halves of two image layers.

    Parameters
    ----------
    before, after : napari.layers.Image
        Layers whose pixels lie parallel to each other.
    axis : int
        The divided axis, counted from behind without colour: -1 divides left from right, -2 top from bottom.

    Raises
    ------
    ImageError
        If the layers cannot be laid over each other.
    """
    names = f"{before.name!r} and {after.name!r}"
    if before.ndim != after.ndim or before.rgb != after.rgb:
        raise ImageError(f"{names} differ in their axes or colours; choose two images of the same kind.")
    datas = [layer.data[0] if layer.multiscale else layer.data for layer in (before, after)]
    if before.rgb and datas[0].shape[-1] != datas[1].shape[-1]:
        raise ImageError(f"Only one of {names} has opacity; choose two images of the same kind.")
    origin = np.asarray(before.world_to_data(after.data_to_world(np.zeros(after.ndim))), float)
    units = np.eye(after.ndim)
    columns = [np.asarray(before.world_to_data(after.data_to_world(unit)), float) - origin for unit in units]
    linear = np.stack(columns, axis=1)
    factor = np.diag(linear)
    beside = np.abs(linear - np.diag(factor)) * np.asarray(datas[1].shape[: after.ndim])
    if (factor <= 0).any() or (beside > STRAIGHT * np.asarray(datas[0].shape[: after.ndim])[:, None]).any():
        raise ImageError(f"{names} are turned against each other; choose two images with parallel pixels.")
    ends = origin + factor * (np.asarray(datas[1].shape[: after.ndim]) - 1)
    if (ends < -0.5).any() or (origin > np.asarray(datas[0].shape[: after.ndim]) - 0.5).any():
        raise ImageError(f"{names} show different places; choose two images of the same place.")
    return Halves(datas[0], datas[1], factor, origin, after.ndim + axis)
