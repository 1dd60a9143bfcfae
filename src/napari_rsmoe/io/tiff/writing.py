"""TIFF, OME-TIFF and ImageJ TIFF files: writing.

A name ending in ``.ome.tif`` is written as OME-TIFF. Any other ``.tif`` is written as ImageJ TIFF if ImageJ supports
the data type, the order of axes and the metadata, and otherwise as a TIFF with axes and pixel sizes as JSON in its
description.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from ...errors import ImageError
from ...image.planes import ArraySink
from .. import details as of
from .. import exif, ome_xml
from ..atomic import reserve
from ..details import Details
from ..image_file import ImageFile
from ..reorder import in_stored_order, stored_axes
from ..units import imagej_symbol, is_ome_unit, ome_symbol
from .metadata import SIGNED_16
from .tags import DOCUMENT_NAME, NODATA_TAG, PAGE_NAME, PROGRAM

_IMAGEJ_DTYPES = ("uint8", "uint16", "float32")
_IMAGEJ_AXES = "TZCYXS"
_OME_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
_OME_LOOPS = "QRPAHE"  # Letters of axes besides T, Z and C that OME-XML can describe.
_CLASSIC_LIMIT = 2**32 - 2**25  # Bytes of pixels; below, a classic TIFF has room for its tags, above, BigTIFF is used.
TILE = 512  # Side of a tile in pixels, of files that are written tile by tile: a multiple of 16.
_ASCII = 2  # TIFF's number of the type of texts.

_EVERY_TIFF = {
    of.PIXEL_SIZE,
    of.NAME,
    of.CHANNELS,
    of.PROFILE,
    of.POSITION,
    of.RESOLUTION,
    of.NODATA,
    of.COLOURS,
    of.TAGS,
    of.XMP,
    of.EXIF,
}
_OME = _EVERY_TIFF | {of.DESCRIPTION, of.OME}
_IMAGEJ = _EVERY_TIFF | {of.DESCRIPTION, of.LIMITS, of.IMAGEJ, of.WHITE}
_PLAIN = _EVERY_TIFF | {of.DESCRIPTION, of.LIMITS, of.TABLE, of.WHITE}


def layout(image: ImageFile) -> str:
    """The stored order of axes: planes last, and a short trailing channel axis as colour samples."""
    axes, sizes = image.axes, image.sizes
    if axes[-1] == "C" and "S" not in axes and (sizes["C"] in (3, 4) or image.alpha):
        axes = axes[:-1] + "S"
    if axes.endswith("SYX"):
        return axes
    return stored_axes(axes, "".join(a for a in axes if a not in "CSYX") + "CYXS")


def check(path: Path, image: ImageFile) -> None:
    """Raise an `ImageError` if `image` cannot be written to `path`."""
    if not _is_ome(path):
        return
    if image.dtype.name not in _OME_DTYPES:
        raise ImageError(
            f"OME-TIFF cannot hold {image.dtype}; write a .tif or .zarr file, or convert the image to one of "
            f"{', '.join(_OME_DTYPES)}."
        )
    stored = layout(image)
    try:
        renamed = stored.translate(ome_letters(stored))
        _ome_document(renamed, _stored_shape(image, stored), image)
    except (tifffile.OmeXmlError, StopIteration, ValueError) as error:
        raise ImageError(
            f"OME-TIFF cannot hold the axes {image.axes!r} ({error}); write a .tif or .npy file."
        ) from error


def remarks(path: Path, image: ImageFile) -> list[str]:
    """What of the metadata `path` will not hold, and what is written in another way; one line each."""
    stored = layout(image)
    if not _is_ome(path):
        sizes = image.sizes | _samples(image, stored)
        return _lost(path, image, _IMAGEJ if _fits_imagej(stored, sizes, image) else _PLAIN)
    said = []
    renamed = [f"{axis} as {stored.translate(ome_letters(stored))[k]}" for k, axis in enumerate(stored)]
    changed = [word for word in renamed if word[0] != word[-1]]
    if changed:
        said.append(f"OME-TIFF has no such axes, so {path.name} stores {', '.join(changed)}")
    units = {size.unit for size in image.pixel_size.values() if size.unit is not None and not is_ome_unit(size.unit)}
    if units:
        said.append(f"OME has no unit {', '.join(sorted(units))}, so {path.name} keeps it in an annotation")
    return said + _lost(path, image, _OME)


def _lost(path: Path, image: ImageFile, holds: set[str]) -> list[str]:
    if _bytes(image) >= _CLASSIC_LIMIT:  # Its lists would be those of classic TIFF.
        holds = holds - {of.EXIF}
    words = of.lost(image, holds)
    return [f"{path.name} cannot hold {', '.join(words)}"] if words else []


@contextlib.contextmanager
def create(path: Path, target: Path, image: ImageFile) -> Iterator[ArraySink]:
    """Create a TIFF file at `path`, later renamed to `target`, and yield the sink for its planes.

    Parameters
    ----------
    path : Path
        The temporary file.
    target : Path
        The final name, which decides between OME-TIFF and other TIFF.
    image : ImageFile
        Shape, data type, axes and metadata; its pixels are not used.
    """
    axes = layout(image)
    sizes = image.sizes | _samples(image, axes)
    arguments: dict[str, Any] = {**_samples_arguments(axes, sizes, image), "extratags": _extra_tags(image.details)}
    shape, dtype = _stored_shape(image, axes), image.dtype
    if _is_ome(target):
        stored = axes.translate(ome_letters(axes))
        arguments |= {"ome": False, "metadata": None, "description": _ome_document(stored, shape, image)}
        arguments |= _print_resolution(image.details)
    elif _fits_imagej(axes, sizes, image):
        arguments |= {"imagej": True, **_resolution(image, "imagej")}
        arguments["metadata"] = {"axes": axes, **_imagej_arguments(axes, image)}
        arguments["extratags"] += _name_tags(image)
        dtype = np.dtype(np.uint16) if dtype == np.int16 else dtype
    else:
        arguments |= _colour_table(image) | _resolution(image, "plain")
        arguments["metadata"] = {"axes": axes, **_plain_arguments(image)}
        if image.details.description:
            arguments["description"] = image.details.description.encode("ascii", "replace")
    if image.icc_profile:
        arguments["iccprofile"] = image.icc_profile
    arguments["bigtiff"] = _bytes(image) >= _CLASSIC_LIMIT
    pixels = tifffile.memmap(path, shape=shape, dtype=dtype, software=PROGRAM, **arguments)
    with path.open("rb+") as file:
        reserve(file.fileno())
    yield in_stored_order(_Signed(pixels) if dtype != image.dtype else pixels, axes, image.axes)
    pixels.flush()
    if image.details.exif and not arguments["bigtiff"]:
        exif.append_lists(path, image.details.exif)


def write_tiles(
    path: Path, target: Path, image: ImageFile, read: Callable[[tuple[int | slice, ...]], NDArray[Any]]
) -> None:
    """Write a tiled TIFF file of any size, tile after tile: OME-TIFF by its name, else with its metadata as JSON.

    Parameters
    ----------
    path, target, image
        As for `create`.
    read : callable
        Returns a part of the image for an index in the order of its axes.
    """
    axes = layout(image)
    sizes = image.sizes | _samples(image, axes)
    shape = _stored_shape(image, axes)
    arguments: dict[str, Any] = {**_samples_arguments(axes, sizes, image), "extratags": _extra_tags(image.details)}
    if _is_ome(target):
        document = _ome_document(axes.translate(ome_letters(axes)), shape, image)
        arguments |= {"metadata": None, "description": document} | _print_resolution(image.details)
    else:
        arguments |= _resolution(image, "plain")
        arguments["metadata"] = {"axes": axes, **_plain_arguments(image)}
    if image.icc_profile:
        arguments["iccprofile"] = image.icc_profile
    with tifffile.TiffWriter(path, bigtiff=_bytes(image) >= _CLASSIC_LIMIT, ome=False) as file:
        file.write(
            _tiles(axes, image, read),
            shape=shape,
            dtype=image.dtype,
            tile=(TILE, TILE),
            compression="zlib",
            predictor=True,
            software=PROGRAM,
            **arguments,
        )


def _tiles(
    axes: str, image: ImageFile, read: Callable[[tuple[int | slice, ...]], NDArray[Any]]
) -> Iterator[NDArray[Any]]:
    """The tiles of all planes, in the order in which TIFF stores them."""
    letters = ["C" if letter == "S" and "S" not in image.axes else letter for letter in axes]
    sizes = image.sizes
    samples = letters[-1] if axes[-1] == "S" else ""
    looped = [letter for letter in letters if letter not in ("Y", "X", samples)]
    for place in np.ndindex(*(sizes[letter] for letter in looped)):
        at = dict(zip(looped, place, strict=True))
        for y in range(0, sizes["Y"], TILE):
            for x in range(0, sizes["X"], TILE):
                spans = {"Y": slice(y, min(y + TILE, sizes["Y"])), "X": slice(x, min(x + TILE, sizes["X"]))}
                index = tuple(spans.get(a, at.get(a, slice(None))) for a in image.axes)
                kept = [a for a, entry in zip(image.axes, index, strict=True) if isinstance(entry, slice)]
                order = [kept.index(letter) for letter in letters if letter in kept]
                yield np.ascontiguousarray(read(index).transpose(order))


class _Signed:
    """A sink that stores signed values of 16 bits as ImageJ does: unsigned, with an offset in the calibration."""

    def __init__(self, array: NDArray[np.uint16]) -> None:
        self._array = array

    def __setitem__(self, index: Any, plane: Any) -> None:
        self._array[index] = (np.asarray(plane, np.int32) - SIGNED_16).astype(np.uint16)


def _is_ome(path: Path) -> bool:
    return path.name.lower().endswith((".ome.tif", ".ome.tiff"))


def _samples(image: ImageFile, stored: str) -> dict[str, int]:
    """The length of the axis of samples, if channels are stored as samples."""
    return {"S": image.sizes["C"]} if "S" in stored and "S" not in image.axes else {}


def _stored_shape(image: ImageFile, stored: str) -> tuple[int, ...]:
    sizes = image.sizes | _samples(image, stored)
    return tuple(sizes[axis] for axis in stored)


def _bytes(image: ImageFile) -> int:
    return int(np.prod(image.shape, dtype=np.int64)) * image.dtype.itemsize


def _samples_arguments(axes: str, sizes: Mapping[str, int], image: ImageFile) -> dict[str, Any]:
    """What the samples of a pixel are."""
    if "S" not in axes:
        return {"photometric": "miniswhite" if image.details.white_is_zero else "minisblack"}
    colours = sizes["S"] - image.alpha
    kind = "rgb" if colours >= 3 and sizes["S"] <= 4 else "minisblack"
    extra = sizes["S"] - (3 if kind == "rgb" else 1)
    kinds = ["unspecified"] * (extra - image.alpha) + ["unassalpha"] * image.alpha
    planar = "contig" if axes[-1] == "S" else "separate"
    return {"photometric": kind, "planarconfig": planar, "extrasamples": kinds or None}


def _colour_table(image: ImageFile) -> dict[str, Any]:
    """The colour table, for values of 8 or 16 bits without samples."""
    table = image.details.colour_table
    if table is None or image.dtype.name not in ("uint8", "uint16") or "S" in image.axes:
        return {}
    full = np.zeros((3, 2 ** (8 * image.dtype.itemsize)), np.uint16)
    full[:, : table.shape[1]] = table[:, : full.shape[1]]
    return {"photometric": "palette", "colormap": full}


def _extra_tags(details: Details) -> list[tuple[Any, ...]]:
    """Tags that are copied, and the no-data value as GDAL writes it."""
    tags: list[tuple[Any, ...]] = [(*tag, True) for tag in details.tags]
    if details.exif:
        tags += exif.texts_of(details.exif)
    if details.nodata is not None:
        value = details.nodata
        whole = math.isfinite(value) and value == int(value)
        tags.append((NODATA_TAG, _ASCII, 0, str(int(value)) if whole else repr(value), True))
    return tags


def _name_tags(image: ImageFile) -> list[tuple[Any, ...]]:
    """Tags of the title and of a single channel's name, which ImageJ's description cannot hold."""
    present = {code for code, *_ in image.details.tags}
    names = {DOCUMENT_NAME: image.name, PAGE_NAME: "" if "C" in image.axes else "".join(image.channel_names)}
    texts = {code: name.encode() for code, name in names.items() if name and code not in present}
    return [(code, _ASCII, len(text) + 1, text + b"\0", True) for code, text in texts.items()]


# ---------------------------------------------------------------------------------------------- resolution


def _print_resolution(details: Details) -> dict[str, Any]:
    if details.resolution is None:
        return {}
    x, y, unit = details.resolution
    return {"resolution": (x, y), "resolutionunit": unit}


def _resolution(image: ImageFile, flavour: str) -> dict[str, Any]:
    """The resolution tags: pixels per unit of ImageJ's description, else per centimetre, else those of print."""
    x, y = image.pixel_size.get("X"), image.pixel_size.get("Y")
    if x is None or y is None:
        return _print_resolution(image.details)
    if flavour == "imagej":  # In the unit that ImageJ's description names.
        return {"resolution": (1 / x.value, 1 / y.value), "resolutionunit": "none"}
    factor = {"inch": 1.0, "centimeter": 1.0, "millimeter": 10.0, "micrometer": 1e4, "nanometer": 1e7}
    if x.unit != y.unit or x.unit not in factor:
        return _print_resolution(image.details)
    per = factor[x.unit]
    unit = "inch" if x.unit == "inch" else "centimeter"
    return {"resolution": (per / x.value, per / y.value), "resolutionunit": unit}


# ---------------------------------------------------------------------------------------------- ImageJ


def _fits_imagej(axes: str, sizes: Mapping[str, int], image: ImageFile) -> bool:
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
    return known and paired and seconds and placed and _bytes(image) < _CLASSIC_LIMIT


def _imagej_arguments(stored: str, image: ImageFile) -> dict[str, Any]:
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


# ---------------------------------------------------------------------------------------------- OME, JSON


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


def _ome_document(stored: str, shape: tuple[int, ...], image: ImageFile) -> bytes:
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


def _plain_arguments(image: ImageFile) -> dict[str, Any]:
    """Fields of the JSON description, for metadata that TIFF tags cannot hold."""
    fields: dict[str, Any] = {}
    details = image.details
    if image.pixel_size:
        fields["pixel_size"] = {axis: list(size) for axis, size in image.pixel_size.items()}
    if image.name:
        fields["name"] = image.name
    if image.channel_names:
        fields["channel_names"] = list(image.channel_names)
    if details.position:
        fields["position"] = {axis: list(place) for axis, place in details.position.items()}
    if details.colours:
        fields["colours"] = list(details.colours)
    if details.limits:
        fields["limits"] = [list(pair) for pair in details.limits]
    json.dumps(fields)  # Fails here, before tifffile has written part of the file.
    return fields
