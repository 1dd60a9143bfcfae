"""FITS images of astronomy, by astropy: each extension with an image is a series."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from ..details import Details
from ..image_file import ImageFile
from ..numbers import positive, real
from ..reading import Reading, series_number
from ..units import PixelSize
from .frames import Frames, described, image_of, library, opened

_LAYOUT = r"(SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|BZERO|BSCALE|BLANK|CHECKSUM|DATASUM|END|Z[A-Z]+\d*)$"
_LONGEST = 1 << 16  # Letters of the header that are kept.
_LETTERS = "PQTZYX"  # The last ones name the axes of a cube; T and Z are no more than letters here.


def _open(path: Path) -> Any:
    return library("astropy.io.fits", "FITS").open(path, memmap=False, lazy_load_hdus=False)


def _pictures(file: Any) -> list[Any]:
    """The extensions that hold an image of two axes at least."""
    return [hdu for hdu in file if hdu.is_image and len(hdu.shape) >= 2 and min(hdu.shape) > 0]


def _sizes_of(hdu: Any) -> dict[str, int]:
    return dict(zip(_axes(len(hdu.shape)), map(int, hdu.shape), strict=True))


def _axes(ndim: int) -> str:
    """Axes before Y and X are iterated over."""
    return {2: "YX", 3: "QYX"}.get(ndim, _LETTERS[-ndim:])


def list_series(path: Path, *, allow_outside: bool = False) -> list[str]:
    """Describe the images of a file."""
    with opened(path, "FITS", lambda: _open(path)) as file:
        pictures = _pictures(file)
        lines = described([hdu.name for hdu in pictures], [_sizes_of(hdu) for hdu in pictures])
        file.close()
        return lines


def read(path: Path, how: Reading) -> ImageFile:
    """Read an image of a FITS file, in physical values (BSCALE and BZERO are applied)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of headers that are not quite to the standard.
        with opened(path, "FITS", lambda: _open(path)) as file:
            pictures = _pictures(file)
            if not pictures:
                raise ImageError(f"{path} holds no image.")
            names = [str(hdu.name) for hdu in pictures]
            wanted = 0 if how.series is None else how.series
            number = series_number(path, names, wanted, described(names, [_sizes_of(hdu) for hdu in pictures]))
            hdu = pictures[number]
            lead, frame = tuple(hdu.shape[:-2]), tuple(hdu.shape[-2:])
            dtype = np.asarray(hdu.section[(slice(0, 1),) * len(hdu.shape)]).dtype.newbyteorder("=")
            sizes = _pixel_size(hdu.header)
            blank = _blank(hdu, dtype)
            text = _description(hdu.header)

    def plane(place: tuple[int, ...]) -> NDArray[Any]:
        return np.asarray(hdu.section[(*place, slice(None), slice(None))])

    notes = (
        (f"the file holds {len(pictures)} images; the first is read, and --series chooses another",)
        if len(pictures) > 1 and how.series is None
        else ()
    )
    facts: dict[str, Any] = {"pixel_size": sizes, "notes": notes, "details": Details(nodata=blank, description=text)}
    pixels = Frames(lead, frame, dtype, plane)
    return image_of(path, how, pixels, _axes(len(hdu.shape)), file.close, kind="fits", name=names[number], **facts)


def _blank(hdu: Any, dtype: np.dtype[Any]) -> float | None:
    """The value of pixels without data.

    By the standard it is NaN, and astropy makes NaN of the integer that BLANK names; but unsigned integers stay such,
    and BLANK then names the stored value, without BZERO.
    """
    if dtype.kind not in "iu":
        return float("nan")
    stored = real(hdu.header.get("BLANK"))
    return None if stored is None else stored + (getattr(hdu, "_orig_bzero", 0) if dtype.kind == "u" else 0)


def _description(header: Any) -> str:
    """The keywords that do not describe the layout, as lines of text."""
    kept = [card for card in header.cards if card.keyword and not re.match(_LAYOUT, card.keyword)]
    return "\n".join(f"{card.keyword} = {card.value}" for card in kept)[:_LONGEST]


def _pixel_size(header: Any) -> dict[str, PixelSize]:
    """Angles between pixels on the sky, in arcseconds; lengths if the header gives a unit of length."""
    found = {}
    for axis, number in (("X", 1), ("Y", 2)):
        unit = str(header.get(f"CUNIT{number}", "")).strip()
        celestial = unit.startswith("deg") or (not unit and str(header.get(f"CTYPE{number}", ""))[:4] in _SKY)
        matrix = [real(header.get(f"CD{row}_{number}")) for row in (1, 2)]
        step = positive(abs(real(header.get(f"CDELT{number}")) or 0))
        if matrix[0] is not None and matrix[1] is not None:
            step = positive(float(np.hypot(matrix[0], matrix[1])))
        if step is not None and (celestial or unit):
            found[axis] = PixelSize(step * 3600, "arcsec") if celestial else PixelSize(step, unit)
    return found


_SKY = ("RA--", "DEC-", "GLON", "GLAT", "ELON", "ELAT")
