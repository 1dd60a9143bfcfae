"""DICOM images of medicine, by pydicom: single images and multi-frame files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from ..details import Details
from ..image_file import ImageFile
from ..numbers import positive, real
from ..pixel_meaning import GREY, RGB, WHITE_IS_ZERO, PixelMeaning, shown
from ..reading import Reading
from ..sizes import check_memory
from ..units import PixelSize
from .frames import image_of, library, opened

_MEANINGS = {
    "MONOCHROME1": WHITE_IS_ZERO,
    "MONOCHROME2": GREY,
    "RGB": RGB,
    "PALETTE COLOR": RGB,
    # pydicom converts these.
    "YBR_FULL": RGB,
    "YBR_FULL_422": RGB,
    "YBR_ICT": RGB,
    "YBR_RCT": RGB,
}


def read(path: Path, how: Reading) -> ImageFile:
    """Read a DICOM file, in the values that its modality gives (rescale slope and intercept are applied)."""
    pydicom = library("pydicom", "DICOM")
    with opened(path, "DICOM", lambda: pydicom.dcmread(path)) as data:
        if "PixelData" not in data and "FloatPixelData" not in data:
            raise ImageError(f"{path} is a DICOM file without an image.")
        kind = _MEANINGS.get(str(data.get("PhotometricInterpretation", "MONOCHROME2")))
        if kind is None:
            raise ImageError(
                f"{path} is stored as {data.PhotometricInterpretation}, which cannot be converted; convert it to RGB "
                "or MONOCHROME2 in another program."
            )
        frames, samples = int(data.get("NumberOfFrames", 1) or 1), int(data.get("SamplesPerPixel", 1))
        check_memory(path, (frames, int(data.Rows), int(data.Columns), samples), np.uint16)
        pixels: NDArray[Any] = np.asarray(data.pixel_array)
        if data.get("PhotometricInterpretation") == "PALETTE COLOR":
            pixels = np.asarray(library("pydicom.pixels", "DICOM").apply_color_lut(pixels, data))
        samples = pixels.shape[-1] if pixels.ndim > 2 and pixels.shape[-1] in (3, 4) else 1
        axes = ("" if frames == 1 else "T" if "FrameTime" in data else "Z") + "YX" + ("S" if samples > 1 else "")
    meaning = PixelMeaning(kind, bits=int(data.get("BitsStored", 8 * pixels.dtype.itemsize)))
    converted = shown(pixels, axes, meaning)
    values, note = _rescaled(np.asarray(converted.data[...]), data)
    notes = (*converted.notes, *note, *_padding_range(data), "data on patient and examination are not copied")
    padding = converted.value(real(data.get("PixelPaddingValue")))
    facts = {"pixel_size": _sizes(data), "notes": notes, "details": Details(nodata=_rescaled_value(padding, data))}
    return image_of(path, how, values, converted.axes, lambda: None, kind="dicom", **facts)


def _padding_range(data: Any) -> tuple[str, ...]:
    """A note if several values stand for pixels beyond the picture, of which only one can be the no-data value."""
    value, limit = (_rescaled_value(real(data.get(f"PixelPadding{name}")), data) for name in ("Value", "RangeLimit"))
    if value is None or limit is None:
        return ()
    between = f"values from {min(value, limit):g} to {max(value, limit):g} lie beyond the picture"
    return (f"{between}; of these only {value:g} is left out, and --below or --above leaves out the others",)


def _by_frame(data: Any, keyword: str) -> list[Any]:
    """The values of a keyword: one, or one for each frame if a file of several frames gives them in sequences."""
    if keyword in data:
        return [data.get(keyword)]
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        found = [
            item.get(keyword)
            for frame in data.get(groups) or ()
            for element in frame
            if element.VR == "SQ"
            for item in element.value
            if keyword in item
        ]
        if found:
            return found
    return []


def _scales(data: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slopes and intercepts from stored values to those of the modality: one each, or one for each frame."""
    slopes, intercepts = ([real(v) for v in _by_frame(data, f"Rescale{name}")] for name in ("Slope", "Intercept"))
    if None in (*slopes, *intercepts) or len(slopes) != len(intercepts) or not slopes:
        return np.ones(1), np.zeros(1)
    first = (slopes[0], intercepts[0])
    if all(pair == first for pair in zip(slopes, intercepts, strict=True)):
        slopes, intercepts = slopes[:1], intercepts[:1]
    return np.array(slopes, np.float64), np.array(intercepts, np.float64)


def _rescaled_value(value: float | None, data: Any) -> float | None:
    """What a stored value, that of pixels beyond the picture, means to the modality; None if it differs by frame."""
    slopes, intercepts = _scales(data)
    return None if value is None or len(slopes) > 1 else float(value * slopes[0] + intercepts[0])


def _rescaled(pixels: NDArray[Any], data: Any) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Values as the modality means them, such as Hounsfield units: integers if slope and intercept are."""
    slopes, intercepts = _scales(data)
    if len(slopes) > 1 and len(slopes) == len(pixels):
        shape = (-1, *[1] * (pixels.ndim - 1))
        values = pixels * slopes.reshape(shape) + intercepts.reshape(shape)
        return values.astype(np.float32), ("each frame has its own slope and intercept, as the file says",)
    slope, intercept = float(slopes[0]), float(intercepts[0])
    if (slope, intercept) == (1, 0):
        return pixels, ()
    values = pixels * slope + intercept
    kinds = _by_frame(data, "RescaleType")
    unit = f" ({kinds[0]})" if kinds and kinds[0] else ""
    note = f"values are {slope:g} times the stored ones plus {intercept:g}{unit}, as the file says"
    if slope.is_integer() and intercept.is_integer():
        fits = np.iinfo(np.int16).min <= values.min() and values.max() <= np.iinfo(np.int16).max
        return values.astype(np.int16 if fits else np.int32), (note,)
    return values.astype(np.float32), (note,)


def _sizes(data: Any) -> dict[str, PixelSize]:
    """Distances between rows, columns and slices in millimetres, and between frames in milliseconds."""
    found = {}
    spacing = next(iter(_by_frame(data, "PixelSpacing") or _by_frame(data, "ImagerPixelSpacing")), None) or ()
    for axis, value in zip("YX", spacing, strict=False):
        size = positive(value)
        if size is not None:
            found[axis] = PixelSize(size, "millimeter")
    for axis, keyword, unit in (
        ("Z", "SliceThickness", "millimeter"),
        ("Z", "SpacingBetweenSlices", "millimeter"),
        ("T", "FrameTime", "millisecond"),
    ):
        size = positive(next(iter(_by_frame(data, keyword)), None))
        if size is not None:
            found[axis] = PixelSize(size, unit)
    return found
