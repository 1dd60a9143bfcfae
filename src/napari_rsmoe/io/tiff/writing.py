"""TIFF, OME-TIFF and ImageJ TIFF files: writing.

A name ending in ``.ome.tif`` is written as OME-TIFF. Any other ``.tif`` is written as ImageJ TIFF if ImageJ supports
the data type, the order of axes and the metadata, and otherwise as a TIFF with axes and pixel sizes as JSON in its
description.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from ...errors import ImageError
from ...image.planes import ArraySink
from .. import details as of
from .. import exif
from ..atomic import reserve
from ..image_file import ImageFile
from ..reorder import in_stored_order, stored_axes
from ..units import is_ome_unit
from .image_tags import (
    colour_table,
    extra_tags,
    name_tags,
    needs_bigtiff,
    print_resolution,
    resolution,
    samples_arguments,
)
from .imagej import Signed, fits_imagej, imagej_arguments
from .ome import OME_DTYPES, ome_document, ome_letters
from .tags import PROGRAM

TILE = 512  # Side of a tile in pixels, of files that are written tile by tile: a multiple of 16.
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
    if image.dtype.name not in OME_DTYPES:
        raise ImageError(
            f"OME-TIFF cannot hold {image.dtype}; write a .tif or .zarr file, or convert the image to one of "
            f"{', '.join(OME_DTYPES)}."
        )
    stored = layout(image)
    try:
        renamed = stored.translate(ome_letters(stored))
        ome_document(renamed, _stored_shape(image, stored), image)
    except (tifffile.OmeXmlError, StopIteration, ValueError) as error:
        raise ImageError(
            f"OME-TIFF cannot hold the axes {image.axes!r} ({error}); write a .tif or .npy file."
        ) from error


def remarks(path: Path, image: ImageFile) -> list[str]:
    """What of the metadata `path` will not hold, and what is written in another way; one line each."""
    stored = layout(image)
    if not _is_ome(path):
        sizes = image.sizes | _samples(image, stored)
        return _lost(path, image, _IMAGEJ if fits_imagej(stored, sizes, image) else _PLAIN)
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
    if needs_bigtiff(image):  # Its lists would be those of classic TIFF.
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
    arguments: dict[str, Any] = {**samples_arguments(axes, sizes, image), "extratags": extra_tags(image.details)}
    shape, dtype = _stored_shape(image, axes), image.dtype
    if _is_ome(target):
        stored = axes.translate(ome_letters(axes))
        arguments |= {"ome": False, "metadata": None, "description": ome_document(stored, shape, image)}
        arguments |= print_resolution(image.details)
    elif fits_imagej(axes, sizes, image):
        arguments |= {"imagej": True, **resolution(image, "imagej")}
        arguments["metadata"] = {"axes": axes, **imagej_arguments(axes, image)}
        arguments["extratags"] += name_tags(image)
        dtype = np.dtype(np.uint16) if dtype == np.int16 else dtype
    else:
        arguments |= colour_table(image) | resolution(image, "plain")
        arguments["metadata"] = {"axes": axes, **_plain_arguments(image)}
        if image.details.description:
            arguments["description"] = image.details.description.encode("ascii", "replace")
    if image.icc_profile:
        arguments["iccprofile"] = image.icc_profile
    arguments["bigtiff"] = needs_bigtiff(image)
    pixels = tifffile.memmap(path, shape=shape, dtype=dtype, software=PROGRAM, **arguments)
    with path.open("rb+") as file:
        reserve(file.fileno())
    yield in_stored_order(Signed(pixels) if dtype != image.dtype else pixels, axes, image.axes)
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
    arguments: dict[str, Any] = {**samples_arguments(axes, sizes, image), "extratags": extra_tags(image.details)}
    if _is_ome(target):
        document = ome_document(axes.translate(ome_letters(axes)), shape, image)
        arguments |= {"metadata": None, "description": document} | print_resolution(image.details)
    else:
        arguments |= resolution(image, "plain")
        arguments["metadata"] = {"axes": axes, **_plain_arguments(image)}
    if image.icc_profile:
        arguments["iccprofile"] = image.icc_profile
    with tifffile.TiffWriter(path, bigtiff=needs_bigtiff(image), ome=False) as file:
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


def _is_ome(path: Path) -> bool:
    return path.name.lower().endswith((".ome.tif", ".ome.tiff"))


def _samples(image: ImageFile, stored: str) -> dict[str, int]:
    """The length of the axis of samples, if channels are stored as samples."""
    return {"S": image.sizes["C"]} if "S" in stored and "S" not in image.axes else {}


def _stored_shape(image: ImageFile, stored: str) -> tuple[int, ...]:
    sizes = image.sizes | _samples(image, stored)
    return tuple(sizes[axis] for axis in stored)


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
