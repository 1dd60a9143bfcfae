"""Read and write image files with their axes and pixel sizes.

========== ======================= ==========================================================================
suffix     kind                    holds
========== ======================= ==========================================================================
.tif .tiff ``tiff``                every accepted dtype, any axes, pixel sizes (``.ome.tif``: OME-TIFF)
.png       ``png``                 uint8 and uint16; one plane, grey or colour, with or without opacity
.jpg .jpeg ``jpeg``                uint8; one plane, grey or RGB; lossy
.npy       ``npy``                 every accepted dtype, any shape, no axes and no pixel size
.zarr      ``ome-zarr``, ``zarr``  every accepted dtype, axes, pixel sizes: OME-Zarr, or a plain array
========== ======================= ==========================================================================

Files are written beside their target and renamed at the end: a crash or Ctrl-C leaves no half file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ImageError
from ..image.planes import ArraySink, Planes, guess_axes
from .atomic import replacing_file, replacing_folder
from .formats import KINDS, SUFFIXES, is_image_path, is_store
from .image_file import DTYPES, FileArray, ImageFile
from .units import PixelSize

__all__ = [
    "DTYPES",
    "KINDS",
    "SUFFIXES",
    "FileArray",
    "ImageFile",
    "PixelSize",
    "check_output",
    "create_image",
    "is_image_path",
    "is_store",
    "read_image",
    "write_image",
]

JPEG_QUALITY = 95


def read_image(path: str | Path, *, axes: str | None = None, lazy: bool = False) -> ImageFile:
    """Read an image file.

    Parameters
    ----------
    path : str or Path
        A TIFF, PNG, JPEG or NPY file, a Zarr folder, or an image inside a Zarr folder.
    axes : str, optional
        One letter for each axis, instead of those that the file tells, for example ``"ZYX"``.
    lazy : bool, optional
        Leave the pixels in the file until they are asked for, where the format allows it. Close the image
        afterwards, or use it in a ``with`` statement.

    Returns
    -------
    ImageFile
        Data in the dtype and value range of the file. A file of several images gives the first one, a pyramid
        its full resolution. Axes of length 1 that a TIFF file names are dropped, but for Y and X.

    Raises
    ------
    ImageError
        If there is no such file, the format or dtype is not supported, the file is damaged, or its axes
        cannot be told.
    """
    path = Path(path)
    try:
        exists = path.exists()
    except OSError as error:  # for example a name that is too long
        raise ImageError(f"{path} cannot be read: {error.strerror}.") from error
    if not exists:
        raise ImageError(f"there is no file {path}.")
    if path.is_dir() and not is_store(path):
        raise ImageError(
            f"{path} is a folder, not an image; accepted are files ({', '.join(SUFFIXES)}) and Zarr folders."
        )
    try:
        image: ImageFile = _handler(path, folder=path.is_dir()).read(path, axes=axes, lazy=lazy)
    except ImageError as error:
        if str(path) in str(error):
            raise
        raise ImageError(f"{path}: {error}") from error
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}.") from error
    return image


def write_image(
    path: str | Path,
    image: ImageFile | ArrayLike,
    *,
    axes: str | None = None,
    pixel_size: Mapping[str, PixelSize] | None = None,
    quality: int = JPEG_QUALITY,
) -> None:
    """Write an image file; its suffix tells the format.

    Parameters
    ----------
    path : str or Path
        The file. One that exists is replaced at the end.
    image : ImageFile or array-like
        The image; of any axes and dtype that the format holds. It is never converted.
    axes : str, optional
        Axes of an array; by default as `napari_rsmoe.image.planes.guess_axes` tells. Not for an `ImageFile`.
    pixel_size : mapping of str to PixelSize, optional
        Pixel size of an array, by axis letter. Not for an `ImageFile`.
    quality : int, optional
        1 to 100, for JPEG.

    Raises
    ------
    ImageError
        If the format cannot hold the image (the message says which can), or the folder does not exist.

    Notes
    -----
    Axes come back as they were, but for two rules. TIFF stores planes last, and a last channel axis of length 3 or 4
    as colour samples (``YXC`` becomes ``YXS``). OME-Zarr demands the order T, channel, Z, Y, X (``YXS`` becomes
    ``CYX``). Wherever the image came from a plain Zarr array (``kind="zarr"``), a ``.zarr`` is one again.
    """
    if not isinstance(image, ImageFile):
        array = np.asarray(image)
        image = ImageFile(array, axes or guess_axes(array.shape), pixel_size or {})
    elif axes is not None or pixel_size is not None:
        raise TypeError("axes and pixel_size belong to an array; an ImageFile has its own")
    with create_image(path, image, quality=quality) as sink:
        for plane in Planes(image.data, image.axes, independent_channels="C" in image.axes):
            sink[plane.index] = np.asarray(image.data[plane.index])


@contextlib.contextmanager
def create_image(path: str | Path, image: ImageFile, *, quality: int = JPEG_QUALITY) -> Iterator[ArraySink]:
    """Open an image file to be written plane by plane.

    Parameters
    ----------
    path : str or Path
        The file; its suffix tells the format.
    image : ImageFile
        Shape, dtype, axes and metadata of what will be written, such as `ImageFile.like` gives. Its pixels
        are not used.
    quality : int, optional
        1 to 100, for JPEG.

    Yields
    ------
    ArraySink
        To be filled by ``sink[index] = plane``, with the indices that `Planes` gives. The file appears under
        its name when the block ends; if it ends by an exception, nothing is left of it.

    Raises
    ------
    ImageError
        As for `write_image`.
    """
    path = Path(path)
    if not 1 <= quality <= 100:
        raise ImageError(f"the JPEG quality must be from 1 to 100, not {quality}.")
    check_output(path, image)
    kind = _handler(path)
    replacing = replacing_folder if kind.folder else replacing_file
    extra = {"quality": quality} if kind.lossy else {}
    try:
        with replacing(path) as temporary, kind.create(temporary, path, image, **extra) as sink:
            yield sink
    except OSError as error:
        raise ImageError(f"{path} cannot be written: {error.strerror or error}.") from error


def check_output(path: str | Path, image: ImageFile) -> None:
    """Raise the `ImageError` that writing `image` to `path` would raise, before any work is done.

    Parameters
    ----------
    path : str or Path
        The file to write.
    image : ImageFile
        Its shape, dtype, axes and metadata; the pixels are not used.
    """
    path = Path(path)
    if not path.resolve().parent.is_dir():
        raise ImageError(f"cannot write {path}: the folder {path.parent} does not exist; create it first.")
    kind = _handler(path)
    if path.is_dir() and not kind.folder:
        raise ImageError(f"{path} is a folder; name a file to write.")
    kind.check(path, image)


def _handler(path: Path, *, folder: bool = False) -> Any:
    """Return the functions for the format of `path`; their modules are imported only now."""
    kind = "zarr" if folder else SUFFIXES.get(path.suffix.lower())
    if kind is None:
        given = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise ImageError(f"{path} has {given}, so its format is unknown; accepted are {', '.join(SUFFIXES)}.")
    if kind in ("png", "jpeg"):
        from . import bitmap

        read, check, create = (getattr(bitmap, f"{verb}_{kind}") for verb in ("read", "check", "create"))
    else:
        from . import npy, ome_zarr, tiff

        module: Any = {"tiff": tiff, "npy": npy, "zarr": ome_zarr}[kind]
        read, check, create = module.read, module.check, module.create
    return SimpleNamespace(read=read, check=check, create=create, folder=kind == "zarr", lossy=kind == "jpeg")
