"""Units of layers as a reader knows them."""

from __future__ import annotations

from typing import Any


def short_unit(unit: Any) -> str:
    """The symbol of a unit, such as "µm" for micrometer and "px" for pixels."""
    name = str(unit)
    if name in ("pixel", "px", "dimensionless", ""):
        return "px"
    try:
        import pint  # here: napari brings it from 0.6.3 on, and it is slow to load

        return f"{pint.Unit(name):~P}"
    except (ImportError, ValueError, AttributeError):
        return name
