"""A plane that is read part by part, where the whole does not fit the memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..notes import gathered
from .blocks import Part
from .format import ChannelAxis, check_type, find_channels, refuse_mask
from .inputs import Inputs
from .other_arrays import unwrapped
from .planes import Plane, Planes


class PlaneSource:
    """A plane that is read part by part.

    Parameters
    ----------
    array : array-like with ``shape``, ``dtype`` and indexing
        (Y, X), or with an axis of channels.
    axis : int or None
        The axis of channels.
    """

    def __init__(self, array: Any, axis: int | None) -> None:
        letters = "YX" if axis is None else "YX"[:axis] + "C" + "YX"[axis:]
        self.planes, self.axis = Planes(array, letters), axis
        self.shape = (*self.planes.plane_shape, 1)[:3]
        self.dtype = np.dtype(array.dtype).newbyteorder("=")

    def read(self, _plane: int, part: Part) -> NDArray[Any]:
        """A part of the plane, (Y, X) or (Y, X, C)."""
        return self.planes.part(0, *part)

    def of_part(self, array: Any, part: Part) -> NDArray[Any]:
        """The same part of another plane of this shape."""
        return Planes(np.asarray(array), self.planes.axes).part(0, *part)

    def index(self, part: Part) -> tuple[int | slice, ...]:
        """The index of a part in the array."""
        return self.planes.index_of(0, *part)


def plane_of(image: Any, channel_axis: ChannelAxis) -> PlaneSource | None:
    """The plane in an array, which is not read; None for what is no array yet, such as a list."""
    opened = unwrapped(image)
    image, channel_axis = opened.array, opened.channel_axis(channel_axis)
    if isinstance(image, Inputs) or not all(hasattr(image, name) for name in ("shape", "dtype", "ndim", "size")):
        return None
    refuse_mask(image)
    check_type(image)
    with gathered():  # Where the image is read, what is assumed about its channels is said.
        return PlaneSource(image, find_channels(image, channel_axis))


class PlaneView:
    """A plane of a stack as an array that reads what is indexed.

    Parameters
    ----------
    planes : Planes
        All planes.
    number : int
        The number of the plane.
    """

    def __init__(self, planes: Planes, number: int) -> None:
        self._planes, self._number = planes, number
        self.shape = planes.plane_shape
        self.ndim, self.size = len(self.shape), int(np.prod(self.shape))
        self.dtype = np.dtype(planes.data.dtype).newbyteorder("=")

    def __getitem__(self, index: slice | tuple[slice, ...]) -> NDArray[Any]:
        """A part of the plane; rows and columns as slices, then all channels."""
        rows, columns, *_ = (*index, slice(None)) if isinstance(index, tuple) else (index, slice(None))
        return self._planes.part(self._number, rows, columns)

    def astype(self, dtype: DTypeLike) -> NDArray[Any]:
        """All pixels in another type."""
        return np.asarray(self).astype(dtype)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self._planes.part(self._number, slice(None), slice(None)), dtype)


class InType:
    """An array that is converted to another data type where it is read.

    Parameters
    ----------
    array : array-like with ``shape``, ``dtype`` and indexing
        The array.
    dtype : dtype
        The type.
    """

    def __init__(self, array: Any, dtype: DTypeLike) -> None:
        self._array, self.shape, self.dtype = array, tuple(array.shape), np.dtype(dtype)
        self.ndim, self.size = len(self.shape), int(np.prod(self.shape))

    def __getitem__(self, index: Any) -> NDArray[Any]:
        return np.asarray(self._array[index], self.dtype)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self._array, self.dtype if dtype is None else dtype)


class UnreadPlanes(Planes):
    """The planes of an image, each of which is a `PlaneView`: it is read where it is indexed."""

    def __getitem__(self, number: int) -> Plane:
        """The plane at this position of the loop; IndexError if there is none."""
        if not 0 <= number < len(self):
            raise IndexError(f"plane {number} of {len(self)}")
        view: Any = PlaneView(self, number)
        return Plane(number, self.index_of(number, slice(None), slice(None)), view, self.label(number))
