"""What the tags and descriptions of a TIFF file say about its image; nothing in them keeps the pixels from being read.

A pixel size comes from the first of these that has one: OME-XML, ImageJ's description, our own JSON, the tags of makers
(`makers`), and resolution tags that are too fine for print. Other resolution tags are a print resolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

from .. import exif, ome_xml
from ..colour_spaces import CIELAB, CMYK, ICCLAB, YCBCR
from ..details import Details, Resolution
from ..numbers import positive, real
from ..pixel_meaning import GREY, PALETTE, RGB, SHOWN_INVERTED, WHITE_IS_ZERO, PixelMeaning
from ..units import PixelSize, canonical_unit
from .images import TiffImage
from .makers import maker_sizes
from .tags import DOCUMENT_NAME, NODATA_TAG, PAGE_NAME, PROGRAM, copied_tags

_UNITS = {2: "inch", 3: "centimeter"}  # Values of the ResolutionUnit tag.
_MICROMETRES = {"inch": 25_400.0, "centimeter": 10_000.0}
# Largest pixel in micrometres that a resolution tag can mean as the size of what is shown. Printers and scanners stay
# above it (2.5 micrometres are 10,160 dpi), and such tags are a print resolution.
_FINER_THAN_PRINT = 2.5
_NO_RESOLUTION = ((0, 0), (0, 1), 0, 0.0)  # How writers say that they know none.
_ALPHA = (1, 2)  # Values of the ExtraSamples tag for associated and unassociated alpha.
_ASSOCIATED = 1
SIGNED_16 = -32768  # Offset by which ImageJ stores signed values of 16 bits as unsigned ones.

_KEPT_IMAGEJ = (
    *("cf", "c0", "c1", "vunit", "min", "max", "mode", "loop", "fps"),
    *("Info", "Labels", "Ranges", "LUTs", "ROI", "Overlays", "Properties"),
)


@dataclass
class Described:
    """What a file says about one image.

    Attributes
    ----------
    pixel_size, name, channel_names, icc_profile, details
        As of `ImageFile`.
    alpha : bool
        Whether the last sample is an opacity.
    meaning : PixelMeaning
        How the samples are to be shown.
    notes : list of str
        Remarks for the user.
    """

    meaning: PixelMeaning
    pixel_size: dict[str, PixelSize] = field(default_factory=dict)
    name: str = ""
    channel_names: tuple[str, ...] = ()
    alpha: bool = False
    icc_profile: bytes | None = None
    details: Details = field(default_factory=Details)
    notes: list[str] = field(default_factory=list)


def describe(path: Path, tif: Any, image: TiffImage) -> Described:
    """Read all metadata of an image; what cannot be understood is left out with a note."""
    page = image.series.keyframe
    found = Described(_meaning(tif, page))
    extra = page.extrasamples
    found.alpha = "S" in image.series.axes and bool(extra) and int(extra[-1]) in _ALPHA and len(extra) == 1
    profile = page.tags.valueof(34675)
    found.icc_profile = bytes(profile) if isinstance(profile, bytes) else None
    for read in (_tags, _resolution, _of_makers, _own, _imagej, _ome):
        try:
            read(path, tif, image, found)
        except Exception as error:  # Descriptions may hold anything.
            text = str(error) or type(error).__name__
            found.notes.append(f"a part of its description cannot be understood and is left out ({text})")
    return found


def _meaning(tif: Any, page: Any) -> PixelMeaning:
    """How the samples are to be shown."""
    kinds = {
        tifffile.PHOTOMETRIC.MINISWHITE: WHITE_IS_ZERO,
        tifffile.PHOTOMETRIC.RGB: RGB,
        tifffile.PHOTOMETRIC.PALETTE: PALETTE,
        tifffile.PHOTOMETRIC.SEPARATED: CMYK,
        tifffile.PHOTOMETRIC.CIELAB: CIELAB,
        tifffile.PHOTOMETRIC.ICCLAB: ICCLAB,
        tifffile.PHOTOMETRIC.YCBCR: YCBCR,
        tifffile.PHOTOMETRIC.ITULAB: "ITU CIELab",
        tifffile.PHOTOMETRIC.CFA: "a mosaic of colour filters (raw)",
        tifffile.PHOTOMETRIC.LOGLUV: "LogLuv",
        tifffile.PHOTOMETRIC.LOGL: "LogL",
    }
    kind = kinds.get(page.photometric, GREY)
    if kind == YCBCR and page.compression in _DECODED_TO_RGB:
        kind = RGB
    if tif.is_imagej:  # ImageJ's colour tables only display the values.
        kind = {PALETTE: GREY, WHITE_IS_ZERO: SHOWN_INVERTED}.get(kind, kind)
    if kind == CMYK and page.tags.valueof(332, 1) != 1:
        kind = "inks other than CMYK"
    extra = page.extrasamples
    table = page.colormap if kind == PALETTE else None
    return PixelMeaning(
        kind,
        page.bitspersample if isinstance(page.bitspersample, int) else None,
        None if table is None else np.asarray(table, np.uint16),
        _orientation(page),
        bool(extra) and len(extra) == 1 and int(extra[0]) == _ASSOCIATED,
        SIGNED_16 if page.dtype == np.uint16 and tif.is_imagej and _is_signed(tif.imagej_metadata or {}) else 0,
    )


_DECODED_TO_RGB = (6, 7, 33003, 33004, 33005, 34712, 50001, 34892)  # JPEG, JPEG 2000, WebP: decoders give RGB.


def _orientation(page: Any) -> int:
    value = real(page.tags.valueof(274))
    return int(value) if value is not None and 1 <= value <= 8 else 1


def _is_signed(metadata: Mapping[str, Any]) -> bool:
    """Whether ImageJ's calibration is the one by which it stores signed values of 16 bits."""
    numbers = [real(metadata.get(name)) for name in ("cf", "c0", "c1")]
    return numbers == [0, SIGNED_16, 1]


# ---------------------------------------------------------------------------------------------- sources


def _tags(path: Path, tif: Any, image: TiffImage, found: Described) -> None:
    """Tags that are copied, the no-data value, the metadata of a camera, and a free description."""
    page = image.series.keyframe
    tags, uncopied = copied_tags(page)
    camera = exif.of_page(path, page)
    if camera is not None:  # They are in the metadata of the camera.
        tags = tuple(tag for tag in tags if tag[0] not in exif.TEXTS)
    if tif.is_imagej and page.software == PROGRAM:  # `writing` puts there what ImageJ's description cannot hold.
        found.name, channel = (_text(page, code) for code in (DOCUMENT_NAME, PAGE_NAME))
        found.channel_names = (channel,) if channel else ()
        tags = tuple(tag for tag in tags if tag[0] not in (DOCUMENT_NAME, PAGE_NAME))
    text = "" if tif.is_ome or tif.is_imagej or tif.is_shaped or tif.is_metaseries else page.description or ""
    word = str(page.tags.valueof(NODATA_TAG, "")).strip(" \0")
    found.details = replace(
        found.details,
        tags=tags,
        uncopied=uncopied,
        nodata=float("nan") if word.lower() == "nan" else real(word),
        exif=camera,
        description=text.strip(" \0"),
    )


def _text(page: Any, code: int) -> str:
    value = page.tags.valueof(code, "")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _resolution(path: Path, tif: Any, image: TiffImage, found: Described) -> None:
    """Resolution tags: a pixel size if they are too fine for print, or else a print resolution."""
    page = image.series.keyframe
    unit = _UNITS.get(int(real(page.tags.valueof(296, 1 if tif.is_imagej else 2)) or 0))
    x, y = positive(page.tags.valueof(282)), positive(page.tags.valueof(283))
    if unit is None or x is None or y is None:
        stored = [page.tags.valueof(code) for code in (282, 283)]
        if unit is not None and any(each not in (None, *_NO_RESOLUTION) for each in stored):
            found.notes.append(f"the resolution {stored[0]}, {stored[1]} makes no sense, so it is left out")
        return
    if _MICROMETRES[unit] / max(x, y) <= _FINER_THAN_PRINT:
        size = _MICROMETRES[unit]
        found.pixel_size |= {"X": PixelSize(size / x, "micrometer"), "Y": PixelSize(size / y, "micrometer")}
    elif x > 1 or y > 1:  # One pixel per unit is what writers put in that know nothing.
        found.details = replace(found.details, resolution=Resolution(x, y, unit))


def _of_makers(path: Path, tif: Any, image: TiffImage, found: Described) -> None:
    found.pixel_size |= maker_sizes(tif, path)


def _own(path: Path, tif: Any, image: TiffImage, found: Described) -> None:
    """The JSON description of our own files."""
    text = image.series.keyframe.shaped_description if tif.is_shaped else None
    if not text:
        return
    metadata = tifffile.tifffile.shaped_description_metadata(text)
    found.pixel_size |= _sizes(metadata.get("pixel_size", {}))
    for axis in set(metadata.get("pixel_size", {})) - set(found.pixel_size):
        found.notes.append(f"the pixel size {metadata['pixel_size'][axis]} of {axis} makes no sense, so it is left out")
    found.name = str(metadata.get("name", ""))
    found.channel_names = tuple(map(str, metadata.get("channel_names", ())))
    limits = [(real(low), real(high)) for low, high in metadata.get("limits", ())]
    found.details = replace(
        found.details,
        position=_sizes(metadata.get("position", {}), anywhere=True),
        colours=tuple(map(str, metadata.get("colours", ()))),
        limits=tuple((low, high) for low, high in limits if low is not None and high is not None),
        description=str(metadata.get("description", "")),
    )


def _sizes(entries: Mapping[str, Any], *, anywhere: bool = False) -> dict[str, PixelSize]:
    """Pixel sizes, or positions `anywhere`, from pairs of value and unit."""
    found = {}
    for axis, (value, unit) in entries.items():
        number = real(value) if anywhere else positive(value)
        if number is not None:
            found[axis] = PixelSize(number, unit)
    return found


def _imagej(path: Path, tif: Any, image: TiffImage, found: Described) -> None:
    """ImageJ's description; the pixel size of X and Y is in the resolution tags, in the unit that it names."""
    metadata = tif.imagej_metadata if tif.is_imagej else None
    if metadata is None:
        return
    page, sizes = image.series.keyframe, found.pixel_size
    unit = canonical_unit(str(metadata["unit"])) if "unit" in metadata else None
    if unit is not None:
        for axis, code in (("X", 282), ("Y", 283)):
            ratio = positive(page.tags.valueof(code))
            if ratio:
                sizes[axis] = PixelSize(1 / ratio, canonical_unit(str(metadata.get(f"{axis.lower()}unit", unit))))
        found.details = replace(found.details, resolution=None)
    spacing = real(metadata.get("spacing"))
    for name in ("spacing", "finterval"):
        number = real(metadata.get(name, 0))
        if number is None or (name == "finterval" and number < 0):
            found.notes.append(f"the description gives {name} as {metadata[name]!r}, so it is left out")
    if spacing:
        sizes["Z"] = PixelSize(abs(spacing), canonical_unit(str(metadata.get("zunit", unit or ""))))
    interval = positive(metadata.get("finterval"))
    if interval:
        sizes["T"] = PixelSize(interval, canonical_unit(str(metadata.get("tunit", "second"))) or "second")
    labels, channels = list(metadata.get("Labels", [])), int(positive(metadata.get("channels")) or 1)
    # There is one label for each slice. Labels that repeat from one group of channels to the next are channel names.
    if len(labels) >= channels > 1 and all(a == labels[k % channels] for k, a in enumerate(labels)):
        found.channel_names = tuple(labels[:channels])
    _imagej_details(metadata, sizes, found)


def _imagej_details(metadata: Mapping[str, Any], sizes: Mapping[str, PixelSize], found: Described) -> None:
    """Display, origin and calibration of an ImageJ TIFF."""
    kept = {name: metadata[name] for name in _KEPT_IMAGEJ if name in metadata}
    if np.ndim(kept.get("LUTs", ())) == 2:  # tifffile gives a single one without a list.
        kept["LUTs"] = [kept["LUTs"]]
    if found.channel_names:
        kept.pop("Labels", None)
    description = str(kept.pop("Info", ""))
    if found.meaning.offset:
        for name in ("cf", "c0", "c1"):
            kept.pop(name, None)
    ranges = [real(value) for value in np.ravel(metadata.get("Ranges", ()))]
    pairs = zip(ranges[::2], ranges[1::2], strict=False)
    limits = tuple((low, high) for low, high in pairs if low is not None and high is not None)
    origin = {axis: real(metadata.get(f"{axis.lower()}origin")) for axis in "XYZ"}
    position = {
        axis: PixelSize(-value * sizes[axis].value, sizes[axis].unit)
        for axis, value in origin.items()
        if value and axis in sizes
    }
    tables = [np.asarray(table) for table in kept.get("LUTs", ())]
    plain = all(map(_is_plain_ramp, tables))
    colours = tuple("".join(f"{int(value):02X}" for value in table[:, -1]) for table in tables) if plain else ()
    if not limits and len(tables) <= 1 and int(positive(metadata.get("channels")) or 1) == 1:
        low, high = real(metadata.get("min")), real(metadata.get("max"))
        limits = ((low, high),) if low is not None and high is not None and low < high else ()
    found.details = replace(
        found.details,
        limits=limits,
        position=position,
        colours=colours,
        imagej=kept,
        tags=found.details.tags,
        description=description,
    )


def _is_plain_ramp(table: NDArray[Any]) -> bool:
    """Whether a colour table (3, n) goes from black to one colour in even steps, up to rounding."""
    ramp = np.outer(table[:, -1].astype(float), np.linspace(0, 1, table.shape[1]))
    return bool((np.abs(table - ramp) <= 1).all())


def _ome(path: Path, tif: Any, image: TiffImage, found: Described) -> None:
    if not tif.is_ome or image.series.kind != "ome":
        return
    try:
        described = ome_xml.describe(tif.ome_metadata, image.ome_number)
    except ElementTree.ParseError as error:
        found.notes.append(f"its OME-XML description is damaged and left out ({error})")
        return
    found.pixel_size = described.pixel_size
    found.name, found.channel_names = described.name, described.channel_names
    found.notes += described.notes
    of_file = found.details
    found.details = replace(described.details, nodata=of_file.nodata, resolution=of_file.resolution, tags=of_file.tags)
