"""NumPy's file format NPY, which stores an array without axis names or pixel sizes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import ImageError
from ..image.planes import ArraySink, guess_axes
from .atomic import reserve
from .details import lost
from .image_file import FileArray, ImageFile, check_dtype
from .raw import RawArray
from .reading import Reading


class _Header(NamedTuple):
    """What the header of an .npy file declares, and the byte after it."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    end: int


def read(path: Path, how: Reading) -> ImageFile:
    """Read an .npy file. If `how.axes` is None, the axes of grey and colour images are guessed; others are an error."""
    header = _header(path)
    if header.dtype.hasobject:
        raise ImageError(
            f"{path} holds Python objects, which are not accepted: reading them can run code. Save an array of numbers."
        )
    check_dtype(header.dtype)
    pixels = RawArray(path, header.shape, header.dtype, header.end, fortran=header.fortran)
    data = FileArray(pixels, lambda error: ImageError(f"{path} cannot be read: {error}."), pixels.close, path=path)
    with data.taken(lazy=how.lazy) as values:
        return ImageFile(values, how.axes or guess_axes(header.shape), kind="npy")


def _header(path: Path) -> _Header:
    """Read the header, with nothing of the pixels."""
    with path.open("rb") as file:
        start = file.read(6)
        if start[:4] == b"PK\x03\x04":
            raise ImageError(f"{path} is an archive of arrays (.npz); save one array with numpy.save.")
        file.seek(0)
        try:
            version = np.lib.format.read_magic(file)
            # Versions 2.0 and 3.0 differ from each other in the encoding of field names only, which images lack.
            reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = reader(file)
            if min(shape, default=0) < 0:
                raise ValueError(f"its shape is {shape}")
        except Exception as error:  # The header is Python source, whose parser raises exceptions of many types.
            raise ImageError(f"{path} cannot be read as NPY: it is damaged or of another format ({error}).") from error
        return _Header(tuple(shape), fortran, dtype, file.tell())


def check(path: Path, image: ImageFile) -> None:
    """Do nothing: NPY can hold every accepted image."""


def remarks(path: Path, image: ImageFile) -> list[str]:
    """What of the metadata `path` will not hold: all."""
    words = lost(image, ())
    return [f"{path.name} cannot hold {', '.join(words)}"] if words else []


@contextlib.contextmanager
def create(path: Path, target: Path, image: ImageFile) -> Iterator[ArraySink]:
    """Create an .npy file at `path`, and yield the sink for its planes."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=image.dtype, shape=image.shape)
    with path.open("rb+") as file:
        reserve(file.fileno())
    yield array
    array.flush()
