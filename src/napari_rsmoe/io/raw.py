"""Pixels that lie in a file as they are, read piece by piece.

A memory map would crash the program (SIGBUS) if another program shortened the file meanwhile; a read is only short.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .sizes import array_bytes, check_stored

_PIECE = 2**24
"""Bytes that one read takes in at most, if only a part of them is wanted. Less means more reads, more needs memory."""


class RawArray:
    """An array that lies in a file without compression, in C or Fortran order.

    Parameters
    ----------
    path : Path
        The file, which stays open until `close`.
    shape, dtype
        Of the array; the type with its byte order.
    offset : int
        Byte at which it begins.
    fortran : bool
        Whether the first axis, rather than the last, lies closest together.

    Raises
    ------
    ImageError
        If the file is too short for the array.
    """

    def __init__(
        self, path: Path, shape: Sequence[int], dtype: DTypeLike, offset: int, *, fortran: bool = False
    ) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._offset, self._fortran = offset, fortran
        self._file = path.open("rb")
        self._lock = threading.Lock()  # A file has one place at which it is read, and dask reads in several threads.
        try:
            check_stored(self.shape, self.dtype, max(0, os.fstat(self._file.fileno()).st_size - offset))
        except BaseException:
            self._file.close()
            raise

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Read a part, chosen as in a numpy array.

        Raises
        ------
        EOFError
            If the file has become shorter than the array.
        """
        given = index if isinstance(index, tuple) else (index,)
        if not all(entry is Ellipsis or isinstance(entry, int | np.integer | slice) for entry in given):
            everything: NDArray[Any] = self[...][index]  # For example a mask, or a list of places.
            return everything
        chosen = _chosen(given, self.shape)
        if not self._fortran:
            return self._read(self._offset, self.shape, chosen)
        return self._read(self._offset, self.shape[::-1], chosen[::-1]).T

    def _read(self, offset: int, shape: tuple[int, ...], chosen: tuple[int | range, ...]) -> NDArray[Any]:
        """Read a part of the C-ordered block of `shape` that begins at a byte of the file."""
        if not shape:
            return self._block(offset, shape)
        first, rest = chosen[0], chosen[1:]
        step = array_bytes(shape[1:], self.dtype)
        if isinstance(first, int):
            return self._read(offset + first * step, shape[1:], rest)
        if first.step == 1 and all(entry == range(n) for entry, n in zip(rest, shape[1:], strict=True)):
            return self._block(offset + first.start * step, (len(first), *shape[1:]))
        if array_bytes(shape, self.dtype) <= _PIECE:
            return np.ascontiguousarray(self._block(offset, shape)[tuple(map(_slice, chosen))])
        part = np.empty([len(entry) for entry in chosen if isinstance(entry, range)], self.dtype)
        for row, number in enumerate(first):
            part[row] = self._read(offset + number * step, shape[1:], rest)
        return part

    def _block(self, offset: int, shape: tuple[int, ...]) -> NDArray[Any]:
        """Read what lies at a byte of the file."""
        block = np.empty(shape, self.dtype)
        with self._lock:
            self._file.seek(offset)
            count = self._file.readinto(block.reshape(-1).view(np.uint8).data)
        if count != block.nbytes:
            raise EOFError("it has become shorter while it was read")
        return block

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _chosen(given: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[int | range, ...]:
    """The places that an index chooses along each axis: one number from 0, or a range."""
    entries = list(given)
    dots = [k for k, entry in enumerate(entries) if entry is Ellipsis]
    missing = [slice(None)] * (len(shape) - len(entries) + len(dots))
    where = dots[0] if dots else len(entries)
    entries[where : where + len(dots)] = missing
    return tuple(range(n)[entry] for entry, n in zip(entries, shape, strict=True))


def _slice(chosen: int | range) -> int | slice:
    """The places as numpy takes them."""
    if isinstance(chosen, int):
        return chosen
    return slice(chosen.start, chosen.stop if chosen.stop >= 0 else None, chosen.step)
