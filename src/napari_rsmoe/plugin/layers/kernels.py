"""Kernels as layers: ellipses of one standard deviation, as many as napari draws without getting stuck.

Up to `MOST_ELLIPSES` are napari's ellipses, up to `MOST_POLYGONS` polygons of 16 corners, and more a surface, which
shows them and is not for editing. Shapes have the rows of their kernels in their features, so that they find back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...model.kernels import CORNERS, outlines
from ..editing import EditableKernels
from ..names import METADATA_KEY
from ..source import Place
from .outputs import Output

MOST_ELLIPSES = 2000
"""Kernels drawn as ellipses, which are the nicest to edit; beyond it napari becomes slow."""
MOST_POLYGONS = 10_000
"""Kernels drawn as polygons; beyond it they become a surface, which cannot be edited."""
TABLE_KEY = "rsmoe_kernels"
"""Key of `layer.metadata` under which a kernels layer holds its `EditableKernels`."""
SMALLEST_SIDE = 0.05
"""Pixels; a shape that is drawn thinner becomes a kernel of this standard deviation."""


def kernel_of_outline(corners: np.ndarray, *, polygon: bool) -> tuple[np.ndarray, np.ndarray]:
    """Centre (2,) and covariance (2, 2) of the kernel that an outline shows, however it was turned or stretched.

    The second moments of the corners give it, so a skewed box gives the skewed ellipse that napari draws in it.
    """
    center = corners.mean(0)
    offset = corners - center
    covariance = offset.T @ offset / (len(corners) / 2 if polygon else len(corners))
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, SMALLEST_SIDE**2)
    return center, vectors * values @ vectors.T


def heaviest(table: EditableKernels, most: int) -> list[np.ndarray]:
    """Rows of the kernels to draw, for each plane: those of largest mass, `most` in all, as many for each plane."""
    share = max(1, most // len(table))
    chosen = []
    for plane in range(len(table)):
        rows = table.rows(plane)
        if len(rows) > share:
            rows = rows[table.kernels(plane)[rows].heaviest(share)]
        chosen.append(rows)
    return chosen


def in_box(table: EditableKernels, plane: int, box: tuple[float, float, float, float]) -> np.ndarray:
    """Rows of a plane whose centres lie within (y0, x0, y1, x1), in pixels."""
    rows, center = table.rows(plane), table.kernels(plane).center
    inside = ((center[rows] >= box[:2]) & (center[rows] <= box[2:])).all(1)
    return rows[inside]


def features(table: EditableKernels, chosen: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Columns of the feature table: a row for each drawn kernel, planes one after the other.

    `plane` and `kernel` say which; weight, axes in pixels, angle in degrees from +x towards +y, one `expert` for each
    channel in the units of the image, `error` the root mean square of image minus model where the kernel is.
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
    """Corners of the drawn kernels in all axes of the layer, (n, corners, N)."""
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
        All kernels; the layer holds it, so that edits and saving see the ones that are not drawn too.
    place : Place
        Of the image.
    name : str
        Of the layer; it gets the number drawn if not all are.
    record : mapping
        How the kernels were made.
    most : int
        How many to draw.
    chosen : list of numpy.ndarray, optional
        Rows to draw for each plane; default: the heaviest.
    """
    chosen = heaviest(table, most) if chosen is None else chosen
    table.drawn = chosen
    drawn, total = sum(map(len, chosen)), sum(table.count(plane) for plane in range(len(table)))
    if drawn < total:
        name = f"{name} ({drawn} of {total})"
    data_of = {METADATA_KEY: {**record, "role": "kernels"}, TABLE_KEY: table}
    options: dict[str, Any] = {"name": name, **place.options(), "metadata": data_of}
    colours = np.concatenate([table.colours(plane)[rows] for plane, rows in enumerate(chosen)])
    if drawn > MOST_POLYGONS:
        return _surface_output(table, chosen, colours, options)
    polygon = drawn > MOST_ELLIPSES
    options |= {
        "shape_type": "polygon" if polygon else "ellipse", "features": features(table, chosen), "opacity": 0.8,
        **shape_style(colours, shapes_edge(table)),
    }  # fmt: skip
    return Output("shapes", list(shapes_data(table, chosen, polygon=polygon)), "kernels", options)


def shape_style(colours: np.ndarray, edge_width: float) -> dict[str, Any]:
    """Keywords that colour shapes by their expert, with an outline that stands out against it."""
    bright = colours @ np.array([0.299, 0.587, 0.114])
    edge = np.where(bright[:, None] > 0.5, 0.15, 1.0) * np.ones((1, 3))
    faces = np.column_stack([colours, np.full(len(colours), 0.65)])
    return {
        "face_color": faces, "edge_color": np.column_stack([edge, np.full(len(edge), 0.8)]), "edge_width": edge_width,
    }  # fmt: skip


def shapes_edge(table: EditableKernels) -> float:
    """Width of outlines in pixels, by the size of the kernels."""
    return float(np.clip(0.08 * np.median(table.kernels(0).axes), 0.12, 1.0))


def _surface_output(
    table: EditableKernels, chosen: list[np.ndarray], colours: np.ndarray, options: dict[str, Any]
) -> Output:
    """A fan of triangles for each kernel; napari draws tens of thousands of them at once."""
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
    return Output("surface", (vertices.reshape(-1, vertices.shape[-1]), faces, values), "kernels", options)
