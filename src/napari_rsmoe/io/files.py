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

Read only are BMP, GIF, WebP, ESRI grids (``.asc``), TIFF by other names (``.lsm``, ``.stk``, ``.svs``, ``.ndpi``) and,
with the extra ``formats``, CZI, ND2, LIF, MRC, FITS and DICOM (`napari_rsmoe.io.field`).

Files are written under a temporary name and renamed at the end: a crash or Ctrl-C leaves no partial file.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ..door import door
from ..errors import ImageError, NotEnoughMemoryError, WrongUseError
from ..image.planes import ArraySink, Planes, guess_axes
from ..ranges import QUALITY
from .ambiguous import with_assumptions
from .existing import this_program
from .format_modules import module_of
from .formats import JPEG_QUALITY, READABLE, is_store, kind_to_read, kind_to_write
from .image_file import ImageFile
from .location import Location, is_url
from .placing import check_place, placed
from .reading import Reading
from .units import PixelSize


@door
def read_image(
    path: str | Path,
    *,
    axes: str | None = None,
    lazy: bool = False,
    series: int | str | None = None,
    allow_incomplete: bool = False,
    allow_outside: bool = False,
    as_stored: bool = False,
) -> ImageFile:
    """Read an image file.

    Parameters
    ----------
    path : str or Path
        An image file of any format in the list of `napari_rsmoe.io.files`, a Zarr folder, or an image inside one. If
        the content is of another format than the suffix says, the content counts. Or a URL that fsspec knows, such as
        ``s3://`` or ``https://`` (extra ``remote``): Zarr is read chunk by chunk, any other file is copied first.
    axes : str, optional
        One letter for each axis, such as ``"ZYX"``. By default the axes that the file declares; `ImageFile.notes` says
        what was assumed where it leaves them open.
    lazy : bool, optional
        Read pixels from the file only when `ImageFile.data` is indexed, if the format allows it. Close the image
        afterwards, or use it in a ``with`` statement.
    series : int or str, optional
        Number (from 0) or title of the image, in a file that holds several. By default the first that is no thumbnail.
    allow_incomplete : bool, optional
        Read a TIFF file in which planes are missing as far as it goes. By default it is refused.
    allow_outside : bool, optional
        Follow file names in the description of a TIFF file that lead out of its folder, and symbolic links that lead
        out of a Zarr store. By default they are refused: in a file from others they could draw in files of yours.
    as_stored : bool, optional
        Leave the grey values of a TIFF file as they are stored if 0 stands for white, as it does in boolean arrays that
        Python writes. By default they are inverted, so that they look like the file in a viewer.

    Returns
    -------
    ImageFile
        The pixels in the data type and value range of the file, with axes and metadata. Colours are RGB and 0 is
        black, whatever the file stores (`napari_rsmoe.io.pixel_meaning`). Of a multi-resolution pyramid the level of
        full resolution is read. Axes of length 1 in TIFF files are dropped, except Y and X.

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
    how = Reading(axes, lazy, series, allow_incomplete, allow_outside, as_stored)
    if is_url(path):
        location = Location.of(path)
        if location.path is None:
            return with_assumptions(_read_remote(location, how), axes)
        path = location.path
    path = Path(path)
    try:
        exists = path.exists()
    except OSError as error:  # For example, the name is too long.
        raise ImageError(f"{path} cannot be read: {error.strerror}.") from error
    if not exists:
        raise ImageError(f"there is no file {path}.")
    if path.is_dir() and not is_store(path):
        raise WrongUseError(
            f"{path} is a folder, not an image; accepted are files ({', '.join(READABLE)}) and Zarr folders."
        )
    try:
        image = _read(path, how)
    except ImageError as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}.") from error
    except MemoryError as error:
        raise NotEnoughMemoryError(f"{path}: {str(error) or 'its pixels do not fit into the memory.'}") from error
    except Exception as error:  # What damaged files raise in the libraries is of many types.
        raise ImageError(f"{path} cannot be read: it is damaged or of an unusual kind ({error!r}).") from error
    return with_assumptions(image, axes)


def _read_remote(location: Location, how: Reading) -> ImageFile:
    """Read an image of an object store."""
    try:
        image: ImageFile = (
            _read(location.fetch(), how) if _is_copied(location) else module_of("zarr").read_at(location, how)
        )
    except FileNotFoundError as error:
        raise ImageError(f"there is no file {location}.") from error
    except OSError as error:
        raise ImageError(f"{location} cannot be read: {error or 'there is no such store'}.") from error
    return image


def _is_copied(location: Location) -> bool:
    """Whether an image at a URL is copied before it is read; Zarr is not."""
    last = location.name.lower().split("?", 1)[0]
    return any(last.endswith(suffix) for suffix in READABLE) and not location.is_zarr


def _read(path: Path, how: Reading) -> ImageFile:
    """Read a file by the format of its content."""
    kind, note = kind_to_read(path)
    module = module_of(kind)
    single = not hasattr(module, "list_series")
    if single and how.series not in (None, 0, "0"):
        raise WrongUseError(f"{path} holds one image, so there is no series {how.series!r}.")
    image: ImageFile = module.read(path, how)
    return replace(image, notes=(note, *image.notes)) if note else image


def list_series(path: str | Path, *, allow_outside: bool = False) -> list[str]:
    """Describe the images of a file that holds several: number, title, axes and size of each.

    Parameters
    ----------
    path : str or Path
        The file.
    allow_outside : bool, optional
        As for `read_image`.

    Returns
    -------
    list of str
        Empty if the format holds one image.
    """
    location = Location.of(path)
    if location.path is None:
        if not _is_copied(location):
            return []  # Of a Zarr group, the message of an error names what is in it.
        path = location.fetch()
    else:
        path = location.path
    module = module_of(kind_to_read(path)[0])
    found: list[str] = module.list_series(path, allow_outside=allow_outside) if hasattr(module, "list_series") else []
    return found


def lost_metadata(path: str | Path, image: ImageFile) -> list[str]:
    """Say which metadata of an image a file cannot hold, or holds in another way.

    Parameters
    ----------
    path : str or Path
        The file to write; its suffix determines the format.
    image : ImageFile
        The image.

    Returns
    -------
    list of str
        One line each; empty if nothing is lost.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import PixelSize
    >>> from napari_rsmoe.io.files import lost_metadata
    >>> from napari_rsmoe.io.image_file import ImageFile
    >>> lost_metadata("a.png", ImageFile(np.zeros((8, 9), np.uint8), "YX", {"X": PixelSize(0.5, "micrometer")}))
    ['a.png cannot hold pixel size']
    """
    name, kind = _format_of(path)
    found: list[str] = module_of(kind).remarks(name, image)
    return found


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
        The file, or a URL as for `create_image`.
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
    for line in lost_metadata(path, image):
        warnings.warn(f"{line}.", stacklevel=3)
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
        The file; its suffix determines the format. Or a URL that fsspec knows, such as ``s3://`` (extra ``remote``):
        the file is made in a temporary folder (``TMPDIR``), uploaded when it is complete, and seen then.
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
    quality = QUALITY.check(quality, "quality")
    maker = this_program() if maker is None else maker
    check_output(path, image, overwrite=overwrite, maker=maker)
    name, kind = _format_of(path)
    options = {"quality": quality} if kind == "jpeg" else {}
    try:
        with (
            placed(path, maker=maker, folder=kind == "zarr") as temporary,
            module_of(kind).create(temporary, name, image, **options) as sink,
        ):
            yield sink
    except OSError as error:
        raise ImageError(f"{path} cannot be written: {error.strerror or error}.") from error


def _format_of(path: str | Path) -> tuple[Path, str]:
    """The path by which formats know what to write, and the kind of the format.

    The path of a URL is its text, at which nothing lies on this machine.
    """
    name = (Location.of(path).path or Path(path)) if is_url(path) else Path(path)
    with _named(name, path):
        return name, kind_to_write(name)


@contextlib.contextmanager
def _named(name: Path, path: str | Path) -> Iterator[None]:
    """Let errors name a URL as it was given."""
    try:
        yield
    except ImageError as error:
        if str(name) == str(path):
            raise
        raise type(error)(str(error).replace(str(name), str(path))) from error


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
    name, kind = _format_of(path)
    if Location.of(path).path is not None:
        if not name.resolve().parent.is_dir():
            raise ImageError(f"cannot write {name}: the folder {name.parent} does not exist; create it first.")
        if name.is_dir() and kind != "zarr":
            raise ImageError(f"{name} is a folder; give the name of a file to write.")
    with _named(name, path):
        module_of(kind).check(name, image)
    check_place(path, maker=maker, overwrite=overwrite)
