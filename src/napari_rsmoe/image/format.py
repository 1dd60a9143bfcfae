"""The format of an image: its type, range and channel axis, to which results are converted back."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..errors import ImageError
from ..notes import note
from .bands import by_bands
from .value_range import compressed, expanded

MOST_COLOURS = 4
"""Length of an axis up to which it may hold channels. Whether it does is ambiguous if another one is as short."""
ChannelAxis = int | None | str


@dataclass(frozen=True)
class ImageFormat:
    """Type, range and channel axis of an image, to which results are converted back.

    Attributes
    ----------
    dtype : str
        NumPy's name of the type with its byte order, such as "<u2".
    channel_axis : int or None
        Axis of the channels, counted from the front; None for an image without a channel axis.
    low, high : float
        Smallest and largest value, apart from a few extreme ones. The engine works on (value - low) / (high - low).
    limits : (float, float) or None
        Values to which results are clipped; infinite limits do not clip. None: `low` and `high`.
    compressed : bool
        Whether values of the engine beyond [0, 1] are brought close by their logarithm; see
        `value_range.compressed`.

    Raises
    ------
    ValueError
        If a value is not as described.
    """

    dtype: str
    channel_axis: int | None
    low: float
    high: float
    limits: tuple[float, float] | None = None
    compressed: bool = False

    def __post_init__(self) -> None:
        """Check all values, because they may come from a file."""
        if not isinstance(self.dtype, str):
            raise ValueError(f"dtype={self.dtype!r} must be the name of a type.")
        real_type(self.dtype)
        if self.channel_axis is not None and (type(self.channel_axis) is not int or not 0 <= self.channel_axis <= 2):
            raise ValueError(f"channel_axis={self.channel_axis!r} must be None, 0, 1 or 2.")
        low, high = _number("low", self.low), _number("high", self.high)
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise ValueError(f"The range from {low} to {high} must be finite, the smaller value first.")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        if self.limits is not None:
            if not isinstance(self.limits, tuple | list) or len(self.limits) != 2:
                raise ValueError(f"limits={self.limits!r} must be None or two numbers.")
            limits = (_number("limits", self.limits[0]), _number("limits", self.limits[1]))
            if not limits[0] <= limits[1]:
                raise ValueError(f"limits={limits} must be two numbers, the smaller one first.")
            object.__setattr__(self, "limits", limits)
        if not isinstance(self.compressed, bool):
            raise ValueError(f"compressed={self.compressed!r} must be True or False.")

    @property
    def span(self) -> float:
        """Units of the image per unit of the engine; 1 for a constant image."""
        return self.high - self.low if self.high > self.low else 1.0

    @property
    def error_unit(self) -> np.float32:
        """The same for error bars, which are float32; NaN where that does not hold small parts of it."""
        facts = np.finfo(np.float32)
        least, most, digits = map(float, (facts.tiny, facts.max, facts.eps))
        held = least / digits <= self.span <= most * digits
        return np.float32(self.span if held else math.nan)

    @property
    def exact_type(self) -> np.dtype[Any]:
        """The type in which values are converted to the units of the image: float32 if it holds them all."""
        return np.dtype(_exact_type(np.dtype(self.dtype)))

    def single_channel(self) -> ImageFormat:
        """The same for one channel of the image alone, without limits."""
        return replace(self, channel_axis=None, limits=(-math.inf, math.inf), compressed=False)

    def description(self) -> dict[str, Any]:
        """The attributes, in values that JSON can hold, for files; `compressed` only where it is true."""
        known = asdict(self)
        if not self.compressed:
            del known["compressed"]
        return known

    def unit(self, values: np.ndarray) -> Floats:
        """Convert values of the image (H, W, C) to the engine's range; C-contiguous."""
        exact = _exact_type(values.dtype)
        units = by_bands(lambda part: (part.astype(exact) - self.low) / self.span, values, dtype=np.float32)
        return by_bands(compressed, units, dtype=np.float32) if self.compressed else units

    def value(self, units: np.ndarray) -> np.ndarray:
        """Undo `unit`, in the type of the engine's values, without clipping."""
        linear = expanded(units) if self.compressed else units
        values: np.ndarray = linear * self.span + self.low
        return values

    def error_bar(self, std: Floats) -> Floats:
        """Convert an error bar (H, W, C) to units of the image; NaN, with a note, where float32 does not hold it."""
        if math.isnan(self.error_unit):
            note(
                f"the error bar is NaN, as float32 does not hold errors of an image whose range is {self.span:.2g}; "
                "multiply the image by a constant first"
            )
        values: Floats = std * self.error_unit
        return values

    def restore(self, image: np.ndarray, dtype: Any = None) -> np.ndarray:
        """Convert engine values (H, W, C) back to image units, clipped to `limits`.

        Values are rounded for integer types. By default `dtype` is that of the image.
        """
        return self.place_channels(self.values(image, dtype))

    def values(self, image: np.ndarray, dtype: Any = None) -> np.ndarray:
        """Do the same as `restore`, but leave the channels last: (H, W, C)."""
        values = image.astype(_exact_type(np.dtype(self.dtype)))
        if self.compressed:
            values = expanded(values)
        with np.errstate(over="ignore"):  # What lies beyond the largest float is clipped below.
            values *= self.span
            values += self.low
        np.clip(values, *(self.limits or (self.low, self.high)), out=values)
        return to_type(values, self.dtype if dtype is None else dtype)

    def place_channels(self, image: np.ndarray) -> np.ndarray:
        """Move the channels of (H, W, C) to their axis in the image."""
        if self.channel_axis is None:
            return np.ascontiguousarray(image[..., 0])
        return np.ascontiguousarray(np.moveaxis(image, -1, self.channel_axis))

    def channels_last(self, image: np.ndarray) -> np.ndarray:
        """Undo `place_channels`; an image without channels stays (H, W)."""
        return image if self.channel_axis is None else np.moveaxis(image, self.channel_axis, -1)


def to_type(values: np.ndarray, dtype: Any) -> np.ndarray:
    """Convert to a type: values are kept within its range, and rounded if it holds integers."""
    kind = real_type(dtype)
    if kind.kind == "f":
        if kind.itemsize < values.dtype.itemsize:
            values = np.clip(values, np.finfo(kind).min, np.finfo(kind).max)
        return values.astype(kind)
    limits = np.iinfo(kind)
    values = np.rint(values if values.dtype.itemsize > 2 else values.astype(np.float32))
    # The largest integer of 64 bits becomes one too large when it is converted to a float, and would wrap around.
    over = values >= float(limits.max)
    np.maximum(values, float(limits.min), out=values)
    values[over] = 0
    converted: np.ndarray = values.astype(kind)
    converted[over] = limits.max
    return converted


def real_type(dtype: Any) -> np.dtype[Any]:
    """NumPy's type for `dtype`; a ValueError if it is not an integer or float of at most 64 bits."""
    try:
        kind = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError) as error:
        raise ValueError(f"{dtype!r} is not a data type; give one such as 'uint8' or 'float32'.") from error
    if kind.kind not in "iuf" or kind.itemsize > 8:
        raise ValueError(f"The data type is {kind}; integers and float16 to float64 are accepted.")
    return kind


def refuse_mask(image: Any) -> None:
    """Raise an ImageError for a masked array with masked pixels, whose mask a plain array would lose."""
    if isinstance(image, np.ma.MaskedArray) and np.ma.getmaskarray(image).any():
        raise ImageError(
            "The image is a masked array with masked pixels. Pass image.filled(0), and to fit also "
            "weight=~numpy.ma.getmaskarray(image), which leaves the masked pixels out."
        )


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ValueError(f"{name}={value!r} must be a number.")
    return float(value)


def _exact_type(dtype: np.dtype[Any]) -> Any:
    """float32 if it can hold every value of the type, else float64."""
    return np.float32 if np.can_cast(dtype, np.float32) else np.float64


def check_type(array: np.ndarray) -> None:
    """Raise an ImageError for an array that is empty or holds anything but real numbers of at most 64 bits."""
    kind = array.dtype.kind
    if kind == "b":
        raise ImageError(
            "The image is boolean; a mask has no grey values to model. If that is meant, convert it first: "
            "image.astype(numpy.float32)."
        )
    if kind == "c":
        raise ImageError("The image is complex. Fit its real and imaginary part, or magnitude and phase, one by one.")
    if kind not in "iuf" or array.dtype.itemsize > 8:
        raise ImageError(f"The image has type {array.dtype}; integers and float16 to float64 are accepted.")
    if array.size == 0:
        raise ImageError(f"The image is empty: its shape is {array.shape}. Give at least one pixel.")


def channels_last(array: np.ndarray, axis: int | None) -> np.ndarray:
    """View of an image as (Y, X, C), where `axis` is what `find_channels` has returned for it."""
    return array[..., None] if axis is None else np.moveaxis(array, axis, -1)


OPACITY_TOO = 4
"""Channels of an array that may be colours with opacity, or something else: an assumption is said."""


def find_channels(array: np.ndarray, channel_axis: ChannelAxis) -> int | None:
    """The axis of the channels, counted from the front, or None. Raises ImageError if the shape is ambiguous."""
    shape = array.shape
    if channel_axis == "auto":
        if array.ndim == 2:
            return None
        if array.ndim == 3 and shape[-1] in (3, 4):
            if min(shape[:2]) <= MOST_COLOURS:
                note(
                    f"the image of shape {shape} was read as {shape[0]} x {shape[1]} pixels of {shape[2]} channels; if "
                    "another axis holds channels, give channel_axis=0 or 1",
                )
            elif shape[2] == OPACITY_TOO:
                note(
                    f"the image of shape {shape} was read as {shape[0]} x {shape[1]} pixels of 4 channels; leave out "
                    "an opacity (image[..., :3]), and name the axes of 4 planes (denoise(image, axes='YXT'))",
                )
            return 2
        hint = {
            3: "pass channel_axis=0, 1 or 2 if one axis holds channels; of a stack, name the axes for denoise, such as "
            "denoise(stack, axes='TYX'), or process each plane with map_planes(function, stack, 'TYX')",
        }.get(array.ndim, "name the axes, as denoise(image, axes='TZYX') or map_planes(function, image, 'TZYX')")
        raise ImageError(
            f"An image of shape {shape} was given; accepted are (Y, X), and (Y, X, C) with 3 or 4 channels last. "
            f"To go on, {hint}."
        )
    if channel_axis is None:
        if array.ndim != 2:
            raise ImageError(f"channel_axis=None means a (Y, X) image, but its shape is {shape}.")
        return None
    if isinstance(channel_axis, bool) or not isinstance(channel_axis, int | np.integer):
        raise ImageError(f"channel_axis={channel_axis!r} is neither an axis number nor None nor 'auto'.")
    if array.ndim != 3 or not -3 <= channel_axis < 3:
        raise ImageError(f"channel_axis={channel_axis} needs a 3-D image; this one has shape {shape}.")
    return int(channel_axis) % 3


def residual(noisy: NDArray[Any], result: NDArray[Any]) -> NDArray[np.float32]:
    """The difference of two images of the same units."""
    return np.subtract(noisy, result, dtype=np.float64).astype(np.float32)
