"""The metadata of OME-Zarr (OME-NGFF 0.1 to 0.5): axes, places and display, read with patience."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..details import Details
from ..numbers import real

WORDS = {
    **{"time": "T", "frame": "T", "channel": "C", "band": "C", "wavelength": "C", "depth": "Z", "plane": "Z"},
    **{"row": "Y", "rows": "Y", "lat": "Y", "latitude": "Y", "height": "Y"},
    **{"col": "X", "column": "X", "columns": "X", "lon": "X", "longitude": "X", "width": "X"},
}
"""Letters for the names of axes that are words."""


def are_axes(letters: Sequence[str], ndim: int) -> bool:
    """Whether these are names of all axes of an image: single letters, each once, with Y and X among them."""
    single = all(len(letter) == 1 and letter.isalpha() for letter in letters)
    return single and len(letters) == len(set(letters)) == ndim and {"Y", "X"} <= set(letters)


def as_list(value: Any) -> list[Any]:
    """Its entries if a value of the metadata is a list, as it should be."""
    return list(value) if isinstance(value, list | tuple) else []


def axes_of(given: Any, ndim: int, notes: list[str]) -> list[dict[str, Any]]:
    """The description of each axis; by the order that OME-Zarr requires if the store has none that makes sense."""
    entries = [{"name": axis} if isinstance(axis, str) else dict(axis) for axis in as_list(given) if axis]
    if all("name" in entry for entry in entries) and are_axes([letter_of(entry) for entry in entries], ndim):
        return entries
    usual = "TCZYX"[-ndim:]
    if given:
        notes.append(f"the description of its axes does not fit its {ndim} dimensions, so they are read as {usual}")
    return [{"name": letter} for letter in usual]


def placed(steps: Iterable[Any], ndim: int, notes: list[str]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Pixel size and coordinate of the first pixel along each axis, from scales and translations one after the other.

    A step that is not understood is left out with a note.
    """
    scale, offset = np.ones(ndim), np.zeros(ndim)
    for step in steps:
        if not isinstance(step, Mapping):
            notes.append(f"the coordinate transformation {step!r} is not understood and is left out")
            continue
        kind = step.get("type")
        values = [real(value) for value in as_list(step.get(str(kind)))] if kind in ("scale", "translation") else []
        if kind == "identity":
            continue
        if len(values) != ndim or None in values:
            notes.append(f"the coordinate transformation {kind!r} is not understood and is left out")
        elif kind == "scale":
            scale, offset = scale * np.array(values), offset * np.array(values)
        else:
            offset = offset + np.array(values)
    return scale, offset


def display(omero: Any) -> tuple[tuple[str, ...], Details]:
    """Names, colours and display ranges of the channels."""
    listed = as_list(omero.get("channels")) if isinstance(omero, Mapping) else []
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


def letter_of(axis: Mapping[str, Any]) -> str:
    """The letter for an axis of OME-Zarr metadata, whose name may be a word."""
    name = str(axis["name"]).lower()
    return {"time": "T", "channel": "C"}.get(str(axis.get("type", "")), WORDS.get(name, name[:1].upper()))
