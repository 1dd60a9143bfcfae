"""Open an image of any size by its path or URL, without reading its pixels."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from itertools import product
from typing import Any

import zarr

from ..image.blocks import Part
from ..image.planes import Planes
from .files import read_image
from .image_file import FileArray, ImageFile
from .location import Location


def open_image(name: str | os.PathLike[str], **reading: Any) -> ImageFile:
    """Open an image.

    Parameters
    ----------
    name : str or path
        A file or Zarr store of this machine, or a URL that fsspec knows. Of an object store, Zarr is read chunk by
        chunk; a file of another format is fetched as a whole first.
    **reading
        As for `napari_rsmoe.read_image`.

    Raises
    ------
    ImageError
        If it cannot be read.
    """
    return read_image(str(Location.of(name)), lazy=True, **reading)


FEW = 64
"""Chunks that are asked for one by one. For more the list of all chunks is read, once."""


class Stored:
    """Which parts of an image are stored: the chunks of a sparse Zarr array may be missing.

    Parameters
    ----------
    planes : Planes
        The image. Of anything but a Zarr array everything is stored.
    """

    def __init__(self, planes: Planes) -> None:
        self._planes = planes
        array = planes.data
        array = array.source if isinstance(array, FileArray) else array
        self._array = array if isinstance(array, zarr.Array) else None
        self._size = () if self._array is None else tuple(self._array.shards or self._array.chunks)
        self.fill_value = 0 if self._array is None else self._array.fill_value
        self._keys: set[str] | None = None

    @property
    def sparse(self) -> bool:
        """Whether chunks may be missing."""
        return self._array is not None

    def has(self, number: int, part: Part) -> bool:
        """Whether anything is stored in a part of a plane."""
        if self._array is None:
            return True
        index = self._planes.index_of(number, *part)
        ranges = []
        for entry, length, size in zip(index, self._array.shape, self._size, strict=True):
            first, end = (entry, entry + 1) if isinstance(entry, int) else entry.indices(length)[:2]
            ranges.append(range(first // size, -(-end // size)))
        if math.prod(map(len, ranges)) > FEW:
            self._listed()
        return any(self._exists(place) for place in product(*ranges))

    def parts(self) -> Iterator[tuple[int, Part]]:
        """All chunks that are stored, as numbers of planes and parts of them."""
        if self._array is None:
            return
        keys = self._listed()
        grid = [-(-n // s) for n, s in zip(self._array.shape, self._size, strict=True)]
        y, x = (self._planes.axes.index(letter) for letter in "YX")
        seen = set()
        for key in sorted(keys):
            place = self._place(key)
            if place is None or any(k >= n for k, n in zip(place, grid, strict=True)):
                continue
            first = [k * s for k, s in zip(place, self._size, strict=True)]
            number = self._planes.number_of([first[k] for k in self._planes.looped])
            part = tuple(slice(first[k], min(first[k] + self._size[k], self._array.shape[k])) for k in (y, x))
            if (number, first[y], first[x]) not in seen:
                seen.add((number, first[y], first[x]))
                yield number, (part[0], part[1])

    def _listed(self) -> set[str]:
        """The keys of all chunks."""
        if self._keys is None:
            array = self._array
            assert array is not None

            async def keys() -> set[str]:
                prefix = f"{array.path}/" if array.path else ""
                return {key.removeprefix(prefix) async for key in array.store.list_prefix(prefix)}

            self._keys = zarr.core.sync.sync(keys())
        return self._keys

    def _exists(self, place: tuple[int, ...]) -> bool:
        array = self._array
        assert array is not None
        key = array.metadata.encode_chunk_key(place)
        if self._keys is not None:
            return key in self._keys
        prefix = f"{array.path}/" if array.path else ""
        found: bool = zarr.core.sync.sync(array.store.exists(prefix + key))
        return found

    def _place(self, key: str) -> tuple[int, ...] | None:
        """The place of a chunk in the grid, from its key; None for other files."""
        names = key.removeprefix("c/").replace("/", ".").split(".")
        if len(names) != len(self._size) or not all(name.isdecimal() for name in names):
            return None
        return tuple(map(int, names))
