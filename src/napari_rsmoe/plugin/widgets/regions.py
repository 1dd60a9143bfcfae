"""The region of an image that the user chooses, by the view or by a shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Box = tuple[int, int, int, int]


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


def box_of_shape(shapes: Any, layer: Any, point: Sequence[float]) -> Box:
    """The box of an image layer under a shape: the selected one, else the last.

    Raises
    ------
    ValueError
        If the shapes layer is empty.
    """
    data = shapes.data
    if not len(data):
        raise ValueError(f"{shapes.name!r} is empty; draw a rectangle in it.")
    chosen = sorted(shapes.selected_data)
    vertices = data[chosen[0] if chosen else -1]
    corners = []
    for vertex in vertices:
        world = np.array(point, float)
        position = np.asarray(shapes.data_to_world(vertex), float)
        world[-2:] = position[-2:]
        corners.append(np.asarray(layer.world_to_data(world[-layer.ndim :]), float)[-2:])
    low, high = np.min(corners, axis=0) + 0.5, np.max(corners, axis=0) + 0.5
    y0, x0 = np.rint(low).astype(int)
    y1, x1 = np.maximum(np.rint(high).astype(int), [y0 + 1, x0 + 1])
    return int(y0), int(x0), int(y1), int(x1)
