"""PNG and JPEG files, which hold one grey or colour plane.

Palette images are read as RGB (as RGBA if the palette has transparent entries), grey images of 1, 2 or 4 bits as
uint8 from 0 to 255, and CMYK images as RGB. An alpha channel stays the last channel (`ImageFile.alpha`). A JPEG image
is rotated according to its EXIF orientation. The print resolution in these files is not a physical pixel size of the
scene and is ignored.
"""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ..errors import ImageError
from ..image.planes import ArraySink
from .image_file import ImageFile
from .reorder import in_stored_order, stored_axes

# Bytes of the PNG signature and the IHDR chunk (length, name, content, checksum); further chunks may follow.
_PNG_HEADER = 8 + 4 + 4 + 13 + 4
_JPEG_SIDE = 65_535  # Largest height and width of a JPEG image, in pixels.


def read_png(path: Path, *, axes: str | None, lazy: bool) -> ImageFile:
    """Read a PNG file: (Y, X) or (Y, X, C), uint8 or uint16."""
    content = path.read_bytes()
    try:
        pixels = imagecodecs.png_decode(content)
        with Image.open(io.BytesIO(content)) as header:
            profile = header.info.get("icc_profile")
    except (ValueError, OSError, RuntimeError, SyntaxError) as error:
        raise _damaged(path, "PNG", content, error) from error
    return ImageFile(
        pixels,
        axes or ("YX" if pixels.ndim == 2 else "YXS"),
        alpha=pixels.ndim == 3 and pixels.shape[2] in (2, 4),
        icc_profile=profile,
        kind="png",
    )


def read_jpeg(path: Path, *, axes: str | None, lazy: bool) -> ImageFile:
    """Read a JPEG file: (Y, X) or (Y, X, C), uint8, rotated according to its EXIF orientation."""
    content = path.read_bytes()
    notes = []
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as picture:
            profile = picture.info.get("icc_profile")
            upright = ImageOps.exif_transpose(picture)
            if upright.mode not in ("L", "RGB"):
                notes.append(f"{upright.mode} colours are converted to RGB")
                upright, profile = upright.convert("RGB"), None
            pixels = np.asarray(upright)
    except (ValueError, OSError, RuntimeError, SyntaxError) as error:
        raise _damaged(path, "JPEG", content, error) from error
    letters = axes or ("YX" if pixels.ndim == 2 else "YXS")
    return ImageFile(pixels, letters, icc_profile=profile, kind="jpeg", notes=tuple(notes))


def _damaged(path: Path, kind: str, content: bytes, error: Exception) -> ImageError:
    """Describe the damage, or name the actual format if the suffix is wrong."""
    signatures = {
        "PNG": b"\x89PNG",
        "JPEG": b"\xff\xd8\xff",
        "TIFF": b"II*\0",
        "big-endian TIFF": b"MM\0*",
        "GIF": b"GIF8",
        "NPY": b"\x93NUMPY",
        "BMP": b"BM",
        "HDF5": b"\x89HDF",
    }
    real = next((name for name, start in signatures.items() if content.startswith(start)), kind)
    if real != kind:
        return ImageError(f"{path} is not a {kind} file but a {real} file; give it the suffix of its format.")
    return ImageError(f"{path} cannot be read as {kind}: it is damaged or incomplete ({error}).")


def check_png(path: Path, image: ImageFile) -> None:
    """Raise an `ImageError` if a PNG file cannot hold `image`."""
    _check(path, image, "PNG", ("uint8", "uint16"), (1, 3, 4, 2) if image.alpha else (1, 3, 4))


def check_jpeg(path: Path, image: ImageFile) -> None:
    """Raise an `ImageError` if a JPEG file cannot hold `image`."""
    if image.alpha:
        raise ImageError(f"cannot write {path.name}: JPEG holds no opacity (alpha channel); write a .png or .tif file.")
    _check(path, image, "JPEG", ("uint8",), (1, 3))
    if max(image.sizes["Y"], image.sizes["X"]) > _JPEG_SIDE:
        raise ImageError(
            f"cannot write {path.name}: JPEG images have at most {_JPEG_SIDE} pixels per side; write a .tif file."
        )


def _check(path: Path, image: ImageFile, kind: str, dtypes: tuple[str, ...], channels: tuple[int, ...]) -> None:
    start = f"cannot write {path.name}: {kind} holds"
    if image.dtype.name not in dtypes:
        raise ImageError(
            f"{start} {' and '.join(dtypes)}, but the image is {image.dtype}; write a .tif, .npy or .zarr file, "
            "or convert the image first."
        )
    looped = {axis: n for axis, n in image.sizes.items() if axis not in "YXCS" and n > 1}
    if looped:
        many = ", ".join(f"{axis} {n}" for axis, n in looped.items())
        raise ImageError(f"{start} one plane, but the image has the axes {many}; write a .tif, .npy or .zarr file.")
    count = image.sizes.get("C", 1) * image.sizes.get("S", 1)
    if count not in channels:
        raise ImageError(
            f"{start} {', '.join(map(str, sorted(channels)))} channels, but the image has {count}; write a .tif, "
            ".npy or .zarr file."
        )


@contextlib.contextmanager
def create_png(path: Path, target: Path, image: ImageFile) -> Iterator[ArraySink]:
    """Yield a sink for the plane, which is encoded to `path` when the block ends."""
    with _collected(image) as (sink, pixels):
        yield sink
    encoded = bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels()), level=6))
    if image.icc_profile:
        encoded = _with_profile(encoded, image.icc_profile)
    path.write_bytes(encoded)


@contextlib.contextmanager
def create_jpeg(path: Path, target: Path, image: ImageFile, quality: int) -> Iterator[ArraySink]:
    """Yield a sink for the plane, which is encoded to `path` when the block ends, without chroma subsampling."""
    with _collected(image) as (sink, pixels):
        yield sink
    picture = Image.fromarray(np.ascontiguousarray(pixels()))
    profile = {"icc_profile": image.icc_profile} if image.icc_profile else {}
    picture.save(path, "JPEG", quality=quality, subsampling=0, **profile)


@contextlib.contextmanager
def _collected(image: ImageFile) -> Iterator[tuple[ArraySink, Callable[[], NDArray[Any]]]]:
    """Yield a sink that accepts the axis order of `image`, and a function that returns the plane as (Y, X[, C])."""
    sizes = image.sizes
    loops = "".join(axis for axis in image.axes if axis not in "YXCS")  # Each of these axes has length 1.
    stored = stored_axes(image.axes, loops + "YXCS")
    array = np.zeros([sizes[axis] for axis in stored], image.dtype)
    count = array.size // (sizes["Y"] * sizes["X"])
    shape = (sizes["Y"], sizes["X"]) if count == 1 else (sizes["Y"], sizes["X"], count)
    yield in_stored_order(array, stored, image.axes), lambda: array.reshape(shape)


def _with_profile(png: bytes, profile: bytes) -> bytes:
    """Insert the colour profile as an iCCP chunk behind the header; the encoder cannot write one."""
    content = b"iCCP" + b"ICC profile\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return png[:_PNG_HEADER] + chunk + png[_PNG_HEADER:]
