"""Zarr stores: OME-Zarr images and plain Zarr arrays.

Versions 0.1 to 0.5 of the OME-NGFF metadata are read; version 0.5 is written, without an additional package.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr
from numpy.typing import NDArray

from ..errors import ImageError
from ..image.planes import ArraySink, guess_axes
from . import details as of
from .details import Details
from .formats import ZARR_MARKERS, is_store
from .image_file import FileArray, ImageFile
from .numbers import positive, real
from .reading import Reading, series_number
from .reorder import in_stored_order, stored_axes
from .units import PixelSize, canonical_unit, unit_ratio
from .zarr_store import ReadOnlyStore

_MOST_COUNTED = 100_000  # Chunks of an array that are looked for in the store; to list more takes seconds.
_CHUNK = 1024  # Largest height and width of a chunk in pixels, which makes 2 MB of uint16.
_AXIS_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_COLOURS = ("FF0000", "00FF00", "0000FF", "FF00FF", "00FFFF", "FFFF00")  # Of channels that have none of their own.
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
    letters = [_WORDS.get(str(name).lower(), str(name).upper()) for name in names]
    if axes is None and _are_axes(letters, array.ndim):
        axes = "".join(letters)
    sizes = {}
    for axis, entry in dict(array.attrs.get("pixel_size", {})).items():
        value, unit = entry if isinstance(entry, list | tuple) and len(entry) == 2 else (None, None)
        size = positive(value)
        if size is not None:
            sizes[axis] = PixelSize(size, unit)
    facts = {"axes": axes or guess_axes(array.shape), "pixel_size": sizes, "kind": "zarr"}
    return {"array": array, "notes": tuple(_not_stored(array)), **facts}


_WORDS = {
    **{"time": "T", "frame": "T", "channel": "C", "band": "C", "wavelength": "C", "depth": "Z", "plane": "Z"},
    **{"row": "Y", "rows": "Y", "lat": "Y", "latitude": "Y", "height": "Y"},
    **{"col": "X", "column": "X", "columns": "X", "lon": "X", "longitude": "X", "width": "X"},
}
"""Letters for the names of axes that are words."""


def _are_axes(letters: Sequence[str], ndim: int) -> bool:
    """Whether these are names of all axes of an image: single letters, each once, with Y and X among them."""
    single = all(len(letter) == 1 and letter.isalpha() for letter in letters)
    return single and len(letters) == len(set(letters)) == ndim and {"Y", "X"} <= set(letters)


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
    entries = _axes(image.get("axes"), array.ndim, notes)
    letters = "".join(map(_letter, entries))
    steps = [*_listed(level.get("coordinateTransformations")), *_listed(image.get("coordinateTransformations"))]
    scale, offset = _placed(steps, array.ndim, notes)
    sizes, position = {}, {}
    for k, entry in enumerate(entries):
        unit = canonical_unit(entry["unit"]) if isinstance(entry.get("unit"), str) else None
        if letters[k] == "C":
            continue
        if scale[k] > 0 and (unit is not None or scale[k] != 1):
            sizes[letters[k]] = PixelSize(float(scale[k]), unit)
        if offset[k] != 0:
            position[letters[k]] = PixelSize(float(offset[k]), unit)
    names, details = _display(chosen.attributes.get("omero"))
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


def _listed(value: Any) -> list[Any]:
    """Its entries if a value of the metadata is a list, as it should be."""
    return list(value) if isinstance(value, list | tuple) else []


def _axes(given: Any, ndim: int, notes: list[str]) -> list[dict[str, Any]]:
    """The description of each axis; by the order that OME-Zarr requires if the store has none that makes sense."""
    entries = [{"name": axis} if isinstance(axis, str) else dict(axis) for axis in _listed(given) if axis]
    if all("name" in entry for entry in entries) and _are_axes([_letter(entry) for entry in entries], ndim):
        return entries
    usual = "TCZYX"[-ndim:]
    if given:
        notes.append(f"the description of its axes does not fit its {ndim} dimensions, so they are read as {usual}")
    return [{"name": letter} for letter in usual]


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


def _placed(steps: Iterable[Any], ndim: int, notes: list[str]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Pixel size and coordinate of the first pixel along each axis, from scales and translations one after the other.

    A step that is not understood is left out with a note.
    """
    scale, offset = np.ones(ndim), np.zeros(ndim)
    for step in steps:
        if not isinstance(step, Mapping):
            notes.append(f"the coordinate transformation {step!r} is not understood and is left out")
            continue
        kind = step.get("type")
        values = [real(value) for value in _listed(step.get(str(kind)))] if kind in ("scale", "translation") else []
        if kind == "identity":
            continue
        if len(values) != ndim or None in values:
            notes.append(f"the coordinate transformation {kind!r} is not understood and is left out")
        elif kind == "scale":
            scale, offset = scale * np.array(values), offset * np.array(values)
        else:
            offset = offset + np.array(values)
    return scale, offset


def _display(omero: Any) -> tuple[tuple[str, ...], Details]:
    """Names, colours and display ranges of the channels."""
    listed = _listed(omero.get("channels")) if isinstance(omero, Mapping) else []
    channels = [channel if isinstance(channel, Mapping) else {} for channel in listed]
    names = [str(channel.get("label") or "") for channel in channels]
    colours = [str(channel.get("color", "")).upper() for channel in channels]
    limits = []
    for channel in channels:
        window = channel["window"] if isinstance(channel.get("window"), Mapping) else {}
        low, high = real(window.get("start")), real(window.get("end"))
        limits += [(low, high)] if low is not None and high is not None else []
    return tuple(names) if any(names) else (), Details(
        colours=tuple(colours) if all(re.fullmatch("[0-9A-F]{6}", colour) for colour in colours) else (),
        limits=tuple(limits) if len(limits) == len(channels) else (),
    )


def _letter(axis: Mapping[str, Any]) -> str:
    """The letter for an axis of OME-Zarr metadata, whose name may be a word."""
    name = str(axis["name"]).lower()
    return {"time": "T", "channel": "C"}.get(str(axis.get("type", "")), _WORDS.get(name, name[:1].upper()))


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


def axes_in_store(axes: str) -> str:
    """The order of axes that OME-Zarr requires, with colour samples as channels."""
    custom = "".join(axis for axis in axes if axis not in "TZYX")
    return stored_axes(axes, f"T{custom}ZYX").replace("S", "C")


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


def described(
    name: str,
    stored: str,
    image: ImageFile,
    ranges: Mapping[int, tuple[float, float]],
    levels: Sequence[tuple[float, float]],
    version: str = "0.5",
) -> dict[str, Any]:
    """Return the OME-NGFF metadata of an image.

    Parameters
    ----------
    name : str
        Name of the store.
    stored : str
        Axes in the order in which they are stored.
    image : ImageFile
        Axes, pixel sizes and other metadata.
    ranges : mapping of int to (float, float)
        Smallest and largest value of each channel.
    levels : sequence of (float, float)
        For each level of the pyramid, pixels along y and x of the image for one of its own.
    version : {"0.4", "0.5"}
        Version of the metadata; that of 0.4 is part of each image.
    """
    axes = []
    for axis in stored:
        entry = {"name": axis.lower()}
        if axis in _AXIS_TYPES:
            entry["type"] = _AXIS_TYPES[axis]
        unit = image.pixel_size[axis].unit if axis in image.pixel_size else None
        place = image.details.position.get(axis)
        if unit is None and place is not None:
            unit = place.unit
        if unit is not None:
            entry["unit"] = unit
        axes.append(entry)
    multiscale = {
        "name": image.name or name.split(".")[0],
        "axes": axes,
        "datasets": [
            {"path": str(number), "coordinateTransformations": _steps(stored, image, level)}
            for number, level in enumerate(levels)
        ],
    } | ({"version": "0.4"} if version == "0.4" else {})
    metadata: dict[str, Any] = {"multiscales": [multiscale]}
    details, count = image.details, len(ranges)
    named = image.channel_names or ("",) * count
    if (image.channel_names or details.colours or details.limits) and len(named) == count:
        metadata["omero"] = {"channels": [_channel(named[k], k, count, ranges[k], details) for k in range(count)]}
    return metadata


def _steps(stored: str, image: ImageFile, level: tuple[float, float]) -> list[dict[str, Any]]:
    """The transformations from pixels of a level to units of length."""
    finer = dict(zip("YX", level, strict=True))
    scale = [(image.pixel_size[a].value if a in image.pixel_size else 1.0) * finer.get(a, 1) for a in stored]
    steps: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    # The first pixel of a coarser level covers several, so its centre lies further inside.
    inside = [(finer.get(a, 1) - 1) / 2 * s / finer.get(a, 1) for a, s in zip(stored, scale, strict=True)]
    if image.details.position or any(inside):
        offsets = [_offset(a, image) + more for a, more in zip(stored, inside, strict=True)]
        steps.append({"type": "translation", "translation": offsets})
    return steps


def _offset(axis: str, image: ImageFile) -> float:
    """Coordinate of the first pixel along an axis, in the unit of the pixel size."""
    place, size = image.details.position.get(axis), image.pixel_size.get(axis)
    if place is None:
        return 0.0
    factor = 1.0 if size is None else unit_ratio(place.unit, size.unit)
    return place.value * (1.0 if factor is None else factor)


def _channel(name: str, number: int, count: int, extremes: tuple[float, float], details: Details) -> dict[str, Any]:
    """Return the label, display colour and display range of a channel."""
    low, high = extremes
    colours = details.colours or (_COLOURS if count > 1 else ("FFFFFF",))
    start, end = details.limits[number] if details.limits else extremes
    window = {"min": low, "max": high, "start": start, "end": end}
    return {"label": name, "color": colours[number % len(colours)], "window": window, "active": True}
