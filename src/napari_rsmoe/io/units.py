"""Pixel sizes, and the spellings of their units in the supported formats."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple


class PixelSize(NamedTuple):
    """Distance between two pixels along one axis.

    Parameters
    ----------
    value : float
        The distance, above zero.
    unit : str or None
        Unit as OME-Zarr spells it (``"micrometer"``, ``"second"``); the word of the file if it is not a known unit;
        None if the file names no unit.

    Examples
    --------
    >>> from napari_rsmoe import PixelSize
    >>> PixelSize(0.065, "micrometer").unit
    'micrometer'
    """

    value: float
    unit: str | None = None


MICRO_SIGN, GREEK_MU, RING_A, ANGSTROM_SIGN = "\u00b5", "\u03bc", "\u00c5", "\u212b"

# For each name in OME-Zarr: the symbol in OME-XML, then other spellings found in files.
_SPELLINGS: dict[str, tuple[str, ...]] = {
    "angstrom": (RING_A, ANGSTROM_SIGN, "angstroms"),
    "picometer": ("pm", "picometre"),
    "nanometer": ("nm", "nanometre", "nanometers", "nanometres"),
    "micrometer": (f"{MICRO_SIGN}m", f"{GREEK_MU}m", "um", "micron", "microns", "micrometre", "micrometers"),
    "millimeter": ("mm", "millimetre", "millimeters", "millimetres"),
    "centimeter": ("cm", "centimetre", "centimeters", "centimetres"),
    "meter": ("m", "metre", "meters", "metres"),
    "kilometer": ("km", "kilometre", "kilometers", "kilometres"),
    "inch": ("in", "inches"),
    "nanosecond": ("ns", "nsec", "nanoseconds"),
    "microsecond": (f"{MICRO_SIGN}s", f"{GREEK_MU}s", "us", "usec", "microseconds"),
    "millisecond": ("ms", "msec", "milliseconds"),
    "second": ("s", "sec", "secs", "seconds"),
    "minute": ("min", "mins", "minutes"),
    "hour": ("h", "hr", "hours"),
    "day": ("d", "days"),
    "foot": ("ft", "feet"),
    "mile": ("mi.", "mile", "miles"),
}
_CANONICAL = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in (name, *spellings)}
# Words that stand for "no physical unit" in files.
_NO_UNIT = {"", "pixel", "pixels", "px", "reference frame", "frame", "frames", "none", "null"}


def canonical_unit(unit: str | None) -> str | None:
    """Return the OME-Zarr name of `unit`, `unit` itself if it is unknown, or None if it means "no unit"."""
    if unit is None:
        return None
    # ImageJ writes characters outside ASCII as escape sequences.
    word = re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), unit.strip())
    if word.lower() in _NO_UNIT:
        return None
    # Case matters in symbols (mm and Mm) but not in words.
    return _CANONICAL.get(word) or _CANONICAL.get(word.lower() if len(word) > 2 else word, word)


def is_known_unit(unit: str | None) -> bool:
    """Whether `unit` is one of the names that `canonical_unit` maps to."""
    return unit in _SPELLINGS


def is_ome_unit(unit: str | None) -> bool:
    """Whether OME-XML has a symbol for the unit."""
    return unit in _SPELLINGS


def ome_symbol(unit: str | None) -> str:
    """Symbol of a unit in OME-XML; ``"reference frame"`` if OME-XML has no symbol for it."""
    return _SPELLINGS[unit][0] if unit is not None and is_ome_unit(unit) else "reference frame"


def imagej_symbol(unit: str | None) -> str:
    """ASCII spelling of a unit that ImageJ understands; ``"pixel"`` for None."""
    if unit is None:
        return "pixel"
    symbol = {"micrometer": "um", "angstrom": "A", "microsecond": "us"}.get(unit)
    return symbol or (_SPELLINGS[unit][0] if unit in _SPELLINGS else unit)


# Size of the units that can be converted into each other: lengths in metres, times in seconds.
_LENGTHS = {
    "angstrom": 1e-10,
    "picometer": 1e-12,
    "nanometer": 1e-9,
    "micrometer": 1e-6,
    "millimeter": 1e-3,
    "centimeter": 1e-2,
    "meter": 1.0,
    "kilometer": 1e3,
    "inch": 0.0254,
    "foot": 0.3048,
    "mile": 1609.344,
}
_TIMES = {
    "nanosecond": 1e-9,
    "microsecond": 1e-6,
    "millisecond": 1e-3,
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
    "day": 86400.0,
}


def unit_ratio(unit: str | None, other: str | None) -> float | None:
    """How many of the unit `other` one `unit` is; None if they cannot be converted."""
    for sizes in (_LENGTHS, _TIMES):
        if unit in sizes and other in sizes:
            return sizes[unit] / sizes[other]
    return 1.0 if unit == other else None


def spacing_of(sizes: Mapping[str, PixelSize]) -> dict[str, float]:
    """Distances of pixels along axes of space by letter, in the unit of the first; empty if units do not go together.

    Examples
    --------
    >>> from napari_rsmoe.io.units import PixelSize, spacing_of
    >>> spacing_of({"Z": PixelSize(1, "micrometer"), "X": PixelSize(200, "nanometer")})
    {'Z': 1.0, 'X': 0.2}
    """
    space = {axis: size for axis, size in sizes.items() if axis in "ZYX"}
    spacing: dict[str, float] = {}
    for axis, size in space.items():
        ratio = unit_ratio(size.unit, next(iter(space.values())).unit)
        if ratio is None or not 0 < size.value < math.inf:
            return {}
        spacing[axis] = round(size.value * ratio, 12)
    return spacing


def distances(spacing: Mapping[str, Any] | None) -> Mapping[str, float] | None:
    """Distances in one unit, of numbers or pixel sizes."""
    if not isinstance(spacing, Mapping) or not any(isinstance(each, tuple) for each in spacing.values()):
        return spacing
    sizes = {
        str(k).upper(): PixelSize(*each) if isinstance(each, tuple) else PixelSize(each) for k, each in spacing.items()
    }
    return spacing_of(sizes)
