"""The images of a TIFF file: which there are, which one is meant, and whether all of its planes are there."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from ...errors import ImageError
from ..numbers import positive
from ..reading import series_number

IMAGE, THUMBNAIL, MASK = "image", "thumbnail", "mask"
_THUMBNAIL_AREA = 1 / 4  # Largest area of a thumbnail without a mark, relative to the image of which it is one.
_SAME_ASPECT = 0.03  # Largest relative difference of the aspect ratios of a thumbnail and its image.


@dataclass(frozen=True)
class TiffImage:
    """One image of a file.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        Its pages.
    number : int
        Position among the images of the file, from 0.
    role : str
        `IMAGE`, `THUMBNAIL` or `MASK`.
    ome_number : int
        Which image of the OME-XML description it is, if the file has one.
    """

    series: Any
    number: int
    role: str
    ome_number: int = 0

    @property
    def name(self) -> str:
        """Its title, or an empty text."""
        return str(self.series.name or "")

    def __str__(self) -> str:
        size = " x ".join(map(str, self.series.shape))
        title = f" {self.name!r}" if self.name else ""
        role = "" if self.role == IMAGE else f" ({self.role})"
        return f"{self.number}{title}: {self.series.axes} {size}{role}"


def find_images(tif: Any) -> list[TiffImage]:
    """The images of an open file, in the order of the file; pages of different roles are different images."""
    found: list[tuple[Any, str]] = []
    ome = 0
    for series in tif.series:
        for part in (*_parts(tif, series), *_unmarked_levels(series)):
            found.append((part, _role(part.keyframe)))
    images = []
    for number, (series, role) in enumerate(found):
        images.append(TiffImage(series, number, role, ome))
        ome += series.kind == "ome"
    return images


def _parts(tif: Any, series: Any) -> list[Any]:
    """The series, or a series for each role if tifffile has put pages of several roles into one."""
    if series.kind not in ("generic", "uniform") or len(series.pages) < 2:
        return [series]
    roles: dict[str, list[Any]] = {}
    for page in series.pages:
        full = page if isinstance(page, tifffile.TiffPage) else page.aspage()
        roles.setdefault(_role(full), []).append(full)
    if len(roles) == 1:
        return [series]
    parts = []
    for pages in roles.values():
        page = pages[0]
        shape, axes = ((len(pages), *page.shape), f"I{page.axes}") if len(pages) > 1 else (page.shape, page.axes)
        parts.append(tifffile.TiffPageSeries(pages, shape, page.dtype, axes, parent=tif, kind="generic"))
    return parts


def _unmarked_levels(series: Any) -> list[Any]:
    """Smaller images that tifffile takes for levels of a pyramid by their size only."""
    levels = series.levels[1:] if series.kind in ("generic", "uniform") else []
    return [level for level in levels if not level.keyframe.is_reduced]


def _role(page: Any) -> str:
    if page.is_mask or page.photometric == tifffile.PHOTOMETRIC.MASK:
        return MASK
    return THUMBNAIL if page.is_reduced else IMAGE


def choose(path: Path, images: Sequence[TiffImage], wanted: int | str | None) -> TiffImage:
    """The image that is meant: the wanted one, or the first that is no thumbnail and no mask.

    Raises
    ------
    ImageError
        If there is no image, or none of the given number or title; the message lists those that there are.
    """
    if not images:
        raise ImageError(f"{path} holds no image.")
    if wanted is not None:
        return images[series_number(path, [image.name for image in images], wanted, list(map(str, images)))]
    candidates = [image for image in images if image.role == IMAGE] or list(images)
    first = candidates[0]
    return next((other for other in candidates[1:] if _is_thumbnail(first.series, other.series)), first)


def _is_thumbnail(small: Any, large: Any) -> bool:
    """Whether a single page is a small copy of a single, much larger one."""
    if len(small.pages) > 1 or len(large.pages) > 1:
        return False
    (h, w), (height, width) = ((p.keyframe.imagelength, p.keyframe.imagewidth) for p in (small, large))
    alike = abs(w / h - width / height) <= _SAME_ASPECT * width / height
    return bool(alike and h * w <= _THUMBNAIL_AREA * height * width)


# ---------------------------------------------------------------------------------------------- completeness


@dataclass(frozen=True)
class Missing:
    """What an image lacks.

    Parameters
    ----------
    planes : tuple of int
        Numbers of the planes that are missing, in the order of the looped axes.
    declared : int
        How many planes there should be.
    reason : str
        What is wrong, for the user.
    """

    planes: tuple[int, ...]
    declared: int
    reason: str


def find_missing(tif: Any, image: TiffImage, complaints: Sequence[str]) -> Missing | None:
    """Say what an image lacks, also by the complaints of tifffile; None if it is complete."""
    series = image.series
    pages = _pages(series)
    declared = max(_declared_planes(tif, series), len(pages))
    whole = _planes_without_pages(tif, series) if pages[1:2] == [None] else 0
    absent = [number for number, page in enumerate(pages) if page is None and number >= whole]
    if absent:
        reason = f"its description names {len(pages)} planes, of which {len(absent)} are missing"
        return Missing(tuple(absent), len(pages), reason)
    cut = _cut_pages(series, pages)
    if cut:
        planes = tuple(k for k in range(declared) if k in cut or k >= len(pages) * _planes_per_page(series))
        return Missing(planes, declared, "the file ends before its pixels do")
    held = max(_planes_per_page(series) * len(pages), _following_planes(series))
    if declared > held:
        reason = f"its description names {declared} planes, of which {held} are in the file"
        return Missing(tuple(range(held, declared)), declared, reason)
    if image.series.kind in ("generic", "uniform") and _chain_is_cut(tif):
        return Missing((), held, "the file ends before its last page, so an unknown number of planes is missing")
    offsets = [int(n) for text in complaints for n in re.findall(r"TiffTag 270 .* invalid value offset (\d+)", text)]
    if any(offset >= tif.filehandle.size for offset in offsets):
        return Missing((), held, "the file ends before its description does")
    return None


def _pages(series: Any) -> list[Any]:
    """The pages of a series; None for one that is not in the file."""
    found = []
    for number in range(len(series.pages)):
        try:
            found.append(series.pages[number])
        except IndexError:
            found.append(None)
    return found


def _planes_per_page(series: Any) -> int:
    """Planes of one page: more than one where a writer lists the first page of a contiguous stack only."""
    looped = [n for axis, n in zip(series.axes, series.shape, strict=True) if axis not in "YXS"]
    return max(int(np.prod(looped, dtype=np.int64)) // max(len(series.pages), 1), 1)


def _following_planes(series: Any) -> int:
    """Whole planes that follow each other from the first page on, as ImageJ writes them."""
    page = series.keyframe
    if len(series.pages) > 1 or series.dataoffset is None or page.compression != 1:
        return 0
    return int((page.parent.filehandle.size - series.dataoffset) // max(page.nbytes, 1))


def _planes_without_pages(tif: Any, series: Any) -> int:
    """Whole planes behind the first page, if all follow each other and the pages of the others are cut off.

    The first page then names a second one, which lies behind the last plane that the description declares.
    """
    page = series.keyframe
    declared = (series.dataoffset or 0) + series.nbytes
    if series.dataoffset is None or page.compression != 1 or _next_page(tif, page) < declared:
        return 0
    return int((page.parent.filehandle.size - series.dataoffset) // max(page.nbytes, 1))


def _declared_planes(tif: Any, series: Any) -> int:
    """The number of planes that ImageJ's description names; 0 if there is none."""
    if not tif.is_imagej or len(tif.series) > 1:
        return 0
    return int(positive((tif.imagej_metadata or {}).get("images")) or 0)


def _cut_pages(series: Any, pages: Sequence[Any]) -> set[int]:
    """The planes whose pixels reach beyond the end of their file."""
    if series.dataoffset is not None:
        size = pages[0].parent.filehandle.size
        if series.dataoffset + series.nbytes <= size:
            return set()
        planes = _planes_per_page(series) * len(pages)
        whole = max(size - series.dataoffset, 0) // max(series.nbytes // planes, 1)
        return set(range(int(whole), planes))
    cut = set()
    for number, page in enumerate(pages):
        counts, offsets = page.databytecounts, page.dataoffsets
        if counts and max(o + c for o, c in zip(offsets, counts, strict=False)) > page.parent.filehandle.size:
            cut.add(number)
    return cut


def _chain_is_cut(tif: Any) -> bool:
    """Whether the last page that could be read names a further one, which lies beyond the end of the file."""
    try:
        return _next_page(tif, tif.pages[-1]) >= int(tif.filehandle.size)
    except struct.error:
        return True


def _next_page(tif: Any, page: Any) -> int:
    """The place of the page after another in a file; 0 after the last. Raises struct.error if the file ends before."""
    handle, layout = tif.filehandle, tif.tiff
    handle.seek(page.offset)
    (count,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
    handle.seek(page.offset + layout.tagnosize + count * layout.tagsize)
    (following,) = struct.unpack(layout.offsetformat, handle.read(layout.offsetsize))
    return int(following)


def read_incomplete(tif: Any, image: TiffImage, missing: Missing) -> tuple[NDArray[Any], str, str]:
    """Read the planes that are there.

    Returns
    -------
    array : ndarray
        Missing planes at the end of the first axis are left out, others are zero.
    axes : str
        Its axes.
    note : str
        What is missing, for the user.
    """
    series = image.series
    shape, axes = _declared_shape(tif, series, missing)
    samples = int(np.prod([n for axis, n in zip(axes, shape, strict=True) if axis in "YXS"], dtype=np.int64))
    planes = np.zeros((missing.declared, samples), series.dtype)
    available = [k for k in range(missing.declared) if k not in missing.planes]
    for number in available:
        planes[number] = _plane(series, number, samples)
    lead = len(axes) - sum(axis in "YXS" for axis in axes)
    array = planes.reshape(shape)
    inner = int(np.prod(shape[1:lead], dtype=np.int64))
    whole = -(-(max(available, default=-1) + 1) // inner) if lead else 1
    if not available:
        raise ImageError(f"{missing.reason}; no plane is complete.")
    if lead:
        array = array[:whole]
    black = sum(k < whole * inner for k in missing.planes) if lead else 0
    note = f"{missing.reason}; {len(available)} planes are read"
    return array, axes, note + (f", and {black} missing planes are filled with 0" if black else "")


def _declared_shape(tif: Any, series: Any, missing: Missing) -> tuple[tuple[int, ...], str]:
    """Shape and axes as the description says; ImageJ's counts if tifffile could not trust them."""
    looped = [n for axis, n in zip(series.axes, series.shape, strict=True) if axis not in "YXS"]
    if int(np.prod(looped, dtype=np.int64)) == missing.declared:
        return tuple(series.shape), str(series.axes)
    facts = tif.imagej_metadata or {}
    counts = {axis: int(positive(facts.get(name)) or 1) for axis, name in _IMAGEJ_COUNTS}
    page = series.keyframe
    long = [axis for axis, n in counts.items() if n > 1]
    if int(np.prod([counts[a] for a in long], dtype=np.int64)) != missing.declared:
        long, counts = ["T"], {"T": missing.declared}
    return (*(counts[axis] for axis in long), *page.shape), "".join(long) + page.axes


_IMAGEJ_COUNTS = (("T", "frames"), ("Z", "slices"), ("C", "channels"))


def _plane(series: Any, number: int, samples: int) -> NDArray[Any]:
    """One complete plane, as a row of samples."""
    pages = _pages(series)
    if len(pages) > number and _planes_per_page(series) == 1 and pages[number] is not None:
        page = pages[number]
        closed = page.parent.filehandle.closed
        if closed:
            page.parent.filehandle.open()
        try:
            return np.asarray(page.asarray()).reshape(samples)
        finally:
            if closed:
                page.parent.filehandle.close()
    # Planes follow each other without pages of their own.
    page = pages[0].keyframe
    offset = page.dataoffsets[0] + number * samples * series.dtype.itemsize
    order = page.parent.byteorder
    page.parent.filehandle.seek(offset)
    return page.parent.filehandle.read_array(np.dtype(series.dtype).newbyteorder(order), samples)
