"""What an OME-TIFF can hold, and its document."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ome_xml
from ..image_file import ImageFile
from ..units import is_ome_unit, ome_symbol

OME_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
_OME_LOOPS = "QRPAHE"  # Letters of axes besides T, Z and C that OME-XML can describe.


def ome_letters(stored: str) -> dict[int, str]:
    """Other letters for axes that OME-XML lacks or that other programs would not understand: T, then Z, if free."""
    spare = [letter for letter in "TZ" if letter not in stored]
    spare += [letter for letter in _OME_LOOPS if letter not in stored]
    letters: dict[str, str] = {}
    for axis in stored:
        if axis in "TZCYXS":
            continue
        letters[axis] = next(each for each in [*spare, axis] if each not in letters.values())
    return str.maketrans(letters)


def ome_document(stored: str, shape: tuple[int, ...], image: ImageFile) -> bytes:
    """The OME-XML description."""
    details = image.details
    fields = ome_xml.size_fields(image.pixel_size)
    if image.name:
        fields["Name"] = image.name
    channel: dict[str, Any] = {}
    if image.channel_names and "S" not in stored:
        channel["Name"] = list(image.channel_names)
    if details.colours and "S" not in stored:
        channel["Color"] = [ome_xml.colour_number(colour) for colour in details.colours]
    if channel:
        fields["Channel"] = channel
    if details.description:
        fields["Description"] = details.description
    planes = int(np.prod([n for axis, n in zip(stored, shape, strict=True) if axis not in "YXS"], dtype=np.int64))
    places = {axis: place for axis, place in details.position.items() if axis in "XYZ" and is_ome_unit(place.unit)}
    if places:
        fields["Plane"] = {f"Position{axis}": [place.value] * planes for axis, place in places.items()} | {
            f"Position{axis}Unit": [ome_symbol(place.unit)] * planes for axis, place in places.items()
        }
    return ome_xml.document(stored, shape, image.dtype, fields, details)
