"""Zeiss CZI, by czifile: scenes are series, and the tiles of a mosaic are put together."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from ..details import Details
from ..image_file import ImageFile
from ..numbers import positive, real
from ..reading import Reading, series_number
from ..units import PixelSize
from .frames import SETTINGS, Frames, described, even_step, image_of, library, opened

_BY_LIBRARY = (0, 1, 2, 4)  # Codes of pixels that czifile decodes: uncompressed, JPEG, LZW, JPEG XR.
_NO_HEADER, _BYTES_SPLIT = 1, 3  # Sizes of the header of Zstandard data; the larger says whether bytes are split.
_TIMES = "TimeStamps"  # The attachment that holds the times of the planes, in seconds.

_IN_PLANE = "YX0"
_MERGED = "SM"  # Scenes and tiles, which differ by their places.


@dataclass(frozen=True)
class _Block:
    """One stored tile: where it lies along each axis, and its entry in the directory of the file."""

    place: dict[str, int]
    size: dict[str, int]
    entry: Any


class _Scene:
    """The blocks of one scene at full resolution."""

    def __init__(self, number: int, blocks: Sequence[_Block]) -> None:
        self.number = number
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
        self._dtype = np.result_type(*{np.dtype(block.entry.dtype).base for block in blocks})
        self._by_place: dict[tuple[int, ...], list[_Block]] = {}
        # Where tiles overlap, the one with the highest number lies on top, as in ZEN.
        for block in sorted(blocks, key=lambda block: block.place.get("M", 0)):
            place = tuple(block.place[axis] - first[axis] for axis in loops)
            self._by_place.setdefault(place, []).append(block)

    def frames(self) -> Frames:
        """The pixels, read when they are indexed."""
        lead = tuple(self.sizes[axis] for axis in self._loops)
        frame = tuple(self.sizes[axis] for axis in self.sizes if axis not in self._loops)
        return Frames(lead, frame, self._dtype, self._plane)

    def _plane(self, place: tuple[int, ...]) -> NDArray[Any]:
        shape = (self.sizes["Y"], self.sizes["X"], self.samples)
        plane = np.zeros(shape, self._dtype)
        for block in self._by_place.get(place, []):
            y, x = (block.place[axis] - self._first[axis] for axis in "YX")
            height, width = block.size["Y"], block.size["X"]
            tile = _pixels(block.entry)
            plane[y : y + height, x : x + width] = tile.reshape(height, width, -1)
        return plane


def _zstd_with_header(data: bytes) -> bytes:
    """Decode Zstandard data with ZEISS' header: the low bytes of all pixels may be stored before the high ones."""
    size = data[0]
    decoded = bytes(imagecodecs.zstd_decode(data[size:]))
    if size == _NO_HEADER or not (size == _BYTES_SPLIT and data[1] == 1 and data[2] & 1):
        return decoded
    return np.frombuffer(decoded, np.uint8).reshape(2, -1).T.tobytes()


_DECODERS: dict[int, Callable[[bytes], bytes]] = {
    5: lambda data: bytes(imagecodecs.zstd_decode(data)),
    6: _zstd_with_header,
}


def _pixels(entry: Any) -> NDArray[Any]:
    """The pixels of one block, in its stored shape; the last axis holds grey values, RGB or RGBA."""
    segment = entry.data_segment()
    if entry.compression in _BY_LIBRARY:
        return np.asarray(segment.data(resize=False))
    decoded = _DECODERS[entry.compression](segment.data(raw=True))
    pixels = np.frombuffer(decoded, np.dtype(entry.dtype).base).reshape(entry.stored_shape)
    blue_first = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}
    return pixels[..., blue_first[pixels.shape[-1]]]


def _check_compression(path: Path, entries: Sequence[Any]) -> None:
    """Raise an `ImageError` if pixels are stored in a way that cannot be read."""
    unknown = sorted({int(entry.compression) for entry in entries} - set(_BY_LIBRARY) - set(_DECODERS))
    if unknown:
        raise ImageError(
            f"{path} holds pixels that are compressed in a way that cannot be read (ZEISS' number {unknown[0]}, such "
            "as the raw data of a camera); save it uncompressed or as Zstandard in ZEN, or export it as OME-TIFF."
        )


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
        _check_compression(path, file.subblock_directory)
        scene = scenes[number]
        facts = _facts(file, xml)
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


def _facts(file: Any, xml: str) -> dict[str, Any]:
    """Pixel size, time step, channel names, colours and display ranges."""
    root = ElementTree.fromstring(xml)
    sizes = {}
    for axis in "XYZ":
        metres = positive(root.findtext(f".//Scaling/Items/Distance[@Id='{axis}']/Value"))
        if metres is not None:
            sizes[axis] = PixelSize(metres * 1e6, "micrometer")
    seconds = _time_step(file, root.find(".//Information/Image/Dimensions/T/Positions"))
    if seconds is not None:
        sizes["T"] = PixelSize(seconds, "second")
    channels = root.findall(".//Information/Image/Dimensions/Channels/Channel")
    shown = root.findall(".//DisplaySetting/Channels/Channel")
    shown = shown if len(shown) == len(channels) else [ElementTree.Element("Channel")] * len(channels)
    colours = [_colour(channel) or _colour(display) for channel, display in zip(channels, shown, strict=True)]
    return {
        "pixel_size": sizes,
        "channel_names": tuple(channel.get("Name") or "" for channel in channels),
        "details": Details(
            colours=tuple(colours) if all(colours) else (),
            uncopied=(SETTINGS,) if root.find(".//Information/Instrument") is not None else (),
        ),
    }


def _colour(channel: ElementTree.Element) -> str:
    """Colour of a channel as six digits; empty if none is given. The first two digits of eight are the opacity."""
    digits = (channel.findtext("Color") or "").lstrip("#")[-6:].upper()
    return digits if len(digits) == 6 else ""


def _time_step(file: Any, positions: ElementTree.Element | None) -> float | None:
    """Seconds between planes in time, if they are even: from their interval, their list, or the file's attachment."""
    if positions is None:
        return None
    interval = positive(positions.findtext("Interval/Increment"))
    if interval is not None:
        return interval
    listed = positions.findtext("List/Offsets")
    if listed is not None:
        return even_step([real(word) for word in listed.split()])
    for entry in file.attachment_directory:
        if entry.name == _TIMES:
            data = bytes(entry.data_segment().data(raw=True))
            count = struct.unpack("<ii", data[:8])[1]
            return even_step(struct.unpack(f"<{count}d", data[8 : 8 + 8 * count]))
    return None
