"""ESRI ASCII grids (``.asc``): heights and other values of terrain as text, which are only read.

A header of names and numbers is followed by the values, row by row from the north. The place of the grid on the earth
is kept as the tags of GeoTIFF.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from .bitmaps.bitmap import Decoded
from .details import GEO_SCALE, GEO_TIEPOINTS, Details
from .image_file import FileArray, ImageFile
from .numbers import positive, real
from .reading import Reading
from .sizes import check_stored
from .units import PixelSize

_NAMES = {"ncols", "nrows", "xllcorner", "yllcorner", "xllcenter", "yllcenter", "cellsize", "dx", "dy", "nodata_value"}
_LONGEST_HEADER = 4096  # Bytes.
_LEAST_BYTES = 2  # Bytes of a value in the file: a digit and a space.
_INT32_DIGITS = 9  # Digits of whole numbers that 32 bits hold in any case.
_SHORT, _DOUBLE = 3, 12  # TIFF's numbers of types.
_GEO_KEYS = (1, 1, 0, 2, 1024, 0, 1, 32767, 1025, 0, 1, 1)  # A model that the user knows, and pixels that are areas.


@dataclass(frozen=True)
class _Header:
    """What the header says, by lower-case name, and the byte after it."""

    entries: Mapping[str, float]
    end: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = (self.entries.get(name, 0.0) for name in ("nrows", "ncols"))
        if not (rows >= 1 and columns >= 1 and rows == int(rows) and columns == int(columns)):
            raise ImageError(f"its header gives {rows:g} rows and {columns:g} columns, which is no grid.")
        return int(rows), int(columns)

    @property
    def cell(self) -> tuple[float, float] | None:
        """Width and height of a pixel in units of the map, if they are known."""
        width = positive(self.entries.get("cellsize", self.entries.get("dx")))
        height = positive(self.entries.get("cellsize", self.entries.get("dy")))
        return (width, height) if width is not None and height is not None else None


def read(path: Path, how: Reading) -> ImageFile:
    """Read a grid: (Y, X), int32 if no value has a decimal point (float64 if they are too large), else float32.

    Raises
    ------
    ImageError
        If the header is no such header, or there are fewer or more values than it says.
    """
    header = _header(path)
    check_stored(header.shape, np.uint8, path.stat().st_size // _LEAST_BYTES)
    content = path.read_bytes()[header.end :].replace(b",", b".")
    dtype = "float32" if any(mark in content for mark in b".eEnN") else "int32"
    if dtype == "int32" and max(map(len, content.split()), default=0) > _INT32_DIGITS:
        dtype = "float64"
    shape = header.shape

    def decode() -> NDArray[Any]:
        values = np.array(content.split(), np.float64)
        if values.size != shape[0] * shape[1]:
            raise ImageError(
                f"{path} declares {shape[0]} rows and {shape[1]} columns, but holds {values.size} values: it is "
                "damaged or incomplete."
            )
        return values.reshape(shape).astype(dtype)

    def damaged(error: Exception) -> ImageError:
        return ImageError(f"{path} cannot be read as an ESRI grid: it is damaged ({error}).")

    data = FileArray(Decoded(shape, dtype, decode), damaged, unit=shape, path=path)
    nodata = header.entries.get("nodata_value")
    if nodata is not None and dtype == "float32":
        nodata = float(np.float32(nodata))
    cell = header.cell
    sizes = {} if cell is None else {"Y": PixelSize(cell[1], None), "X": PixelSize(cell[0], None)}
    details = Details(nodata=nodata, tags=_place(header))
    return ImageFile(data if how.lazy else data[...], how.axes or "YX", sizes, kind="asc", details=details)


def _header(path: Path) -> _Header:
    """The lines of names and numbers at the start of a file."""
    entries: dict[str, float] = {}
    end = 0
    with path.open("rb") as file:
        while end < _LONGEST_HEADER:
            line = file.readline(_LONGEST_HEADER)
            name, _, text = line.decode("latin-1").strip().replace("\t", " ").partition(" ")
            if name.lower() not in _NAMES:
                break
            number = real(text.strip().replace(",", "."))
            if number is None and text.strip().lower() == "nan":
                number = float("nan")
            if number is not None:
                entries[name.lower()] = number
            end = file.tell()
    return _Header(entries, end)


def _place(header: _Header) -> tuple[tuple[int, int, int, Any], ...]:
    """The place of the grid as tags of GeoTIFF: cell size, and where the upper left corner of the first pixel lies."""
    cell, entries = header.cell, header.entries
    if cell is None:
        return ()
    (width, height), rows = cell, header.shape[0]
    left = entries.get("xllcorner", entries.get("xllcenter", float("nan")) - width / 2)
    bottom = entries.get("yllcorner", entries.get("yllcenter", float("nan")) - height / 2)
    if not np.isfinite([left, bottom]).all():
        return ()
    corner = (0.0, 0.0, 0.0, left, bottom + rows * height, 0.0)
    return (
        (GEO_SCALE, _DOUBLE, 3, (width, height, 0.0)),
        (GEO_TIEPOINTS, _DOUBLE, 6, corner),
        (34735, _SHORT, len(_GEO_KEYS), _GEO_KEYS),
    )
