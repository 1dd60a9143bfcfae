"""Results of any size: in memory where they take little of it, else in temporary files that go with them."""

from __future__ import annotations

import contextlib
import errno
import math
import mmap
import os
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .errors import ImageError
from .memory import budget, in_words

SHARE = 0.25
"""Fraction of the memory budget that results may take. Larger ones lie in temporary files: with a larger fraction less
is left for the work on them, with a smaller one more is written to the disk."""
FOLDERS = ("/var/tmp",)
"""Where temporary files go, rather than where the system keeps small ones, which is often in memory."""


def bytes_of(shape: tuple[int, ...], *dtypes: DTypeLike) -> int:
    """The bytes that arrays of one shape take, one for each type."""
    return math.prod(shape) * sum(np.dtype(each).itemsize for each in dtypes)


def in_memory(results: int) -> bool:
    """Whether results of so many bytes are held in memory."""
    return results <= SHARE * budget()


def roomy(shape: tuple[int, ...], dtype: DTypeLike, results: int) -> tuple[NDArray[Any], Callable[[], None]]:
    """An array for a result, and what is called when a part of it has been written.

    Parameters
    ----------
    shape : tuple of int
        Its shape.
    dtype : dtype
        Its data type.
    results : int
        Bytes of all results of the job, this one included, by which `in_memory` decides.

    Raises
    ------
    ImageError
        If the disk has too little room.

    Examples
    --------
    >>> array, written = roomy((2, 3), "uint8", results=6)
    >>> array[...] = 7
    >>> written()
    >>> int(array.sum())
    42
    """
    if in_memory(results):
        return np.empty(shape, dtype), lambda: None
    folder = _folder()
    size = bytes_of(shape, dtype)
    descriptor, name = tempfile.mkstemp(prefix="napari-rsmoe-", dir=folder)
    try:
        with contextlib.suppress(OSError):  # Windows removes no file that is open.
            Path(name).unlink()
        _reserve(descriptor, size)
        pages = mmap.mmap(descriptor, size)
    except OSError as error:
        raise ImageError(
            f"the result takes {in_words(size)} of temporary room, and {folder} cannot give it ({error.strerror}). Set "
            "TMPDIR to a folder with more, or allow more memory."
        ) from error
    finally:
        os.close(descriptor)
    array: NDArray[Any] = np.frombuffer(pages, dtype).reshape(shape)
    weakref.finalize(pages, Path(name).unlink, missing_ok=True)

    def written() -> None:
        with contextlib.suppress(AttributeError, ValueError, OSError):
            pages.madvise(mmap.MADV_DONTNEED)  # They are in the file, and need not stay in memory.

    return array, written


def _reserve(descriptor: int, size: int) -> None:
    """Take the room now: where the disk is full only later, writing to the array would end the program."""
    try:
        os.posix_fallocate(descriptor, 0, size)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise
        os.truncate(descriptor, size)  # The system or the file system cannot.


def _folder() -> str:
    """Where temporary files go."""
    if not os.environ.get("TMPDIR"):
        for name in FOLDERS:
            if os.access(name, os.W_OK | os.X_OK):
                return name
    return tempfile.gettempdir()
