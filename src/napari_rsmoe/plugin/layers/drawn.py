"""Write rendered planes into the data of image layers."""

from __future__ import annotations

import numpy as np

from ...image.planes import Plane, Planes


def store_plane(data: np.ndarray, axes: str, lead: tuple[int, ...], drawn: np.ndarray) -> None:
    """Write a plane (Y, X) or (Y, X, C) into an image with these axes, without changing its opacity."""
    colours = data[..., : drawn.shape[-1]] if "S" in axes else data
    index = tuple(slice(None) if letter in "YXCS" else lead[k] for k, letter in enumerate(axes))
    Planes(colours, axes).store(colours, Plane(0, index, drawn, ""), drawn)


def value_range(drawn: np.ndarray) -> tuple[float, float]:
    """The smallest and the largest value, enlarged to a range above 0 if they are equal."""
    low, high = float(drawn.min()), float(drawn.max())
    return low, high if high > low else low + 1
