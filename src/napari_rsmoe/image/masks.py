"""Pixels that are left out because of their weight or value, and how they are filled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from ..arrays import Floats, Mask
from ..checks import is_number
from ..errors import ImageError


def pixel_weight(
    values: NDArray[Any],
    weight: Any,
    *,
    mask: Any = None,
    ignore_nan: bool = False,
    saturation: float | None = None,
) -> Floats | None:
    """Weight of each pixel of an image, 0 where it is left out.

    Parameters
    ----------
    values : ndarray, shape (H, W, C)
        The image, in its own units. A pixel that is left out in one channel is left out in all.
    weight : array-like or None
        (H, W) weights that are given already.
    mask : array-like or None
        (H, W) pixels to be left out: those where it is not 0.
    ignore_nan : bool
        Leave out pixels that are not finite.
    saturation : float or None
        Leave out pixels at or above this value.

    Returns
    -------
    ndarray of float32, shape (H, W), or None
        None where every pixel counts the same.

    Raises
    ------
    ImageError
        If the weights cannot be used, or no pixel is left.
    ValueError
        If the saturation is no number.
    """
    if saturation is not None and not is_number(saturation):
        raise ValueError(f"saturation={saturation!r} must be a number in units of the image, or None.")
    left_out = np.zeros(values.shape[:2], bool) if mask is None else _checked_mask(mask, values.shape[:2])
    if ignore_nan and values.dtype.kind == "f":
        left_out |= ~np.isfinite(values).all(2)
    if saturation is not None:
        left_out |= (values >= saturation).any(2)
    checked = None if weight is None else _checked_weight(weight, values.shape[:2])
    if not left_out.any():
        return checked
    weights = np.where(left_out, np.float32(0), np.float32(1) if checked is None else checked)
    if not weights.any():
        raise ImageError(
            "No pixel is left: all have weight 0, are masked, are NaN or infinite, or lie at or above the saturation. "
            "Give another mask or a higher saturation."
        )
    return weights


def _checked_mask(mask: Any, shape: tuple[int, ...]) -> Mask:
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
    nearest = distance_transform_edt(left_out, return_distances=False, return_indices=True)
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
    nearest = distance_transform_edt(left_out, return_distances=False, return_indices=True)
    beyond = np.clip(2 * nearest - np.indices(left_out.shape), 0, size - 1)
    filled: Floats = pixels[tuple(np.where(left_out[tuple(beyond)], nearest, beyond))]
    return filled
