"""Axes that a file does not declare: what was assumed, and the option that changes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .image_file import ImageFile

UNNAMED = "QI"
"""Letters of tifffile for pages of no known meaning."""
WITHOUT_AXES = ("npy", "zarr")
"""Formats that hold no axes, so that a short last axis is guessed to be channels."""


def with_assumptions(image: ImageFile, given: str | None) -> ImageFile:
    """The image as it was read, with a note on axes that the file leaves open.

    Parameters
    ----------
    image : ImageFile
        What a reader has returned.
    given : str or None
        Axes that the user gave. The opacity of the file is that of its colour samples, so without an axis S among the
        given ones nothing is opacity.
    """
    if given is not None:
        return replace(image, alpha=image.alpha and "S" in image.axes)
    note = _assumption(image)
    return image if note is None else replace(image, notes=(*image.notes, note))


def unnamed_axis(axes: str, shape: Sequence[int]) -> str | None:
    """The note on an axis of a TIFF file that nothing names, which is iterated over; None if there is none.

    Parameters
    ----------
    axes : str
        As the file leaves them, with ``Q`` or ``I`` for pages of no known meaning.
    shape : sequence of int
        Length of each axis.
    """
    letter = next((each for each in UNNAMED if each in axes), None)
    if letter is None or shape[axes.index(letter)] == 1:
        return None
    names = ", ".join(axes.replace(letter, each) for each in "TZC" if each not in axes)
    return (
        f"read as {axes.replace(letter, 'Q')}: {shape[axes.index(letter)]} planes, one after the other, as the file "
        f"does not say what they are; to name them, give --axes (in Python axes=) {names}"
    )


def separate_planes(axes: str, shape: Sequence[int], *, alpha: bool) -> str | None:
    """The note on channels of a TIFF file that lie plane after plane, and may be a stack; None if there are none.

    Parameters
    ----------
    axes : str
        As the file leaves them.
    shape : sequence of int
        Length of each axis.
    alpha : bool
        Whether the last channel is treated as opacity.
    """
    if not axes.endswith("SYX"):
        return None
    channels, height, width = shape[-3:]
    opacity = ", of which the last is opacity" if alpha else ""
    stack = axes.replace("S", "Z" if "Z" not in axes else "T")
    return (
        f"read as {axes}: {channels} channels of {height} x {width} pixels{opacity}; if they are the planes of a "
        f"stack, give --axes {stack} (in Python axes={stack!r})"
    )


def _assumption(image: ImageFile) -> str | None:
    axes, sizes = image.axes, image.sizes
    size = f"{sizes['Y']} x {sizes['X']} pixels"
    channel = next((axis for axis in "SC" if axis in axes), None)
    if image.kind in WITHOUT_AXES and channel is not None and "C" in axes:
        return (
            f"read as {axes}: {size} of {sizes[channel]} channels; otherwise name the axes, such as --axes "
            f"{'ZYX'[: len(axes)]} (in Python axes='ZYX')"
        )
    return None
