"""Kernels as layers: ellipses at one standard deviation, as many as napari draws at interactive speed.

Up to `MOST_ELLIPSES` are drawn as ellipses, up to `MOST_POLYGONS` as polygons with 16 corners, and more as a surface,
which cannot be edited. The features of the shapes hold the rows of their kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import numpy as np

from ...model.kernels import CORNERS, outlines
from ..editing import EditableKernels
from ..names import METADATA_KEY
from ..place import Place
from .choosing import heaviest
from .outputs import Output

MOST_ELLIPSES = 2000
"""Largest number of kernels drawn as ellipses, which are the easiest to edit; more make napari slow."""
MOST_POLYGONS = 10_000
"""Largest number of kernels drawn as polygons; more become a surface, which cannot be edited."""
TABLE_KEY = "rsmoe_kernels"
"""Key in the metadata of a kernels layer for its `EditableKernels`."""
SMALLEST_SIDE = 0.05
"""Pixels; a thinner shape becomes a kernel of this standard deviation."""


def kernel_of_outline(corners: np.ndarray, *, polygon: bool) -> tuple[np.ndarray, np.ndarray]:
    """Centre (2,) and covariance (2, 2) of the kernel with this outline, after any rotation or stretching.

    They are the moments of the corners, so a skewed box gives the skewed ellipse that napari draws in it.
    """
    center = corners.mean(0)
    offset = corners - center
    covariance = offset.T @ offset / (len(corners) / 2 if polygon else len(corners))
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, SMALLEST_SIDE**2)
    return center, vectors * values @ vectors.T


def separate_tables(layers: Sequence[Any], owner: Any = None) -> None:
    """Give every kernels layer kernels of its own, because napari's copy of a layer shares those of the original.

    Parameters
    ----------
    layers : sequence of napari.layers.Layer
        Kernels layers, in the order of the list of layers.
    owner : napari.layers.Layer, optional
        The layer that keeps its kernels; by default the first of those that share them. The copies also get an image of
        their own when they are edited.
    """
    taken: set[int] = set()
    for layer in sorted(layers, key=lambda each: each != owner):
        table = layer.metadata[TABLE_KEY]
        if id(table) in taken:
            record = {**layer.metadata.get(METADATA_KEY, {}), "run": uuid4().hex}
            layer.metadata = {**layer.metadata, TABLE_KEY: table.copy(), METADATA_KEY: record}
        taken.add(id(table))


def features(table: EditableKernels, chosen: list[np.ndarray]) -> dict[str, np.ndarray]:
    """The feature table: columns with one entry per drawn kernel, plane after plane.

    `plane` and `kernel` identify the kernel. Axes are in pixels, angles in degrees from +x towards +y, and the `expert`
    of each channel in the units of the image. `error` is the root mean square of image minus model near the kernel.
    """
    columns: dict[str, list[np.ndarray]] = {}
    for plane, rows in enumerate(chosen):
        kernels = table.kernels(plane)
        experts = {f"expert {c}" if table.channels > 1 else "expert": e[rows] for c, e in enumerate(kernels.expert.T)}
        for name, column in {
            "plane": np.full(len(rows), plane), "kernel": rows, "weight": kernels.weight[rows],
            "long axis": kernels.axes[rows, 0], "short axis": kernels.axes[rows, 1],
            "angle": np.degrees(kernels.angle[rows]), **experts, "error": table.errors[plane][rows],
        }.items():  # fmt: skip
            columns.setdefault(name, []).append(column)
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def shapes_data(table: EditableKernels, chosen: list[np.ndarray], *, polygon: bool) -> np.ndarray:
    """Corners of the drawn kernels in the coordinates of the layer, (n, corners, N)."""
    parts = []
    for plane, rows in enumerate(chosen):
        kernels = table.kernels(plane)
        corners = outlines(kernels.center[rows], kernels.axes[rows], kernels.angle[rows], polygon=polygon)
        front = np.asarray(table.planes[plane], float)
        lead = np.broadcast_to(front, (*corners.shape[:2], len(front)))
        parts.append(np.concatenate([lead, corners], 2))
    return np.concatenate(parts)


def kernels_output(
    table: EditableKernels,
    place: Place,
    name: str,
    record: Mapping[str, Any],
    most: int,
    chosen: list[np.ndarray] | None = None,
) -> Output:
    """The layer that shows kernels.

    Parameters
    ----------
    table : EditableKernels
        All kernels. The layer keeps them, so that edits and saving include kernels that are not drawn.
    place : Place
        Transform of the image.
    name : str
        Name of the layer; the number of drawn kernels is appended if not all are drawn.
    record : mapping
        Record of the job that made the kernels.
    most : int
        Largest number of kernels to draw.
    chosen : list of numpy.ndarray, optional
        Rows to draw in each plane; by default the heaviest.
    """
    chosen = heaviest(table, most) if chosen is None else chosen
    table.drawn = chosen
    drawn, total = sum(map(len, chosen)), sum(table.count(plane) for plane in range(len(table)))
    if drawn < total:
        name = f"{name} ({drawn} of {total})"
    data_of = {METADATA_KEY: {**record, "role": "model"}, TABLE_KEY: table}
    options: dict[str, Any] = {"name": name, **place.options(), "metadata": data_of}
    colours = np.concatenate([table.colours(plane)[rows] for plane, rows in enumerate(chosen)])
    if drawn > MOST_POLYGONS:
        return _surface_output(table, chosen, colours, options)
    polygon = drawn > MOST_ELLIPSES
    options |= {
        "shape_type": "polygon" if polygon else "ellipse", "features": features(table, chosen), "opacity": 0.8,
        **shape_style(colours, shapes_edge(table)),
    }  # fmt: skip
    return Output("shapes", list(shapes_data(table, chosen, polygon=polygon)), "model", options)


def shape_style(colours: np.ndarray, edge_width: float) -> dict[str, Any]:
    """Keywords that colour shapes by their expert, with a contrasting outline."""
    bright = colours @ np.array([0.299, 0.587, 0.114])
    edge = np.where(bright[:, None] > 0.5, 0.15, 1.0) * np.ones((1, 3))
    faces = np.column_stack([colours, np.full(len(colours), 0.65)])
    return {
        "face_color": faces, "edge_color": np.column_stack([edge, np.full(len(edge), 0.8)]), "edge_width": edge_width,
    }  # fmt: skip


def shapes_edge(table: EditableKernels) -> float:
    """Width of the outlines in pixels, relative to the size of the kernels. Thinner ones would look dashed."""
    return float(np.clip(0.08 * np.median(table.kernels(0).axes), 0.4, 1.0))


def _surface_output(
    table: EditableKernels, chosen: list[np.ndarray], colours: np.ndarray, options: dict[str, Any]
) -> Output:
    """A surface with a fan of triangles for each kernel, of which napari draws tens of thousands at once."""
    rims = shapes_data(table, chosen, polygon=True)
    count = len(rims)
    vertices = np.concatenate([rims.mean(1, keepdims=True), rims], 1)
    first = (np.arange(count) * (CORNERS + 1))[:, None]
    rim = np.arange(CORNERS)
    faces = np.stack(
        [np.broadcast_to(first, (count, CORNERS)), first + 1 + rim, first + 1 + (rim + 1) % CORNERS], 2
    ).reshape(-1, 3)
    values = np.ones(count * (CORNERS + 1), np.float32)
    rgba = np.column_stack([colours, np.ones(count)]).repeat(CORNERS + 1, 0).astype(np.float32)
    options |= {"vertex_colors": rgba, "shading": "none", "opacity": 0.6}
    return Output("surface", (vertices.reshape(-1, vertices.shape[-1]), faces, values), "model", options)
