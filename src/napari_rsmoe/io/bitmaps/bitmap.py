"""What PNG, JPEG, BMP, GIF and WebP files have in common: one grey or colour plane, and camera metadata."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import ImageError
from ...image.planes import ArraySink
from .. import details as of
from .. import exif
from ..colour_spaces import CMYK
from ..details import Details, Resolution
from ..image_file import FileArray, ImageFile
from ..numbers import positive
from ..pixel_meaning import PixelMeaning, shown
from ..reading import Reading
from ..reorder import in_stored_order, stored_axes

_BYTE = 1  # TIFF's number of the type of bytes.
_PER_INCH = 0.0254  # Metres.
_WHOLE_DPI = 0.02  # Largest distance from a whole number of dots per inch that the rounding of a format explains.
HOLDS = {of.PROFILE, of.RESOLUTION, of.EXIF, of.WHITE, of.XMP}
"""The metadata that PNG and JPEG hold."""


class Decoded:
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


def plane_of(path: Path, how: Reading, pixels: Decoded, meaning: PixelMeaning, **facts: Any) -> ImageFile:
    """The image of a file, decoded at once or when it is indexed, as a viewer shows it."""
    letters = "YX" if len(pixels.shape) == 2 else "YXS"
    converted = shown(pixels, letters, meaning)
    kind = str(facts["kind"]).upper()
    data = FileArray(converted.data, lambda error: damaged(path, kind, error), unit=pixels.shape, path=path)
    samples = data.shape[2] if len(data.shape) == 3 else 1
    if meaning.photometric == CMYK:
        facts["icc_profile"] = None  # It describes inks.
    notes = (*facts.pop("notes", ()), *converted.notes)
    axes = how.axes or converted.axes
    return ImageFile(data if how.lazy else data[...], axes, alpha=samples in (2, 4), notes=notes, **facts)


def is_grey(colours: NDArray[Any]) -> bool:
    """Whether all colours (n, 3) of a table are grey, so that its indices stand for grey values."""
    return bool((colours == colours[:, :1]).all())


def camera_metadata(camera: Image.Exif, info: dict[Any, Any]) -> tuple[int, Details]:
    """The orientation, and the camera metadata and print resolution without it."""
    orientation, content = exif.split(camera)
    dpi = [positive(value) for value in info.get("dpi", ())]
    resolution = None
    if len(dpi) == 2 and dpi[0] is not None and dpi[1] is not None:
        x, y = (round(v) if math.isclose(v, round(v), abs_tol=_WHOLE_DPI) else v for v in (dpi[0], dpi[1]))
        resolution = Resolution(x, y, "inch")
    comment, xmp = info.get("comment", b""), info.get("xmp")
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    tags = ((of.XMP_TAG, _BYTE, len(xmp), exif.upright(xmp)),) if isinstance(xmp, bytes) and xmp else ()
    words = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else str(comment)
    return orientation, Details(exif=content, resolution=resolution, tags=tags, description=words.strip("\0 \n"))


def xmp_of(details: Details) -> bytes | None:
    """The XMP of an image, if it has any."""
    return next((bytes(value) for code, _, _, value in details.tags if code == of.XMP_TAG), None)


def per_inch(resolution: Resolution) -> tuple[float, float]:
    """Dots per inch along X and Y."""
    factor = 1.0 if resolution.unit == "inch" else 100 * _PER_INCH
    return resolution.x * factor, resolution.y * factor


def per_metre(resolution: Resolution) -> tuple[int, int]:
    """Pixels per metre along X and Y, rounded as PNG needs them."""
    x, y = per_inch(resolution)
    return round(x / _PER_INCH), round(y / _PER_INCH)


@contextlib.contextmanager
def damage_named(path: Path, kind: str) -> Iterator[None]:
    """Turn what goes wrong while a header is read into an ImageError that names the file."""
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # Pillow raises exceptions of many types.
        raise damaged(path, kind, error) from error


def damaged(path: Path, kind: str, error: Exception) -> ImageError:
    """Describe the damage."""
    return ImageError(f"{path} cannot be read as {kind}: it is damaged or incomplete ({error}).")


def check(path: Path, image: ImageFile, kind: str, dtypes: tuple[str, ...], channels: tuple[int, ...]) -> None:
    """Raise an `ImageError` if the format `kind`, of these data types and numbers of channels, cannot hold `image`."""
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
def collected(image: ImageFile) -> Iterator[tuple[ArraySink, Callable[[], NDArray[Any]]]]:
    """Yield a sink that accepts the axis order of `image`, and a function that returns the plane as (Y, X[, C])."""
    sizes = image.sizes
    loops = "".join(axis for axis in image.axes if axis not in "YXCS")  # Each of these axes has length 1.
    stored = stored_axes(image.axes, loops + "YXCS")
    array = np.zeros([sizes[axis] for axis in stored], image.dtype)
    count = array.size // (sizes["Y"] * sizes["X"])
    shape = (sizes["Y"], sizes["X"]) if count == 1 else (sizes["Y"], sizes["X"], count)
    white = np.iinfo(image.dtype).max if image.details.white_is_zero else None  # These formats have no such mark.

    def plane() -> NDArray[Any]:
        return array.reshape(shape) if white is None else white - array.reshape(shape)

    yield in_stored_order(array, stored, image.axes), plane
