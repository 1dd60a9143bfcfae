"""Write image files with their axes and pixel sizes: all at once, or plane by plane.

Files are written under a temporary name and renamed at the end: a crash or Ctrl-C leaves no partial file. Which formats
are written, and what they hold, is said in `napari_rsmoe.io.files`.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ..door import door
from ..errors import ImageError
from ..image.planes import ArraySink, Planes, guess_axes
from ..ranges import QUALITY
from .existing import this_program
from .format_modules import module_of
from .formats import JPEG_QUALITY, kind_to_write
from .image_file import ImageFile
from .location import Location, is_url
from .placing import check_place, placed
from .units import PixelSize


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
    >>> from napari_rsmoe.io.writing import lost_metadata
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
