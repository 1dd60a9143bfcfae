"""The metadata of OME-Zarr (OME-NGFF 0.4 and 0.5), as they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..details import Details
from ..image_file import ImageFile
from ..reorder import stored_axes
from ..units import unit_ratio

_AXIS_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_COLOURS = ("FF0000", "00FF00", "0000FF", "FF00FF", "00FFFF", "FFFF00")  # Of channels that have none of their own.


def axes_in_store(axes: str) -> str:
    """The order of axes that OME-Zarr requires, with colour samples as channels."""
    custom = "".join(axis for axis in axes if axis not in "TZYX")
    return stored_axes(axes, f"T{custom}ZYX").replace("S", "C")


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
