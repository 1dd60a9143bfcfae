"""BMP and WebP files, which are only read: uint8, grey or colour, with or without opacity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, Image, WebPImagePlugin

from ..formats import kind_of_content
from ..image_file import ImageFile
from ..pixel_meaning import PixelMeaning
from ..reading import Reading
from . import bitmap

# Pillow's names of pixels that are read as they are, and their samples; others are converted to one of them.
_SAMPLES: dict[str, tuple[int, ...]] = {"L": (), "RGB": (3,), "RGBA": (4,)}
_CONVERTED = {"1": "L", "P": "RGB", "RGBX": "RGB", "RGBa": "RGBA"}


def read(path: Path, how: Reading) -> ImageFile:
    """Read a BMP or WebP file: (Y, X) or (Y, X, S), uint8."""
    kind = kind_of_content(path)
    notes = []
    with bitmap.damage_named(path, kind.upper()), _open(path, kind) as header:
        mode, info, (width, height) = header.mode, dict(header.info), header.size
        orientation, details = bitmap.camera_metadata(header.getexif(), info)
        wanted = mode if mode in _SAMPLES else _CONVERTED[mode]
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


def _open(path: Path, kind: str) -> Image.Image:
    """Open a file by the class of its format, as Image.open refuses large images."""
    opened: Image.Image = {"bmp": BmpImagePlugin.BmpImageFile, "webp": WebPImagePlugin.WebPImageFile}[kind](path)
    return opened
