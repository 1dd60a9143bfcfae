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
from PIL import Image, ImageOps, JpegImagePlugin, PngImagePlugin

from ..errors import ImageError
from ..image.planes import ArraySink
from .image_file import FileArray, ImageFile
from .reorder import in_stored_order, stored_axes
from .sizes import check_stored

# Bytes of the PNG signature and the IHDR chunk (length, name, content, checksum); further chunks may follow.
_PNG_SIGNATURE = 8
_PNG_HEADER = _PNG_SIGNATURE + 4 + 4 + 13 + 4
_PNG_PALETTE = 3  # The colour type of images that are indices into a palette.
_DEFLATE_RATIO = 1032  # Bytes that one byte of deflated data can stand for at most, by the format.
_JPEG_RATIO = 512  # Pixels that one byte of Huffman codes can stand for at most: one bit for each block of 8 x 8.
_ARITHMETIC = (b"\xff\xc9", b"\xff\xca", b"\xff\xcb")  # Markers of frames with arithmetic codes, which may be shorter.
_ORIENTATION = 0x0112  # The EXIF tag of the orientation.
_SIDEWAYS = (5, 6, 7, 8)  # Its values that exchange rows and columns.
_JPEG_SIDE = 65_535  # Largest height and width of a JPEG image, in pixels.


def read_png(path: Path, *, axes: str | None, lazy: bool, allow_outside: bool = False) -> ImageFile:
    """Read a PNG file: (Y, X) or (Y, X, C), uint8 or uint16."""
    with _damage_named(path, "PNG"):
        # The class itself, as Image.open refuses large images.
        with path.open("rb") as file, PngImagePlugin.PngImageFile(file) as header:
            profile = header.info.get("icc_profile")
        shape, dtype, stored = _png_pixels(path)
        check_stored((stored,), np.uint8, path.stat().st_size, _DEFLATE_RATIO)

    def decode() -> NDArray[Any]:
        pixels: NDArray[Any] = imagecodecs.png_decode(path.read_bytes())
        return pixels

    return _image(
        _Decoded(shape, dtype, decode),
        path,
        axes,
        lazy,
        alpha=len(shape) == 3 and shape[2] in (2, 4),
        icc_profile=profile,
        kind="png",
    )


def _png_pixels(path: Path) -> tuple[tuple[int, ...], str, int]:
    """Shape and data type of the decoded image, and the bytes of its uncompressed rows."""
    transparent = False
    with path.open("rb") as file:
        file.seek(_PNG_SIGNATURE)
        _, _, width, height, bits, colours = struct.unpack(">I4sIIBB", file.read(18))
        file.seek(_PNG_HEADER)
        while True:
            length, kind = struct.unpack(">I4s", file.read(8))
            if kind in (b"IDAT", b"IEND"):
                break
            transparent |= kind == b"tRNS"
            file.seek(length + 4, io.SEEK_CUR)
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours]  # Grey, RGB, palette, and the first two with opacity.
    channels = (3 if colours == _PNG_PALETTE else samples) + (transparent and colours in (0, 2, _PNG_PALETTE))
    shape = (height, width) if channels == 1 else (height, width, channels)
    return shape, "uint16" if bits == 16 else "uint8", height * (1 + (width * samples * bits + 7) // 8)


def read_jpeg(path: Path, *, axes: str | None, lazy: bool, allow_outside: bool = False) -> ImageFile:
    """Read a JPEG file: (Y, X) or (Y, X, C), uint8, rotated according to its EXIF orientation."""
    with _damage_named(path, "JPEG"), path.open("rb") as file:
        # The class itself, as Image.open refuses large images.
        with JpegImagePlugin.JpegImageFile(file) as header:
            mode, profile, (width, height) = header.mode, header.info.get("icc_profile"), header.size
            sideways = header.getexif().get(_ORIENTATION) in _SIDEWAYS
        file.seek(0)
        if not any(marker in file.read() for marker in _ARITHMETIC):
            check_stored((height, width), np.uint8, path.stat().st_size, _JPEG_RATIO)
    notes = () if mode in ("L", "RGB") else (f"{mode} colours are converted to RGB",)

    def decode() -> NDArray[Any]:
        with path.open("rb") as file, JpegImagePlugin.JpegImageFile(file) as picture:
            upright = ImageOps.exif_transpose(picture)
            return np.asarray(upright if upright.mode in ("L", "RGB") else upright.convert("RGB"))

    size = (width, height) if sideways else (height, width)
    pixels = _Decoded(size if mode == "L" else (*size, 3), "uint8", decode)
    return _image(pixels, path, axes, lazy, icc_profile=None if notes else profile, kind="jpeg", notes=notes)


class _Decoded:
    """A plane that is decoded when it is first indexed.

    Parameters
    ----------
    shape, dtype
        As the header of the file declares them.
    decode : callable
        Returns the plane.
    """

    def __init__(self, shape: tuple[int, ...], dtype: str, decode: Callable[[], NDArray[Any]]) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self._decode = decode
        self._pixels: NDArray[Any] | None = None

    def __getitem__(self, index: Any) -> NDArray[Any]:
        if self._pixels is None:
            self._pixels = self._decode()
            if (self._pixels.shape, self._pixels.dtype) != (self.shape, self.dtype):
                raise ValueError(f"its pixels have the shape {self._pixels.shape}, its header says {self.shape}")
        part: NDArray[Any] = self._pixels[index]
        return part


def _image(pixels: _Decoded, path: Path, axes: str | None, lazy: bool, **facts: Any) -> ImageFile:
    """The image of a file, decoded at once or when it is indexed."""
    data = FileArray(pixels, lambda error: _damaged(path, facts["kind"].upper(), error), unit=pixels.shape)
    letters = axes or ("YX" if len(pixels.shape) == 2 else "YXS")
    return ImageFile(data if lazy else data[...], letters, **facts)


@contextlib.contextmanager
def _damage_named(path: Path, kind: str) -> Iterator[None]:
    """Turn what goes wrong while a header is read into an ImageError that names the file."""
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # Pillow raises exceptions of many types.
        raise _damaged(path, kind, error) from error


def _damaged(path: Path, kind: str, error: Exception) -> ImageError:
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
    with path.open("rb") as file:
        begin = file.read(max(map(len, signatures.values())))
    real = next((name for name, start in signatures.items() if begin.startswith(start)), kind)
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
