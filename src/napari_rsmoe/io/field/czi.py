"""Zeiss CZI, by czifile: scenes are series, and the tiles of a mosaic are put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from ..details import Details
from ..image_file import ImageFile
from ..numbers import positive
from ..reading import Reading, series_number
from ..units import PixelSize
from .frames import Frames, described, image_of, library, opened

_IN_PLANE = "YX0"
_MERGED = "SM"  # Scenes and tiles, which are told apart by their places.


@dataclass(frozen=True)
class _Block:
    """One stored tile: where it lies along each axis, and its entry in the directory of the file."""

    place: dict[str, int]
    size: dict[str, int]
    entry: Any


class _Scene:
    """The blocks of one scene at full resolution."""

    def __init__(self, number: int, blocks: Sequence[_Block]) -> None:
        self.number, self._blocks = number, blocks
        first = {axis: min(block.place[axis] for block in blocks) for axis in blocks[0].place}
        last = {axis: max(block.place[axis] + block.size[axis] for block in blocks) for axis in blocks[0].place}
        self._first = first
        extent = {axis: last[axis] - first[axis] for axis in first}
        self.samples = extent.get("0", 1)
        loops = [axis for axis in extent if axis not in _IN_PLANE + _MERGED and extent[axis] > 1]
        self.sizes = {axis: extent[axis] for axis in (*loops, "Y", "X")}
        if self.samples > 1:
            self.sizes["S"] = self.samples
        self._loops = loops
        self._by_place: dict[tuple[int, ...], list[_Block]] = {}
        for block in blocks:
            place = tuple(block.place[axis] - first[axis] for axis in loops)
            self._by_place.setdefault(place, []).append(block)

    def frames(self) -> Frames:
        """The pixels, read when they are indexed."""
        lead = tuple(self.sizes[axis] for axis in self._loops)
        frame = tuple(self.sizes[axis] for axis in self.sizes if axis not in self._loops)
        return Frames(lead, frame, self._blocks[0].entry.dtype, self._plane)

    def _plane(self, place: tuple[int, ...]) -> NDArray[Any]:
        shape = (self.sizes["Y"], self.sizes["X"], self.samples)
        plane = np.zeros(shape, self._blocks[0].entry.dtype)
        for block in self._by_place.get(place, []):
            y, x = (block.place[axis] - self._first[axis] for axis in "YX")
            height, width = block.size["Y"], block.size["X"]
            tile = np.asarray(block.entry.data_segment().data(resize=False))
            plane[y : y + height, x : x + width] = tile.reshape(height, width, self.samples)
        return plane


def _scenes(file: Any) -> list[_Scene]:
    found: dict[int, list[_Block]] = {}
    for entry in file.subblock_directory:
        dimensions = {d.dimension: d for d in entry.dimension_entries}
        if any(d.stored_size not in (0, d.size) for d in dimensions.values() if d.dimension in "YX"):
            continue  # A level of lower resolution.
        place = {axis: int(d.start) for axis, d in dimensions.items()}
        size = {axis: int(d.size) for axis, d in dimensions.items()}
        place["0"], size["0"] = 0, int(entry.shape[-1])
        found.setdefault(place.get("S", 0), []).append(_Block(place, size, entry))
    return [_Scene(number, blocks) for number, (_, blocks) in enumerate(sorted(found.items()))]


def _open(path: Path) -> Any:
    return library("czifile", "CZI").CziFile(path)


def list_series(path: Path, *, allow_outside: bool = False) -> list[str]:
    """Describe the scenes of a file."""
    with opened(path, "CZI", lambda: _open(path)) as file:
        scenes = _scenes(file)
        names = _names(file.metadata(), len(scenes))
        file.close()
        return described(names, [scene.sizes for scene in scenes])


def read(path: Path, how: Reading) -> ImageFile:
    """Read a scene of a CZI file."""
    with opened(path, "CZI", lambda: _open(path)) as file:
        scenes, xml = _scenes(file), file.metadata()
        names = _names(xml, len(scenes))
        wanted = 0 if how.series is None else how.series
        number = series_number(path, names, wanted, described(names, [scene.sizes for scene in scenes]))
        scene = scenes[number]
        facts = _facts(xml)
        notes = (
            (f"the file holds {len(scenes)} scenes; the first is read, and --series chooses another",)
            if len(scenes) > 1 and how.series is None
            else ()
        )
    return image_of(
        path,
        how,
        scene.frames(),
        "".join(scene.sizes),
        file.close,
        kind="czi",
        name=names[number],
        notes=notes,
        **facts,
    )


def _names(xml: str, count: int) -> list[str]:
    scenes = ElementTree.fromstring(xml).findall(".//Dimensions/S/Scenes/Scene")
    names = [scene.get("Name", "") for scene in scenes]
    return names if len(names) == count else [""] * count


def _facts(xml: str) -> dict[str, Any]:
    """Pixel size, channel names and colours."""
    root = ElementTree.fromstring(xml)
    sizes = {}
    for axis in "XYZ":
        metres = positive(root.findtext(f".//Scaling/Items/Distance[@Id='{axis}']/Value"))
        if metres is not None:
            sizes[axis] = PixelSize(metres * 1e6, "micrometer")
    channels = root.findall(".//Information/Image/Dimensions/Channels/Channel")
    colours = [(channel.findtext("Color") or "").lstrip("#")[-6:].upper() for channel in channels]
    return {
        "pixel_size": sizes,
        "channel_names": tuple(channel.get("Name") or "" for channel in channels),
        "details": Details(colours=tuple(colours) if all(len(colour) == 6 for colour in colours) else ()),
    }
