"""Checks of what a TIFF file says of itself, before tifffile makes room for it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import tifffile

from ...errors import ImageError
from ...memory import in_words
from ..sizes import check_stored
from ..trust import check_inside

_RATIO = 2**16
"""Bytes of pixels that one stored byte can stand for at most. The best of the usual codecs, zstd, reaches 43 690."""
_COUNTS = ("IFD", "NumPlanes", "PlaneCount", "FirstC", "FirstT", "FirstZ")
"""Attributes of OME-XML that count planes."""


def check_description(tif: Any, path: Path, *, allow_outside: bool) -> None:
    """Check the description of an OME-TIFF or NDTiff before its series are built.

    tifffile makes a list of all planes that the description declares, and opens all files that it names.

    Raises
    ------
    ImageError
        If there cannot be so many planes, or a file lies outside the folder of the image.
    """
    len(tif.pages)  # Follows the chain of pages once; without it tifffile may not find the end of a damaged one.
    if tif.is_ndtiff and not allow_outside:
        index = path.with_name("NDTiff.index")
        for name in {entry[1] for entry in tifffile.read_ndtiff_index(index)} if index.is_file() else ():
            check_inside(path, name)
    if not tif.is_ome:
        return
    try:
        root = ElementTree.fromstring(tif.ome_metadata)
    except ElementTree.ParseError:
        return  # tifffile does not use it either.
    names = {uuid.get("FileName", "") for uuid in root.iter() if uuid.tag.endswith("UUID")} - {""}
    if not allow_outside:
        for name in names:
            check_inside(path, name)
    files = {path, *(path.parent / name for name in names)}
    most = _bytes(files)
    for planes in _declared_planes(root):
        if planes > most:
            raise ImageError(
                f"{path} declares {planes} planes, but {in_words(most)} cannot hold so many: it is damaged or "
                "incomplete."
            )


def _declared_planes(root: ElementTree.Element) -> Iterator[int]:
    """All numbers of planes that OME-XML declares; entries that are no numbers are left to tifffile."""
    for element in root.iter():
        kind = element.tag.rpartition("}")[2]
        try:
            if kind == "Pixels":
                yield int(element.get("SizeC", 1)) * int(element.get("SizeT", 1)) * int(element.get("SizeZ", 1))
            elif kind == "TiffData":
                yield sum(int(element.get(name, 0)) for name in _COUNTS)
            elif kind.startswith("Along") and "Start" in element.attrib:
                start, end, step = (float(element.get(name, 1)) for name in ("Start", "End", "Step"))
                yield int((end - start) / step)
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            raise ImageError(f"the OME-XML description has an impossible {kind} ({error}).") from error


def check_files(series: Any, path: Path, *, allow_outside: bool) -> None:
    """Raise an ImageError if the pixels of a series lie in a file outside the folder of the image."""
    for file in _files(series) if not allow_outside else ():
        check_inside(path, file)


def check_bytes(series: Any) -> None:
    """Raise an ImageError if the stored bytes cannot hold the pixels of a series."""
    page = series.keyframe
    sparse = 0 in page.databytecounts  # GDAL leaves out tiles that are empty.
    if not sparse:
        packed = math.ceil(8 * series.dtype.itemsize / max(page.bitspersample, 1))  # Samples of 1 or 12 bits, say.
        ratio = packed if page.compression == 1 else _RATIO
        check_stored(series.shape, series.dtype, _bytes(_files(series)), ratio)


def _files(series: Any) -> set[Path]:
    return {Path(page.parent.filehandle.path) for page in series.pages if page is not None}


def _bytes(files: Iterable[Path]) -> int:
    return sum(file.stat().st_size for file in files if file.is_file())
