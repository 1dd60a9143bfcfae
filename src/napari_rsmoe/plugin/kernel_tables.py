"""The writers of a kernels layer as a table (CSV) and as outlines (GeoJSON, as QuPath reads them)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..io.atomic import replacing_file
from .editing import EditableKernels
from .files import edited_table
from .place import Place


def write_csv(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write all kernels of a layer to a CSV file, with their features and their centres in pixels and in the world.

    Raises
    ------
    ModelFileError
        If the layer holds no kernels of a model.
    """
    rows = list(_rows(edited_table(data, meta), meta))
    with replacing_file(Path(path)) as target, target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0][0]))
        writer.writeheader()
        writer.writerows(row for row, _ in rows)
    return [str(path)]


def write_geojson(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write the outlines of all kernels, at one standard deviation, as polygons in pixels (x, y), with their features.

    Raises
    ------
    ModelFileError
        If the layer holds no kernels of a model.
    """
    found = []
    for row, outline in _rows(edited_table(data, meta), meta):
        ring = [[round(float(x), 4), round(float(y), 4)] for y, x in [*outline, outline[0]]]
        found.append(
            {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": row}
        )  # fmt: skip
    with replacing_file(Path(path)) as target:
        target.write_text(json.dumps({"type": "FeatureCollection", "features": found}), encoding="utf-8")
    return [str(path)]


def _rows(table: EditableKernels, meta: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """The features of each kernel with its centre, and its outline (corners, 2) in pixels (y, x)."""
    # Imported here to save start-up time.
    from ..model.kernels import outlines
    from .layers.kernels import features

    every = [table.rows(plane) for plane in range(len(table))]
    columns = features(table, every)
    kernels = [table.kernels(plane) for plane in range(len(table))]
    centers = np.concatenate([each.center[rows] for each, rows in zip(kernels, every, strict=True)])
    shapes = np.concatenate(
        [
            outlines(each.center[rows], each.axes[rows], each.angle[rows], polygon=True)
            for each, rows in zip(kernels, every, strict=True)
        ]
    )
    worlds = _worlds(table, centers, columns["plane"], meta)
    unit = str((meta.get("units") or ("pixel",))[-1])
    for k in range(len(centers)):
        row = {name: _plain(column[k]) for name, column in columns.items()}
        row |= {"center y": float(centers[k, 0]), "center x": float(centers[k, 1])}
        row |= {f"world y ({unit})": float(worlds[k, -2]), f"world x ({unit})": float(worlds[k, -1])}
        yield row, shapes[k]


def _worlds(table: EditableKernels, centers: np.ndarray, planes: np.ndarray, meta: Mapping[str, Any]) -> np.ndarray:
    """The centres in the coordinates of the world (n, N)."""
    lead = np.array([table.planes[plane] for plane in planes], float).reshape(len(planes), -1)
    points = np.concatenate([lead, centers], 1)
    scale, translate, rotate, shear, affine = (
        np.asarray(meta[name], float) for name in ("scale", "translate", "rotate", "shear", "affine")
    )
    return Place(scale, translate, rotate, shear, affine, ("",), ("",)).to_world(points)


def _plain(value: Any) -> Any:
    """A value as JSON and CSV hold it; a value that is not known is empty."""
    number = float(value)
    if not np.isfinite(number):
        return None
    return int(number) if isinstance(value, np.integer) else number
