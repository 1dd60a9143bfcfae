"""Metadata of cameras (EXIF, XMP), which PNG and JPEG hold in a block and TIFF in tags and in lists of its own.

In this package they are a block as JPEG holds it, without orientation and size, which the image says itself.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, TiffImagePlugin

CAMERA, GPS = 0x8769, 0x8825
"""Tags of the lists of the camera and of the place, which hold the offset of a list in the file."""
TEXTS = (271, 272, 306, 315, 33432)
"""Tags of the block that TIFF has itself: maker, model, date, artist and copyright."""
_ORIENTATION = 0x0112
_SIZES = (0xA002, 0xA003)  # Width and height.
_ASCII, _LONG = 2, 4  # TIFF's numbers of the types of texts and offsets.


def split(exif: Image.Exif) -> tuple[int, bytes | None]:
    """The orientation, from 1 to 8, and the block without it; None for an empty or damaged one."""
    orientation = exif.get(_ORIENTATION, 1)
    exif.pop(_ORIENTATION, None)
    content: bytes | None = None
    with contextlib.suppress(
        Exception
    ):  # Camera metadata may hold anything, and never keep the pixels from being read.
        for tag in _SIZES:
            exif.get_ifd(CAMERA).pop(tag, None)
        content = exif.tobytes() if len(exif) else None
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1, content


def of_page(path: Path, page: Any) -> bytes | None:
    """The block of a page of a TIFF file; None if it has no lists of the camera and of the place."""
    if not {CAMERA, GPS} & set(page.tags.keys()) or page.parent.is_bigtiff:
        return None
    with contextlib.suppress(Exception), path.open("rb") as file:
        whole, kept = Image.Exif(), Image.Exif()
        whole.endian = page.parent.byteorder
        whole.load_from_fp(file, page.offset)
        for tag in TEXTS:
            if tag in whole:
                kept[tag] = whole[tag]
        for tag in (CAMERA, GPS):
            entries = {code: value for code, value in whole.get_ifd(tag).items() if code not in _SIZES}
            if entries:
                kept[tag] = entries
        return kept.tobytes() if len(kept) else None
    return None


def texts_of(block: bytes) -> list[tuple[int, int, int, Any, bool]]:
    """The texts of a block as tags of a TIFF page for tifffile."""
    exif = _parsed(block)
    return [(tag, _ASCII, 0, str(exif[tag]).encode("ascii", "replace"), True) for tag in TEXTS if tag in exif]


def append_lists(path: Path, block: bytes) -> None:
    """Give the first page of a TIFF file the lists of a block; tifffile writes none.

    The lists, and the tags of the page with their offsets, are written to the end of the file.
    """
    exif = _parsed(block)
    with path.open("rb+") as file:
        head = file.read(8)
        order = "<" if head[:2] == b"II" else ">"
        (first,) = struct.unpack(f"{order}I", head[4:])
        file.seek(first)
        (count,) = struct.unpack(f"{order}H", file.read(2))
        entries = [file.read(12) for _ in range(count)]
        following = file.read(4)
        for tag in (CAMERA, GPS):
            listed = TiffImagePlugin.ImageFileDirectory_v2(head, group=tag)
            for code, value in exif.get_ifd(tag).items():
                listed[code] = value
            if len(listed):
                offset = _end(file)
                file.write(listed.tobytes(offset))
                entries.append(struct.pack(f"{order}HHII", tag, _LONG, 1, offset))
        entries.sort(key=lambda entry: struct.unpack(f"{order}H", entry[:2]))
        offset = _end(file)
        file.write(struct.pack(f"{order}H", len(entries)) + b"".join(entries) + following)
        file.seek(4)
        file.write(struct.pack(f"{order}I", offset))


def _end(file: BinaryIO) -> int:
    """Go to the end of a file, at an even offset as TIFF wants it."""
    if file.seek(0, os.SEEK_END) % 2:
        file.write(b"\0")
    return file.tell()


def upright(xmp: bytes) -> bytes:
    """XMP of an image that has been turned upright: of the same length, with orientation 1."""
    return re.sub(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)[2-8]", rb"\g<1>1", xmp)


def _parsed(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(block)
    return exif
