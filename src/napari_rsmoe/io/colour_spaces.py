"""RGB from other colour spaces: CMYK, CIELab and YCbCr."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ImageError
from .converted import Pixels, Step

CMYK, CIELAB, ICCLAB, YCBCR = "CMYK", "CIELab", "ICC CIELab", "YCbCr"


def from_colour_space(kind: str, dtype: np.dtype[Any], samples: int | None) -> Step:
    """The conversion of samples of a colour space to RGB; an ImageError if they cannot be converted."""
    functions = {CMYK: _from_cmyk, CIELAB: _from_cielab, ICCLAB: _from_icclab, YCBCR: _from_ycbcr}
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
