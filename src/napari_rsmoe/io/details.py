"""Metadata of an image file beside its axes, pixel sizes and names, and which formats can hold them."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from .units import PixelSize

if TYPE_CHECKING:
    from .image_file import ImageFile


class Resolution(NamedTuple):
    """Pixels per unit of length in print or on the screen, which says nothing about the size of what is shown.

    Parameters
    ----------
    x, y : float
        Pixels per unit.
    unit : str
        ``"inch"`` or ``"centimeter"``.
    """

    x: float
    y: float
    unit: str


@dataclass(frozen=True)
class Details:
    """Metadata that are copied to each format that can hold them.

    Parameters
    ----------
    position : mapping of str to PixelSize, optional
        Coordinate of the first pixel along an axis, by axis letter, for example of a crop in its whole.
    resolution : Resolution, optional
        Print resolution.
    nodata : float, optional
        Value of pixels without data.
    colours : tuple of str, optional
        Display colour of each channel as ``"RRGGBB"``, in hexadecimal digits.
    limits : tuple of (float, float), optional
        Darkest and brightest displayed value of each channel.
    colour_table : ndarray, optional
        (3, n) uint16: red, green and blue of the values 0 to n - 1, from 0 to 65535.
    white_is_zero : bool, optional
        Whether low values are shown bright.
    exif : bytes, optional
        Camera metadata in EXIF format, beginning with ``Exif``; they do not contain the orientation.
    description : str, optional
        Free text.
    ome : str, optional
        OME-XML description whose first image is this one.
    imagej : mapping, optional
        Fields of ImageJ's description and metadata, such as the calibration of grey values (``cf``, ``c0``, ``c1``).
    tags : tuple, optional
        TIFF tags that are copied as they are: (code, type, count, value). XMP of other formats is such a tag too.
    chunks : tuple, optional
        Texts and definitions of colour of a PNG file that are copied as they are: (name, content).
    uncopied : tuple of str, optional
        Names of further metadata of the file that no output can hold.
    """

    position: Mapping[str, PixelSize] = field(default_factory=dict)
    resolution: Resolution | None = None
    nodata: float | None = None
    colours: tuple[str, ...] = ()
    limits: tuple[tuple[float, float], ...] = ()
    colour_table: NDArray[Any] | None = None
    white_is_zero: bool = False
    exif: bytes | None = None
    description: str = ""
    ome: str | None = None
    imagej: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[tuple[int, int, int, Any], ...] = ()
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    uncopied: tuple[str, ...] = ()

    def of_other_values(self) -> Details:
        """The metadata of an image of the same scene that holds another quantity, such as the uncertainty."""
        return replace(
            self, nodata=None, limits=(), colours=(), colour_table=None, white_is_zero=False, exif=None, imagej={}
        )

    def turned(self) -> Details:
        """The metadata after rows and columns have changed places."""
        other = {"X": "Y", "Y": "X"}
        resolution = self.resolution
        if resolution is not None:
            resolution = Resolution(resolution.y, resolution.x, resolution.unit)
        position = {other.get(axis, axis): place for axis, place in self.position.items()}
        return replace(self, resolution=resolution, position=position)

    def enlarged(self, scale: float) -> Details:
        """The metadata of an image of the same scene with `scale` times as many pixels along Y and X.

        Regions and overlays of ImageJ are left out, because they are in pixels.
        """
        if scale == 1:
            return self
        resolution = self.resolution
        if resolution is not None:
            resolution = Resolution(resolution.x * scale, resolution.y * scale, resolution.unit)
        kept = {name: value for name, value in self.imagej.items() if name not in ("ROI", "Overlays")}
        return replace(
            self,
            resolution=resolution,
            imagej=kept,
            tags=tuple(scaled_tag(tag, scale) for tag in self.tags),
        )


XMP_TAG = 700
"""The TIFF tag of metadata as XML (XMP)."""
GEO_SCALE, GEO_TIEPOINTS, GEO_TRANSFORMATION = 33550, 33922, 34264
"""Tags that place an image on the earth; their numbers refer to pixels."""


def scaled_tag(tag: tuple[int, int, int, Any], scale: float) -> tuple[int, int, int, Any]:
    """A TIFF tag for an image with `scale` times as many pixels along Y and X."""
    code, kind, count, value = tag
    if code == GEO_SCALE:
        value = (value[0] / scale, value[1] / scale, *value[2:])
    elif code == GEO_TIEPOINTS:  # Groups of six: column, row and height in the image, then the place.
        value = tuple(v * scale if k % 6 in (0, 1) else v for k, v in enumerate(value))
    elif code == GEO_TRANSFORMATION:  # A matrix of four rows, whose first two columns multiply column and row.
        value = tuple(v / scale if k % 4 in (0, 1) else v for k, v in enumerate(value))
    return code, kind, count, value


PIXEL_SIZE, NAME, CHANNELS, PROFILE = "pixel size", "title", "channel names", "colour profile"
POSITION, RESOLUTION, NODATA = "position", "print resolution", "no-data value"
COLOURS, LIMITS, TABLE, EXIF = "channel colours", "display range", "colour table", "EXIF data"
WHITE = "mark that 0 stands for white"
DESCRIPTION, OME, IMAGEJ, TAGS = "description", "other OME metadata", "other ImageJ metadata", "TIFF tags"
XMP, CHUNKS, UNCOPIED = "XMP metadata", "texts and colour definitions of PNG", "further metadata"

# Words for what a carried ImageJ field is, where its own name would not be understood.
_IMAGEJ_WORDS = {
    "c0": "calibration of grey values",
    "LUTs": "display colour table",
    "Properties": "properties",
    "ROI": "region of interest",
    "Overlays": "overlay",
    "Labels": "slice labels",
}


def present(image: ImageFile) -> dict[str, str]:
    """The metadata that an image has: each kind, and the words for it."""
    details = image.details
    # A single position of all planes is that of the image.
    places = set(re.findall(r'PositionX="([^"]*)"', details.ome or "")) if details.position else set()
    ome = _rich(details.ome, *(["PositionX="] if len(places) == 1 else []))
    imagej = [word for name, word in _IMAGEJ_WORDS.items() if name in details.imagej]
    if details.colours and "LUTs" in details.imagej:  # The colours say the same.
        imagej.remove(_IMAGEJ_WORDS["LUTs"])
    found = {
        PIXEL_SIZE: bool(image.pixel_size),
        NAME: bool(image.name),
        CHANNELS: bool(image.channel_names),
        PROFILE: image.icc_profile is not None,
        POSITION: bool(details.position),
        RESOLUTION: details.resolution is not None,
        NODATA: details.nodata is not None and not math.isnan(details.nodata),  # NaN speaks for itself.
        COLOURS: bool(details.colours),
        LIMITS: bool(details.limits),
        TABLE: details.colour_table is not None,
        WHITE: details.white_is_zero,
        EXIF: details.exif is not None,
        DESCRIPTION: bool(details.description),
        OME: bool(ome),
        IMAGEJ: bool(imagej),
        XMP: any(code == XMP_TAG for code, *_ in details.tags),
        TAGS: any(code != XMP_TAG for code, *_ in details.tags),
        CHUNKS: bool(details.chunks),
        UNCOPIED: bool(details.uncopied),
    }
    words = {OME: ome, IMAGEJ: ", ".join(imagej), TAGS: _tag_words(details.tags)}
    words |= {CHUNKS: _chunk_words(details.chunks), UNCOPIED: ", ".join(details.uncopied)}
    return {kind: words.get(kind, kind) for kind, there in found.items() if there}


def lost(image: ImageFile, holds: Collection[str]) -> list[str]:
    """Words for the metadata of `image` that a format cannot hold, which holds the kinds `holds`."""
    return [words for kind, words in present(image).items() if kind not in holds]


def _rich(ome: str | None, *without: str) -> str:
    """Words for what an OME-XML description holds beyond sizes, names and colours, but for the marks `without`."""
    known = {
        "Wavelength=": "wavelengths",
        "DeltaT=": "times of planes (DeltaT)",
        "ExposureTime=": "exposure times",
        "PositionX=": "stage positions (PositionX)",
        "SignificantBits=": "SignificantBits",
        "AcquisitionDate": "acquisition date",
        "<Instrument": "instrument",
        "<ROI ": "regions",
        "StructuredAnnotations": "annotations",
    }
    return ", ".join(word for mark, word in known.items() if ome and mark in ome and mark not in without)


def _tag_words(tags: Collection[tuple[int, int, int, Any]]) -> str:
    names = {
        GEO_SCALE: "geographic reference",
        GEO_TIEPOINTS: "geographic reference",
        GEO_TRANSFORMATION: "geographic reference",
        34735: "geographic reference",
        34736: "geographic reference",
        34737: "geographic reference",
        306: "date",
        315: "artist",
        33432: "copyright",
        271: "maker",
        272: "model of the device",
        42112: "GDAL metadata",
        34118: "Zeiss metadata",
        34680: "FEI metadata",
        34682: "FEI metadata",
        269: "document name",
        285: "page name",
        316: "name of the computer",
        301: "transfer function",
        318: "white point",
        319: "primary colours",
        33723: "IPTC metadata",
        51123: "Micro-Manager metadata",
    }
    return ", ".join(dict.fromkeys(names.get(code, f"TIFF tag {code}") for code, *_ in tags if code != XMP_TAG))


def _chunk_words(chunks: Collection[tuple[bytes, bytes]]) -> str:
    texts = {content.partition(b"\0")[0].decode("latin-1") for name, content in chunks if name.endswith(b"Xt")}
    words = [f"texts ({', '.join(sorted(texts))})"] if texts else []
    return ", ".join(words + (["definition of colours"] if len(chunks) > len(texts) else []))
