"""Which kernels of a table are drawn: rows for each plane, chosen in several ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..editing import EditableKernels

Box = tuple[float, float, float, float]


def heaviest(table: EditableKernels, most: int) -> list[np.ndarray]:
    """For each plane the rows of the kernels of largest mass, as many in each plane, about `most` in all."""
    share = max(1, most // len(table))
    return [_heaviest_of(table, plane, table.rows(plane), share) for plane in range(len(table))]


def in_box(table: EditableKernels, plane: int, box: Box) -> np.ndarray:
    """Rows of a plane whose centres lie within (y0, x0, y1, x1), in pixels."""
    rows, center = table.rows(plane), table.kernels(plane).center
    inside = ((center[rows] >= box[:2]) & (center[rows] <= box[2:])).all(1)
    return rows[inside]


def passing(column: np.ndarray, low: float, high: float) -> np.ndarray:
    """Where a feature lies between two values, both included; nowhere where it is NaN."""
    with np.errstate(invalid="ignore"):
        passes: np.ndarray = (column >= low) & (column <= high)
    return passes


def only(table: EditableKernels, plane: int, rows: np.ndarray, most: int | None = None) -> list[np.ndarray]:
    """Rows of one plane and none of the others; of more than `most` the heaviest."""
    chosen = [np.zeros(0, int)] * len(table)
    chosen[plane] = rows if most is None else _heaviest_of(table, plane, rows, most)
    return chosen


def at_positions(columns: Mapping[str, Any], positions: Iterable[int], planes: int) -> list[np.ndarray]:
    """For each plane the rows of the kernels that lie at these positions of a feature table."""
    where = list(positions)
    plane, row = (np.asarray(columns[name], int)[where] for name in ("plane", "kernel"))
    return [np.sort(row[plane == number]) for number in range(planes)]


def _heaviest_of(table: EditableKernels, plane: int, rows: np.ndarray, most: int) -> np.ndarray:
    if len(rows) <= most:
        return np.sort(rows)
    order = np.argsort(-table.kernels(plane).mass()[rows], kind="stable")
    kept: np.ndarray = np.sort(rows[order[:most]])
    return kept
