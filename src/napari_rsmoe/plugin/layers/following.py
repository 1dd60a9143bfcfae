"""Transfer the user's edits of the shapes in a kernels layer to the kernels, and kernels to shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...model.kernels import outlines
from ..editing import EditableKernels, Trial
from .kernels import MOST_ELLIPSES, features, kernel_of_outline, shape_style, shapes_data, shapes_edge

SAME = 1e-3
"""Distance in pixels; a shape with corners further from those of its kernel has been moved by the user."""
SAME_COLOUR = 1.5 / 255
"""Difference in [0, 1]; a face that differs by more from its kernel in a channel has been recoloured by the user."""


@dataclass
class Changes:
    """How the shapes of a layer differ from the kernels it shows.

    Attributes
    ----------
    placed : dict
        For each plane with moved kernels, the arguments of `EditableKernels.place`.
    removed : dict
        For each plane, the rows of kernels whose shape was deleted.
    added : list of int
        Positions in the layer of shapes that have no kernel yet.
    """

    placed: dict[int, Trial] = field(default_factory=dict)
    removed: dict[int, np.ndarray] = field(default_factory=dict)
    added: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.placed or self.removed or self.added)


def find_changes(
    table: EditableKernels, data: Sequence[np.ndarray], columns: Mapping[str, Any], kinds: Sequence[str]
) -> Changes:
    """Compare the shapes of a layer with the kernels.

    Parameters
    ----------
    table : EditableKernels
        The kernels.
    data : sequence of numpy.ndarray
        The shapes, (corners, N) each.
    columns : mapping
        The features `plane` and `kernel` of the shapes.
    kinds : sequence of str
        Types of the shapes.
    """
    planes = np.nan_to_num(np.asarray(columns["plane"], float), nan=-1).astype(int)
    rows = np.nan_to_num(np.asarray(columns["kernel"], float), nan=-1).astype(int)
    changes = Changes()
    seen: set[tuple[int, int]] = set()
    owned: dict[int, list[int]] = {}
    shown = [set(each.tolist()) for each in table.drawn]
    for position, (plane, row) in enumerate(zip(planes.tolist(), rows.tolist(), strict=True)):
        if (plane, row) in seen or not 0 <= plane < len(table) or row not in shown[plane]:
            changes.added.append(position)  # The user has drawn this shape or pasted a copy of another.
            continue
        seen.add((plane, row))
        owned.setdefault(plane, []).append(position)
    for plane in range(len(table)):
        positions = np.array(owned.get(plane, []), int)
        gone = np.setdiff1d(table.drawn[plane], rows[positions])
        if len(gone):
            changes.removed[plane] = gone
        moved = _moved(table, plane, [np.asarray(data[k])[:, -2:] for k in positions], rows[positions])
        if len(moved):
            where = positions[moved]
            kernels = [
                kernel_of_outline(np.asarray(data[k], float)[:, -2:], polygon=kinds[k] != "ellipse") for k in where
            ]
            changes.placed[plane] = (
                rows[where], np.array([center for center, _ in kernels]), np.array([shape for _, shape in kernels])
            )  # fmt: skip
    return changes


def _moved(table: EditableKernels, plane: int, shapes: list[np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Whether each shape differs from the outline of its kernel."""
    kernels = table.kernels(plane)
    far = np.ones(len(shapes), bool)
    for polygon in (False, True):
        expected = outlines(kernels.center[rows], kernels.axes[rows], kernels.angle[rows], polygon=polygon)
        fits = np.array([shape.shape == expected.shape[1:] for shape in shapes], bool)
        if fits.any():
            drawn = np.array([shape for shape, fit in zip(shapes, fits, strict=True) if fit], float)
            far[fits] = np.abs(drawn - expected[fits]).max((1, 2)) > SAME
    moved: np.ndarray = np.flatnonzero(far)
    return moved


def apply_changes(
    table: EditableKernels,
    changes: Changes,
    data: Sequence[np.ndarray],
    kinds: Sequence[str],
    colours: np.ndarray,
) -> list[int]:
    """Apply the edits of the shapes to the kernels.

    Returns
    -------
    list of int
        Planes that have changed.

    Raises
    ------
    ValueError
        If no kernel would be left, or a new shape has no area.
    """
    for position in changes.added:
        if kinds[position] in ("line", "path"):
            raise ValueError("A line or path cannot become a kernel; draw an ellipse, a rectangle or a polygon.")
    touched = {*changes.placed, *changes.removed}
    for plane, (rows, center, covariance) in changes.placed.items():
        table.place(plane, rows, center, covariance)
    for plane, rows in changes.removed.items():
        table.delete(plane, rows)
        table.drawn[plane] = np.setdiff1d(table.drawn[plane], rows)
    for position in changes.added:
        corners = np.asarray(data[position], float)
        plane = _nearest_plane(table, corners[0, :-2])
        center, covariance = kernel_of_outline(corners[:, -2:], polygon=kinds[position] not in ("ellipse", "rectangle"))
        fresh = table.add(plane, center[None], covariance[None], colours[position])
        table.drawn[plane] = np.concatenate([table.drawn[plane], fresh])
        touched.add(plane)
    return sorted(touched)


def _nearest_plane(table: EditableKernels, lead: np.ndarray) -> int:
    if not lead.size:
        return 0
    return int(np.argmin(np.abs(np.array(table.planes, float) - lead).sum(1)))


def recoloured(table: EditableKernels, columns: Mapping[str, Any], faces: np.ndarray) -> dict[int, list[Any]]:
    """Kernels whose shape has a different colour: for each plane, [(rows, RGB), ...] with one entry per colour."""
    planes, rows = np.asarray(columns["plane"], int), np.asarray(columns["kernel"], int)
    found: dict[int, list[Any]] = {}
    for plane in np.unique(planes):
        here = np.flatnonzero(planes == plane)
        known = here[rows[here] < len(table.colours(int(plane)))]
        differs = np.abs(faces[known, :3] - table.colours(int(plane))[rows[known]]).max(1) > SAME_COLOUR
        changed = known[differs]
        for colour in np.unique(faces[changed, :3], axis=0):
            same = changed[(faces[changed, :3] == colour).all(1)]
            found.setdefault(int(plane), []).append((rows[same], colour))
    return found


def redraw(layer: Any, table: EditableKernels, chosen: list[np.ndarray] | None = None) -> None:
    """Show these rows in a shapes layer, by default the rows that it shows and that still exist."""
    if chosen is None:
        chosen = [np.intersect1d(rows, table.rows(plane)) for plane, rows in enumerate(table.drawn)]
    table.drawn = chosen
    polygon = sum(map(len, chosen)) > MOST_ELLIPSES
    colours = np.concatenate([table.colours(plane)[rows] for plane, rows in enumerate(chosen)])
    style = shape_style(colours, shapes_edge(table))
    with layer.events.data.blocker(), layer.events.face_color.blocker(), layer.events.edge_color.blocker():
        layer.selected_data = set()
        layer.data = []
        layer.add(
            list(shapes_data(table, chosen, polygon=polygon)), shape_type="polygon" if polygon else "ellipse", **style
        )
        layer.features = features(table, chosen)
