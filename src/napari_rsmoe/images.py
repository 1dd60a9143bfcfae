"""Images at the door: checked and brought to the engine's form, and results brought back to the user's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import ImageError

ChannelAxis = int | None | str


@dataclass(frozen=True)
class ImageFormat:
    """What an image was like: enough to give a result the same type, range and axis order.

    Attributes
    ----------
    dtype : str
        NumPy's name with byte order, such as "<u2".
    channel_axis : int or None
        Where the channels were, counted from the front; None for an image without a channel axis.
    low, high : float
        Smallest and largest value. The engine works on (value - low) / (high - low).
    """

    dtype: str
    channel_axis: int | None
    low: float
    high: float

    @property
    def span(self) -> float:
        """The factor between the engine's units and the image's; 1 for a constant image."""
        return self.high - self.low if self.high > self.low else 1.0

    def restore(self, image: np.ndarray, dtype: Any = None) -> np.ndarray:
        """Bring engine values (H, W, C) back to image units, clipped to the image's range.

        Integer types are rounded; `dtype` None means the image's own.
        """
        exact = image.astype(_exact_type(np.dtype(self.dtype)))
        values = np.clip(exact * self.span + self.low, self.low, self.high)
        return self.place_channels(to_type(values, self.dtype if dtype is None else dtype))

    def place_channels(self, image: np.ndarray) -> np.ndarray:
        """Put the channels of (H, W, C) where they were in the image."""
        if self.channel_axis is None:
            return np.ascontiguousarray(image[..., 0])
        return np.ascontiguousarray(np.moveaxis(image, -1, self.channel_axis))


def prepare_image(image: Any, channel_axis: ChannelAxis = "auto") -> tuple[np.ndarray, ImageFormat]:
    """Check an image and bring it to the engine's form.

    Parameters
    ----------
    image : array-like
        (Y, X) or (Y, X, C) in any order of axes that `channel_axis` names; integers of any size, float16 to
        float64, any byte or memory order; dask and other lazy arrays are computed. Values must be finite.
    channel_axis : int, None or "auto"
        "auto": a 3-D array whose last axis is 3 or 4 long has its channels there, a 2-D array has none; any other
        array is refused with the ways out.

    Returns
    -------
    numpy.ndarray
        (H, W, C) float32, C-contiguous, in [0, 1].
    ImageFormat
        How to bring results back.

    Raises
    ------
    ImageError
        If the image cannot be used.
    """
    array = np.asarray(image)
    _check_type(array)
    if array.size == 0:
        raise ImageError(f"The image is empty: its shape is {array.shape}. Give at least one pixel.")
    axis = find_channels(array, channel_axis)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(array.size - np.isfinite(array).sum())
        raise ImageError(
            f"The image holds {bad} NaN or infinite values of {array.size}. Replace them first, for example with "
            "numpy.nan_to_num(image, nan=numpy.nanmedian(image))."
        )
    low, high = float(array.min()), float(array.max())
    layout = ImageFormat(array.dtype.str, axis, low, high)
    if not np.isfinite(layout.span):
        raise ImageError(f"The image's range from {low} to {high} is too wide; divide it by a constant first.")
    channels_last = array[..., None] if axis is None else np.moveaxis(array, axis, -1)
    unit = (channels_last.astype(_exact_type(array.dtype)) - low) / layout.span
    return np.ascontiguousarray(unit, np.float32), layout


def to_type(values: np.ndarray, dtype: Any) -> np.ndarray:
    """Convert to a type; integers are rounded and kept within the type's range."""
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(kind)


def _exact_type(dtype: np.dtype[Any]) -> Any:
    """float32 if it holds every value of the type, else float64."""
    return np.float32 if np.can_cast(dtype, np.float32) else np.float64


def _check_type(array: np.ndarray) -> None:
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


def find_channels(array: np.ndarray, channel_axis: ChannelAxis) -> int | None:
    """The axis of the channels, counted from the front, or None; an ImageError if it cannot be told."""
    shape = array.shape
    if channel_axis == "auto":
        if array.ndim == 2:
            return None
        if array.ndim == 3 and shape[-1] in (3, 4):
            return 2
        hint = {
            3: "pass channel_axis=0, 1 or 2 if one axis holds channels; process a stack plane by plane, for example "
            "[denoise(plane) for plane in stack]",
        }.get(array.ndim, "process it plane by plane")
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
