"""The reader of image files in napari, for formats that napari itself does not read.

The pixels and metadata are those that the command line and `napari_rsmoe.read_image` see: colours as RGB, values as the
instrument means them, pixel size, units, position, channel names, colours and display ranges.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..io.files import list_series, read_image
from ..io.formats import READABLE
from ..io.image_file import ImageFile
from ..io.units import unit_ratio
from .files import LayerData, known_unit

LARGEST_AT_ONCE = 1 << 28
"""Bytes up to which an image is read at once; the planes of a larger one are read when they are shown."""
MOST_CHANNELS = 16
"""Channels that become layers at most; more, such as wavelengths, are an axis with a slider."""
MOST_IMAGES = 16
"""Images of a file that are opened at most; more would fill the list of layers."""


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerData]] | None:
    """The reader if all paths are image files, else None."""
    paths = [path] if isinstance(path, str | Path) else list(path)
    return read if paths and all(Path(each).suffix.lower() in READABLE for each in paths) else None


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Read image files: one layer for each channel of each image of each file.

    Further images of a file, such as scenes and positions, are hidden at first, and those after `MOST_IMAGES` are left
    out with a warning.

    Raises
    ------
    ImageError
        If a file cannot be read.
    """
    layers: list[LayerData] = []
    for each in [path] if isinstance(path, str | Path) else path:
        count = len(list_series(each))
        if count > MOST_IMAGES:
            warnings.warn(
                f"{Path(each).name} holds {count} images, of which the first {MOST_IMAGES} are opened; others are read "
                "by napari_rsmoe.read_image(path, series=NUMBER).",
                stacklevel=2,
            )
        for number in range(min(count, MOST_IMAGES)) if count > 1 else (None,):
            image = read_image(each, lazy=True, series=number)
            for note in image.notes:
                warnings.warn(f"{Path(each).name}: {note}.", stacklevel=2)
            found = _layers(image, image.name or Path(each).name + (f" {number}" if number else ""))
            layers += [(data, options | {"visible": not number}, kind) for data, options, kind in found]
    return layers


def _layers(image: ImageFile, name: str) -> list[LayerData]:
    """The layers of an image."""
    axes, pixels = image.axes, _pixels(image)
    rgb = "S" in axes and image.sizes["S"] in (3, 4)
    sliders = "" if image.sizes.get("C", 1) <= MOST_CHANNELS else "C"
    order = [a for a in axes if a not in "CSYX" or a in sliders] + ["Y", "X"] + (["S"] if rgb else [])
    split = [a for a in axes if a not in order]  # The axes whose entries become layers.
    pixels = pixels.transpose([axes.index(a) for a in (*split, *order)])
    pixels = pixels.reshape((-1, *pixels.shape[len(split) :]))
    common = {"rgb": rgb, **place_of(image, [a for a in order if a != "S"])}
    layers: list[LayerData] = []
    for number in range(pixels.shape[0]):
        options: dict[str, Any] = {"name": name, **common}
        details = image.details
        if len(image.channel_names) == pixels.shape[0]:
            options["name"] = f"{name} {image.channel_names[number]}"
        if pixels.shape[0] > 1:
            options["blending"] = "additive"
        if len(details.colours) == pixels.shape[0] and not rgb:
            options["colormap"] = f"#{details.colours[number]}"
        if len(details.limits) == pixels.shape[0] and not rgb and details.limits[number][0] < details.limits[number][1]:
            options["contrast_limits"] = details.limits[number]
        layers.append((pixels[number], options, "image"))
    return layers


def _pixels(image: ImageFile) -> Any:
    """The pixels in memory, or a lazy array of planes."""
    if math.prod(image.shape) * image.dtype.itemsize <= LARGEST_AT_ONCE:
        with image:
            return image.numpy()
    import dask.array  # Imported here to save start-up time; it comes with napari.

    chunks = tuple(-1 if axis in "YXS" else 1 for axis in image.axes)
    return dask.array.from_array(image.data, chunks=chunks, asarray=False, fancy=False)


def place_of(image: ImageFile, axes: Sequence[str]) -> dict[str, Any]:
    """Scale, position, units and names of the axes; lengths in one unit, as napari needs them."""
    unit = next((image.pixel_size[a].unit for a in "XYZ" if a in image.pixel_size), None)
    scale, translate, units = np.ones(len(axes)), np.zeros(len(axes)), []
    for k, axis in enumerate(axes):
        size, place = image.pixel_size.get(axis), image.details.position.get(axis)
        wanted = unit if axis in "ZYX" else size.unit if size is not None else None
        known = wanted is not None and known_unit(wanted)
        ratio = unit_ratio(size.unit, wanted) if size is not None and known else None
        if size is not None and ratio is not None:
            scale[k] = size.value * ratio
        if place is not None and known:
            translate[k] = place.value * (unit_ratio(place.unit, wanted) or 0.0)
        units.append(str(wanted) if known and (ratio is not None or axis in "ZYX") else "pixel")
    labels = tuple(axis.lower() for axis in axes)
    return {"scale": scale, "translate": translate, "units": tuple(units), "axis_labels": labels}
