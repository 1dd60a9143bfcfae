"""Read image files with their axes and pixel sizes; `writing` writes them.

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
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..door import door
from ..errors import ImageError, NotEnoughMemoryError, WrongUseError
from .ambiguous import with_assumptions
from .format_modules import module_of
from .formats import READABLE, is_store, kind_to_read
from .image_file import ImageFile
from .location import Location, is_url
from .reading import Reading


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
