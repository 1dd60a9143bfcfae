"""Parameters at the door: checked, with errors that say what was given and what is accepted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt

from .errors import ImageError
from .image.format import ChannelAxis, ImageFormat, channels_last, find_channels, prepare_image, refuse_mask


def is_number(value: Any) -> bool:
    """Whether it is one finite real number; a bool is not."""
    kinds = (int, float, np.integer, np.floating)
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)


def checked_count(value: Any, name: str, smallest: int = 1) -> int:
    """A whole number of at least `smallest`, or a ValueError that says so."""
    if not is_number(value) or int(value) != value or value < smallest:
        raise ValueError(f"{name}={value!r} must be a whole number of at least {smallest}.")
    return int(value)


def checked_positive(value: Any, name: str) -> float:
    """A positive finite number, or a ValueError that says so."""
    if not is_number(value) or value <= 0:
        raise ValueError(f"{name}={value!r} must be a positive number.")
    return float(value)


def checked_weight(weight: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """Pixel weights as float32 (H, W), or an ImageError."""
    if weight is None:
        return None
    array = np.asarray(weight)
    if array.dtype.kind not in "biuf":
        raise ImageError(f"weight has type {array.dtype}; numbers or booleans are accepted.")
    array = np.ascontiguousarray(array, np.float32)
    if array.shape != tuple(shape):
        raise ImageError(f"weight has shape {array.shape}; the image needs {tuple(shape)}.")
    if not np.isfinite(array).all() or array.min() < 0 or array.max() == 0:
        raise ImageError("weight must be finite and not negative, with at least one positive value.")
    return array


def prepare_weighted(
    image: Any, channel_axis: ChannelAxis, weight: Any
) -> tuple[np.ndarray, ImageFormat, np.ndarray | None]:
    """Check an image and its weights; returns pixels and layout as `prepare_image` does, and weights (H, W).

    Pixels of weight 0 take the value of the nearest other pixel: theirs may be anything, NaN included, and neither
    sets the range of the image nor attracts a kernel.
    """
    if weight is None:
        return *prepare_image(image, channel_axis), None
    refuse_mask(image)
    array = np.asarray(image)
    axis = find_channels(array, channel_axis)
    last = channels_last(array, axis)
    weights = checked_weight(weight, last.shape[:2])
    assert weights is not None
    ignored = weights == 0
    if ignored.any():
        nearest = distance_transform_edt(ignored, return_distances=False, return_indices=True)
        last = last[tuple(nearest)]
    filled = last[..., 0] if axis is None else np.moveaxis(last, -1, axis)
    return *prepare_image(filled, axis), weights
