"""The tags of a TIFF page that are copied to other TIFF files as they are.

What describes the image or its making is copied, what describes how the file is laid out is not: its numbers would be
wrong in another file, or point to places that are not there. Private tags that no library knows are copied if they hold
texts, bytes or fractions; whole numbers of 32 bits may be places in the file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tifffile

from ..details import GEO_SCALE, GEO_TIEPOINTS, GEO_TRANSFORMATION, XMP_TAG
from ..exif import CAMERA, GPS, TEXTS, upright

NODATA_TAG = 42113
"""GDAL's tag of the value of pixels without data."""
IPTC, MICRO_MANAGER = 33723, 51123
DOCUMENT_NAME, PAGE_NAME = 269, 285
PROGRAM = "napari-rsmoe"
"""What this program writes as the software that made a file."""
_KEPT = {
    *TEXTS,
    *(DOCUMENT_NAME, PAGE_NAME, 316, 301, 318, 319),  # Document, page, computer, and what defines the colours.
    *(GEO_SCALE, GEO_TIEPOINTS, GEO_TRANSFORMATION, 34735, 34736, 34737, 42112),
    *(34118, 34680, 34682),  # Texts of Zeiss and FEI.
    *(XMP_TAG, IPTC, MICRO_MANAGER),
}
_ELSEWHERE = {
    *(270, 282, 283, 296, 305, 320),  # Description, resolution, writer, colour table.
    *(34675, NODATA_TAG, CAMERA, GPS, 50838, 50839),  # Profile, no-data value, lists of cameras, ImageJ.
}
_LAYOUT_LAST = 559
"""Below this code, tags that are not listed here describe the layout."""
_LARGEST = 1 << 20
"""Bytes of a tag that is copied. Larger ones hold images, previews or layers of what the image was before."""
_TYPES = {1: "u1", 2: "S1", 3: "u2", 4: "u4", 5: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 10: "i4", 11: "f4", 12: "f8"}
"""NumPy's names of TIFF's types; fractions are two numbers."""
_FRACTIONS, _OFFSETS = (5, 10), (4, 9, 13, 16, 17, 18)
Tag = tuple[int, int, int, Any]


def copied_tags(page: Any) -> tuple[tuple[Tag, ...], tuple[str, ...]]:
    """The tags of a page that are copied, and the names of those that cannot be."""
    kept: list[Tag] = []
    named: list[str] = []
    for tag in page.tags:
        code = int(tag.code)
        if code in _ELSEWHERE or (code <= _LAYOUT_LAST and code not in _KEPT):
            continue
        known = code in tifffile.TIFF.TAGS and code not in _KEPT
        movable = code in _KEPT or int(tag.dtype) not in _OFFSETS
        if known or not movable or tag.valuebytecount > _LARGEST or int(tag.dtype) not in _TYPES:
            named.append(str(tag.name) if code in tifffile.TIFF.TAGS else f"TIFF tag {code}")
        else:
            kept.append(_copy(page, tag))
    return tuple(kept), tuple(named)


def _copy(page: Any, tag: Any) -> Tag:
    """Code, type, count and value of a tag as tifffile writes it: read from the file, as tifffile interprets some."""
    code, kind = int(tag.code), int(tag.dtype)
    file = page.parent.filehandle
    file.seek(tag.valueoffset)
    content = file.read(tag.valuebytecount)
    if code == XMP_TAG:
        content = upright(content)
    if kind in (1, 2, 6, 7):
        return code, kind, len(content), content
    values = np.frombuffer(content, np.dtype(_TYPES[kind]).newbyteorder(page.parent.byteorder)).tolist()
    count = len(values) // 2 if kind in _FRACTIONS else len(values)
    return code, kind, count, values[0] if len(values) == 1 else tuple(values)
