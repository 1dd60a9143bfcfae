"""Add results to the viewer, beside those of an earlier run or replacing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..names import METADATA_KEY

ORDER = {"image": 1, "kernels": 2}


def add_layers(viewer: Any, layers: Sequence[Any], *, replace: bool, preview: Any = None) -> list[Any]:
    """Add layers made by `Output.layer`.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer that gets the layers.
    layers : sequence of napari.layers.Layer
        New layers, with a record in their metadata.
    replace : bool
        Whether they replace the layers of the same action, source and role, keeping position and appearance.
    preview : napari.layers.Image, optional
        A layer in the viewer that becomes the one of role "image".

    Returns
    -------
    list of napari.layers.Layer
        The layers in the viewer, in the order of `layers`.
    """
    added = {}
    # Uncertainty and residual go below the result, and kernels above it.
    for layer in sorted(layers, key=lambda each: ORDER.get(each.metadata[METADATA_KEY]["role"], 0)):
        record = layer.metadata[METADATA_KEY]
        old = preview if record["role"] == "image" and preview is not None else None
        if old is None and replace:
            old = earlier(viewer, record)
        below = preview is not None and record["role"] not in ORDER
        added[id(layer)] = _put(viewer, layer, old, viewer.layers.index(preview) if below else len(viewer.layers))
    return [added[id(layer)] for layer in layers]


def _put(viewer: Any, layer: Any, old: Any, position: int) -> Any:
    """Add a layer at a position, or replace the data of an old layer, because removing layers is slow in napari."""
    if old is None:
        viewer.layers.insert(position, layer)
        return viewer.layers[position]
    if type_name(old) == type_name(layer) == "Image" and old.ndim == layer.ndim and old.rgb == layer.rgb:
        show_in(old, layer.data, layer)
        old.metadata = layer.metadata
        old.name = layer.name
        if layer.metadata[METADATA_KEY]["role"] not in ("image", "bicubic"):
            old.contrast_limits = layer.contrast_limits
        return old
    position = viewer.layers.index(old)
    if type_name(old) == type_name(layer):
        layer.visible, layer.opacity, layer.blending = old.visible, old.opacity, str(old.blending)
    viewer.layers.remove(old)
    viewer.layers.insert(position, layer)
    return viewer.layers[position]


def show_in(layer: Any, data: Any, place: Any) -> None:
    """Replace the data of an image layer, with the transform of `place` (a layer or a `Place`)."""
    layer.data = data
    for name in ("scale", "translate"):
        if not np.array_equal(getattr(layer, name), getattr(place, name)):
            setattr(layer, name, getattr(place, name))


def earlier(viewer: Any, record: Any) -> Any:
    """The layer of an earlier run that `record` would replace: the topmost one, or None."""
    for layer in reversed(list(viewer.layers)):
        other = layer.metadata.get(METADATA_KEY)
        if isinstance(other, dict) and all(
            _get(other, *path) == _get(record, *path) for path in (("action",), ("role",), ("source", "id"))
        ):
            return layer
    return None


def _get(record: Any, *path: str) -> Any:
    for key in path:
        record = record.get(key) if isinstance(record, dict) else None
    return record


def type_name(layer: Any) -> str:
    """The type name of a layer, also if it is behind a proxy."""
    return type(getattr(layer, "__wrapped__", layer)).__name__
