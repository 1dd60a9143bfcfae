"""An image in memory or in an open file, with the axes and metadata that image files hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import ImageError
from ..image.planes import ArraySource, check_axes
from ..plain_text import plain_text
from .details import Details
from .formats import DTYPES
from .sizes import check_memory, selected_shape
from .units import PixelSize, unit_ratio


@dataclass(frozen=True, repr=False)
class ImageFile:
    """An image with its axes and metadata.

    Parameters
    ----------
    data : ndarray or array-like
        The pixels. After ``read_image(..., lazy=True)`` an array-like with ``shape`` and ``dtype`` that reads from the
        file when it is indexed; the method `numpy` returns an array in both cases.
    axes : str
        One letter for each axis: ``Y``, ``X``, ``C`` (channel), ``S`` (colour sample), ``T``, ``Z``, or another.
    pixel_size : mapping of str to PixelSize, optional
        Pixel size by axis letter, only for axes whose pixel size is known.
    name : str, optional
        Title of the image.
    channel_names : tuple of str, optional
        One name for each entry of the channel axis ``C``, or one name without that axis. Any other number of names is
        discarded, and so are names that are all empty.
    alpha : bool, optional
        Whether the last entry of the sample axis (``S``, or ``C`` if there is no ``S``) is an opacity.
    icc_profile : bytes or None, optional
        Colour profile.
    kind : str, optional
        Format of the file that was read, one of `napari_rsmoe.io.formats.KINDS`; empty if there is no file.
    notes : tuple of str, optional
        Remarks of the reader, to be shown to the user.
    details : Details, optional
        Further metadata, which are copied to each format that can hold them.

    Raises
    ------
    ImageError
        If the data type is not one of `DTYPES`, or `axes` does not match the shape of the data.
    """

    data: ArraySource
    axes: str
    pixel_size: Mapping[str, PixelSize] = field(default_factory=dict)
    name: str = ""
    channel_names: tuple[str, ...] = ()
    alpha: bool = False
    icc_profile: bytes | None = None
    kind: str = ""
    notes: tuple[str, ...] = ()
    details: Details = field(default_factory=Details)

    def __post_init__(self) -> None:
        check_dtype(self.data.dtype)
        object.__setattr__(self, "axes", check_axes(self.axes, self.data.shape))
        known = {
            axis: PixelSize(value, None if unit is None else plain_text(unit))
            for axis, (value, unit) in self.pixel_size.items()
            if axis in self.axes
        }
        object.__setattr__(self, "pixel_size", known)
        fitting = len(self.channel_names) == self.sizes.get("C", 1) and any(self.channel_names)
        names = self.channel_names if fitting else ()
        object.__setattr__(self, "channel_names", tuple(plain_text(str(name)) for name in names))
        object.__setattr__(self, "name", plain_text(str(self.name)))
        samples = self.sizes.get("S" if "S" in self.axes else "C")
        object.__setattr__(self, "alpha", self.alpha and samples is not None and samples > 1)
        object.__setattr__(self, "details", self._fitting_details())

    def _fitting_details(self) -> Details:
        """The details, without those for another number of channels or for other axes."""
        channels, details = self.sizes.get("C", 1), self.details
        return replace(
            details,
            colours=details.colours if len(details.colours) == channels else (),
            limits=details.limits if len(details.limits) == channels else (),
            position={axis: place for axis, place in details.position.items() if axis in self.axes},
        )

    def __repr__(self) -> str:
        sizes = ", ".join(
            f"{axis} {size.value:.4g} {size.unit or '(no unit)'}" for axis, size in self.pixel_size.items()
        )
        more = [f"pixel size {sizes}"] if sizes else []
        more += [repr(self.name)] if self.name else []
        return f"<ImageFile {', '.join([f'{self.axes} {self.shape} {self.dtype}', *more])}>"

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(int(n) for n in self.data.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type, in the machine's byte order."""
        return np.dtype(self.data.dtype).newbyteorder("=")

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each axis, by letter."""
        return dict(zip(self.axes, self.shape, strict=True))

    def numpy(self) -> NDArray[Any]:
        """Return the whole image as an array in the machine's byte order."""
        return np.asarray(self.data[...]).astype(self.dtype, copy=False)

    def like(
        self,
        *,
        size: tuple[int, int] | None = None,
        dtype: DTypeLike | None = None,
        scale: float = 1.0,
        same_quantity: bool = True,
    ) -> ImageFile:
        """Describe a result that is computed from this image, for `create_image`.

        Parameters
        ----------
        size : (int, int), optional
            Rows and columns of the result; by default those of this image.
        dtype : dtype, optional
            Data type of the result; by default that of this image.
        scale : float, optional
            Enlargement of the result along Y and X, by which the pixel size is divided.
        same_quantity : bool, optional
            Whether the values mean the same as those of this image. An uncertainty, for example, has no use for its
            display range and no-data value.

        Returns
        -------
        ImageFile
            With the axes and metadata of this image. Its data are zeros that occupy no memory.
        """
        sizes = self.sizes
        if size is not None:
            sizes["Y"], sizes["X"] = size
        zero = np.zeros((), self.dtype if dtype is None else np.dtype(dtype))
        finer = {
            axis: PixelSize(value / scale, unit) if axis in "YX" else PixelSize(value, unit)
            for axis, (value, unit) in self.pixel_size.items()
        }
        blank = np.broadcast_to(zero, tuple(sizes.values()))
        details = self.details if same_quantity else self.details.of_other_values()
        details = replace(details.enlarged(scale), position=self._finer_position(scale))
        return replace(self, data=blank, pixel_size=finer, notes=(), details=details)

    def _finer_position(self, scale: float) -> dict[str, PixelSize]:
        """Coordinate of the first pixel, whose centre moves towards the corner as pixels become smaller."""
        places = dict(self.details.position)
        for axis in "YX":
            place, size = places.get(axis), self.pixel_size.get(axis)
            ratio = unit_ratio(size.unit, place.unit) if place is not None and size is not None else None
            if place is not None and size is not None and ratio is not None:
                places[axis] = PixelSize(place.value + ratio * size.value * (1 / scale - 1) / 2, place.unit)
        return places

    def close(self) -> None:
        """Close the file of a lazily read image; does nothing for an image in memory."""
        if isinstance(self.data, FileArray):
            self.data.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class FileArray:
    """An array that is read from an open file, plane by plane.

    Parameters
    ----------
    array : array-like
        Pixels that are read from the file where they are indexed.
    damaged : callable
        Converts an exception of a failed read into an `ImageError`.
    close : callable, optional
        Closes the file.
    unit : tuple of int, optional
        Shape of what is decoded at once to read one pixel, for example a tile; by default no more than is chosen.
    path : Path, optional
        The file, to be named in errors.
    """

    def __init__(
        self,
        array: ArraySource,
        damaged: Callable[[Exception], ImageError],
        close: Callable[[], None] = lambda: None,
        unit: tuple[int, ...] = (),
        path: Path | None = None,
    ) -> None:
        self._array = array
        self._unit = unit
        self._path = path
        self._damaged = damaged
        self._close = close
        self.shape = tuple(int(n) for n in array.shape)
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)

    @property
    def source(self) -> ArraySource:
        """The array in the file."""
        return self._array

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        for shape in (self._unit, selected_shape(self.shape, index)):
            check_memory(self._path, shape, self.dtype)
        try:
            return np.asarray(self._array[index])
        except (ImageError, MemoryError, IndexError):
            raise
        except Exception as error:  # The decoders raise exceptions of many types.
            raise self._damaged(error) from error

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[...], dtype=dtype)

    @contextmanager
    def taken(self, *, lazy: bool) -> Iterator[FileArray | NDArray[Any]]:
        """Give the array itself if `lazy`, else its pixels; the file is then closed, as it is after an error."""
        try:
            yield self if lazy else self[...]
        except BaseException:
            self.close()
            raise
        if not lazy:
            self.close()

    def close(self) -> None:
        """Close the file, after which the array cannot be read."""
        self._close()


def check_dtype(dtype: DTypeLike) -> None:
    """Raise an `ImageError` with advice unless `dtype` is one of `DTYPES`, in any byte order."""
    dtype = np.dtype(dtype)
    if dtype.newbyteorder("=").name in DTYPES:
        return
    advice = {
        "b": "convert it to uint8",
        "c": "take its magnitude or its real part",
        "f": "convert it to float64",
    }.get(dtype.kind, "convert it to one of these")
    raise ImageError(f"the data type {dtype} is not supported; accepted are {', '.join(DTYPES)}; {advice}.")
