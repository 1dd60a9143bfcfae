"""Add results to the viewer, beside the ones of an earlier run or in their place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import METADATA_KEY

ORDER = {"image": 1, "kernels": 2}
KEPT_LOOK = ("visible", "opacity", "blending", "colormap", "gamma")


def add_layers(viewer: Any, layers: Sequence[Any], *, replace: bool) -> list[Any]:
    """Add layers that `Output.layer` made.

    Parameters
    ----------
    viewer : napari.Viewer
        Where to.
    layers : sequence of napari.layers.Layer
        New ones, with a record in their metadata.
    replace : bool
        Take away the layer of the same action, source and role first; the new one gets its position and look.
    """
    added = []
    # what only accompanies the result goes below it, and kernels above
    for layer in sorted(layers, key=lambda each: ORDER.get(each.metadata[METADATA_KEY]["role"], 0)):
        old = earlier(viewer, layer.metadata[METADATA_KEY]) if replace else None
        if old is not None:
            position = viewer.layers.index(old)
            _take_look(layer, old)
            viewer.layers.remove(old)
            viewer.layers.insert(position, layer)
        else:
            viewer.add_layer(layer)
        added.append(layer)
    return [viewer.layers[layer.name] for layer in layers if layer in added]


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


def _take_look(layer: Any, old: Any) -> None:
    if type(layer).__name__ != _type_name(old):
        return
    for name in KEPT_LOOK:
        if hasattr(old, name) and hasattr(layer, name):
            setattr(layer, name, getattr(old, name))


def _type_name(layer: Any) -> str:
    return type(getattr(layer, "__wrapped__", layer)).__name__
