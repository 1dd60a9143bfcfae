"""What the description of a `.rsmoe` file may hold: one table of entries and their kinds, for reading and writing.

Metadata with other names are the user's own, and stay as they are.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping
from typing import Any

from ..checks import is_number

Check = Callable[[Any], bool]
Kind = tuple[str, Check]
"""What a value must be, as in a sentence, and whether it is so."""

MOST_SIDE = 2**31 - 1
"""Largest height or width of the image of a model, in pixels; a raster of more cannot be drawn."""
_PLACE_AXES = 2
"""Axes of the transform of a model in napari: rows and columns."""


def check_description(description: Any) -> None:
    """Check the description of a model, as `napari_rsmoe.io.rsmoe` keeps it.

    Raises
    ------
    ValueError
        If an entry is missing or of another kind. The message names the entry, what it is, and what it must be.
    """
    _check("the description", description, _MAPPING)
    for name, kind in _DESCRIPTION.items():
        if name not in description:
            raise ValueError(f"{name} is missing")
        _check(name, description[name], kind)
    metadata = description["metadata"]
    for name, kind in _METADATA.items():
        if name in metadata:
            _check(name, metadata[name], kind)
    if "napari_place" in metadata:
        for name, kind in _PLACE.items():
            _check(f"{name} in napari_place", metadata["napari_place"].get(name), kind)


def _check(name: str, value: Any, kind: Kind) -> None:
    what, check = kind
    if not check(value):
        raise ValueError(f"{name} is {reprlib.repr(value)}, which is not {what}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_side(value: Any) -> bool:
    return _is_whole(value) and 1 <= value <= MOST_SIDE


def _is_list(value: Any, length: int, check: Check) -> bool:
    return isinstance(value, list | tuple) and len(value) == length and all(map(check, value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value))


def _is_pixel_size(value: Any) -> bool:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return False
    size, unit = value
    return is_number(size) and size > 0 and (unit is None or _is_text(unit))


def _is_factor(value: Any) -> bool:
    return is_number(value) and value != 0


def _is_matrix(value: Any, side: int) -> bool:
    """Whether a value is a square matrix that can be inverted."""
    import numpy as np  # here: the command line reads descriptions without numpy's help otherwise

    rows = _is_list(value, side, lambda row: _is_list(row, side, is_number))
    return rows and math.isfinite(determinant := float(np.linalg.det(np.asarray(value, float)))) and determinant != 0


_MAPPING: Kind = ("an object with names", _is_mapping)
_WHOLE: Kind = ("a whole number", _is_whole)
_TEXT: Kind = ("a text", _is_text)
_FLAG: Kind = ("true or false", lambda value: isinstance(value, bool))
_NAMES: Kind = (f"{_PLACE_AXES} texts", lambda value: _is_list(value, _PLACE_AXES, _is_text))

_DESCRIPTION: dict[str, Kind] = {
    "shape": (f"a height and a width from 1 to {MOST_SIDE}", lambda value: _is_list(value, 2, _is_side)),
    "mode": ('"smoe" or "rbf"', lambda value: value in ("smoe", "rbf")),
    "linear": _FLAG,
    "confidence": ("a number of at least 0", lambda value: is_number(value) and value >= 0),
    "image": _MAPPING,
    "metadata": _MAPPING,
}
_METADATA: dict[str, Kind] = {
    "made_by": _TEXT,
    "preset": _TEXT,
    "job": _TEXT,
    "seed": _WHOLE,
    "steps": _WHOLE,
    "generation": _WHOLE,
    "model": _WHOLE,
    "planned_kernels": _WHOLE,
    "edited": _FLAG,
    "settings": _MAPPING,
    "tile_shift": ("two whole numbers", lambda value: _is_list(value, 2, _is_whole)),
    "pixel_size": (
        "an object with a positive size and a unit (or null) for each axis",
        lambda value: _is_mapping(value) and all(map(_is_pixel_size, value.values())),
    ),
    "napari": (
        "an object of objects",
        lambda value: _is_mapping(value) and all(map(_is_mapping, value.values())),
    ),
    "napari_place": _MAPPING,
}
_PLACE: dict[str, Kind] = {
    "scale": (f"{_PLACE_AXES} numbers, none 0", lambda value: _is_list(value, _PLACE_AXES, _is_factor)),
    "translate": (f"{_PLACE_AXES} numbers", lambda value: _is_list(value, _PLACE_AXES, is_number)),
    "rotate": ("a 2 x 2 matrix that can be inverted", lambda value: _is_matrix(value, _PLACE_AXES)),
    "shear": ("one number", lambda value: _is_list(value, 1, is_number)),
    "affine": ("a 3 x 3 matrix that can be inverted", lambda value: _is_matrix(value, _PLACE_AXES + 1)),
    "units": _NAMES,
    "axis_labels": _NAMES,
}
