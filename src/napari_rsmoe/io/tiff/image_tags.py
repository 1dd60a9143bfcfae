"""The TIFF tags of an image: samples, colours, names and resolution."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import exif
from ..details import Details
from ..image_file import ImageFile
from .tags import DOCUMENT_NAME, NODATA_TAG, PAGE_NAME

_ASCII = 2  # TIFF's number of the type of texts.


_CLASSIC_LIMIT = 2**32 - 2**25
"""Bytes of pixels: with fewer a classic TIFF has room for its tags too, with more BigTIFF is written."""


def needs_bigtiff(image: ImageFile) -> bool:
    """Whether the pixels of an image are more than a classic TIFF holds."""
    return math.prod(image.shape) * image.dtype.itemsize >= _CLASSIC_LIMIT


def samples_arguments(axes: str, sizes: Mapping[str, int], image: ImageFile) -> dict[str, Any]:
    """What the samples of a pixel are."""
    if "S" not in axes:
        return {"photometric": "miniswhite" if image.details.white_is_zero else "minisblack"}
    colours = sizes["S"] - image.alpha
    kind = "rgb" if colours >= 3 and sizes["S"] <= 4 else "minisblack"
    extra = sizes["S"] - (3 if kind == "rgb" else 1)
    kinds = ["unspecified"] * (extra - image.alpha) + ["unassalpha"] * image.alpha
    planar = "contig" if axes[-1] == "S" else "separate"
    return {"photometric": kind, "planarconfig": planar, "extrasamples": kinds or None}


def colour_table(image: ImageFile) -> dict[str, Any]:
    """The colour table, for values of 8 or 16 bits without samples."""
    table = image.details.colour_table
    if table is None or image.dtype.name not in ("uint8", "uint16") or "S" in image.axes:
        return {}
    full = np.zeros((3, 2 ** (8 * image.dtype.itemsize)), np.uint16)
    full[:, : table.shape[1]] = table[:, : full.shape[1]]
    return {"photometric": "palette", "colormap": full}


def extra_tags(details: Details) -> list[tuple[Any, ...]]:
    """Tags that are copied, and the no-data value as GDAL writes it."""
    tags: list[tuple[Any, ...]] = [(*tag, True) for tag in details.tags]
    if details.exif:
        tags += exif.texts_of(details.exif)
    if details.nodata is not None:
        value = details.nodata
        whole = math.isfinite(value) and value == int(value)
        tags.append((NODATA_TAG, _ASCII, 0, str(int(value)) if whole else repr(value), True))
    return tags


def name_tags(image: ImageFile) -> list[tuple[Any, ...]]:
    """Tags of the title and of a single channel's name, which ImageJ's description cannot hold."""
    present = {code for code, *_ in image.details.tags}
    names = {DOCUMENT_NAME: image.name, PAGE_NAME: "" if "C" in image.axes else "".join(image.channel_names)}
    texts = {code: name.encode() for code, name in names.items() if name and code not in present}
    return [(code, _ASCII, len(text) + 1, text + b"\0", True) for code, text in texts.items()]


def print_resolution(details: Details) -> dict[str, Any]:
    """The resolution tags of a print, as the image was read with them."""
    if details.resolution is None:
        return {}
    x, y, unit = details.resolution
    return {"resolution": (x, y), "resolutionunit": unit}


def resolution(image: ImageFile, flavour: str) -> dict[str, Any]:
    """The resolution tags: pixels per unit of ImageJ's description, else per centimetre, else those of print."""
    x, y = image.pixel_size.get("X"), image.pixel_size.get("Y")
    if x is None or y is None:
        return print_resolution(image.details)
    if flavour == "imagej":  # In the unit that ImageJ's description names.
        return {"resolution": (1 / x.value, 1 / y.value), "resolutionunit": "none"}
    factor = {"inch": 1.0, "centimeter": 1.0, "millimeter": 10.0, "micrometer": 1e4, "nanometer": 1e7}
    if x.unit != y.unit or x.unit not in factor:
        return print_resolution(image.details)
    per = factor[x.unit]
    unit = "inch" if x.unit == "inch" else "centimeter"
    return {"resolution": (per / x.value, per / y.value), "resolutionunit": unit}
