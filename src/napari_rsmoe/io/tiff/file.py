"""TIFF, OME-TIFF and ImageJ TIFF files.

`images` finds the images of a file and what they lack, `metadata` reads its descriptions, `pixel_meaning`
converts its samples, and `writing` writes.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import tifffile

from ...errors import ImageError
from ..ambiguous import separate_planes, unnamed_axis
from ..colour_spaces import CIELAB, CMYK, ICCLAB
from ..image_file import FileArray, ImageFile
from ..pixel_meaning import GREY, PALETTE, WHITE_IS_ZERO, Shown, shown
from ..raw import RawArray
from ..reading import Reading
from ..sizes import check_memory
from .images import TiffImage, choose, find_images, find_missing, read_incomplete
from .limits import check_bytes, check_description, check_files
from .metadata import Described, describe
from .sets import whole_of
from .writing import check, create, remarks

__all__ = ["check", "create", "list_series", "read", "remarks"]

_AXES = {"I": "Q"}  # tifffile's letter for pages of no known meaning, and ours.
_TIFFFILE = "tifffile: "  # How complaints of tifffile begin.
_TURNED = {"X": "Y", "Y": "X"}


def read(path: Path, how: Reading) -> ImageFile:
    """Read an image of a TIFF file, at full resolution.

    Parameters
    ----------
    path : Path
        The file.
    how : Reading
        Axes, series, and whether pixels are read only when they are indexed.

    Raises
    ------
    ImageError
        If the file is damaged, incomplete, or holds no such image.
    """

    def damaged(error: Exception) -> ImageError:
        if isinstance(error, NotImplementedError):
            return ImageError(f"{path} is stored in a way that cannot be read ({error}); save it as plain TIFF.")
        return ImageError(f"{path} cannot be read as TIFF: it is damaged or incomplete ({error}).")

    close: Any = None
    with contextlib.ExitStack() as stack, contextlib.ExitStack() as refused, _complaints() as complaints:
        try:
            whole = whole_of(path, allow_outside=how.allow_outside)
            path, tif = whole.path, stack.enter_context(whole.open())
            check_description(tif, path, allow_outside=how.allow_outside)
            tif, images = _images(path, tif, stack, complaints)
            image = choose(path, images, how.series)
            if image.series.kind == "ome":
                check_files(image.series, path, allow_outside=how.allow_outside)
            missing = find_missing(tif, image, complaints)
            notes = _notes_on_images(images, image, how)
            if missing is not None and not how.allow_incomplete:
                raise ImageError(
                    f"{path} is damaged or incomplete: {missing.reason}. Copy the file again, or read what is there "
                    "with allow_incomplete=True (--allow-incomplete)."
                )
            axes = image.series.axes
            if missing is not None:
                data, axes, note = read_incomplete(tif, image, missing)
                notes.append(note)
                complaints.clear()  # They say the same in other words.
            else:
                check_bytes(image.series)
                data, close = _pixels(image.series, stack, lazy=how.lazy)
                if close is not None:
                    refused.callback(close)
            described = describe(path, tif, image)
            if how.axes is None and not _names_axes(tif):
                open_axes = separate_planes(axes, data.shape, alpha=described.alpha), unnamed_axis(axes, data.shape)
                notes.extend(filter(None, open_axes))
            if how.as_stored and described.meaning.photometric == WHITE_IS_ZERO:
                described.meaning = replace(described.meaning, photometric=GREY)
            letters = _unique(axes)
            converted = shown(data, letters, described.meaning)
            unit = tuple(image.series.keyframe.chunks)
        except (ImageError, OSError, MemoryError):
            raise
        except Exception as error:  # tifffile and its decoders raise exceptions of many types.
            raise damaged(error) from error
        pixels: Any = FileArray(converted.data, damaged, close, unit, path) if close else converted.data[...]
        notes += [*converted.notes, *described.notes, *_in_our_words(complaints)]
        found = _image(pixels, converted, described, how.axes, tuple(notes))
        refused.pop_all()
        return found


def _names_axes(tif: Any) -> bool:
    """Whether the description of a file, as tifffile and this package write it, names the axes."""
    return bool(tif.is_shaped and tif.shaped_metadata and "axes" in tif.shaped_metadata[0])


def _image(pixels: Any, converted: Shown, described: Described, axes: str | None, notes: tuple[str, ...]) -> ImageFile:
    """The image with its metadata, of which those that speak of stored samples are brought to what is shown."""
    sizes, details = described.pixel_size, described.details
    if described.meaning.orientation >= 5:
        sizes, details = {_TURNED.get(axis, axis): size for axis, size in sizes.items()}, details.turned()
    return ImageFile(
        pixels,
        axes or converted.axes,
        sizes,
        described.name,
        described.channel_names,
        described.alpha,
        described.icc_profile if described.meaning.photometric not in (CMYK, CIELAB, ICCLAB, PALETTE) else None,
        "tiff",
        tuple(dict.fromkeys(notes)),
        replace(
            details,
            colour_table=converted.colour_table,
            white_is_zero=converted.white_is_zero,
            nodata=converted.value(details.nodata),
        ),
    )


def list_series(path: Path, *, allow_outside: bool = False) -> list[str]:
    """Describe each image of a file: its number, title, axes and size."""
    whole = whole_of(path, allow_outside=allow_outside)
    path = whole.path
    with contextlib.ExitStack() as stack, _complaints() as complaints:
        tif = stack.enter_context(whole.open())
        check_description(tif, path, allow_outside=allow_outside)
        return [str(image) for image in _images(path, tif, stack, complaints)[1]]


def _images(path: Path, tif: Any, stack: contextlib.ExitStack, complaints: list[str]) -> tuple[Any, list[TiffImage]]:
    """The images of a file; if its description makes no sense to tifffile, by its pages alone."""
    try:
        found = find_images(tif)
        odd = [image.series.axes for image in found if not {"Y", "X"} <= set(image.series.axes)]
        if not odd:
            return tif, found
        raise ValueError(f"the axes {odd[0]} are no image")
    except Exception as error:
        complaints.append(f"its description cannot be understood, so its pages are read without it ({error})")
    plain = stack.enter_context(tifffile.TiffFile(path, is_shaped=False, is_imagej=False, is_ome=False))
    return plain, find_images(plain)


def _pixels(series: Any, stack: contextlib.ExitStack, *, lazy: bool) -> tuple[Any, Any]:
    """Return an array of the stored samples; if it reads from the file, also the function that closes it."""
    if not lazy:
        for shape in (series.keyframe.chunks, series.shape):
            check_memory(Path(series.keyframe.parent.filehandle.path), shape, series.dtype)
    raw = _raw_pixels(series)
    if raw is not None and lazy:
        return raw, raw.close
    if raw is not None:
        with contextlib.closing(raw):
            return raw[...], None
    if not lazy:
        return series.asarray(), None
    import zarr  # Imported here to save start-up time; only compressed stacks need it.

    array = zarr.open_array(series.aszarr(level=0), mode="r")
    return array, stack.pop_all().close


def _raw_pixels(series: Any) -> RawArray | None:
    """Pixels that lie in one piece in one file without compression; None if they do not.

    tifffile looks for them in the file that was opened, even if its description names another file.
    """
    files = {page.parent.filehandle for page in series.pages if page is not None}
    if series.dataoffset is None or len(files) != 1:
        return None
    (file,) = files
    with contextlib.ExitStack() as stack:
        if file.closed:  # tifffile closes the files besides the one that was opened, and then knows less of them.
            file.open()
            stack.callback(file.close)
        if not series.keyframe.is_memmappable:
            return None
    dtype = series.dtype.newbyteorder(series.keyframe.parent.byteorder)
    return RawArray(Path(file.path), series.shape, dtype, series.dataoffset)


def _notes_on_images(images: list[TiffImage], chosen: TiffImage, how: Reading) -> list[str]:
    """Notes on what else the file holds."""
    others = [image for image in images if image is not chosen]
    if not others or how.series is not None:
        return []
    pictures = [image for image in others if image.role == chosen.role]
    extras = [image.role for image in others if image.role != chosen.role]
    notes = []
    if pictures:
        which = f"number {chosen.number}" if chosen.number else "the first"
        notes.append(f"the file holds {len(images)} images; {which} is read, and --series chooses another")
    if extras:
        roles = " and ".join(f"a {role}" for role in dict.fromkeys(extras))
        notes.append(f"the file also holds {roles}, which is left out")
    return notes


def _unique(axes: str) -> str:
    """Replace letters of no known meaning, and repeated ones, by unused letters."""
    spare = iter("QIRPUVW")
    seen: list[str] = []
    for letter in axes:
        letter = _AXES.get(letter, letter)
        seen.append(letter if letter not in seen else next(s for s in spare if s not in axes and s not in seen))
    return "".join(seen)


def _in_our_words(complaints: list[str]) -> list[str]:
    """One note on all that tifffile has complained of, beside the complaints that are in our words already."""
    own = [text for text in complaints if not text.startswith(_TIFFFILE)]
    theirs = [re.sub(r"<tifffile\.\S+ ?([^>]*)>", r"\1", text.removeprefix(_TIFFFILE)).strip() for text in complaints]
    theirs = [text for text, whole in zip(theirs, complaints, strict=True) if whole.startswith(_TIFFFILE)]
    if theirs:
        more = f"; {len(theirs) - 1} more" if len(theirs) > 1 else ""
        own.append(f"a part of its metadata cannot be understood and is left out (tifffile: {theirs[0]}{more})")
    return own


@contextlib.contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collect the warnings that tifffile logs instead of printing them."""
    collected: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            collected.append(f"{_TIFFFILE}{record.getMessage()}")

    logger, handler = logging.getLogger("tifffile"), Collector(logging.WARNING)
    propagate = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield collected
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
