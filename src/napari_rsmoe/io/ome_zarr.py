"""Zarr stores: OME-Zarr images and plain Zarr arrays.

Versions 0.1 to 0.5 of the OME-NGFF metadata are read; version 0.5 is written, without an additional package.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.storage import LocalStore

from ..errors import ImageError
from ..image.planes import ArraySink, guess_axes
from .formats import ZARR_MARKERS, is_store
from .image_file import FileArray, ImageFile
from .reorder import in_stored_order, stored_axes
from .trust import check_inside
from .units import PixelSize, canonical_unit, is_known_unit

_CHUNK = 1024  # Largest height and width of a chunk in pixels, which makes 2 MB of uint16.
_AXIS_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_MAX_AXES = 5  # Largest number of axes that OME-NGFF allows for an image.


def read(path: Path, *, axes: str | None, lazy: bool, allow_outside: bool = False) -> ImageFile:
    """Read the full-resolution image of an OME-Zarr group, or a plain Zarr array.

    Raises
    ------
    ImageError
        If the folder is not a Zarr store, is damaged, or is a group of several images, which the message lists.
    """

    def damaged(error: Exception) -> ImageError:
        return ImageError(f"{path} cannot be read as Zarr: it is damaged or incomplete ({error!r}).")

    if not is_store(path):
        raise ImageError(f"{path} is not a Zarr store: it has none of {', '.join(ZARR_MARKERS)}.")
    try:
        node = zarr.open(LocalStore(path, read_only=True) if allow_outside else _OwnFiles(path), mode="r")
        image = _array(node, axes) if isinstance(node, zarr.Array) else _multiscale(path, node, axes)
        array = image.pop("array")
        unit = getattr(array, "shards", None) or array.chunks
        source = FileArray(array, damaged, unit=tuple(unit))
    except (ImageError, OSError, MemoryError):
        raise
    except Exception as error:  # Invalid metadata cause exceptions of many types.
        raise damaged(error) from error
    return ImageFile(source if lazy else source[...], **image)


class _OwnFiles(LocalStore):
    """A store that is only read, and only from files below its own folder: symbolic links out of it are refused."""

    def __init__(self, root: Path | str, *, read_only: bool = True) -> None:
        super().__init__(root, read_only=read_only)

    async def get(self, key: str, *arguments: Any, **options: Any) -> Any:
        """Read the value of a key."""
        check_inside(self.root, key, whole=self.root)
        return await super().get(key, *arguments, **options)

    def get_sync(self, key: str, **options: Any) -> Any:
        """Read the value of a key, for the versions of zarr that read without an event loop."""
        check_inside(self.root, key, whole=self.root)
        return super().get_sync(key, **options)

    async def get_partial_values(self, prototype: Any, key_ranges: Iterable[tuple[str, Any]]) -> list[Any]:
        """Read parts of the values of keys."""
        wanted = list(key_ranges)
        for key, _ in wanted:
            check_inside(self.root, key, whole=self.root)
        return await super().get_partial_values(prototype, wanted)


def _array(array: Any, axes: str | None) -> dict[str, Any]:
    """Return the arguments of `ImageFile` for a plain array."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS") or ()
    letters = [str(name).upper() for name in names]
    if axes is None and len(letters) == array.ndim and all(len(letter) == 1 for letter in letters):
        axes = "".join(letters)
    sizes = {}
    for axis, entry in dict(array.attrs.get("pixel_size", {})).items():
        value, unit = entry
        sizes[axis] = PixelSize(float(value), unit)
    return {"array": array, "axes": axes or guess_axes(array.shape), "pixel_size": sizes, "kind": "zarr"}


def _multiscale(path: Path, group: zarr.Group, axes: str | None) -> dict[str, Any]:
    """Return the arguments of `ImageFile` for an OME-Zarr image."""
    attributes: Mapping[str, Any] = group.attrs.asdict()
    attributes = attributes.get("ome", attributes)  # Since version 0.5 the metadata are under the key "ome".
    if not attributes.get("multiscales"):
        inside = sorted(group.keys())
        hint = f"; give the path of one of these: {', '.join(str(path / key) for key in inside[:8])}" if inside else ""
        raise ImageError(f"{path} is a Zarr group without an image{hint}.")
    image = attributes["multiscales"][0]
    level = image["datasets"][0]
    array: Any = group[level["path"]]
    entries = [{"name": axis} if isinstance(axis, str) else dict(axis) for axis in image.get("axes", [])]
    letters = "".join(map(_letter, entries)) or "TCZYX"[-array.ndim :]
    scale = np.ones(array.ndim)
    for transform in (
        *image.get("coordinateTransformations", []),
        *level.get("coordinateTransformations", []),
    ):
        if transform.get("type") == "scale":
            scale = scale * np.asarray(transform["scale"], float)
    sizes = {}
    for k, entry in enumerate(entries):
        unit = canonical_unit(entry.get("unit"))
        if letters[k] != "C" and scale[k] > 0 and (unit is not None or scale[k] != 1):
            sizes[letters[k]] = PixelSize(float(scale[k]), unit)
    channels = [str(channel.get("label", "")) for channel in attributes.get("omero", {}).get("channels", [])]
    return {
        "array": array,
        "axes": axes or letters,
        "pixel_size": sizes,
        "name": str(image.get("name", "")),
        "channel_names": tuple(channels) if any(channels) else (),
        "kind": "ome-zarr",
        "notes": ("the store holds more than one image; the first is read",)
        if len(attributes["multiscales"]) > 1
        else (),
    }


def _letter(axis: Mapping[str, Any]) -> str:
    """The letter for an axis of OME-Zarr metadata, whose name may be a word."""
    return {"time": "T", "channel": "C"}.get(axis.get("type", ""), str(axis["name"])[:1].upper())


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


@contextlib.contextmanager
def create(path: Path, target: Path, image: ImageFile) -> Iterator[ArraySink]:
    """Create a Zarr store at `path`, later renamed to `target`, and yield the sink for its planes."""
    plain = _is_plain(target, image)
    stored = image.axes if plain else _stored_axes(image.axes)
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


def _stored_axes(axes: str) -> str:
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
    axes = []
    for axis in stored:
        entry = {"name": axis.lower()}
        if axis in _AXIS_TYPES:
            entry["type"] = _AXIS_TYPES[axis]
        unit = image.pixel_size[axis].unit if axis in image.pixel_size else None
        if unit is not None and is_known_unit(unit):
            entry["unit"] = unit
        axes.append(entry)
    scale = [image.pixel_size[axis].value if axis in image.pixel_size else 1.0 for axis in stored]
    multiscale = {
        "name": image.name or target.name.split(".")[0],
        "axes": axes,
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}],
    }
    metadata: dict[str, Any] = {"version": "0.5", "multiscales": [multiscale]}
    if len(image.channel_names) == len(ranges.found) > 0:
        metadata["omero"] = {
            "channels": [_channel(name, k, ranges.found[k]) for k, name in enumerate(image.channel_names)]
        }
    return metadata


def _channel(name: str, number: int, extremes: tuple[float, float]) -> dict[str, Any]:
    """Return the label, display colour and display range of a channel."""
    low, high = extremes
    colour = ("FF0000", "00FF00", "0000FF", "FF00FF", "00FFFF", "FFFF00")[number % 6]
    return {"label": name, "color": colour, "window": {"min": low, "max": high, "start": low, "end": high}}
