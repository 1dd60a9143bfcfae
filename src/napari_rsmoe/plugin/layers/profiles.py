"""Values along a line through image layers, with the error bars of results."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...io.atomic import replacing_file
from ..names import METADATA_KEY, role_of
from ..source import has_plane_at, plane_in_view


@dataclass(frozen=True)
class Profile:
    """Values of one layer along a line.

    Attributes
    ----------
    name : str
        Name of the layer.
    distance : numpy.ndarray
        (n,) from the start of the line, in units of the world.
    value : numpy.ndarray
        (n,) in units of the image; the mean of the colours.
    error : numpy.ndarray or None
        (n,) standard deviation of the error, as far as it is known.
    """

    name: str
    distance: np.ndarray
    value: np.ndarray
    error: np.ndarray | None = None


@dataclass(frozen=True)
class Cut:
    """One plane of a layer and a line through it, as plain values that a thread may read.

    Attributes
    ----------
    name : str
        Name of the layer.
    data : array-like
        All pixels of the layer.
    lead : tuple of int
        The plane, along the axes before Y and X.
    line : (y0, x0, y1, x1)
        The line in pixels, with pixel centres at integers.
    length : float
        Its length in units of the world.
    error : array-like or None
        Standard deviation of the error, of the shape of `data` without colour.
    """

    name: str
    data: Any
    lead: tuple[int, ...]
    line: tuple[float, float, float, float]
    length: float
    error: Any = None

    def read(self) -> Profile:
        """The values along the line."""
        from ...display.measure import profile  # here: it loads SciPy, and this runs on a thread

        plane = np.asarray(self.data[self.lead])
        y0, x0, y1, x1 = (each + 0.5 for each in self.line)  # As in slices: pixel i covers i to i + 1.
        value = profile(plane, (y0, x0, y1, x1), plane.shape[:2])
        error = None
        if self.error is not None:
            error = profile(np.asarray(self.error[self.lead]), (y0, x0, y1, x1), plane.shape[:2])
        return Profile(self.name, np.linspace(0, self.length, len(value)), value, error)


def cut(layer: Any, ends: np.ndarray, point: Sequence[float], std: Any = None) -> Cut | None:
    """The plane of an image layer that is in view, and a line through it.

    Parameters
    ----------
    layer : napari.layers.Image
        The image.
    ends : numpy.ndarray
        (2, 2) ends of the line, (y, x) in the world.
    point : sequence of float
        Position of the sliders in the world.
    std : napari.layers.Image, optional
        The layer with the standard deviation of its error.

    Returns
    -------
    Cut or None
        None if the layer has no plane at the position of the sliders.
    """
    if not has_plane_at(layer, point):
        return None
    places = []
    for end in ends:
        world = np.array(point, float)[-layer.ndim :]
        world[-2:] = end
        places.append(np.asarray(layer.world_to_data(world), float)[-2:])
    (y0, x0), (y1, x1) = places
    data = layer.data[0] if layer.multiscale else layer.data
    error = None if std is None or std.ndim != layer.ndim else std.data
    length = float(np.linalg.norm(ends[1] - ends[0]))
    line = (float(y0), float(x0), float(y1), float(x1))
    return Cut(str(layer.name), data, plane_in_view(layer, point), line, length, error)


def std_of(viewer: Any, layer: Any) -> Any:
    """The layer with the error bar of a result, or None."""
    run = (layer.metadata.get(METADATA_KEY) or {}).get("run")
    for other in viewer.layers:
        record = other.metadata.get(METADATA_KEY) or {}
        if run and record.get("run") == run and role_of(record) == "std":
            return other
    return None


def write_profiles(path: str | Path, profiles: Sequence[Profile], unit: str) -> None:
    """Write a table with a row for each place along the line, as CSV.

    Images of different pixel sizes have different places: those of the finest are taken, and the others are
    interpolated.
    """
    finest = max(profiles, key=lambda each: len(each.distance)).distance
    columns: dict[str, np.ndarray] = {f"distance ({unit})": finest}
    for each in profiles:
        columns[each.name] = np.interp(finest, each.distance, each.value)
        if each.error is not None:
            columns[f"{each.name} standard deviation"] = np.interp(finest, each.distance, each.error)
    with replacing_file(Path(path)) as target, target.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))
