"""What an ImageJ TIFF can hold, and the fields of its description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..details import Details
from ..image_file import ImageFile
from ..reorder import stored_axes
from ..units import imagej_symbol
from .image_tags import needs_bigtiff
from .metadata import SIGNED_16

_IMAGEJ_DTYPES = ("uint8", "uint16", "float32")
_IMAGEJ_AXES = "TZCYXS"


class Signed:
    """A sink that stores signed values of 16 bits as ImageJ does: unsigned, with an offset in the calibration."""

    def __init__(self, array: NDArray[np.uint16]) -> None:
        self._array = array

    def __setitem__(self, index: Any, plane: Any) -> None:
        self._array[index] = (np.asarray(plane, np.int32) - SIGNED_16).astype(np.uint16)


def fits_imagej(axes: str, sizes: Mapping[str, int], image: ImageFile) -> bool:
    """Whether an ImageJ TIFF can hold the image and its metadata without loss."""
    signed = image.dtype == np.int16 and bool(image.details.imagej)  # From ImageJ, which stores them as unsigned.
    if not (image.dtype.name in _IMAGEJ_DTYPES or signed) or axes != stored_axes(axes, _IMAGEJ_AXES):
        return False
    if image.details.colour_table is not None:
        return False
    if 1 in (sizes["Y"], sizes["X"]):  # ImageJ's description cannot express this, and readers guess other axes.
        return False
    if "S" in axes and (image.dtype != np.uint8 or sizes["S"] not in (3, 4)):
        return False
    # ImageJ knows one unit for all lengths, a pixel size for X and Y together, and time in seconds.
    lengths = {image.pixel_size[axis].unit for axis in "YXZ" if axis in image.pixel_size}
    known = set(image.pixel_size) <= set("TZYX") and len(lengths) <= 1 and None not in lengths
    paired = ("X" in image.pixel_size) == ("Y" in image.pixel_size)
    seconds = "T" not in image.pixel_size or image.pixel_size["T"].unit == "second"
    placed = all(  # An origin is in pixels, so it needs a pixel size in the same unit.
        axis in image.pixel_size and image.pixel_size[axis].unit == place.unit
        for axis, place in image.details.position.items()
    )
    return known and paired and seconds and placed and not needs_bigtiff(image)


def imagej_arguments(stored: str, image: ImageFile) -> dict[str, Any]:
    """Fields of ImageJ's description: those that the image was read with, and what is known in our terms."""
    sizes, details = image.pixel_size, image.details
    planes = int(np.prod([image.sizes[a] for a in "TZC" if a in image.axes], dtype=np.int64))
    fields: dict[str, Any] = dict(details.imagej)
    if len(fields.get("Labels", ())) not in (0, planes):
        fields.pop("Labels")
    unit = next((sizes[a].unit for a in "XYZ" if a in sizes), None)
    if unit is not None:
        fields["unit"] = imagej_symbol(unit)
    if "Z" in sizes:
        fields["spacing"] = sizes["Z"].value
    if "T" in sizes:
        fields["finterval"] = sizes["T"].value
    for axis, place in details.position.items():
        fields[f"{axis.lower()}origin"] = -place.value / sizes[axis].value
    if image.channel_names and "C" in stored:
        slices = [image.sizes[a] for a in "TZ" if a in image.axes]
        fields["Labels"] = list(image.channel_names) * int(np.prod(slices, dtype=np.int64))
    if image.dtype == np.int16:
        fields |= {"cf": 0, "c0": float(SIGNED_16), "c1": 1.0}
    if details.description and "Info" not in fields:
        fields["Info"] = details.description
    if "S" not in stored:
        fields |= _imagej_display(details)
    return fields


def _imagej_display(details: Details) -> dict[str, Any]:
    """Colours and display ranges of the channels, unless the image was read with ImageJ's own."""
    fields: dict[str, Any] = {}
    if details.limits:
        fields["Ranges"] = tuple(value for pair in details.limits for value in pair)
    if details.colours and "LUTs" not in details.imagej:
        ramp = np.arange(256)
        tops = [[int(colour[k : k + 2], 16) for k in (0, 2, 4)] for colour in details.colours]
        fields["LUTs"] = [np.rint(np.outer(top, ramp) / 255).astype(np.uint8) for top in tops]
        if len(tops) > 1:
            fields["mode"] = "composite"
    return fields
