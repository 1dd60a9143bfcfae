"""What stored samples mean: conversion to the grey values or colours that a viewer shows, for all formats.

A file says how its samples are to be shown: as grey with 0 for black or for white, as RGB, CMYK, CIELab or YCbCr, as
indices of a colour table, turned, or with colours that are already multiplied by their opacity. Everything else in this
package knows only grey and RGB, upright, 0 for black, and opacity apart. `shown` converts, plane by plane and only when
the pixels are read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..image.planes import ArraySource

GREY, WHITE_IS_ZERO, RGB, PALETTE = "grey", "grey with 0 for white", "RGB", "colour table"
SHOWN_INVERTED = "grey that is displayed inverted"
CMYK, CIELAB, ICCLAB, YCBCR = "CMYK", "CIELab", "ICC CIELab", "YCbCr"
Pixels = NDArray[Any]

# Largest sum of the steps from entry to entry, in full ranges of a channel, of a colour table that is a ramp. The ramps
# of micrographs (green, fire, jet, spectrum) stay below; a table of colours in no order has about n / 3 for n entries.
_RAMP_VARIATION = 3.0
_RAMP_ENTRIES = 16  # Smallest number of entries of a ramp; a smaller table is always a list of colours.


@dataclass(frozen=True)
class PixelMeaning:
    """How the stored samples of an image are to be shown.

    Parameters
    ----------
    photometric : str
        One of the constants of this module.
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
        kept = None if _is_plain_grey(meaning.colour_table) else meaning.colour_table
    inverted = meaning.photometric == WHITE_IS_ZERO and not inverse
    mirror = 2.0 ** (meaning.bits or 8 * stored.itemsize) - 1 if inverted and stored.kind == "u" else None
    return Shown(data, axes, tuple(notes), kept, inverse, mirror, meaning.offset)


@dataclass(frozen=True)
class Step:
    """One conversion.

    Parameters
    ----------
    function : callable
        Converts an array whose last axes are Y, X and, with samples, S.
    dtype : dtype
        Data type of the result.
    samples : int or None
        Samples of the result; None for no axis S.
    swapped : bool
        Whether Y and X change places.
    note : str
        What is converted, for the user.
    """

    function: Callable[[Pixels], Pixels]
    dtype: np.dtype[Any]
    samples: int | None
    swapped: bool = False
    note: str = ""


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


# ---------------------------------------------------------------------------------------------- colours


def _to_rgb(dtype: np.dtype[Any], samples: int | None, meaning: PixelMeaning) -> Step | None:
    """The conversion to RGB; None for grey and RGB."""
    kind = meaning.photometric
    if kind == PALETTE and meaning.colour_table is not None and not is_ramp(meaning.colour_table):
        return _through_table(meaning.colour_table, samples)
    functions = {CMYK: _from_cmyk, CIELAB: _from_cielab, ICCLAB: _from_icclab, YCBCR: _from_ycbcr}
    if kind in (GREY, WHITE_IS_ZERO, SHOWN_INVERTED, RGB, PALETTE):
        return None
    if kind not in functions:
        raise ImageError(
            f"the image is stored as {kind}, which cannot be converted to RGB; convert it to RGB or grey in another "
            "program."
        )
    count = 4 if kind == CMYK else 3
    if samples not in (count, count + 1) or dtype.kind not in "uf":
        raise ImageError(
            f"the image is stored as {kind} with {samples or 1} samples of {dtype}, which cannot be converted to RGB; "
            f"save it as RGB in the program that wrote it."
        )
    function = functions[kind]

    def convert(block: Pixels) -> Pixels:
        rgb = _from_unit(function(block[..., :count]), dtype)
        return np.concatenate([rgb, block[..., count:]], -1)

    return Step(convert, dtype, samples - count + 3, note=f"{kind} colours are converted to RGB")


def _unit(block: Pixels) -> Pixels:
    """Samples from 0 to 1, as float64."""
    return block / (np.iinfo(block.dtype).max if block.dtype.kind == "u" else 1.0)


def _from_unit(values: Pixels, dtype: np.dtype[Any]) -> Pixels:
    if dtype.kind == "f":
        return values.astype(dtype)
    return np.rint(np.clip(values, 0, 1) * np.iinfo(dtype).max).astype(dtype)


def _from_cmyk(block: Pixels) -> Pixels:
    ink = _unit(block)
    paper: Pixels = (1 - ink[..., :3]) * (1 - ink[..., 3:])
    return paper


def _from_cielab(block: Pixels) -> Pixels:
    """Lightness from 0 to the largest value, a and b as signed integers with 1 (or 1/256 for 16 bits) for one unit."""
    if block.dtype.kind == "f":
        return _from_lab(block.astype(np.float64))
    signed = block[..., 1:].view(np.dtype(f"i{block.dtype.itemsize}")) / 256.0 ** (block.dtype.itemsize - 1)
    return _from_lab(np.concatenate([100 * _unit(block[..., :1]), signed], -1))


def _from_icclab(block: Pixels) -> Pixels:
    """As `_from_cielab`, with a and b shifted by 128, and lightness 100 at 65280 for 16 bits."""
    step = 256.0 ** (block.dtype.itemsize - 1)
    lightness = block[..., :1] / step * (100 / 255)
    return _from_lab(np.concatenate([lightness, block[..., 1:] / step - 128], -1))


def _from_lab(lab: Pixels) -> Pixels:
    from skimage.color import lab2rgb  # Imported here to save start-up time.

    rgb: Pixels = lab2rgb(lab)  # The white of the file becomes the white of the screen.
    return rgb


def _from_ycbcr(block: Pixels) -> Pixels:
    """ITU-R BT.601, full range."""
    y, cb, cr = np.moveaxis(_unit(block), -1, 0)
    half = 128 / 255
    rgb = [
        y + 1.402 * (cr - half),
        y - 0.344136 * (cb - half) - 0.714136 * (cr - half),
        y + 1.772 * (cb - half),
    ]
    return np.clip(np.stack(rgb, -1), 0, 1)


def _through_table(table: NDArray[Any], samples: int | None) -> Step:
    """Replace indices by their colours: of 8 bits if the table has no more, and grey if all colours are."""
    if samples is not None:
        raise ImageError(
            "the image has a colour table and several samples per pixel, which cannot be converted to RGB; save it as "
            "RGB in the program that wrote it."
        )
    colours = np.ascontiguousarray(table.T)
    # Writers stretch 8 bits to 16 by either factor.
    factor = next((each for each in (257, 256) if table.max() > 255 and (table % each == 0).all()), 1)
    colours = colours // factor
    dtype = np.dtype(np.uint8 if colours.max() <= 255 else np.uint16)
    colours = colours.astype(dtype)
    note = "the colours of the colour table are read, not the stored indices"
    if (colours == colours[:, :1]).all():
        return Step(lambda block: colours[:, 0][np.minimum(block, len(colours) - 1)], dtype, None, note=note)
    return Step(lambda block: colours[np.minimum(block, len(colours) - 1)], dtype, 3, note=note)


def is_ramp(table: NDArray[Any]) -> bool:
    """Whether a colour table (3, n) shows grey values in colours, so that neighbouring values look alike."""
    steps = np.abs(np.diff(table.astype(np.float64), axis=1)).sum(1)
    return table.shape[1] >= _RAMP_ENTRIES and bool((steps <= _RAMP_VARIATION * max(int(table.max()), 1)).all())


def _is_plain_grey(table: NDArray[Any]) -> bool:
    """Whether a colour table shows grey values as they are."""
    expected = np.rint(np.linspace(0, 65535, table.shape[1]))
    return bool((np.abs(table - expected) < 65535 / table.shape[1]).all())


# ---------------------------------------------------------------------------------------------- values


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


# ---------------------------------------------------------------------------------------------- lazily


class Converted:
    """An array whose planes are converted when they are read.

    Parameters
    ----------
    source : array-like
        The stored samples.
    axes : str
        Their axes.
    step : Step
        The conversion.

    Attributes
    ----------
    axes : str
        The axes of the result: those of no plane in their order, then Y, X and, with samples, S.
    shape, dtype
        Of the result.
    """

    def __init__(self, source: ArraySource, axes: str, step: Step) -> None:
        self._source, self._stored, self._step = source, axes, step
        sizes = dict(zip(axes, source.shape, strict=True))
        self._loops = "".join(axis for axis in axes if axis not in "YXS")
        if step.swapped:
            sizes["Y"], sizes["X"] = sizes["X"], sizes["Y"]
        sizes["S"] = step.samples or 0
        self.axes = self._loops + "YX" + ("S" if step.samples else "")
        self.shape = tuple(int(sizes[axis]) for axis in self.axes)
        self.dtype = step.dtype

    def __getitem__(self, index: Any) -> Pixels:
        entries = expanded(index, len(self.shape))
        of_loop = dict(zip(self._loops, entries, strict=False))
        block = np.asarray(self._source[tuple(of_loop.get(axis, slice(None)) for axis in self._stored)])
        left = [axis for axis in self._stored if not isinstance(of_loop.get(axis), int | np.integer)]
        wanted = [axis for axis in self._loops if axis in left] + [axis for axis in "YXS" if axis in left]
        planes = self._step.function(block.transpose([left.index(axis) for axis in wanted]))
        lead = (slice(None),) * sum(axis in left for axis in self._loops)
        return planes[(*lead, *entries[len(self._loops) :])]

    def close(self) -> None:
        """Close the file of the stored samples."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()


def expanded(index: Any, ndim: int) -> list[Any]:
    """An index with one entry for each axis."""
    entries = list(index) if isinstance(index, tuple) else [index]
    if any(entry is Ellipsis for entry in entries):
        at = next(k for k, entry in enumerate(entries) if entry is Ellipsis)
        entries[at : at + 1] = [slice(None)] * (ndim - len(entries) + 1)
    return entries + [slice(None)] * (ndim - len(entries))
