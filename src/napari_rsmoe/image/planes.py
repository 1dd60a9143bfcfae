"""The planes of an image with more than two axes.

Axes are letters, one for each dimension of the array: ``Y`` and ``X`` span a plane; ``C`` (channels) and
``S`` (colour samples) are channels of it; every other letter (``T``, ``Z``, ``Q``, ...) is iterated over. Only
one plane is held in memory at a time, so the array may be a memory map or a Zarr array.
"""

from __future__ import annotations

import math
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..checks import Range
from ..errors import AxesError, ImageError
from .other_arrays import plain

CHANNEL_AXES = "CS"
DISTANCE = Range(positive=True)
"""Distance of two pixels, in any unit."""
Index = tuple[int | slice, ...]


class ArraySource(Protocol):
    """A source of planes: a numpy array, a memory map, or a Zarr array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type."""

    def __getitem__(self, index: Any, /) -> Any: ...


class ArraySink(Protocol):
    """A sink for planes: a numpy array, or an image file that is being written."""

    def __setitem__(self, index: Any, plane: Any, /) -> None: ...


@dataclass(frozen=True)
class Plane:
    """One plane of an image.

    Parameters
    ----------
    number : int
        Position in the order of iteration, from 0.
    index : tuple of int and slice
        Index of the plane in the whole array, one entry for each axis.
    image : ndarray, (Y, X) or (Y, X, C)
        Its pixels, in the dtype of the array and the machine's byte order.
    label : str
        Position of the plane as text: ``"T 3, Z 0"``, or ``""`` for an image of one plane.
    """

    number: int
    index: Index
    image: NDArray[Any]
    label: str


class Planes:
    """The planes of an image: iteration over them, and their indices in the image.

    Parameters
    ----------
    data : array-like with ``shape``, ``dtype`` and indexing
        The whole image; torch tensors and xarray DataArrays are taken as the arrays in them.
    axes : str
        One letter for each axis of `data`, with ``Y`` and ``X`` among them; any case.
    independent_channels : bool, optional
        False: the channels of a plane come together, as (Y, X, C). True: each channel is a plane of its own, (Y, X).
    spacing : mapping of str to float, optional
        Distance of pixels along axes of space, by letter and in one unit, such as ``{"Z": 1, "Y": 0.2, "X": 0.2}``.

    Attributes
    ----------
    looped : list of int
        Numbers of the axes that are iterated over.
    channels : list of int
        Numbers of the axes that are channels of a plane.
    spacing : dict of str to float
        As it was given; empty if it is not known.

    Raises
    ------
    ImageError
        If `axes` does not describe `data`.

    Notes
    -----
    ``C`` and ``S`` together (several colour channels) become one channel axis, ``C`` outer and ``S`` inner if
    ``C`` comes first in `axes`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import Planes
    >>> film = np.zeros((5, 2, 32, 48), np.uint16)
    >>> planes = Planes(film, "TCYX")
    >>> len(planes), planes[3].image.shape, planes[3].label
    (5, (32, 48, 2), 'T 3')
    """

    def __init__(
        self,
        data: ArraySource,
        axes: str,
        *,
        independent_channels: bool = False,
        spacing: Mapping[str, float] | None = None,
    ) -> None:
        self.data = data = plain(data)
        self.axes = check_axes(axes, data.shape)
        self.spacing = checked_spacing(spacing)
        self._dtype = np.dtype(data.dtype).newbyteorder("=")
        spanned = "YX" if independent_channels else "YX" + CHANNEL_AXES
        self.looped = [k for k, letter in enumerate(self.axes) if letter not in spanned]
        self.channels = [k for k, letter in enumerate(self.axes) if letter in CHANNEL_AXES and not independent_channels]
        # The axes that stay in an index, and their order in it, as (Y, X, channels...).
        kept = [k for k in range(len(self.axes)) if k not in self.looped]
        wanted = [self.axes.index("Y"), self.axes.index("X"), *self.channels]
        self._to_plane = tuple(kept.index(k) for k in wanted)
        self._from_plane = tuple(int(k) for k in np.argsort(self._to_plane))

    def __len__(self) -> int:
        return int(np.prod([self.data.shape[k] for k in self.looped], dtype=np.int64))

    @property
    def plane_shape(self) -> tuple[int, ...]:
        """Shape of one plane, (Y, X) or (Y, X, C)."""
        shape = self.data.shape
        size = (shape[self.axes.index("Y")], shape[self.axes.index("X")])
        if not self.channels:
            return size
        return (*size, int(np.prod([shape[k] for k in self.channels])))

    def __iter__(self) -> Iterator[Plane]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> Plane:
        """The plane at this position of the loop; IndexError if there is none."""
        if not 0 <= number < len(self):
            raise IndexError(f"plane {number} of {len(self)}")
        index: list[int | slice] = [slice(None)] * len(self.axes)
        for k, i in zip(self.looped, self._position(number), strict=True):
            index[k] = int(i)
        pixels = np.asarray(self.data[tuple(index)], self._dtype).transpose(self._to_plane)
        return Plane(number, tuple(index), pixels.reshape(self.plane_shape), self.label(number))

    def part(self, number: int, rows: slice, columns: slice) -> NDArray[Any]:
        """Pixels (Y, X) or (Y, X, C) of a part of a plane, all that is read."""
        return self.arranged(np.asarray(self.data[self.index_of(number, rows, columns)], self._dtype))

    def arranged(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Pixels that were read with an index of `index_of`, as (Y, X) or (Y, X, C)."""
        moved = pixels.transpose(self._to_plane)
        return moved.reshape(*moved.shape[:2], *self.plane_shape[2:])

    def without_data(self) -> Planes:
        """The same arrangement of axes of an image without pixels, to be sent to another process."""
        return Planes(
            np.broadcast_to(np.zeros((), self._dtype), self.data.shape),
            self.axes,
            independent_channels=not self.channels,
            spacing=self.spacing,
        )

    def index_of(self, number: int, rows: slice, columns: slice) -> Index:
        """The index of a part of a plane in the whole array."""
        index: list[int | slice] = [slice(None)] * len(self.axes)
        for k, i in zip(self.looped, self._position(number), strict=True):
            index[k] = int(i)
        index[self.axes.index("Y")], index[self.axes.index("X")] = rows, columns
        return tuple(index)

    def stored(self, part: NDArray[Any]) -> NDArray[Any]:
        """A part (Y, X) or (Y, X, C) in the order of axes of the whole array."""
        split = part.shape[:2] + tuple(self.data.shape[k] for k in self.channels)
        return part.reshape(split).transpose(self._from_plane)

    def label(self, number: int) -> str:
        """Where a plane lies, as in `Plane`; nothing is read."""
        return ", ".join(f"{self.axes[k]} {i}" for k, i in zip(self.looped, self._position(number), strict=True))

    def number_of(self, position: Sequence[int]) -> int:
        """The number of the plane at a position along the axes that are iterated over."""
        return int(np.ravel_multi_index(list(position), [self.data.shape[k] for k in self.looped])) if position else 0

    def _position(self, number: int) -> tuple[Any, ...]:
        return np.unravel_index(number, [self.data.shape[k] for k in self.looped])

    def neighbour_axis(self, along: str | None = None) -> int | None:
        """The number of the axis along which planes are neighbours.

        Parameters
        ----------
        along : str or None
            Its letter; None takes T, else Z, else the first that is iterated over, of those longer than 1.

        Returns
        -------
        int or None
            None if there is no such axis.

        Raises
        ------
        AxesError
            If `along` is not iterated over.
        """
        letters = [self.axes[k] for k in self.looped]
        if along is not None:
            if along.upper() not in letters:
                known = f"there are {', '.join(letters)}" if letters else "there is none"
                raise AxesError(f"along={along!r} is not an axis that is iterated over; {known}.")
            return self.axes.index(along.upper())
        long = [letter for letter in letters if self.data.shape[self.axes.index(letter)] > 1]
        best = sorted(long, key=lambda letter: {"T": 0, "Z": 1}.get(letter, 2))
        return self.axes.index(best[0]) if best else None

    def depth_step(self, axis: int | None) -> float | None:
        """The distance of planes along an axis, if it is Z and the distance is known, in pixels of a plane."""
        if axis is None or self.axes[axis] != "Z" or not set("ZYX") <= set(self.spacing):
            return None
        return self.spacing["Z"] / math.sqrt(self.spacing["Y"] * self.spacing["X"])

    def neighbour_number(self, plane: Plane | int, axis: int, offset: int) -> int | None:
        """Number of the plane `offset` steps further along an axis that is iterated over, or None beyond the ends."""
        number = plane.number if isinstance(plane, Plane) else plane
        sizes = [self.data.shape[k] for k in self.looped]
        position = [int(i) for i in self._position(number)]
        moved = self.looped.index(axis)
        position[moved] += offset
        return int(np.ravel_multi_index(position, sizes)) if 0 <= position[moved] < sizes[moved] else None

    def neighbour(self, plane: Plane, axis: int, offset: int) -> Plane | None:
        """The plane with this number, or None."""
        number = self.neighbour_number(plane, axis, offset)
        return None if number is None else self[number]

    def result_shape(self, size: Sequence[int]) -> tuple[int, ...]:
        """Shape of the whole image once its planes have become `size`, which is (Y, X)."""
        shape = list(self.data.shape)
        shape[self.axes.index("Y")], shape[self.axes.index("X")] = int(size[0]), int(size[1])
        return tuple(shape)

    def check_result(self, result: NDArray[Any]) -> None:
        """Raise a ValueError if `result` cannot take the place of a plane: its Y and X only may differ."""
        if result.ndim != len(self.plane_shape) or result.shape[2:] != self.plane_shape[2:]:
            raise ValueError(f"a plane of shape {self.plane_shape} cannot become one of {result.shape}")

    def store(self, sink: ArraySink, plane: Plane, result: NDArray[Any]) -> None:
        """Write the `result` for `plane`, (Y, X) or (Y, X, C), to its place in `sink`.

        `sink` has the axes of the image and the shape that `result_shape` returns.
        """
        self.check_result(result)
        split = result.shape[:2] + tuple(self.data.shape[k] for k in self.channels)
        sink[plane.index] = result.reshape(split).transpose(self._from_plane)


def check_axes(axes: str, shape: Sequence[int]) -> str:
    """Return `axes` in upper case after checking that it names the axes of an array of `shape`.

    Raises
    ------
    AxesError
        If the count is wrong, a letter is no letter or comes twice, or ``Y`` or ``X`` is missing.
    ImageError
        If an axis is empty.
    """
    given = f"the axes {axes!r} for an image of shape {tuple(shape)}"
    axes = axes.upper()
    if len(axes) != len(shape):
        raise AxesError(
            f"{given}: {len(shape)} letters are needed, one for each dimension, for example {_example(len(shape))!r}."
        )
    if not set(axes) <= set(string.ascii_uppercase) or len(set(axes)) != len(axes):
        raise AxesError(f"{given}: each must be another letter, such as T, Z, C, Y, X or S.")
    if not {"Y", "X"} <= set(axes):
        raise AxesError(f"{given}: Y and X, the rows and columns of a plane, must be among them.")
    if 0 in shape:
        raise ImageError(f"the image is empty: its shape is {tuple(shape)}.")
    return axes


def checked_spacing(spacing: Mapping[str, float] | None) -> dict[str, float]:
    """Distances of pixels by the letter of their axis, in upper case.

    Raises
    ------
    ValueError
        If one is not a positive number, or a name is not a letter.
    """
    if spacing is None:
        return {}
    if not isinstance(spacing, Mapping):
        raise ValueError(f"spacing={spacing!r} must name axes, as in {{'Z': 1.0, 'Y': 0.2, 'X': 0.2}}.")
    checked = {}
    for letter, value in spacing.items():
        if not isinstance(letter, str) or len(letter) != 1:
            raise ValueError(f"spacing has a distance for {letter!r}; axes are letters, such as Z, Y and X.")
        checked[letter.upper()] = float(DISTANCE.check(value, f"spacing[{letter!r}]"))
    return checked


def guess_axes(shape: Sequence[int]) -> str:
    """Axes for an array that comes without any: ``YX``, or ``YXC`` if the last of three is 3 or 4 long.

    Raises
    ------
    ImageError
        For any other shape, asking for the axes.
    """
    if len(shape) == 2:
        return "YX"
    if len(shape) == 3 and shape[2] in (3, 4):
        return "YXC"
    if len(shape) < 2:
        raise ImageError(f"an image has at least two axes, Y and X; this array has the shape {tuple(shape)}.")
    raise ImageError(
        f"the axes of an array of shape {tuple(shape)} cannot be determined from its shape. Name them, one letter "
        f"each, for example axes={_example(len(shape))!r} (on the command line --axes "
        f"{_example(len(shape))}): Y and X span a plane, C is a channel, T, Z and any other letter is looped "
        "over."
    )


def stack_axes(shape: Sequence[int]) -> str:
    """Axes for an array that is to be looked at: as `guess_axes`, but axes before Y and X are those of a stack.

    Raises
    ------
    ImageError
        For fewer than two axes, or more than can be named.
    """
    if len(shape) <= 3 and (len(shape) < 3 or shape[-1] in (3, 4)):
        return guess_axes(shape)
    tail = "YXC" if shape[-1] in (3, 4) else "YX"
    lead = "DEFGHIJKLMNOPQRTZ"[len(tail) - len(shape) :]
    if len(lead) + len(tail) != len(shape):
        raise ImageError(f"an array of shape {tuple(shape)} has too many axes.")
    return lead + tail


def _example(ndim: int) -> str:
    """Return axes with `ndim` letters, as an example for an error message."""
    return "PQRTZCYX"[-ndim:] if ndim != 3 else "ZYX"
