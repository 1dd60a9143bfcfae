"""An OME-Zarr image that is written block by block, by one process or many, with a pyramid of coarser levels.

Each block is one shard, so no two tasks ever write the same object. The arrays are created first; the group that makes
them an image is described last, so an unfinished image in an object store is none yet.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ..errors import ImageError
from .image_file import ImageFile
from .location import Location
from .ngff.writing import axes_in_store, described
from .reorder import in_stored_order

CHUNK = 512
"""Largest side of a chunk, px: 0.5 MB of uint16, which viewers fetch at once."""
SMALLEST_LEVEL = 512
"""Longest side in pixels of the coarsest level at most."""


@dataclass(frozen=True)
class BlockStore:
    """An image to be written block by block.

    Attributes
    ----------
    location : Location
        The store.
    axes : str
        Axes of the image, in its own order.
    shape : tuple of int
        Their lengths.
    dtype : str
        Data type.
    side : int
        Side of a block, px.
    version : {"0.5", "0.4"}
        Version of OME-Zarr; 0.4 has no shards, so each chunk is an object.
    """

    location: Location
    axes: str
    shape: tuple[int, ...]
    dtype: str
    side: int
    version: str = "0.5"

    @property
    def levels(self) -> list[tuple[int, int]]:
        """Rows and columns of each level, the finest first."""
        sizes = dict(zip(self.axes, self.shape, strict=True))
        levels = [(sizes["Y"], sizes["X"])]
        while max(levels[-1]) > SMALLEST_LEVEL:
            levels.append((math.ceil(levels[-1][0] / 2), math.ceil(levels[-1][1] / 2)))
        return levels

    @property
    def stored(self) -> str:
        """Axes in the order in which they are stored."""
        return axes_in_store(self.axes)

    def create(self, fill_value: float = 0) -> None:
        """Create the arrays of all levels."""
        store = self.location.store()
        sizes = dict(zip(self.axes, self.shape, strict=True))
        sizes["C"] = sizes.get("C", sizes.get("S", 1))
        chunk = math.gcd(self.side, CHUNK) if self.side >= CHUNK else self.side
        for number, (height, width) in enumerate(self.levels):
            own = sizes | {"Y": height, "X": width}
            chunks = {"Y": chunk, "X": chunk}
            shards = {"Y": self.side, "X": self.side, "C": own["C"]}
            more: dict[str, Any] = {"shards": tuple(shards.get(axis, 1) for axis in self.stored)}
            if self.version == "0.4":
                more = {"zarr_format": 2, "chunk_key_encoding": {"name": "v2", "separator": "/"}}
            else:
                more["dimension_names"] = [axis.lower() for axis in self.stored]
            zarr.create_array(
                store,
                name=str(number),
                shape=tuple(own[axis] for axis in self.stored),
                chunks=tuple(chunks.get(axis, 1) for axis in self.stored),
                dtype=self.dtype,
                fill_value=np.asarray(fill_value).astype(self.dtype).item(),
                overwrite=True,
                **more,
            )

    def array(self, level: int = 0) -> Any:
        """The array of a level."""
        return zarr.open_array(self.location.store(), path=str(level), mode="r+")

    def sound(self) -> bool:
        """Whether the arrays of all levels are there, with the size and type of the image."""
        sizes = dict(zip(self.axes, self.shape, strict=True))
        sizes["C"] = sizes.get("C", sizes.get("S", 1))
        try:
            return all(
                (array := self.array(number)).dtype == np.dtype(self.dtype)
                and array.shape == tuple((sizes | {"Y": height, "X": width})[axis] for axis in self.stored)
                for number, (height, width) in enumerate(self.levels)
            )
        except (OSError, ValueError, KeyError, TypeError, zarr.errors.BaseZarrError):
            return False

    def has(self, index: Sequence[int | slice], level: int = 0) -> bool:
        """Whether anything has been written to a part; index in the order of the axes of the image."""
        array, own = self.array(level), self.axes.replace("S", "C")
        sizes = array.shards or array.chunks
        ranges = []
        for axis, length, size in zip(self.stored, array.shape, sizes, strict=True):
            entry = index[own.index(axis)]
            first, end = (entry, entry + 1) if isinstance(entry, int) else entry.indices(length)[:2]
            ranges.append(range(first // size, -(-end // size)))
        return any((self.location / f"{level}/{array.metadata.encode_chunk_key(k)}").exists() for k in product(*ranges))

    def write(self, index: Sequence[int | slice], values: NDArray[Any], level: int = 0) -> None:
        """Write a block; index and values are in the order of the axes of the image."""
        in_stored_order(self.array(level), self.stored, self.axes)[tuple(index)] = values

    def read(self, index: Sequence[int | slice], level: int = 0) -> NDArray[Any]:
        """Read a part; index and values are in the order of the axes of the image."""
        own = self.axes.replace("S", "C")
        order = [own.index(axis) for axis in self.stored]
        values = np.asarray(self.array(level)[tuple(index[k] for k in order)])
        kept = [k for k in order if isinstance(index[k], slice)]
        return values.transpose(np.argsort(kept).tolist()) if kept else values

    def finish(self, image: ImageFile, ranges: Mapping[int, tuple[float, float]]) -> None:
        """Describe the arrays as one image, with the metadata of `image`, after which viewers see it."""
        first = self.levels[0]
        factors = [(first[0] / height, first[1] / width) for height, width in self.levels]
        metadata = described(self.location.name, self.stored, image, ranges, factors, self.version)
        if self.version == "0.4":
            (self.location / ".zattrs").write(json.dumps(metadata).encode())
            (self.location / ".zgroup").write(b'{"zarr_format": 2}')
        else:
            group = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5"} | metadata}}
            (self.location / "zarr.json").write(json.dumps(group).encode())
        with warnings.catch_warnings():  # Consolidated metadata are no part of Zarr 3 yet, but save many requests.
            warnings.filterwarnings("ignore", message="Consolidated metadata")
            zarr.consolidate_metadata(self.location.store())


def halved(values: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """The mean of 2 x 2 pixels of (..., Y, X), in the same type; odd ends are repeated."""
    tall, wide = values.shape[rows], values.shape[columns]
    padding = [(0, 0)] * values.ndim
    padding[rows], padding[columns] = (0, tall % 2), (0, wide % 2)
    even = np.pad(values, padding, mode="edge").astype(np.float64)
    for axis in (rows, columns):
        first, second = (np.take(even, range(k, even.shape[axis], 2), axis) for k in (0, 1))
        even = (first + second) / 2
    return (np.rint(even) if values.dtype.kind in "iu" else even).astype(values.dtype)


def check_target(location: Location) -> None:
    """Raise an ImageError if images cannot be written there."""
    if not location.name.lower().endswith(".zarr"):
        raise ImageError(f"{location} must be an OME-Zarr store, whose name ends in .ome.zarr or .zarr.")
