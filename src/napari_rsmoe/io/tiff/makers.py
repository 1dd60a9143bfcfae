"""Pixel sizes in the tags of makers of microscopes, cameras and scanners, as far as tifffile knows them.

Hitachi and JEOL write the pixel size into a text file of the same name beside the image.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..numbers import positive, real
from ..units import PixelSize, canonical_unit

Sizes = dict[str, PixelSize]


def maker_sizes(tif: Any, path: Path) -> Sizes:
    """The pixel size that the maker's own metadata give, by axis letter; empty if there is none.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The file.
    path : Path
        Where it lies, as some makers write a text file beside it.
    """
    for read in _MAKERS:
        try:
            found = read(tif)
        except Exception:  # Metadata of makers may hold anything, and never keep the pixels from being read.
            continue
        if found:
            return found
    return _beside(path)


def _sizes(unit: str | None, scale: float = 1.0, **values: Any) -> Sizes:
    """The pixel sizes that are positive numbers."""
    found = {axis: positive(value) for axis, value in values.items()}
    return {axis: PixelSize(value * scale, unit) for axis, value in found.items() if value is not None}


def _in_metres(**values: Any) -> Sizes:
    """Pixel sizes given in metres, in the unit of microscopes that suits them: nanometres below 0.1 micrometres."""
    numbers = [number for number in map(positive, values.values()) if number is not None]
    if not numbers:
        return {}
    return _sizes("nanometer", 1e9, **values) if max(numbers) < 1e-7 else _sizes("micrometer", 1e6, **values)


def _fei(tif: Any) -> Sizes:
    metadata = tif.fei_metadata or {}
    for section in ("Scan", "EScan", "IScan", "EBeam"):
        entries = metadata.get(section, {})
        found = _in_metres(X=entries.get("PixelWidth"), Y=entries.get("PixelHeight"))
        if found:
            return found
    return {}


def _zeiss_sem(tif: Any) -> Sizes:
    metadata = tif.sem_metadata or {}
    for key in ("ap_image_pixel_size", "ap_pixel_size"):
        if key in metadata:
            _, value, *unit = metadata[key]
            known = canonical_unit(str(unit[0])) if unit else None
            return _sizes(known, X=value, Y=value) if known else {}
    return {}


def _olympus_sis(tif: Any) -> Sizes:
    metadata = tif.sis_metadata or {}
    return _in_metres(X=metadata.get("pixelsizex"), Y=metadata.get("pixelsizey"))


def _micro_manager(tif: Any) -> Sizes:
    summary: Mapping[str, Any] = {}
    if tif.is_micromanager:
        summary = (tif.micromanager_metadata or {}).get("Summary", {})
    page = tif.pages.first.tags.valueof(51123) or {}
    width = positive(page.get("PixelSizeUm")) or positive(page.get("PixelSize_um"))
    width = width or positive(summary.get("PixelSize_um"))
    found = _sizes("micrometer", X=width, Y=width, Z=summary.get("z-step_um"))
    return found | _sizes("millisecond", T=summary.get("Interval_ms"))


def _metamorph(tif: Any) -> Sizes:
    metadata = tif.stk_metadata
    if not metadata and tif.is_metaseries:
        plane = tif.metaseries_metadata["PlaneInfo"]
        if not plane.get("spatial-calibration-state", True):
            return {}
        unit = canonical_unit(str(plane.get("spatial-calibration-units", "")))
        x, y = plane.get("spatial-calibration-x"), plane.get("spatial-calibration-y")
        return _sizes(unit, X=x, Y=y) if unit else {}
    metadata = metadata or {}
    unit = canonical_unit(str(metadata.get("CalibrationUnits", "")))
    return _sizes(unit, X=metadata.get("XCalibration"), Y=metadata.get("YCalibration")) if unit else {}


def _zeiss_lsm(tif: Any) -> Sizes:
    metadata = tif.lsm_metadata or {}
    found = _sizes(
        "micrometer",
        1e6,
        X=metadata.get("VoxelSizeX"),
        Y=metadata.get("VoxelSizeY"),
        Z=metadata.get("VoxelSizeZ"),
    )
    return found | _sizes("second", T=metadata.get("TimeIntervall", metadata.get("TimeInterval")))


def _tvips(tif: Any) -> Sizes:
    metadata = tif.tvips_metadata or {}
    return _sizes("nanometer", X=metadata.get("PixelSizeX"), Y=metadata.get("PixelSizeY"))


def _slide_scanners(tif: Any) -> Sizes:
    text = tif.pages.first.description if tif.is_svs else ""
    found = re.search(r"MPP\s*=\s*([0-9.]+)", text or "")
    return _sizes("micrometer", X=found[1], Y=found[1]) if found else {}


def _fluoview(tif: Any) -> Sizes:
    metadata = tif.fluoview_metadata or {}
    found: Sizes = {}
    for entry in metadata.get("Dimensions", ()):
        name, _, _, resolution, unit = list(entry)[:5]
        axis = str(name).strip().upper()[:1]
        known = canonical_unit(str(unit))
        if axis in ("X", "Y", "Z", "T") and known:
            found |= _sizes(known, **{axis: resolution})
    return found


def _geotiff(tif: Any) -> Sizes:
    metadata = tif.geotiff_metadata or {}
    scale = metadata.get("ModelPixelScale")
    if scale is None:
        return {}
    model, linear = (
        str(getattr(metadata.get(key), "name", "")).upper() for key in ("GTModelTypeGeoKey", "ProjLinearUnitsGeoKey")
    )
    if "GEOGRAPHIC" in model:
        return _sizes("degree", X=scale[0], Y=scale[1])
    unit = "foot" if "FOOT" in linear else "meter" if "METER" in linear or not linear else None
    return _sizes(unit, X=scale[0], Y=scale[1])


_MAKERS: tuple[Callable[[Any], Sizes], ...] = (
    _fei,
    _zeiss_sem,
    _olympus_sis,
    _micro_manager,
    _metamorph,
    _zeiss_lsm,
    _tvips,
    _slide_scanners,
    _fluoview,
    _geotiff,
)


def _beside(path: Path) -> Sizes:
    """The pixel size in the text file that Hitachi and JEOL write beside an image."""
    text_file = path.with_suffix(".txt")
    try:
        if not text_file.is_file() or text_file.stat().st_size > 1 << 20:
            return {}
        content = text_file.read_bytes()
    except OSError:
        return {}
    text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1", errors="replace")
    hitachi = re.search(r"^PixelSize\s*=\s*([0-9.eE+-]+)", text, re.MULTILINE)
    if hitachi and "[SemImageFile]" in text:
        return _sizes("nanometer", X=hitachi[1], Y=hitachi[1])
    bar = re.search(r"^\$\$SM_MICRON_BAR\s+([0-9.]+)", text, re.MULTILINE)
    marker = re.search(r"^\$\$SM_MICRON_MARKER\s+([0-9.]+)\s*([^\s0-9]+)", text, re.MULTILINE)
    pixels = real(bar[1]) if bar else None
    if pixels and marker:
        unit = canonical_unit(marker[2].replace("?", "u"))  # A micro sign that an editor has lost.
        length = positive(marker[1])
        return _sizes(unit, X=length / pixels, Y=length / pixels) if length else {}
    return {}
