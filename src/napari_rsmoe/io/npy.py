"""NumPy's file format NPY, which stores an array without axis names or pixel sizes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import ImageError
from ..image.planes import ArraySink, guess_axes
from .image_file import FileArray, ImageFile
from .tiff import reserve


def read(path: Path, *, axes: str | None, lazy: bool) -> ImageFile:
    """Read an .npy file. If `axes` is None, the axes of grey and colour images are guessed; others are an error."""
    try:
        array = np.load(path, mmap_mode="r" if lazy else None, allow_pickle=False)
    except (ValueError, EOFError) as error:
        if _is_npy(path) and ("allow_pickle" in str(error) or "Python objects" in str(error)):
            raise ImageError(
                f"{path} holds Python objects, which are not accepted: reading them can run code. Save an array of "
                "numbers."
            ) from error
        raise ImageError(f"{path} cannot be read as NPY: it is damaged or of another format ({error}).") from error
    if not isinstance(array, np.ndarray):
        raise ImageError(f"{path} is an archive of arrays (.npz); save one array with numpy.save.")
    data = FileArray(array, lambda error: ImageError(f"{path} cannot be read: {error}.")) if lazy else array
    return ImageFile(data, axes or guess_axes(array.shape), kind="npy")


def _is_npy(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(6) == b"\x93NUMPY"


def check(path: Path, image: ImageFile) -> None:
    """Do nothing: NPY can hold every accepted image."""


@contextlib.contextmanager
def create(path: Path, target: Path, image: ImageFile) -> Iterator[ArraySink]:
    """Create an .npy file at `path`, and yield the sink for its planes."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=image.dtype, shape=image.shape)
    with path.open("rb+") as file:
        reserve(file.fileno())
    yield array
    array.flush()
