"""Zarr stores that are only read: neither links out of their folder nor chunks larger than declared are believed."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import imagecodecs
import zarr
from zarr.storage import LocalStore

from ..errors import ImageError
from ..memory import in_words
from .trust import check_inside

_WIDER = 8
"""Bytes that a filter may make of one byte of a pixel before it is compressed, at most: float64 of uint8."""
_HARMLESS = 2**28
"""Bytes that a chunk may always decode to. What could become more is decoded twice, the first time to be measured."""
_ZSTD, _GZIP, _BZIP, _XZ = b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"BZh", b"\xfd7zXZ"
_DEFLATE_RATIO = 1032  # Largest number of bytes that deflate makes of one.


class ReadOnlyStore(LocalStore):
    """A folder that is only read.

    Parameters
    ----------
    root : Path or str
        The folder.
    outside : bool
        Whether symbolic links out of the folder are followed; otherwise they are refused.
    """

    def __init__(self, root: Path | str, *, read_only: bool = True, outside: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._outside = outside
        self._most: int | None = None
        self._lz4 = False

    def expect(self, array: zarr.Array[Any]) -> None:
        """From now on refuse chunks that decode to more bytes than those of this array have."""
        shape = getattr(array, "shards", None) or array.chunks
        self._most = _WIDER * array.dtype.itemsize
        for length in shape:
            self._most *= int(length)
        self._lz4 = "lz4" in repr(array.metadata).lower()

    async def get(self, key: str, *arguments: Any, **options: Any) -> Any:
        """Read the value of a key."""
        self._check_place(key)
        return self._checked(key, await super().get(key, *arguments, **options))

    def get_sync(self, key: str, **options: Any) -> Any:
        """Read the value of a key, for the versions of zarr that read without an event loop."""
        self._check_place(key)
        return self._checked(key, super().get_sync(key, **options))

    async def get_partial_values(self, prototype: Any, key_ranges: Iterable[tuple[str, Any]]) -> list[Any]:
        """Read parts of the values of keys."""
        wanted = list(key_ranges)
        for key, _ in wanted:
            self._check_place(key)
        values = await super().get_partial_values(prototype, wanted)
        return [self._checked(key, value) for (key, _), value in zip(wanted, values, strict=True)]

    def _check_place(self, key: str) -> None:
        if not self._outside:
            check_inside(self.root, key, whole=self.root)

    def _checked(self, key: str, value: Any) -> Any:
        if value is not None and self._most is not None:
            most = max(self._most, _HARMLESS)
            if decodes_to_more(value.to_bytes(), most, lz4=self._lz4):
                raise ImageError(
                    f"{Path(self.root) / key} decodes to more than {in_words(most)}, far more than a chunk of this "
                    "array has: it is damaged, or made to fill the memory."
                )
        return value


def decodes_to_more(stored: bytes, most: int, *, lz4: bool = False) -> bool:
    """Whether a compressed chunk claims or turns out to be larger than `most` bytes. Other data are not.

    Parameters
    ----------
    stored : bytes
        What a store holds.
    most : int
        Bytes.
    lz4 : bool
        Whether it is compressed by LZ4, which has no mark of its own.

    Examples
    --------
    >>> decodes_to_more(zlib.compress(bytes(10**6)), 2**19), decodes_to_more(bytes(100), 50)
    (True, False)
    """
    if stored[:4] == _ZSTD:
        declared = _declared_by_zstd(stored)
        if declared is not None:
            return declared > most
        try:
            imagecodecs.zstd_decode(stored, out=bytearray(most + 1))
        except imagecodecs.ZstdError as error:
            return "too small" in str(error)  # Other damage is named when the chunk is decoded.
        return False
    if len(stored) >= 16 and int.from_bytes(stored[12:16], "little") == len(stored):  # Blosc
        return int.from_bytes(stored[4:8], "little") > most
    if stored[:2] == _GZIP or (stored[:1] == b"\x78" and int.from_bytes(stored[:2], "big") % 31 == 0):
        if len(stored) * _DEFLATE_RATIO <= most:
            return False
        kind = 31 if stored[:2] == _GZIP else 15
        return _grows(stored, most, lambda: zlib.decompressobj(kind), zlib.error)
    if stored[:3] == _BZIP:
        return _grows(stored, most, bz2.BZ2Decompressor, OSError)
    if stored[:5] == _XZ:
        return _grows(stored, most, lzma.LZMADecompressor, lzma.LZMAError)
    return lz4 and int.from_bytes(stored[:4], "little") > most


def _declared_by_zstd(stored: bytes) -> int | None:
    """The size of the content that the header of a Zstandard frame declares; None if it does not."""
    descriptor = stored[4] if len(stored) > 4 else 0
    single, flag = descriptor >> 5 & 1, descriptor >> 6
    length = (1 if single else 0, 2, 4, 8)[flag]
    if length == 0:
        return None
    begin = 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3]
    return int.from_bytes(stored[begin : begin + length], "little") + (256 if length == 2 else 0)


def _grows(stored: bytes, most: int, decoder: Callable[[], Any], damage: type[Exception]) -> bool:
    """Whether streams, one after the other, decode to more than `most` bytes."""
    left = most
    try:
        while stored and left >= 0:
            stream = decoder()
            left -= len(stream.decompress(stored, left + 1))
            if left >= 0 and not stream.eof:
                return False  # It ends too early, which is named when the chunk is decoded.
            stored = stream.unused_data
    except damage:
        return False
    return left < 0
