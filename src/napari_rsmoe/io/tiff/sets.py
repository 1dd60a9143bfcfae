"""OME-TIFF sets of several files: which files belong together, and which one describes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import tifffile

from ...errors import ImageError
from ..formats import COMPANION
from ..trust import check_inside

_LARGEST_COMPANION = 1 << 28  # Bytes of a companion file that is read as a description.


@dataclass(frozen=True)
class Whole:
    """Where to begin to read a set of files.

    Parameters
    ----------
    path : Path
        A TIFF file.
    xml : str or None
        The description of the set if it lies in a file of its own; None if it is in `path`.
    """

    path: Path
    xml: str | None = None

    def open(self) -> Any:
        """Open the set as a `tifffile.TiffFile`."""
        return tifffile.TiffFile(self.path, omexml=self.xml)


def is_companion(path: Path) -> bool:
    """Whether a file is the description of an OME-TIFF set, by its name."""
    return path.name.lower().endswith(COMPANION)


def whole_of(path: Path, *, allow_outside: bool = False) -> Whole:
    """The set that a file belongs to; the file itself if it belongs to none.

    Raises
    ------
    ImageError
        If the file says that another one describes the set, which is missing, damaged, or outside of its folder.
    """
    if is_companion(path):
        return _of_companion(path)
    name = _metadata_file(_description(path))
    if name is None:
        return Whole(path)
    if not allow_outside:
        check_inside(path, name)
    master = path.parent / name
    if not master.is_file():
        raise ImageError(
            f"{path} is a part of an OME-TIFF set that {master.name} describes, which is missing; copy the whole set."
        )
    return _of_companion(master, path) if is_companion(master) else Whole(master)


def files_of_set(path: Path) -> set[Path]:
    """All TIFF files of the OME-TIFF set that `path` belongs to, itself included; only `path` for other files."""
    if not re.search(r"\.tiff?$", path.name, re.IGNORECASE):
        return {path}
    try:
        whole = whole_of(path)
    except ImageError:  # What is wrong with the file is said when it is read.
        return {path}
    members = {path.parent / name for name in _file_names(whole.xml or _description(whole.path))}
    return members | {path} if path in members else {path}


def _description(path: Path) -> str:
    """The first image description of a TIFF file if it is OME-XML; empty if not, or if it cannot be read."""
    try:
        with tifffile.TiffFile(path, _multifile=False) as tif:
            text = str(tif.pages.first.description)
    except Exception:  # What is wrong with the file is said when it is read.
        return ""
    return text if "OME>" in text[-10:] else ""


def _metadata_file(description: str) -> str | None:
    """The name of the file that describes the set, from ``BinaryOnly``."""
    if "BinaryOnly" not in description:
        return None
    try:
        element = ElementTree.fromstring(description).find("{*}BinaryOnly")
    except ElementTree.ParseError:
        return None
    return element.get("MetadataFile") if element is not None else None


def _file_names(description: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r"FileName=\"([^\"]+)\"", description)))


def _of_companion(companion: Path, part: Path | None = None) -> Whole:
    """The set that a companion file describes."""
    if companion.stat().st_size > _LARGEST_COMPANION:
        raise ImageError(f"{companion} is too large for a description.")
    xml = companion.read_text(encoding="utf-8", errors="replace").strip("\ufeff \n\r\t")
    names = _file_names(xml)
    there = [companion.parent / name for name in names if (companion.parent / name).is_file()]
    first = part or next(iter(there), None)
    if first is None or not xml.endswith("OME>"):
        raise ImageError(f"{companion} describes no OME-TIFF set of which a file is in its folder.")
    return Whole(first, xml)
