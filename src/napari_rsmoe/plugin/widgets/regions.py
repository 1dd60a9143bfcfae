"""The region of an image that the user chooses, by the view or by a shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
POINTS = 64
"""Corners of the polygon that stands for an ellipse; with fewer its edge is off by more than a pixel in large ones."""


def box_in_view(layer: Any) -> Box:
    """The box (y0, x0, y1, x1) of an image layer that is in view, in pixels at full resolution, as for slices."""
    corners = (
        np.asarray(layer.corner_pixels, float)[:, -2 - bool(layer.rgb) :][:, :2]
        if layer.rgb
        else (np.asarray(layer.corner_pixels, float)[:, -2:])
    )
    if layer.multiscale:
        corners = corners * np.asarray(layer.downsample_factors[layer.data_level], float)[-2:]
    (y0, x0), (y1, x1) = corners
    return int(np.floor(y0)), int(np.floor(x0)), int(np.ceil(y1)) + 1, int(np.ceil(x1)) + 1


def outside_of_shape(shapes: Any, layer: Any, point: Sequence[float], box: Box) -> NDArray[np.bool_] | None:
    """Which pixels of the box of a shape lie outside of it, as where it is turned or round; None: none does.

    A pixel lies where its centre lies.
    """
    # Imported here to save start-up time; it comes with napari.
    from skimage.draw import polygon2mask

    kind = str(shapes.shape_type[_chosen(shapes)])
    corners = _corners(shapes, layer, point)
    if kind == "ellipse":
        middle, one, other = corners.mean(0), (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
        angles = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)[:, None]
        corners = middle + np.cos(angles) * one + np.sin(angles) * other
    y0, x0, y1, x1 = box
    outside: NDArray[np.bool_] = ~polygon2mask((y1 - y0, x1 - x0), corners - (y0, x0))
    edges = np.abs(np.roll(corners, -1, 0) - corners).min(1)
    upright = kind != "ellipse" and len(corners) == 4 and edges.max() < 0.5  # Each edge runs along an axis.
    return outside if outside.any() and not outside.all() and not upright else None


def _chosen(shapes: Any) -> int:
    """The number of the shape: the selected one, else the last."""
    chosen = sorted(shapes.selected_data)
    return chosen[0] if chosen else len(shapes.data) - 1


def _corners(shapes: Any, layer: Any, point: Sequence[float]) -> NDArray[np.float64]:
    """The vertices (n, 2) of the shape, in pixels of an image layer."""
    corners = []
    for vertex in shapes.data[_chosen(shapes)]:
        world = np.array(point, float)
        position = np.asarray(shapes.data_to_world(vertex), float)
        world[-2:] = position[-2:]
        corners.append(np.asarray(layer.world_to_data(world[-layer.ndim :]), float)[-2:])
    return np.asarray(corners)


def box_of_shape(shapes: Any, layer: Any, point: Sequence[float]) -> Box:
    """The box of an image layer under a shape: the selected one, else the last.

    Raises
    ------
    ValueError
        If the shapes layer is empty.
    """
    if not len(shapes.data):
        raise ValueError(f"{shapes.name!r} is empty; draw a rectangle in it.")
    corners = _corners(shapes, layer, point)
    low, high = np.min(corners, axis=0) + 0.5, np.max(corners, axis=0) + 0.5
    y0, x0 = np.rint(low).astype(int)
    y1, x1 = np.maximum(np.rint(high).astype(int), [y0 + 1, x0 + 1])
    return int(y0), int(x0), int(y1), int(x1)
