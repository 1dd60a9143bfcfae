"""Zarr stores: OME-Zarr images and plain Zarr arrays.

Versions 0.1 to 0.5 of the OME-NGFF metadata are read; version 0.5 is written, without an additional package.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import zarr
from numpy.typing import NDArray

from ..errors import ImageError
from ..image.planes import ArraySink, guess_axes
from . import details as of
from .formats import ZARR_MARKERS, is_store
from .image_file import FileArray, ImageFile
from .location import Location
from .ngff.reading import WORDS, are_axes, as_list, axes_of, display, letter_of, placed
from .ngff.writing import axes_in_store, described
from .numbers import positive
from .reading import Reading, series_number
from .reorder import in_stored_order
from .units import PixelSize, canonical_unit
from .zarr_store import ReadOnlyStore

_MOST_COUNTED = 100_000  # Chunks of an array that are looked for in the store; to list more takes seconds.
_CHUNK = 1024  # Largest height and width of a chunk in pixels, which makes 2 MB of uint16.
_MAX_AXES = 5  # Largest number of axes that OME-NGFF allows for an image.


def read(path: Path, how: Reading) -> ImageFile:
    """Read the full-resolution image of an OME-Zarr group, or a plain Zarr array.

    Raises
    ------
    ImageError
        If the folder is not a Zarr store, is damaged, or is a group of several images, which the message lists.
    """
    if not is_store(path):
        raise ImageError(f"{path} is not a Zarr store: it has none of {', '.join(ZARR_MARKERS)}.")
    return read_opened(path, lambda: _open(path, allow_outside=how.allow_outside), how)


def read_at(location: Location, how: Reading) -> ImageFile:
    """Do the same for a store at a URL."""
    shown: Any = PurePosixPath(str(location))
    return read_opened(shown, lambda: zarr.open(location.store(read_only=True), mode="r"), how)


def read_opened(path: Path, opened: Callable[[], Any], how: Reading) -> ImageFile:
    """Do the same as `read` for a store that a function opens; `path` is its name in messages."""

    def damaged(error: Exception) -> ImageError:
        return ImageError(f"{path} cannot be read as Zarr: it is damaged or incomplete ({error!r}).")

    try:
        node = opened()
        image = _array(node, how.axes) if isinstance(node, zarr.Array) else _multiscale(path, node, how)
        array = image.pop("array")
        if hasattr(array.store, "expect"):
            array.store.expect(array)
        unit = getattr(array, "shards", None) or array.chunks
        source = FileArray(array, damaged, unit=tuple(unit), path=path)
    except (ImageError, OSError, MemoryError):
        raise
    except Exception as error:  # Invalid metadata cause exceptions of many types.
        raise damaged(error) from error
    return ImageFile(source if how.lazy else source[...], **image)


def _open(path: Path, *, allow_outside: bool = False) -> Any:
    return zarr.open(ReadOnlyStore(path, outside=allow_outside), mode="r")


def list_series(path: Path, *, allow_outside: bool = False) -> list[str]:
    """Describe the images of a store: number and name or path of each."""
    node = _open(path, allow_outside=allow_outside)
    found = [] if isinstance(node, zarr.Array) else _images(node)
    return [f"{number}: {each}" for number, each in enumerate(found)]


def _array(array: Any, axes: str | None) -> dict[str, Any]:
    """Return the arguments of `ImageFile` for a plain array."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS") or ()
    letters = [WORDS.get(str(name).lower(), str(name).upper()) for name in names]
    if axes is None and are_axes(letters, array.ndim):
        axes = "".join(letters)
    sizes = {}
    for axis, entry in dict(array.attrs.get("pixel_size", {})).items():
        value, unit = entry if isinstance(entry, list | tuple) and len(entry) == 2 else (None, None)
        size = positive(value)
        if size is not None:
            sizes[axis] = PixelSize(size, unit)
    facts = {"axes": axes or guess_axes(array.shape), "pixel_size": sizes, "kind": "zarr"}
    return {"array": array, "notes": tuple(_not_stored(array)), **facts}


class _Image(NamedTuple):
    """An image of a store: the group that describes it, its attributes, and its number among those of the group."""

    group: zarr.Group
    attributes: Mapping[str, Any]
    number: int
    path: str

    def __str__(self) -> str:
        return self.path or str(self.attributes["multiscales"][self.number].get("name", ""))


_DEEPEST = 3  # Levels below which images are looked for: row, column and field of a plate.


def _images(group: zarr.Group, path: str = "", depth: int = 0) -> list[_Image]:
    """The images of a group, and of the groups below it if it has none itself."""
    attributes: Mapping[str, Any] = group.attrs.asdict()
    attributes = attributes.get("ome", attributes)  # Since version 0.5 the metadata are under the key "ome".
    scales = attributes.get("multiscales")
    if scales:
        return [_Image(group, attributes, number, path) for number in range(len(scales))]
    below = sorted(group.groups(), key=lambda entry: (not entry[0].isdecimal(), len(entry[0]), entry[0]))
    if depth == _DEEPEST:
        return []
    return [image for name, each in below for image in _images(each, f"{path}/{name}".lstrip("/"), depth + 1)]


def _chosen(path: Path, group: zarr.Group, how: Reading) -> _Image:
    """The image that is meant."""
    found = _images(group)
    if how.series is not None and found:
        described = [f"{number}: {each}" for number, each in enumerate(found)]
        return found[series_number(path, list(map(str, found)), how.series, described)]
    if not found or (len(found) > 1 and found[0].path):
        inside = [each.path for each in found] or sorted(group.keys())
        names = ", ".join(str(path / key) for key in inside[:8])
        hint = f"; give the path of one of these: {names}" if inside else ""
        raise ImageError(f"{path} is a Zarr group without an image{hint}{', or --series NUMBER' if found else ''}.")
    return found[0]


def _multiscale(path: Path, whole: zarr.Group, how: Reading) -> dict[str, Any]:
    """Return the arguments of `ImageFile` for an OME-Zarr image."""
    chosen = _chosen(path, whole, how)
    image = chosen.attributes["multiscales"][chosen.number]
    notes = ["the store holds more than one image; the first is read"] if len(_images(whole)) > 1 else []
    level = _full_resolution(path, chosen.group, image.get("datasets") or ())
    array: Any = chosen.group[level["path"]]
    entries = axes_of(image.get("axes"), array.ndim, notes)
    letters = "".join(map(letter_of, entries))
    steps = [*as_list(level.get("coordinateTransformations")), *as_list(image.get("coordinateTransformations"))]
    scale, offset = placed(steps, array.ndim, notes)
    sizes, position = {}, {}
    for k, entry in enumerate(entries):
        unit = canonical_unit(entry["unit"]) if isinstance(entry.get("unit"), str) else None
        if letters[k] == "C":
            continue
        if scale[k] > 0 and (unit is not None or scale[k] != 1):
            sizes[letters[k]] = PixelSize(float(scale[k]), unit)
        if offset[k] != 0:
            position[letters[k]] = PixelSize(float(offset[k]), unit)
    names, details = display(chosen.attributes.get("omero"))
    notes += _not_stored(array)
    title = str(image.get("name") or "")
    return {
        "array": array,
        "axes": how.axes or letters,
        "pixel_size": sizes,
        "name": "" if title == path.name.split(".")[0] else title,
        "channel_names": names,
        "kind": "ome-zarr",
        "notes": tuple(notes) if how.series is None else (),
        "details": replace(details, position=position),
    }


def _not_stored(array: Any) -> list[str]:
    """The note on chunks that the store lacks: they may be empty, or lost when the store was copied."""
    if math.prod(array.cdata_shape) > _MOST_COUNTED:
        return []
    lacking = array.nchunks - array.nchunks_initialized
    chunks = "1 chunk is" if lacking == 1 else f"{lacking} chunks are"
    value = array.fill_value or 0  # None stands for 0 in versions of zarr before 3.1.
    return [f"{chunks} not in the store, of {array.nchunks}, and read as {value}"] if lacking else []


def _full_resolution(path: Path, group: zarr.Group, levels: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The level with the most pixels, which should be the first; the first of levels as large."""
    there = [level for level in levels if str(level.get("path", "")) in group]
    if not there:
        named = ", ".join(str(level.get("path", "")) for level in levels) or "none"
        raise ImageError(f"{path} lacks the arrays that its description names ({named}); copy the whole store.")
    return max(there, key=lambda level: math.prod(getattr(group[level["path"]], "shape", ())))


def _is_plain(target: Path, image: ImageFile) -> bool:
    """Whether to write a plain array: the image was read from one, and the name does not end in .ome.zarr."""
    return image.kind == "zarr" and not target.name.lower().endswith(".ome.zarr")


def check(path: Path, image: ImageFile) -> None:
    """Raise an `ImageError` if `image` cannot be written to `path`."""
    if path.exists() and not (path.is_dir() and (is_store(path) or not any(path.iterdir()))):
        raise ImageError(f"{path} exists and is not a Zarr store, so it is left alone; choose another name.")
    if _is_plain(path, image):
        return
    custom = [axis for axis in image.axes if axis not in "TZYX"]
    if len(image.axes) > _MAX_AXES or len(custom) > 1:
        raise ImageError(
            f"OME-Zarr holds the axes T, Z, Y, X and one more, not {image.axes!r}; write a .tif or .npy file."
        )


_HOLDS = {of.PIXEL_SIZE, of.NAME, of.CHANNELS, of.POSITION, of.COLOURS, of.LIMITS}


def remarks(path: Path, image: ImageFile) -> list[str]:
    """What of the metadata `path` will not hold."""
    words = of.lost(image, {of.PIXEL_SIZE} if _is_plain(path, image) else _HOLDS)
    return [f"{path.name} cannot hold {', '.join(words)}"] if words else []


@contextlib.contextmanager
def create(path: Path, target: Path, image: ImageFile) -> Iterator[ArraySink]:
    """Create a Zarr store at `path`, later renamed to `target`, and yield the sink for its planes."""
    plain = _is_plain(target, image)
    stored = image.axes if plain else axes_in_store(image.axes)
    sizes = image.sizes | {"C": image.sizes.get("C", image.sizes.get("S", 1))}
    arguments: dict[str, Any] = {
        "shape": tuple(sizes[axis] for axis in stored),
        "chunks": tuple(min(sizes[axis], _CHUNK) if axis in "YX" else 1 for axis in stored),
        "dtype": image.dtype,
        "dimension_names": [axis.lower() for axis in stored],
    }
    if plain:
        array = zarr.create_array(path, **arguments)
        if image.pixel_size:
            array.attrs["pixel_size"] = {axis: list(size) for axis, size in image.pixel_size.items()}
        yield array
        return
    group = zarr.create_group(path)
    array = group.create_array("0", **arguments)
    ranges = _Ranges(array, stored.find("C"))
    yield in_stored_order(ranges, stored, image.axes)
    group.attrs["ome"] = _metadata(target, stored, image, ranges)


class _Ranges:
    """A sink that writes planes to an array and records the smallest and largest value of each channel."""

    def __init__(self, array: ArraySink, channel_axis: int) -> None:
        self._array = array
        self._axis = channel_axis
        self.found: dict[int, tuple[float, float]] = {}

    def __setitem__(self, index: tuple[int | slice, ...], plane: NDArray[Any]) -> None:
        self._array[index] = plane
        if self._axis < 0:
            self._widen(0, plane)
            return
        entry = index[self._axis]
        if isinstance(entry, slice):
            # Channels are the first axis of the plane, because only time is stored before them.
            for channel, pixels in enumerate(plane):
                self._widen(channel, pixels)
        else:
            self._widen(entry, plane)

    def _widen(self, channel: int, pixels: NDArray[Any]) -> None:
        low, high = self.found.get(channel, (np.inf, -np.inf))
        self.found[channel] = (min(low, float(pixels.min())), max(high, float(pixels.max())))


def _metadata(target: Path, stored: str, image: ImageFile, ranges: _Ranges) -> dict[str, Any]:
    """Return the OME-NGFF 0.5 metadata of an image with one resolution level."""
    return {"version": "0.5"} | described(target.name, stored, image, ranges.found, [(1, 1)])
