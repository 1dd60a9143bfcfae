"""Sizes that files declare: checked against the bytes of the file and the memory budget before they are believed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..errors import ImageError
from ..memory import LEAST, in_words, require


def array_bytes(shape: Sequence[int], dtype: DTypeLike) -> int:
    """Bytes of an array, exact for any declared shape."""
    return math.prod(int(n) for n in shape) * np.dtype(dtype).itemsize


def check_stored(shape: Sequence[int], dtype: DTypeLike, stored: int, ratio: int = 1) -> None:
    """Check that the bytes of a file can hold the array that the file declares.

    Parameters
    ----------
    shape, dtype
        Of the declared array.
    stored : int
        Bytes of the file, or of the part that holds the pixels.
    ratio : int
        Largest number of bytes of pixels that one stored byte can stand for: 1 without compression.

    Raises
    ------
    ImageError
        If the array is larger than `stored` bytes can hold.
    """
    needed = array_bytes(shape, dtype)
    if needed > stored * ratio:
        raise ImageError(
            f"the file declares pixels of shape {tuple(shape)}, {in_words(needed)}, but has only {in_words(stored)}: "
            "it is damaged or incomplete."
        )


def check_memory(path: Path | None, shape: Sequence[int], dtype: DTypeLike) -> None:
    """Raise a NotEnoughMemoryError if an array of a file exceeds the memory budget (`napari_rsmoe.memory`)."""
    needed = array_bytes(shape, dtype)
    if needed > LEAST:  # No budget is smaller.
        what = f"Reading {path or 'the file'} with pixels of shape {tuple(shape)} and type {np.dtype(dtype).name}"
        require(needed, what, "Save a part of the image as a file of its own")


def selected_shape(shape: Sequence[int], index: Any) -> tuple[int, ...]:
    """Shape of ``array[index]`` for an index of whole numbers, slices and an ellipsis."""
    return np.broadcast_to(np.empty((), np.int8), tuple(shape))[index].shape
