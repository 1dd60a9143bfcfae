"""Which layers this plugin has made, and from which layers."""

from __future__ import annotations

from typing import Any

from ..names import METADATA_KEY


def is_ours(layer: Any) -> bool:
    """Whether this plugin has made the layer: a result, a preview, or kernels and their picture."""
    return METADATA_KEY in layer.metadata


def layer_by_id(viewer: Any, layer_id: str) -> Any:
    """The layer with this `unique_id`, or None."""
    return next((layer for layer in viewer.layers if layer_id and str(layer.unique_id) == layer_id), None)


def source_of(viewer: Any, layer: Any) -> Any:
    """The layer that one of ours was made from, or None."""
    record = layer.metadata.get(METADATA_KEY)
    source = record.get("source") if isinstance(record, dict) else None
    return layer_by_id(viewer, str(source.get("id", ""))) if isinstance(source, dict) else None
