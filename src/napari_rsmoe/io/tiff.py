"""TIFF, OME-TIFF and ImageJ TIFF files.

A name ending in ``.ome.tif`` is written as OME-TIFF. Any other ``.tif`` is written as ImageJ TIFF if ImageJ supports
the data type and the order of axes, and otherwise as a TIFF with axes and pixel sizes as JSON in its description.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from ..errors import ImageError
from ..image.planes import ArraySink
from .image_file import FileArray, ImageFile
from .raw import RawArray
from .reorder import in_stored_order, stored_axes
from .sizes import check_memory
from .tiff_limits import check_description, check_series
from .units import PixelSize, canonical_unit, imagej_symbol, ome_symbol

_IMAGEJ_DTYPES = ("uint8", "uint16", "float32")
_IMAGEJ_AXES = "TZCYXS"
_OME_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
_OME_LOOPS = 3  # Largest number of axes besides T, Z, C, Y, X and S that OME-XML can describe.
_CLASSIC_LIMIT = 2**32 - 2**25  # Bytes of pixels; below, a classic TIFF has room for its tags, above, BigTIFF is used.
_INCH, _CENTIMETER = 2, 3  # Values of the ResolutionUnit tag.
_ALPHA = (1, 2)  # Values of the ExtraSamples tag for associated and unassociated alpha.


def read(path: Path, *, axes: str | None, lazy: bool, allow_outside: bool = False) -> ImageFile:
    """Read the first image of a TIFF file, at full resolution.

    Parameters
    ----------
    path : Path
        The file.
    axes : str or None
        Axes to use instead of those in the file.
    lazy : bool
        Read pixels only when the data are indexed.
    allow_outside : bool
        Whether a description may name files outside the folder of `path`.

    Raises
    ------
    ImageError
        If the file is damaged or holds no image.
    """

    def damaged(error: Exception) -> ImageError:
        return ImageError(f"{path} cannot be read as TIFF: it is damaged or incomplete ({error}).")

    with contextlib.ExitStack() as stack, _complaints() as complaints:
        try:
            tif = stack.enter_context(tifffile.TiffFile(path))
            check_description(tif, path, allow_outside=allow_outside)
            if not tif.series:
                raise ImageError(f"{path} holds no image.")
            series = tif.series[0]
            check_series(series, path, allow_outside=allow_outside)
            if any(page is None for page in series.pages):
                raise ImageError(
                    f"{path} is incomplete: its description names {len(series.pages)} planes, of which some are "
                    "missing."
                )
            unit = tuple(series.keyframe.chunks)
            if not lazy:
                for shape in (unit, series.shape):
                    check_memory(shape, series.dtype)
            array, close = _open_pixels(series, stack) if lazy else (_read_pixels(series), None)
            description = _describe(tif, series)
        except (ImageError, OSError, MemoryError):
            raise
        except Exception as error:  # tifffile and its decoders raise exceptions of many types.
            raise damaged(error) from error
        data = array if close is None else FileArray(array, damaged, close, unit)
        notes = (*description.pop("notes"), *complaints)
        letters = axes or _unique(series.axes)
        return ImageFile(data, letters, kind="tiff", notes=notes, **description)


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


def _open_pixels(series: Any, stack: contextlib.ExitStack) -> tuple[Any, Any]:
    """Return an array that reads from the file, and the function that closes it."""
    raw = _raw_pixels(series)
    if raw is not None:
        return raw, raw.close
    import zarr  # Imported here to save start-up time; only compressed stacks need it.

    array = zarr.open_array(series.aszarr(level=0), mode="r")
    return array, stack.pop_all().close


def _read_pixels(series: Any) -> Any:
    """Return all pixels as an array."""
    raw = _raw_pixels(series)
    if raw is None:
        return series.asarray()
    with contextlib.closing(raw):
        return raw[...]


def _describe(tif: Any, series: Any) -> dict[str, Any]:
    """Return the metadata of the file as arguments of `ImageFile`."""
    page = series.keyframe
    notes = []
    images = max(len(tif.series), len(tif.pages) - len(series.pages) + 1 if series.kind == "generic" else 1)
    if images > 1:
        notes.append(f"the file holds {images} images; the first is read")
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE and not tif.is_imagej:
        notes.append("the file has a colour table; the stored indices are read, not the colours")
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        notes.append("in the file, 0 stands for white; the stored values are read without inversion")
    found: dict[str, Any] = {"pixel_size": _resolution_tags(page), "name": "", "channel_names": ()}
    if tif.is_ome:
        found |= _ome_metadata(tif.ome_metadata)
    elif tif.is_imagej:
        found |= _imagej_metadata(tif.imagej_metadata, page)
    elif tif.is_shaped:
        found |= _own_metadata(tif.shaped_metadata[0], found["pixel_size"])
    extra = page.extrasamples
    alpha = "S" in series.axes and bool(extra) and int(extra[-1]) in _ALPHA and page.samplesperpixel in (2, 4)
    icc = page.tags.get("InterColorProfile")
    return {**found, "alpha": alpha, "icc_profile": bytes(icc.value) if icc else None, "notes": notes}


def _ratio(page: Any, tag: str) -> float | None:
    """Pixels per unit from a resolution tag; None if the tag is missing or zero."""
    entry = page.tags.get(tag)
    if entry is None:
        return None
    numerator, denominator = entry.value
    return numerator / denominator if numerator and denominator else None


def _resolution_tags(page: Any) -> dict[str, PixelSize]:
    """Pixel size from the resolution tags; empty if they have no physical unit."""
    entry = page.tags.get("ResolutionUnit")
    unit = {_INCH: "inch", _CENTIMETER: "centimeter"}.get(int(entry.value) if entry else 0)
    if unit is None:
        return {}
    ratios = {"X": _ratio(page, "XResolution"), "Y": _ratio(page, "YResolution")}
    return {axis: PixelSize(1 / ratio, unit) for axis, ratio in ratios.items() if ratio}


def _imagej_metadata(metadata: Mapping[str, Any], page: Any) -> dict[str, Any]:
    """Pixel size and channel names of an ImageJ TIFF.

    The pixel size of X and Y is in the resolution tags, in the unit that ImageJ's description names.
    """
    sizes = _resolution_tags(page)
    unit = canonical_unit(str(metadata["unit"])) if "unit" in metadata else None
    if unit is not None:
        for axis, tag in (("X", "XResolution"), ("Y", "YResolution")):
            ratio = _ratio(page, tag)
            if ratio:
                sizes[axis] = PixelSize(1 / ratio, canonical_unit(str(metadata.get(f"{axis.lower()}unit", unit))))
    spacing = metadata.get("spacing")
    if isinstance(spacing, int | float) and spacing:
        sizes["Z"] = PixelSize(abs(float(spacing)), canonical_unit(str(metadata.get("zunit", unit or ""))))
    interval = metadata.get("finterval")
    if isinstance(interval, int | float) and interval > 0:
        sizes["T"] = PixelSize(float(interval), canonical_unit(str(metadata.get("tunit", "second"))) or "second")
    labels, channels = metadata.get("Labels", []), int(metadata.get("channels", 1))
    # There is one label for each slice. Labels that repeat from one group of channels to the next are channel names.
    repeat = len(labels) >= channels > 1 and all(a == labels[k % channels] for k, a in enumerate(labels))
    return {"pixel_size": sizes, "channel_names": tuple(labels[:channels]) if repeat else ()}


def _ome_metadata(xml: str) -> dict[str, Any]:
    """Pixel size and names of the first image of an OME-XML description."""
    root = ElementTree.fromstring(xml)
    image, pixels = root.find("{*}Image"), root.find("{*}Image/{*}Pixels")
    if image is None or pixels is None:
        return {}
    sizes = {}
    for axis, name, default in (
        ("X", "PhysicalSizeX", "micrometer"),
        ("Y", "PhysicalSizeY", "micrometer"),
        ("Z", "PhysicalSizeZ", "micrometer"),
        ("T", "TimeIncrement", "second"),
    ):
        value = float(pixels.get(name, 0))
        if value > 0:
            sizes[axis] = PixelSize(value, canonical_unit(pixels.get(f"{name}Unit", default)))
    channels = [channel.get("Name") for channel in pixels.findall("{*}Channel")]
    return {
        "pixel_size": sizes,
        "name": image.get("Name", ""),
        "channel_names": tuple(name or "" for name in channels) if any(channels) else (),
    }


def _own_metadata(metadata: Mapping[str, Any], tags: dict[str, PixelSize]) -> dict[str, Any]:
    """Read the JSON description that `_plain_arguments` writes."""
    sizes = dict(tags)
    for axis, entry in metadata.get("pixel_size", {}).items():
        value, unit = entry
        sizes[axis] = PixelSize(float(value), unit)
    return {
        "pixel_size": sizes,
        "name": metadata.get("name", ""),
        "channel_names": tuple(metadata.get("channel_names", ())),
    }


def _unique(axes: str) -> str:
    """Replace repeated letters, which tifffile uses for axes of unknown meaning, by unused ones."""
    spare = iter("QIRPUVW")
    seen: list[str] = []
    for letter in axes:
        seen.append(letter if letter not in seen else next(s for s in spare if s not in axes))
    return "".join(seen)


@contextlib.contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collect the warnings that tifffile logs instead of printing them."""
    collected: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            collected.append(f"tifffile: {record.getMessage()}")

    logger, handler = logging.getLogger("tifffile"), Collector(logging.WARNING)
    propagate = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield collected
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


def layout(image: ImageFile) -> str:
    """The stored order of axes: planes last, and a short trailing channel axis as colour samples."""
    axes, sizes = image.axes, image.sizes
    if axes[-1] == "C" and "S" not in axes and (sizes["C"] in (3, 4) or image.alpha):
        axes = axes[:-1] + "S"
    if axes.endswith("SYX"):
        return axes
    return stored_axes(axes, "".join(a for a in axes if a not in "CSYX") + "CYXS")


def check(path: Path, image: ImageFile) -> None:
    """Raise an `ImageError` if `image` cannot be written to `path`."""
    if not _is_ome(path):
        return
    if image.dtype.name not in _OME_DTYPES:
        raise ImageError(
            f"OME-TIFF cannot hold {image.dtype}; write a .tif or .zarr file, or convert the image to one of "
            f"{', '.join(_OME_DTYPES)}."
        )
    if len([a for a in image.axes if a not in "TZCYXS"]) > _OME_LOOPS:
        raise ImageError(f"OME-TIFF cannot hold the axes {image.axes!r}; write a .tif or .npy file.")


@contextlib.contextmanager
def create(path: Path, target: Path, image: ImageFile) -> Iterator[ArraySink]:
    """Create a TIFF file at `path`, later renamed to `target`, and yield the sink for its planes.

    Parameters
    ----------
    path : Path
        The temporary file.
    target : Path
        The final name, which decides between OME-TIFF and other TIFF.
    image : ImageFile
        Shape, data type, axes and metadata; its pixels are not used.
    """
    axes = layout(image)
    sizes = image.sizes | ({"S": image.sizes["C"]} if "S" in axes and "S" not in image.axes else {})
    shape = tuple(sizes[a] for a in axes)
    arguments: dict[str, Any] = {"photometric": "minisblack", "metadata": {"axes": axes}}
    if "S" in axes:
        colours = sizes["S"] - image.alpha
        arguments["photometric"] = "rgb" if colours >= 3 and sizes["S"] <= 4 else "minisblack"
        arguments["planarconfig"] = "contig" if axes[-1] == "S" else "separate"
        extra = sizes["S"] - (3 if arguments["photometric"] == "rgb" else 1)
        kinds = ["unspecified"] * (extra - image.alpha) + ["unassalpha"] * image.alpha
        arguments["extrasamples"] = kinds or None
    if _is_ome(target):
        arguments["ome"] = True
        arguments["metadata"] |= _ome_arguments(axes, image)
    elif _fits_imagej(axes, sizes, image):
        arguments["imagej"] = True
        arguments |= _resolution(image, "imagej")
        arguments["metadata"] |= _imagej_arguments(axes, image)
    else:
        arguments |= _resolution(image, "plain")
        arguments["metadata"] |= _plain_arguments(image)
    if image.icc_profile:
        arguments["iccprofile"] = image.icc_profile
    arguments["bigtiff"] = _bytes(image) >= _CLASSIC_LIMIT
    pixels = tifffile.memmap(path, shape=shape, dtype=image.dtype, software="napari-rsmoe", **arguments)
    with path.open("rb+") as file:
        reserve(file.fileno())
    yield in_stored_order(pixels, axes, image.axes)
    pixels.flush()


def reserve(descriptor: int) -> None:
    """Allocate the disk space of a sparse file now: a full disk raises an error here but would crash a memory map."""
    length = os.fstat(descriptor).st_size
    if length and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, length)


def _is_ome(path: Path) -> bool:
    return path.name.lower().endswith((".ome.tif", ".ome.tiff"))


def _fits_imagej(axes: str, sizes: Mapping[str, int], image: ImageFile) -> bool:
    """Whether an ImageJ TIFF can hold the image and its metadata without loss."""
    if image.dtype.name not in _IMAGEJ_DTYPES or axes != stored_axes(axes, _IMAGEJ_AXES):
        return False
    if 1 in (sizes["Y"], sizes["X"]):  # ImageJ's description cannot express this, and readers guess other axes.
        return False
    if "S" in axes and (image.dtype != np.uint8 or sizes["S"] not in (3, 4)):
        return False
    # ImageJ knows one unit for all lengths, a pixel size for X and Y together, and time in seconds.
    lengths = {image.pixel_size[axis].unit for axis in "YXZ" if axis in image.pixel_size}
    known = set(image.pixel_size) <= set("TZYX") and len(lengths) <= 1 and None not in lengths
    paired = ("X" in image.pixel_size) == ("Y" in image.pixel_size)
    seconds = "T" not in image.pixel_size or image.pixel_size["T"].unit == "second"
    return known and paired and seconds and _bytes(image) < _CLASSIC_LIMIT


def _bytes(image: ImageFile) -> int:
    return int(np.prod(image.shape, dtype=np.int64)) * image.dtype.itemsize


def _resolution(image: ImageFile, flavour: str) -> dict[str, Any]:
    """The resolution tags: pixels per unit of ImageJ's description, else per inch or centimetre."""
    sizes = {axis: image.pixel_size.get(axis) for axis in "XY"}
    x, y = sizes["X"], sizes["Y"]
    if x is None or y is None:
        return {}
    if flavour == "imagej":  # In the unit that ImageJ's description names.
        return {"resolution": (1 / x.value, 1 / y.value), "resolutionunit": "none"}
    factor = {"inch": 1.0, "centimeter": 1.0, "millimeter": 10.0, "micrometer": 1e4, "nanometer": 1e7}
    if x.unit != y.unit or x.unit not in factor:
        return {}
    per = factor[x.unit]
    return {
        "resolution": (per / x.value, per / y.value),
        "resolutionunit": "inch" if x.unit == "inch" else "centimeter",
    }


def _imagej_arguments(stored: str, image: ImageFile) -> dict[str, Any]:
    """Fields of ImageJ's description."""
    sizes = image.pixel_size
    fields: dict[str, Any] = {}
    unit = next((sizes[a].unit for a in "XYZ" if a in sizes), None)
    if unit is not None:
        fields["unit"] = imagej_symbol(unit)
    if "Z" in sizes:
        fields["spacing"] = sizes["Z"].value
    if "T" in sizes:
        fields["finterval"] = sizes["T"].value
    if image.channel_names and "C" in stored:
        slices = [image.sizes[a] for a in "TZ" if a in image.axes]
        fields["Labels"] = list(image.channel_names) * int(np.prod(slices, dtype=np.int64))
    return fields


def _ome_arguments(stored: str, image: ImageFile) -> dict[str, Any]:
    """Fields of the OME-XML description."""
    names = {"X": "PhysicalSizeX", "Y": "PhysicalSizeY", "Z": "PhysicalSizeZ", "T": "TimeIncrement"}
    fields: dict[str, Any] = {}
    for axis, (value, unit) in image.pixel_size.items():
        if axis in names and not (axis == "T" and unit is None):
            fields[names[axis]] = value
            fields[f"{names[axis]}Unit"] = ome_symbol(unit)
    if image.name:
        fields["Name"] = image.name
    if image.channel_names and "C" in stored:
        fields["Channel"] = {"Name": list(image.channel_names)}
    return fields


def _plain_arguments(image: ImageFile) -> dict[str, Any]:
    """Fields of the JSON description, for metadata that TIFF tags cannot hold."""
    fields: dict[str, Any] = {}
    if image.pixel_size:
        fields["pixel_size"] = {axis: list(size) for axis, size in image.pixel_size.items()}
    if image.name:
        fields["name"] = image.name
    if image.channel_names:
        fields["channel_names"] = list(image.channel_names)
    json.dumps(fields)  # Fails here, before tifffile has written part of the file.
    return fields
