"""What kind of layer a layer is."""

from __future__ import annotations

from typing import Any


def type_name(layer: Any) -> str:
    """The type name of a layer, also if it is behind the proxy that plugins get."""
    return type(getattr(layer, "__wrapped__", layer)).__name__
