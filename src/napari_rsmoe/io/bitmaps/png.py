"""PNG files: uint8 and uint16, grey or colour, with or without opacity.

Palette images are read as RGB (as RGBA if the palette has transparent entries), or as grey if all its colours are grey.
Grey images of 1, 2 or 4 bits are read as uint8 from 0 to 255. An image is turned upright as its EXIF orientation says.
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from ...image.planes import ArraySink
from ..details import CHUNKS, lost
from ..image_file import ImageFile
from ..pixel_meaning import PixelMeaning
from ..reading import Reading
from ..sizes import check_stored
from . import bitmap

# Bytes of the PNG signature and the IHDR chunk (length, name, content, checksum); further chunks may follow.
_SIGNATURE = 8
_HEADER = _SIGNATURE + 4 + 4 + 13 + 4
_PALETTE = 3  # The colour type of images that are indices into a palette.
_LARGEST_PALETTE = 3 * 256  # Bytes.
_DEFLATE_RATIO = 1032  # Bytes that one byte of deflated data can stand for at most, by the format.
_LARGEST_EXIF = 1 << 24  # Bytes of camera metadata that are kept; more are left out.
_COLOURS = (b"gAMA", b"cHRM", b"sRGB", b"cICP")  # Chunks that define colours, which a profile replaces.
_COPIED = (*_COLOURS, b"tEXt", b"zTXt", b"iTXt", b"tIME")
_XMP = b"XML:com.adobe.xmp"  # Key of the text that holds XMP.
_PER_METRE = 1  # PNG's code of the unit of its resolution.


def read(path: Path, how: Reading) -> ImageFile:
    """Read a PNG file: (Y, X) or (Y, X, S), uint8 or uint16."""
    with bitmap.damage_named(path, "PNG"):
        # The class itself, as Image.open refuses large images.
        with path.open("rb") as file, PngImagePlugin.PngImageFile(file) as header:
            info = dict(header.info)
        declared = _declared(path)
        check_stored((declared.stored,), np.uint8, path.stat().st_size, _DEFLATE_RATIO)
    exif = Image.Exif()
    with contextlib.suppress(Exception):  # Camera metadata may hold anything.
        exif.load(b"Exif\0\0" + declared.exif if declared.exif else b"")
    orientation, details = bitmap.camera_metadata(exif, info)

    def decode() -> NDArray[Any]:
        pixels: NDArray[Any] = imagecodecs.png_decode(path.read_bytes())
        if declared.grey_palette:
            return pixels[..., (0, 3) if pixels.shape[-1] == 4 else 0]
        return pixels

    details = replace(details, chunks=declared.chunks)
    pixels = bitmap.Decoded(declared.shape, declared.dtype, decode)
    meaning = PixelMeaning(orientation=orientation)
    profile = info.get("icc_profile")
    return bitmap.plane_of(path, how, pixels, meaning, icc_profile=profile, kind="png", details=details)


@dataclass(frozen=True)
class _Declared:
    """What the chunks of a file say: shape and type of the decoded image, bytes of its uncompressed rows, metadata."""

    shape: tuple[int, ...]
    dtype: str
    stored: int
    exif: bytes
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    grey_palette: bool = False


def _declared(path: Path) -> _Declared:
    transparent, exif, chunks, grey = False, b"", [], False
    with path.open("rb") as file:
        file.seek(_SIGNATURE)
        _, _, width, height, bits, colours = struct.unpack(">I4sIIBB", file.read(18))
        file.seek(_HEADER)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"IEND":
                break
            transparent |= kind == b"tRNS"
            following = file.tell() + length + 4
            if kind == b"eXIf" and length <= _LARGEST_EXIF:
                exif = file.read(length)
            elif kind == b"PLTE" and length <= _LARGEST_PALETTE:
                grey = colours == _PALETTE and bitmap.is_grey(np.frombuffer(file.read(length), np.uint8).reshape(-1, 3))
            elif kind in _COPIED and length <= _LARGEST_EXIF:
                content = file.read(length)
                chunks += [(kind, content)] if not content.startswith(_XMP) else []
            file.seek(following)
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours]  # Grey, RGB, palette, and the first two with opacity.
    channels = (3 if colours == _PALETTE and not grey else samples) + (transparent and colours in (0, 2, _PALETTE))
    shape = (height, width) if channels == 1 else (height, width, channels)
    return _Declared(
        shape,
        "uint16" if bits == 16 else "uint8",
        height * (1 + (width * samples * bits + 7) // 8),
        exif,
        tuple(chunks),
        grey,
    )


def check(path: Path, image: ImageFile) -> None:
    """Raise an `ImageError` if a PNG file cannot hold `image`."""
    bitmap.check(path, image, "PNG", ("uint8", "uint16"), (1, 3, 4, 2) if image.alpha else (1, 3, 4))


def remarks(path: Path, image: ImageFile) -> list[str]:
    """What of the metadata `path` will not hold."""
    words = lost(image, bitmap.HOLDS | {CHUNKS})
    return [f"{path.name} cannot hold {', '.join(words)}"] if words else []


@contextlib.contextmanager
def create(path: Path, target: Path, image: ImageFile) -> Iterator[ArraySink]:
    """Yield a sink for the plane, which is encoded to `path` when the block ends."""
    with bitmap.collected(image) as (sink, pixels):
        yield sink
    encoded = bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels()), level=6))
    path.write_bytes(encoded[:_HEADER] + b"".join(_chunks(image)) + encoded[_HEADER:])


def _chunks(image: ImageFile) -> Iterator[bytes]:
    """The chunks of metadata, which follow the header; the encoder cannot write them."""
    details = image.details
    if image.icc_profile:
        yield _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(image.icc_profile))
    if details.resolution is not None:
        yield _chunk(b"pHYs", struct.pack(">IIB", *bitmap.per_metre(details.resolution), _PER_METRE))
    if details.exif:
        yield _chunk(b"eXIf", details.exif.removeprefix(b"Exif\0\0"))
    for kind, content in details.chunks:
        if kind in _COPIED and not (image.icc_profile and kind in _COLOURS):
            yield _chunk(kind, content)
    if (xmp := bitmap.xmp_of(details)) is not None:
        yield _chunk(b"iTXt", _XMP + b"\0" * 5 + xmp)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
