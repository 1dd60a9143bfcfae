"""What stored samples mean: conversion to the grey values or colours that a viewer shows, for all formats.

A file says how its samples are to be shown: as grey with 0 for black or for white, as RGB, CMYK, CIELab or YCbCr, as
indices of a colour table, turned, or with colours that are already multiplied by their opacity. Everything else in this
package knows only grey and RGB, upright, 0 for black, and opacity apart. `shown` converts, plane by plane and only when
the pixels are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..image.planes import ArraySource
from .colour_spaces import from_colour_space
from .colour_tables import is_plain_grey, is_ramp, through_table
from .converted import Converted, Pixels, Step

GREY, WHITE_IS_ZERO, RGB, PALETTE = "grey", "grey with 0 for white", "RGB", "colour table"
SHOWN_INVERTED = "grey that is displayed inverted"


@dataclass(frozen=True)
class PixelMeaning:
    """How the stored samples of an image are to be shown.

    Parameters
    ----------
    photometric : str
        One of the constants of this module and of `colour_spaces`.
    bits : int or None
        Bits of a sample; None for those of its data type.
    colour_table : ndarray or None
        (3, n) uint16, for `PALETTE`.
    orientation : int
        EXIF and TIFF code from 1 (upright) to 8.
    premultiplied : bool
        Whether the colours are multiplied by the opacity, which is the last sample.
    offset : int
        What is added to each stored value, in a signed type of the same size.
    """

    photometric: str = GREY
    bits: int | None = None
    colour_table: NDArray[Any] | None = None
    orientation: int = 1
    premultiplied: bool = False
    offset: int = 0


@dataclass(frozen=True)
class Shown:
    """An image as it is to be shown.

    Parameters
    ----------
    data : array-like
        The pixels.
    axes : str
        Their axes.
    notes : tuple of str
        What was converted.
    colour_table : ndarray or None
        The colour table of grey values that stayed as they are.
    white_is_zero : bool
        Whether low values are shown bright: of signed and float values, which have no white to invert them at, and of
        values that are only displayed so.
    mirror : float or None
        What stored values were subtracted from.
    offset : float
        What was added to them then.
    """

    data: ArraySource
    axes: str
    notes: tuple[str, ...] = ()
    colour_table: NDArray[Any] | None = None
    white_is_zero: bool = False
    mirror: float | None = None
    offset: float = 0.0

    def value(self, stored: float | None) -> float | None:
        """What a stored value, such as that of pixels without data, has become."""
        if stored is None:
            return None
        return (stored if self.mirror is None else self.mirror - stored) + self.offset


def shown(data: ArraySource, axes: str, meaning: PixelMeaning) -> Shown:
    """Convert stored samples to what a viewer shows: grey or RGB, 0 for black, upright.

    Parameters
    ----------
    data : array-like
        The samples; they are read only when the result is indexed.
    axes : str
        Their axes, with ``S`` for samples.
    meaning : PixelMeaning
        How they are to be shown.

    Returns
    -------
    Shown
        The same data if nothing is to be converted.

    Raises
    ------
    ImageError
        If the samples cannot be converted; the message says what can be done.
    """
    notes: list[str] = []
    kept: NDArray[Any] | None = None
    stored = np.dtype(data.dtype)
    signed = stored.kind in "if"
    inverse = meaning.photometric == SHOWN_INVERTED or (meaning.photometric == WHITE_IS_ZERO and signed)
    for step in _steps(np.dtype(data.dtype), axes, dict(zip(axes, data.shape, strict=True)), meaning):
        data = Converted(data, axes, step)
        axes = data.axes
        notes += [step.note] if step.note else []
    if meaning.photometric == PALETTE and meaning.colour_table is not None and is_ramp(meaning.colour_table):
        kept = None if is_plain_grey(meaning.colour_table) else meaning.colour_table
    inverted = meaning.photometric == WHITE_IS_ZERO and not inverse
    mirror = 2.0 ** (meaning.bits or 8 * stored.itemsize) - 1 if inverted and stored.kind == "u" else None
    return Shown(data, axes, tuple(notes), kept, inverse, mirror, meaning.offset)


def _steps(dtype: np.dtype[Any], axes: str, sizes: dict[str, int], meaning: PixelMeaning) -> list[Step]:
    """The conversions of an image, in their order."""
    samples = sizes.get("S")
    found: list[Step] = []
    colours = _to_rgb(dtype, samples, meaning)
    bits = meaning.bits or 8 * dtype.itemsize
    if colours is not None:
        found.append(colours)
    elif dtype.kind == "b" or (dtype == np.uint8 and bits in (1, 2, 4)):
        found.append(_spread(samples, 1 if dtype.kind == "b" else bits, meaning.photometric == WHITE_IS_ZERO))
    elif meaning.photometric == WHITE_IS_ZERO and dtype.kind == "u":
        found.append(_inverted(dtype, samples, bits))
    if meaning.offset:
        signed = np.dtype(f"i{dtype.itemsize}")
        found.append(Step(lambda block: (block.astype(np.int64) + meaning.offset).astype(signed), signed, samples))
    if meaning.premultiplied and samples in (2, 4):
        found.append(
            Step(_divided, dtype, samples, note="colours that were multiplied by the opacity are divided by it")
        )
    if meaning.orientation in range(2, 9):
        last = found[-1] if found else None
        samples, dtype = (last.samples, last.dtype) if last else (samples, dtype)
        found.append(_upright(dtype, samples, meaning.orientation))
    return found


def _to_rgb(dtype: np.dtype[Any], samples: int | None, meaning: PixelMeaning) -> Step | None:
    """The conversion to RGB; None for grey and RGB."""
    kind = meaning.photometric
    if kind == PALETTE and meaning.colour_table is not None and not is_ramp(meaning.colour_table):
        return through_table(meaning.colour_table, samples)
    if kind in (GREY, WHITE_IS_ZERO, SHOWN_INVERTED, RGB, PALETTE):
        return None
    return from_colour_space(kind, dtype, samples)


def _spread(samples: int | None, bits: int, inverted: bool) -> Step:
    """Values of 1, 2 or 4 bits as values from 0 to 255."""
    factor = 255 // (2**bits - 1)

    def convert(block: Pixels) -> Pixels:
        values = block.astype(np.uint8) * np.uint8(factor)
        return np.uint8(255) - values if inverted else values

    note = f"values of {bits} bit{'s' if bits > 1 else ''} are spread to 0 to 255"
    return Step(convert, np.dtype(np.uint8), samples, note=note + (_INVERTED if inverted else ""))


_INVERTED = "; in the file, 0 stands for white, and values are inverted"


def _inverted(dtype: np.dtype[Any], samples: int | None, bits: int) -> Step:
    white = dtype.type(2**bits - 1)
    return Step(lambda block: white - block, dtype, samples, note=_INVERTED.removeprefix("; "))


def _divided(block: Pixels) -> Pixels:
    """Colours divided by the opacity; 0 where it is 0."""
    top = np.iinfo(block.dtype).max if block.dtype.kind == "u" else 1
    opacity = block[..., -1:].astype(np.float64) / top
    colours = np.divide(block[..., :-1], opacity, out=np.zeros(block[..., :-1].shape), where=opacity > 0)
    if block.dtype.kind == "u":
        colours = np.rint(np.minimum(colours, top))
    return np.concatenate([colours.astype(block.dtype), block[..., -1:]], -1)


def _upright(dtype: np.dtype[Any], samples: int | None, orientation: int) -> Step:
    """Undo an orientation: 2 mirrored, 3 by 180 degrees, 4 upside down, 5 to 8 also with rows and columns swapped."""
    rows, columns = (-3, -2) if samples else (-2, -1)

    def convert(block: Pixels) -> Pixels:
        if orientation >= 5:
            block = np.swapaxes(block, rows, columns)
        if orientation in (3, 4, 7, 8):
            block = np.flip(block, rows)
        if orientation in (2, 3, 6, 7):
            block = np.flip(block, columns)
        return block

    note = f"the image is turned upright, as its orientation {orientation} says"
    return Step(convert, dtype, samples, swapped=orientation >= 5, note=note)
