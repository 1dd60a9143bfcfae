"""Read and write image files with their axes and pixel sizes.

========== ======================= ==========================================================================
suffix     kind                    contents
========== ======================= ==========================================================================
.tif .tiff ``tiff``                every accepted dtype, any axes, pixel sizes (``.ome.tif``: OME-TIFF)
.png       ``png``                 uint8 and uint16; one plane, grey or colour, with or without opacity
.jpg .jpeg ``jpeg``                uint8; one plane, grey or RGB; lossy
.npy       ``npy``                 every accepted dtype, any shape, no axes and no pixel size
.zarr      ``ome-zarr``, ``zarr``  every accepted dtype, axes, pixel sizes: OME-Zarr, or a plain array
========== ======================= ==========================================================================

Files are written under a temporary name and renamed at the end: a crash or Ctrl-C leaves no partial file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..door import door
from ..errors import ImageError, NotEnoughMemoryError
from ..image.planes import ArraySink, Planes, guess_axes
from .ambiguous import with_assumptions
from .atomic import replacing_file, replacing_folder
from .existing import check_replaceable, remember, this_program
from .formats import JPEG_QUALITY, SUFFIXES, is_store
from .image_file import ImageFile
from .units import PixelSize


@door
def read_image(
    path: str | Path, *, axes: str | None = None, lazy: bool = False, allow_outside: bool = False
) -> ImageFile:
    """Read an image file.

    Parameters
    ----------
    path : str or Path
        A TIFF, PNG, JPEG or NPY file, a Zarr folder, or an image inside a Zarr folder.
    axes : str, optional
        One letter for each axis, such as ``"ZYX"``. By default the axes that the file declares; `ImageFile.notes` says
        what was assumed where it leaves them open.
    lazy : bool, optional
        Read pixels from the file only when `ImageFile.data` is indexed, if the format allows it. Close the image
        afterwards, or use it in a ``with`` statement.
    allow_outside : bool, optional
        Follow file names in the description of a TIFF file that lead out of its folder, and symbolic links that lead
        out of a Zarr store. By default they are refused: in a file from others they could draw in files of yours.

    Returns
    -------
    ImageFile
        The pixels in the data type and value range of the file, with axes and metadata. Of a file that holds several
        images the first one is read, of a multi-resolution pyramid the level of full resolution. Axes of length 1 in
        TIFF files are dropped, except Y and X.

    Raises
    ------
    ImageError
        If the file does not exist or is damaged, the format or data type is not supported, or the axes cannot be
        determined. If the file is too short for the size that it declares, or names files outside its folder.
    NotEnoughMemoryError
        If the pixels do not fit into the memory budget.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from napari_rsmoe import read_image, write_image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_image(f"{folder}/stack.tif", np.zeros((5, 32, 48), np.uint16), axes="ZYX")
    ...     image = read_image(f"{folder}/stack.tif")
    >>> image.axes, image.shape, image.dtype
    ('ZYX', (5, 32, 48), dtype('uint16'))
    """
    path = Path(path)
    try:
        exists = path.exists()
    except OSError as error:  # For example, the name is too long.
        raise ImageError(f"{path} cannot be read: {error.strerror}.") from error
    if not exists:
        raise ImageError(f"there is no file {path}.")
    if path.is_dir() and not is_store(path):
        raise ImageError(
            f"{path} is a folder, not an image; accepted are files ({', '.join(SUFFIXES)}) and Zarr folders."
        )
    try:
        handler = _handler(path, folder=path.is_dir())
        image = handler.read(path, axes=axes, lazy=lazy, allow_outside=allow_outside)
    except ImageError as error:
        if str(path) in str(error):
            raise
        raise ImageError(f"{path}: {error}") from error
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}.") from error
    except MemoryError as error:
        raise NotEnoughMemoryError(f"{path}: {str(error) or 'its pixels do not fit into the memory.'}") from error
    except Exception as error:  # What damaged files raise in the libraries is of many types.
        raise ImageError(f"{path} cannot be read: it is damaged or of an unusual kind ({error!r}).") from error
    return with_assumptions(image, axes)


@door
def write_image(
    path: str | Path,
    image: ImageFile | ArrayLike,
    *,
    axes: str | None = None,
    pixel_size: Mapping[str, PixelSize] | None = None,
    quality: int = JPEG_QUALITY,
    overwrite: bool = False,
    maker: str | None = None,
) -> None:
    """Write an image file in the format given by its suffix.

    Parameters
    ----------
    path : str or Path
        The file.
    image : ImageFile or array-like
        The image, with any axes and data type that the format can hold. It is never converted.
    axes : str, optional
        Axes of an array, one letter each. By default they are guessed by `napari_rsmoe.image.planes.guess_axes`. An
        `ImageFile` has its own.
    pixel_size : mapping of str to PixelSize, optional
        Pixel size of an array, by axis letter. An `ImageFile` has its own.
    quality : int, optional
        JPEG quality, from 1 to 100.
    overwrite : bool, optional
        Replace an existing file, whatever it is, when the new one is complete. By default only a file that the same
        script or interactive program has written, and nobody has changed since, is replaced.
    maker : str, optional
        Name of the command that writes the file, which may write it again. By default the running script.

    Raises
    ------
    ImageError
        If the format cannot hold the image (the message names formats that can), or the folder does not exist.
    FileExistsError
        If the file exists and may not be replaced.
    TypeError
        If `axes` or `pixel_size` is given beside an `ImageFile`.

    Notes
    -----
    Reading the file again gives the same axes, with two exceptions. TIFF stores planes last, and a last channel axis
    of length 3 or 4 as colour samples (``YXC`` becomes ``YXS``). OME-Zarr requires the order T, channel, Z, Y, X
    (``YXS`` becomes ``CYX``). An image that was read from a plain Zarr array (``kind="zarr"``) is written to a
    ``.zarr`` as a plain array again.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from napari_rsmoe import PixelSize, read_image, write_image
    >>> size = PixelSize(0.1, "micrometer")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_image(f"{folder}/a.ome.tif", np.zeros((32, 48), np.uint8), pixel_size={"Y": size, "X": size})
    ...     print(read_image(f"{folder}/a.ome.tif").pixel_size["X"])
    PixelSize(value=0.1, unit='micrometer')
    """
    if not isinstance(image, ImageFile):
        array = np.asarray(image)
        image = ImageFile(array, axes or guess_axes(array.shape), pixel_size or {})
    elif axes is not None or pixel_size is not None:
        raise TypeError("axes and pixel_size are only for arrays; an ImageFile has its own")
    with create_image(path, image, quality=quality, overwrite=overwrite, maker=maker) as sink:
        for plane in Planes(image.data, image.axes, independent_channels="C" in image.axes):
            sink[plane.index] = np.asarray(image.data[plane.index])


@contextlib.contextmanager
def create_image(
    path: str | Path,
    image: ImageFile,
    *,
    quality: int = JPEG_QUALITY,
    overwrite: bool = False,
    maker: str | None = None,
) -> Iterator[ArraySink]:
    """Open an image file for writing plane by plane.

    Parameters
    ----------
    path : str or Path
        The file; its suffix determines the format.
    image : ImageFile
        Shape, data type, axes and metadata of the image to be written, for example from `ImageFile.like`. Its pixels
        are not used.
    quality : int, optional
        JPEG quality, from 1 to 100.
    overwrite, maker
        As for `write_image`.

    Yields
    ------
    ArraySink
        Write planes with ``sink[plane.index] = pixels``, where ``plane`` comes from `Planes`. The file gets its name
        when the block ends. If the block raises an exception, the unfinished file is deleted.

    Raises
    ------
    ImageError, FileExistsError
        As for `write_image`, or if `quality` is out of range.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from napari_rsmoe import Planes, create_image, read_image, write_image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_image(f"{folder}/in.tif", np.ones((3, 8, 9), np.uint8), axes="TYX")
    ...     source = read_image(f"{folder}/in.tif")
    ...     with create_image(f"{folder}/out.tif", source.like()) as sink:
    ...         for plane in Planes(source.data, source.axes):
    ...             sink[plane.index] = 2 * plane.image
    ...     int(read_image(f"{folder}/out.tif").numpy().max())
    2
    """
    path = Path(path)
    if not 1 <= quality <= 100:
        raise ImageError(f"the JPEG quality must be from 1 to 100, but is {quality}.")
    maker = this_program() if maker is None else maker
    check_output(path, image, overwrite=overwrite, maker=maker)
    handler = _handler(path)
    replacing = replacing_folder if handler.folder else replacing_file
    options = {"quality": quality} if handler.lossy else {}
    try:
        with (
            replacing(path, lambda: remember(path, maker)) as temporary,
            handler.create(temporary, path, image, **options) as sink,
        ):
            yield sink
    except OSError as error:
        raise ImageError(f"{path} cannot be written: {error.strerror or error}.") from error


def check_output(path: str | Path, image: ImageFile, *, overwrite: bool = False, maker: str | None = None) -> None:
    """Check whether `image` can be written to `path`, before the work that makes it is done.

    Parameters
    ----------
    path : str or Path
        The file to write.
    image : ImageFile
        Shape, data type, axes and metadata; the pixels are not used.
    overwrite, maker
        As for `create_image`.

    Raises
    ------
    ImageError, FileExistsError
        The error that writing would raise.
    """
    path = Path(path)
    if not path.resolve().parent.is_dir():
        raise ImageError(f"cannot write {path}: the folder {path.parent} does not exist; create it first.")
    handler = _handler(path)
    if path.is_dir() and not handler.folder:
        raise ImageError(f"{path} is a folder; give the name of a file to write.")
    handler.check(path, image)
    check_replaceable(path, this_program() if maker is None else maker, overwrite=overwrite)


@dataclass(frozen=True)
class _Handler:
    """The functions of one format, and whether its files are folders and take a JPEG quality."""

    read: Callable[..., ImageFile]
    check: Callable[[Path, ImageFile], None]
    create: Callable[..., AbstractContextManager[ArraySink]]
    folder: bool
    lossy: bool


def _handler(path: Path, *, folder: bool = False) -> _Handler:
    """Return the functions for the format of `path`."""
    kind = "zarr" if folder else SUFFIXES.get(path.suffix.lower())
    if kind is None:
        given = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise ImageError(f"{path} has {given}, so its format is unknown; accepted are {', '.join(SUFFIXES)}.")
    # Imported here to save start-up time: each format loads a library of its own, such as tifffile or zarr.
    if kind in ("png", "jpeg"):
        # Imported here: Pillow.
        from . import bitmap

        read, check, create = (getattr(bitmap, f"{verb}_{kind}") for verb in ("read", "check", "create"))
    else:
        # Imported here: tifffile and zarr.
        from . import npy, ome_zarr, tiff

        module: Any = {"tiff": tiff, "npy": npy, "zarr": ome_zarr}[kind]
        read, check, create = module.read, module.check, module.create
    return _Handler(read, check, create, folder=kind == "zarr", lossy=kind == "jpeg")
