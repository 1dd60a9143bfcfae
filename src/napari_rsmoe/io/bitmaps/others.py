"""BMP, GIF and WebP files, which are only read: uint8, grey or colour, with or without opacity.

Indices into a colour table are read as the colours, and as grey values if all colours are grey.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, GifImagePlugin, Image, WebPImagePlugin

from ..formats import kind_of_content
from ..image_file import ImageFile
from ..pixel_meaning import PixelMeaning
from ..reading import Reading
from . import bitmap

# Pillow's names of pixels that are read as they are, and their samples; others are converted to one of them.
_SAMPLES: dict[str, tuple[int, ...]] = {"L": (), "LA": (2,), "RGB": (3,), "RGBA": (4,)}
_CONVERTED = {"1": "L", "RGBX": "RGB", "RGBa": "RGBA"}


def read(path: Path, how: Reading) -> ImageFile:
    """Read a BMP, GIF or WebP file: (Y, X) or (Y, X, S), uint8."""
    kind = kind_of_content(path)
    notes = []
    with bitmap.damage_named(path, kind.upper()), _open(path, kind) as header:
        info, (width, height) = dict(header.info), header.size
        orientation, details = bitmap.camera_metadata(header.getexif(), info)
        wanted = _wanted(header)
        frames = getattr(header, "n_frames", 1)
        if frames > 1:
            notes.append(f"the file holds {frames} frames; the first is read")

    def decode() -> NDArray[Any]:
        with _open(path, kind) as picture:
            return np.asarray(picture.convert(wanted))

    pixels = bitmap.Decoded((height, width, *_SAMPLES[wanted]), "uint8", decode)
    meaning = PixelMeaning(orientation=orientation)
    facts = {"icc_profile": info.get("icc_profile"), "kind": kind, "details": details, "notes": notes}
    return bitmap.plane_of(path, how, pixels, meaning, **facts)


def _wanted(header: Image.Image) -> str:
    """Pillow's name of the pixels to be read."""
    transparent = "transparency" in header.info
    if header.mode == "P":
        grey = bitmap.is_grey(np.array(header.getpalette()).reshape(-1, 3))
        return ("LA" if grey else "RGBA") if transparent else ("L" if grey else "RGB")
    if header.mode == "L" and transparent:
        return "LA"
    return header.mode if header.mode in _SAMPLES else _CONVERTED[header.mode]


def _open(path: Path, kind: str) -> Image.Image:
    """Open a file by the class of its format, as Image.open refuses large images."""
    classes: dict[str, Any] = {
        "bmp": BmpImagePlugin.BmpImageFile,
        "gif": GifImagePlugin.GifImageFile,
        "webp": WebPImagePlugin.WebPImageFile,
    }
    opened: Image.Image = classes[kind](path)
    return opened
