"""JPEG files: uint8, grey or RGB, lossy.

CMYK colours are read as RGB, and an image is turned upright as its EXIF orientation says.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from ...errors import ImageError
from ...image.planes import ArraySink
from ..colour_spaces import CMYK
from ..details import DESCRIPTION, lost
from ..image_file import ImageFile
from ..pixel_meaning import GREY, RGB, PixelMeaning
from ..reading import Reading
from ..sizes import check_stored
from . import bitmap

_RATIO = 512  # Pixels that one byte of Huffman codes can stand for at most: one bit for each block of 8 x 8.
_ARITHMETIC = (b"\xff\xc9", b"\xff\xca", b"\xff\xcb")  # Markers of frames with arithmetic codes, which may be shorter.
_LARGEST_XMP = 65_000  # Bytes of one block of metadata.
_XMP_MARK = b"http://ns.adobe.com/xap/1.0/\x00"
_SIDE = 65_535  # Largest height and width of a JPEG image, in pixels.
_MODES = {"L": (GREY, ()), "RGB": (RGB, (3,)), "CMYK": (CMYK, (4,))}  # Pillow's names: meaning, and samples.


def read(path: Path, how: Reading) -> ImageFile:
    """Read a JPEG file: (Y, X) or (Y, X, S), uint8, turned upright."""
    with bitmap.damage_named(path, "JPEG"), path.open("rb") as file:
        # The class itself, as Image.open refuses large images.
        with JpegImagePlugin.JpegImageFile(file) as header:
            mode, info, (width, height) = header.mode, dict(header.info), header.size
            orientation, details = bitmap.camera_metadata(header.getexif(), info)
        file.seek(0)
        if not any(marker in file.read() for marker in _ARITHMETIC):
            check_stored((height, width), np.uint8, path.stat().st_size, _RATIO)
        kind, samples = _MODES[mode]

    def decode() -> NDArray[Any]:
        with path.open("rb") as file, JpegImagePlugin.JpegImageFile(file) as picture:
            return np.asarray(picture)

    pixels = bitmap.Decoded((height, width, *samples), "uint8", decode)
    meaning = PixelMeaning(kind, orientation=orientation)
    profile = info.get("icc_profile")
    return bitmap.plane_of(path, how, pixels, meaning, icc_profile=profile, kind="jpeg", details=details)


def check(path: Path, image: ImageFile) -> None:
    """Raise an `ImageError` if a JPEG file cannot hold `image`."""
    if image.alpha:
        raise ImageError(f"cannot write {path.name}: JPEG holds no opacity (alpha channel); write a .png or .tif file.")
    bitmap.check(path, image, "JPEG", ("uint8",), (1, 3))
    if max(image.sizes["Y"], image.sizes["X"]) > _SIDE:
        raise ImageError(
            f"cannot write {path.name}: JPEG images have at most {_SIDE} pixels per side; write a .tif file."
        )


def remarks(path: Path, image: ImageFile) -> list[str]:
    """What of the metadata `path` will not hold."""
    words = lost(image, bitmap.HOLDS | {DESCRIPTION})
    return [f"{path.name} cannot hold {', '.join(words)}"] if words else []


@contextlib.contextmanager
def create(path: Path, target: Path, image: ImageFile, quality: int) -> Iterator[ArraySink]:
    """Yield a sink for the plane, which is encoded to `path` when the block ends, without chroma subsampling."""
    with bitmap.collected(image) as (sink, pixels):
        yield sink
    picture = Image.fromarray(np.ascontiguousarray(pixels()))
    options: dict[str, Any] = {"icc_profile": image.icc_profile} if image.icc_profile else {}
    if image.details.exif:
        options["exif"] = image.details.exif
    if image.details.resolution is not None:
        options["dpi"] = bitmap.per_inch(image.details.resolution)
    if (xmp := bitmap.xmp_of(image.details)) is not None and len(xmp) <= _LARGEST_XMP:
        # Written as a segment, as Pillow has a keyword for it from version 11 on only.
        content = _XMP_MARK + xmp
        options["extra"] = b"\xff\xe1" + (2 + len(content)).to_bytes(2, "big") + content
    if image.details.description:
        options["comment"] = image.details.description.encode()[:_LARGEST_XMP]
    picture.save(path, "JPEG", quality=quality, subsampling=0, **options)
