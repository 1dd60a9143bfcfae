"""Image layers as images of files: with axes, pixel sizes and place, and pixels that stay lazy."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..image.planes import Planes
from ..io.details import Details
from ..io.image_file import ImageFile
from ..io.units import PixelSize, canonical_unit
from .place import Place
from .source import Source

CHANNEL_LABELS = ("c", "ch", "channel", "channels")
"""Axis labels, in lower case, of an axis that holds channels."""
SAMPLES = 3
"""Planes of which a part tells images apart, and parts along each axis of a plane."""
SAMPLE_SIDE = 32
"""Side in pixels of these parts; more would read more chunks of a lazy image."""
DIGITS = 8
"""Hexadecimal digits of a fingerprint in a name."""


def image_of(source: Source) -> ImageFile:
    """An image layer, or a part of it, as an image; a lazy array stays lazy. Opacity is left out.

    Planes that do not lie at equal distances have no distance in it.
    """
    pixels = source.data[..., :3] if source.has_alpha else source.data
    uneven = {letter for letter, at in zip(source.axes, source.positions, strict=False) if at is not None}
    sizes = pixel_sizes(source.place, source.axes)
    return ImageFile(
        pixels,
        source.axes,
        pixel_size={letter: size for letter, size in sizes.items() if letter not in uneven},
        name=source.name,
        details=Details(position=_position(source.place, source.axes)),
    )


def mask_of(source: Source) -> ImageFile:
    """The pixels that are left out of a source, which has some."""
    letters = [letter for letter in source.axes if letter not in "CS"]
    axes = "".join(letters[-source.mask.ndim :])
    marked = source.mask
    return ImageFile(marked if np.dtype(marked.dtype).kind != "b" else np.asarray(marked).astype(np.uint8), axes)


def channel_axis_of(labels: Sequence[str]) -> int | None:
    """The axis before Y and X that holds channels, by its label."""
    return next((k for k, label in enumerate(labels[:-2]) if label.lower() in CHANNEL_LABELS), None)


def pixel_sizes(place: Place, axes: str) -> dict[str, PixelSize]:
    """Pixel sizes by axis letter; of axes without a unit only those that are not 1."""
    sizes = {}
    for letter, size, unit in zip(axes, np.abs(place.scale), place.units, strict=False):
        known = canonical_unit(unit)
        if letter not in "CS" and size > 0 and (known is not None or size != 1):
            sizes[letter] = PixelSize(float(size), known)
    return sizes


def _position(place: Place, axes: str) -> dict[str, PixelSize]:
    """Coordinates of the first pixel, of a layer that is neither turned nor sheared; they need a unit."""
    count = len(place.scale)
    turned = not np.allclose(place.rotate, np.eye(count)) or np.any(place.shear) or not np.allclose(
        place.affine, np.eye(count + 1)
    )  # fmt: skip
    found = {}
    for letter, first, unit in zip(axes, place.translate, place.units, strict=False):
        known = canonical_unit(unit)
        if letter in "ZYX" and known is not None and first != 0 and not turned:
            found[letter] = PixelSize(float(first), known)
    return found


def fingerprint(data: Any, axes: str) -> str:
    """A few digits that tell an image from others of its name, from its shape, its type, and some of its pixels."""
    planes = Planes(data, axes)
    digest = hashlib.sha256(f"{tuple(data.shape)} {data.dtype} {axes}".encode())
    numbers = sorted({k * (len(planes) - 1) // (SAMPLES - 1) for k in range(SAMPLES)})
    starts = [
        sorted({k * max(0, length - SAMPLE_SIDE) // (SAMPLES - 1) for k in range(SAMPLES)})
        for length in planes.plane_shape[:2]
    ]
    for number in numbers:
        for y in starts[0]:
            for x in starts[1]:
                part = planes.part(number, slice(y, y + SAMPLE_SIDE), slice(x, x + SAMPLE_SIDE))
                digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:DIGITS]


def known_as(source: Source) -> str:
    """A name for an image that lies in no file; other pixels have another one."""
    part = f"[{source.part}]" if source.part else ""
    return f"{source.name}{part} ({fingerprint(source.data, source.axes)})"
