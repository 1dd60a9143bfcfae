"""Pixels that are left out because of their weight or value, and how they are filled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Mask
from ..checks import checked_choice, checked_flag
from ..errors import EmptyPlaneError, ImageError
from ..notes import note
from ..ranges import NODATA, VALUE
from .value_range import signal_range

NINES = r"-99+(\.9+)?"
"""Numbers that are customary for missing pixels, as text: nines below zero, as in grids of terrain and weather."""
LEAST_INTEGERS = (-(2.0**15), 1 - 2.0**15, -(2.0**31), 1 - 2.0**31, -(2.0**63))
"""The least integers of 16, 32 and 64 bits, and netCDF's values beside them, which are customary for missing pixels."""
LARGEST_MEASURED = 1e20
"""Magnitude from which on values are customary for missing pixels: netCDF, CF, Surfer and GDAL use values up to the
largest of their data type."""
ROUNDED = 0.99
"""Part of such a value, as it is given, from which pixels have it: files say -3.4e38 for -3.4028e38."""
BEYOND = 1e6
"""How often the largest other magnitude such a value must be, as an image may be in units of atoms or photons."""


DEFECTS = ("auto", "keep")
"""What may become of hot and dead pixels: found and replaced, or kept as values like others."""


@dataclass(frozen=True)
class Selection:
    """Which values of an image count; the keywords of `denoise`, `fit` and their like that say so.

    Attributes
    ----------
    ignore_nan : bool
        Leave out pixels that are not finite.
    saturation : float or None
        Leave out pixels at or above this value.
    below, above : float or None
        Leave out pixels below or above this value.
    nodata : float, "auto" or None
        Value of missing pixels, possibly NaN. "auto": a value that is customary for them and far from all others.
        None: no value means that.
    defects : {"auto", "keep"}
        Whether hot and dead pixels are found and left out, or kept.

    Examples
    --------
    >>> Selection.of({"saturation": 4095, "preset": "fast"}).saturation
    4095
    """

    ignore_nan: bool = False
    saturation: float | None = None
    below: float | None = None
    above: float | None = None
    nodata: float | str | None = "auto"
    defects: str = "auto"

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Selection:
        """The selection among other keywords of a function; ValueError if one is not accepted."""
        return cls(**{each.name: settings[each.name] for each in fields(cls) if each.name in settings})

    def __post_init__(self) -> None:
        """Check the values; ValueError if one is not accepted."""
        for name in ("saturation", "below", "above"):
            value = getattr(self, name)
            if value is not None:
                VALUE.check(value, name, also="None")
        checked_flag(self.ignore_nan, "ignore_nan")
        if self.below is not None and self.above is not None and self.below > self.above:
            raise ValueError(f"below={self.below:g} and above={self.above:g} leave no value; give a smaller one below.")
        if self.nodata is not None and not (isinstance(self.nodata, str) and self.nodata == "auto"):
            NODATA.check(self.nodata, "nodata", also="'auto' or None")
        checked_choice(self.defects, "defects", DEFECTS)

    def missing(self, values: NDArray[Any]) -> Mask | None:
        """Pixels (H, W) without data in any channel of (H, W, C); None if there are none. Warns of a value found."""
        nodata = self.nodata
        if nodata == "auto":
            nodata = sentinel(values)
            if nodata is not None:
                found = int((values == nodata).any(2).sum())
                note(
                    f"{found} pixels have the value {nodata:g}, which stands for missing data, and are left out; with "
                    "nodata (--nodata) give another value for missing data, if it is not that one",
                )
        if nodata is None:
            return None
        missing: Mask = np.asarray(_equal(values, float(nodata)).any(2))
        return missing if missing.any() else None

    def left_out(self, values: NDArray[Any], mask: Any = None) -> Mask:
        """Pixels (H, W) of an image (H, W, C) that are left out, apart from missing ones; also those of the mask."""
        left_out = np.zeros(values.shape[:2], bool) if mask is None else checked_mask(mask, values.shape[:2])
        if self.ignore_nan and values.dtype.kind == "f":
            left_out |= ~np.isfinite(values).all(2)
        if self.saturation is not None:
            left_out |= (values >= self.saturation).any(2)
        if self.below is not None:
            left_out |= (values < self.below).any(2)
        if self.above is not None:
            left_out |= (values > self.above).any(2)
        return left_out


EVERYTHING = Selection()
"""The selection of an image without further words: missing values and defects are found, and everything else counts."""


def _equal(values: NDArray[Any], nodata: float) -> NDArray[np.bool_]:
    """Which values are that of missing data; very large ones as far as writers round them."""
    if np.isnan(nodata):
        return np.isnan(values)
    if values.dtype.kind == "f" and LARGEST_MEASURED <= abs(nodata) < np.inf:
        large: NDArray[np.bool_] = values * np.sign(nodata) >= ROUNDED * abs(nodata)
        return large
    same: NDArray[np.bool_] = values == values.dtype.type(0) + nodata
    return same


def sentinel(values: NDArray[Any]) -> float | None:
    """The value that stands for missing data in an image, if it is a customary one and far from all others.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe.image.masks import sentinel
    >>> sentinel(np.array([210, 250, -9999, 300], np.int16))
    -9999.0
    >>> sentinel(np.array([210, -32767, -32768, 300], np.int16)) is None
    True
    >>> sentinel(np.array([0.2, 0.4, 1.70141e38], np.float32)) > 1e38
    True
    """
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values.ravel()
    if finite.size == 0:
        return None
    for extreme in (finite.min(), finite.max()):
        if not _is_customary(extreme):
            continue
        others = finite[finite != extreme]
        if others.size and _is_far(float(extreme), *signal_range(others)):
            return float(extreme)
    return None


def _is_customary(value: np.generic) -> bool:
    """Whether a value is one of those that stand for missing data."""
    number = float(value)
    if abs(number) >= LARGEST_MEASURED or number in LEAST_INTEGERS:
        return True
    return re.fullmatch(NINES, f"{value:.7g}".removesuffix(".0")) is not None


def _is_far(value: float, low: float, high: float) -> bool:
    """Whether a value is farther from the others, whose signal lies between `low` and `high`, than they are wide."""
    if abs(value) >= LARGEST_MEASURED:
        return abs(value) > BEYOND * max(abs(low), abs(high))
    return high - low < min(abs(value - low), abs(value - high))


def pixel_weight(values: NDArray[Any], weight: Any, left_out: Mask) -> Floats | None:
    """Weight of each pixel of an image (H, W, C), 0 where it is left out; None where every pixel counts the same.

    Parameters
    ----------
    values : ndarray, shape (H, W, C)
        The image.
    weight : array-like or None
        (H, W) weights that are given already.
    left_out : ndarray of bool, shape (H, W)
        Pixels to be left out. A pixel that is left out in one channel is left out in all.

    Raises
    ------
    EmptyPlaneError
        If no pixel is left.
    ImageError
        If the weights cannot be used.
    """
    checked = None if weight is None else _checked_weight(weight, values.shape[:2])
    if not left_out.any():
        return checked
    weights = np.where(left_out, np.float32(0), np.float32(1) if checked is None else checked)
    if not weights.any():
        raise EmptyPlaneError(
            "No pixel is left: all have weight 0, are masked or missing, are NaN or infinite, or lie beyond the limits "
            "(saturation, below, above). Give another mask or other limits."
        )
    return weights


def checked_mask(mask: Any, shape: tuple[int, ...]) -> Mask:
    """Pixels (H, W) to be left out, as booleans, or an ImageError."""
    array = np.asarray(mask)
    if array.dtype.kind not in "biuf":
        raise ImageError(f"mask has type {array.dtype}; numbers or booleans are accepted.")
    if array.shape != tuple(shape):
        raise ImageError(f"mask has shape {array.shape}; the image needs {tuple(shape)}.")
    return np.asarray(array != 0)


def _checked_weight(weight: Any, shape: tuple[int, ...]) -> Floats:
    """Weights as float32 (H, W), or an ImageError."""
    array = np.asarray(weight)
    if array.dtype.kind not in "biuf":
        raise ImageError(f"weight has type {array.dtype}; numbers or booleans are accepted.")
    array = np.ascontiguousarray(array, np.float32)
    if array.shape != tuple(shape):
        raise ImageError(f"weight has shape {array.shape}; the image needs {tuple(shape)}.")
    if not np.isfinite(array).all() or array.min() < 0 or array.max() == 0:
        raise ImageError("weight must be finite and not negative, with at least one positive value.")
    return array


def fill_nearest(values: NDArray[Any], left_out: Mask) -> NDArray[Any]:
    """Give pixels (H, W, C) that are left out, (H, W), the value of the nearest pixel that counts."""
    if not left_out.any():
        return values
    nearest = _nearest_used(left_out)
    filled: NDArray[Any] = values[tuple(nearest)]
    return filled


def fill_mirrored(pixels: Floats, left_out: Mask) -> Floats:
    """Give pixels that are left out the value of the pixel on the other side of the nearest one that counts.

    The mirrored pixel lies at the same distance from the nearest pixel that counts, or is that pixel itself where the
    mirrored one is left out too. Unlike after `fill_nearest`, filled places then have noise like that of the rest.

    Parameters
    ----------
    pixels : ndarray of float32, shape (H, W, C)
        Any finite values.
    left_out : ndarray of bool, shape (H, W)
        At least one pixel must not be left out.
    """
    if not left_out.any():
        return pixels
    size = np.array(left_out.shape)[:, None, None]
    nearest = _nearest_used(left_out)
    beyond = np.clip(2 * nearest - np.indices(left_out.shape), 0, size - 1)
    filled: Floats = pixels[tuple(np.where(left_out[tuple(beyond)], nearest, beyond))]
    return filled


def _nearest_used(left_out: Mask) -> NDArray[Any]:
    """Row and column (2, H, W) of the nearest pixel that counts, for each pixel."""
    from scipy.ndimage import distance_transform_edt  # here: it would delay the help of every verb

    nearest: NDArray[Any] = distance_transform_edt(left_out, return_distances=False, return_indices=True)
    return nearest


def at_size(values: NDArray[Any], size: tuple[int, ...]) -> NDArray[Any]:
    """Values (H, W, ...) at another size (rows, columns): each place has the value of the pixel that it lies in."""
    rows, columns = (np.arange(new) * old // new for new, old in zip(size, values.shape[:2], strict=True))
    placed: NDArray[Any] = values[np.ix_(rows, columns)]
    return placed
