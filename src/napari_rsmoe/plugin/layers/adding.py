"""Add results to the viewer: in place of their source, beside earlier results, or in place of one of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..names import METADATA_KEY, ORIGINAL_KEY, role_of
from .kernels import TABLE_KEY
from .owned import layer_by_id
from .sparing import insert_aside
from .types import type_name

ORDER = ("image", "model")
"""Roles of the layers that are added first. Those of other roles, such as the error bar, lie below the image."""
COVERING = ("opaque", "translucent", "translucent_no_depth")
"""Kinds of blending with which a layer hides what is below it. With the others, layers are summed or mixed."""
PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


def add_layers(viewer: Any, layers: Sequence[Any], *, replace: bool, preview: Any = None) -> list[Any]:
    """Add layers made by `Output.layer`, and select the last of the most important ones.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer that gets the layers.
    layers : sequence of napari.layers.Layer
        New layers, with a record in their metadata.
    replace : bool
        Whether they replace the layers of the same role of the last run of the same action on the same part of the same
        layer, keeping position and appearance. Results of a run that was stopped never replace anything.
    preview : napari.layers.Image, optional
        A layer in the viewer that becomes the one of role "image", or is removed.

    Returns
    -------
    list of napari.layers.Layer
        The layers in the viewer, in the order of `layers`.
    """
    added: dict[int, Any] = {}
    image: Any = None
    roles = {id(layer): layer.metadata[METADATA_KEY]["role"] for layer in layers}
    for layer in sorted(layers, key=lambda each: [*ORDER, roles[id(each)]].index(roles[id(each)])):
        record = layer.metadata[METADATA_KEY]
        source_id = _get(record, "source", "id") or ""
        old = earlier(viewer, record) if replace else None
        if record["role"] == "image":
            if old is None:
                old = preview
            elif preview is not None:
                viewer.layers.remove(preview)
            image = added[id(layer)] = _put(
                viewer, layer, old, above_source(viewer, _get(record, "source", "id") or "")
            )
            image.visible = True
        elif record["role"] == "model":
            added[id(layer)] = _put(viewer, layer, old, len(viewer.layers))
        else:
            below = len(viewer.layers) if image is None else viewer.layers.index(image)
            added[id(layer)] = _put(viewer, layer, old, below)
    if image is not None:
        hide_source(viewer, source_id, image)
    if layers:
        main = [added[id(layer)] for layer in layers if roles[id(layer)] in ORDER]
        viewer.layers.selection.active = main[-1] if main else added[id(layers[-1])]
    return [added[id(layer)] for layer in layers]


def above_source(viewer: Any, layer_id: str) -> int:
    """The position in the list of layers directly above the layer with this id and the images made from it.

    It is the top if there are none.
    """
    family = _family(viewer, layer_id)
    return max((viewer.layers.index(layer) + 1 for layer in family), default=len(viewer.layers))


def hide_source(viewer: Any, layer_id: str, result: Any) -> list[Any]:
    """Hide the layer with this id if its result takes its place. Returns what was visible before.

    An image that adds its light to the layers below would be summed with its result, and so would earlier results: all
    of them are hidden. An image that covers the layers below is hidden if its result covers the same area. In a grid
    nothing overlaps, so nothing is hidden.
    """
    source = layer_by_id(viewer, layer_id)
    if source is None or in_grid(viewer):
        return []
    sizes = [np.asarray(layer.extent.world) for layer in (source, result)]
    same = sizes[0].shape == sizes[1].shape and (np.abs(sizes[0] - sizes[1]) <= np.abs(source.scale)).all()
    covering = str(source.blending) in COVERING
    taken = ([source] if same else []) if covering else [x for x in _family(viewer, layer_id) if x != result]
    hidden = [layer for layer in taken if layer.visible]
    for layer in hidden:
        layer.visible = False
    return hidden


def _family(viewer: Any, layer_id: str) -> list[Any]:
    """The layer with this id, and the images that show the results of jobs on it."""
    return [
        layer
        for layer in viewer.layers
        if type_name(layer) == "Image"
        and (str(layer.unique_id) == layer_id or _get(layer.metadata.get(METADATA_KEY), "source", "id") == layer_id)
        and _get(layer.metadata.get(METADATA_KEY), "role") in (None, "image", "bicubic")
    ]


def in_grid(viewer: Any) -> bool:
    """Whether layers lie side by side."""
    canvas: Any = getattr(viewer, "canvas", None)  # Before napari 0.9 the grid belonged to the viewer.
    return bool((canvas.grid if hasattr(canvas, "grid") else viewer.grid).enabled)


def show_in(layer: Any, data: Any, place: Any) -> None:
    """Replace the data of an image layer, with the transform of `place` (a layer or a `Place`)."""
    layer.data = data
    for name in PLACE:
        mine, new = getattr(layer, name), getattr(place, name)
        if not (tuple(map(str, mine)) == tuple(map(str, new)) if name in PLACE[-2:] else np.array_equal(mine, new)):
            setattr(layer, name, new)


def earlier(viewer: Any, record: Any) -> Any:
    """The layer of an earlier run that `record` may replace: the topmost one, or None.

    It must be of the same action, role and source, and of the same part of it. Results of a run that was stopped
    replace nothing; kernels that the user has edited, and copies that the user has made, are not replaced.
    """
    if _get(record, "metrics", "stopped"):
        return None
    for layer in reversed(list(viewer.layers)):
        other = layer.metadata.get(METADATA_KEY)
        own = layer.metadata.get(ORIGINAL_KEY) == str(layer.unique_id)
        if own and isinstance(other, dict) and _alike(other, record):
            table = layer.metadata.get(TABLE_KEY)
            return None if table is not None and table.can_undo else layer
    return None


def _alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two records are of the same action on the same part of the same source, in the same role."""
    keys = (("action",), ("source", "id"), ("source", "part"), ("source", "axes"))
    return role_of(one) == role_of(other) and all(_get(one, *path) == _get(other, *path) for path in keys)


def _put(viewer: Any, layer: Any, old: Any, position: int) -> Any:
    """Add a layer at a position or in place of an old one, and mark it as no copy."""
    added = _placed(viewer, layer, old, position)
    added.metadata = {**layer.metadata, ORIGINAL_KEY: str(added.unique_id)}
    return added


def _placed(viewer: Any, layer: Any, old: Any, position: int) -> Any:
    """Add a layer at a position, or replace the data of an old layer, because removing layers is slow in napari."""
    if old is None:
        return insert_aside(viewer, position, layer)
    if type_name(old) == type_name(layer) == "Image" and old.ndim == layer.ndim and old.rgb == layer.rgb:
        show_in(old, layer.data, layer)
        old.name = layer.name
        if layer.metadata[METADATA_KEY]["role"] not in ("image", "bicubic"):
            old.contrast_limits = layer.contrast_limits
        return old
    position = viewer.layers.index(old)
    if type_name(old) == type_name(layer):
        layer.visible, layer.opacity, layer.blending = old.visible, old.opacity, str(old.blending)
    viewer.layers.remove(old)
    return insert_aside(viewer, position, layer)


def _get(record: Any, *path: str) -> Any:
    for key in path:
        record = record.get(key) if isinstance(record, dict) else None
    return record
