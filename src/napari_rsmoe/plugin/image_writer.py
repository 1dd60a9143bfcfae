"""The writers of image layers in napari: TIFF, OME-TIFF and OME-Zarr with axes, pixel sizes, units and channel names.

napari's own writer for TIFF keeps the pixels only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ImageError
from ..io.image_file import ImageFile
from ..io.writing import write_image
from .as_image import channel_axis_of, pixel_sizes
from .place import Place
from .source import Source

LayerData = tuple[Any, Mapping[str, Any], str]


def write_layer(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write an image layer.

    Parameters
    ----------
    path : str
        The file: its ending chooses the format.
    data : array-like, or a list of them
        The pixels, or the levels of a multiscale layer, of which the finest is written.
    meta : mapping
        The state of the layer.

    Raises
    ------
    ImageError
        If the format cannot hold the image.
    """
    return _write(path, _image(data, meta))


def write_channels(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Write image layers of one size as the channels of one image, with the names of the layers.

    Raises
    ------
    ImageError
        If the layers differ in shape, type or axes, or the format cannot hold the image.
    """
    images = [_image(data, meta) for data, meta, _ in layers]
    first = images[0]
    for image in images[1:]:
        if (image.shape, image.dtype, image.axes) != (first.shape, first.dtype, first.axes):
            raise ImageError(
                f"The layer {image.name!r} has shape {image.shape}, type {image.dtype} and axes {image.axes}, and "
                f"{first.name!r} has {first.shape}, {first.dtype} and {first.axes}. Channels of one image must agree "
                "in these: save the layers one by one."
            )
    if set(first.axes) & set("CS"):
        raise ImageError(f"{first.name!r} has channels of its own: save the layers one by one.")
    where = first.axes.index("Y")
    joined = ImageFile(
        np.stack([image.numpy() for image in images], where),
        first.axes[:where] + "C" + first.axes[where:],
        pixel_size=first.pixel_size,
        name=", ".join(image.name for image in images),
        channel_names=tuple(image.name for image in images),
    )
    return _write(path, joined)


def _write(path: str, image: ImageFile) -> list[str]:
    write_image(Path(path), image, overwrite=True)  # napari has asked before.
    return [str(path)]


def _image(data: Any, meta: Mapping[str, Any]) -> ImageFile:
    """An image layer as an image file."""
    multiscale = bool(meta.get("multiscale")) or isinstance(data, list | tuple)
    pixels = np.asarray(data[0] if multiscale else data)
    rgb = bool(meta.get("rgb"))
    count = pixels.ndim - rgb
    scale = np.asarray(meta.get("scale", np.ones(count)), float)
    labels = tuple(str(label) for label in meta.get("axis_labels") or ("",) * count)
    units = tuple(str(unit) for unit in meta.get("units") or ("pixel",) * count)
    channel = channel_axis_of(labels)
    place = Place(scale, np.zeros(count), np.eye(count), np.zeros(0), np.eye(count + 1), units, labels)
    axes = Source(pixels, rgb, str(meta.get("name", "")), place, channel).axes
    alpha = rgb and pixels.shape[-1] == 4
    return ImageFile(pixels, axes, pixel_size=pixel_sizes(place, axes), name=str(meta.get("name", "")), alpha=alpha)
