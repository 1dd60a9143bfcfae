"""Pixels that are left out: named by weights, NaN, saturated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from ..checks import checked_weight, is_number
from ..errors import ImageError
from .format import ChannelAxis, channels_last, find_channels, refuse_mask

Floats = NDArray[np.float32]


def leave_out(
    image: Any, channel_axis: ChannelAxis, weight: Any, ignore_nan: bool, saturation: float | None
) -> Floats | None:
    """Weights of the pixels of an image, 0 where it is NaN, infinite or saturated.

    Parameters
    ----------
    image : array-like
        As for `napari_rsmoe.denoise`.
    channel_axis : int, None or "auto"
        Which axis holds channels. A pixel that is left out in one channel is left out in all.
    weight : array-like or None
        (Y, X) weights that are given already.
    ignore_nan : bool
        Leave out pixels that are not finite.
    saturation : float or None
        Leave out pixels at or above this value, in units of the image.

    Returns
    -------
    ndarray of float32, shape (Y, X), or None
        None where every pixel counts the same.

    Raises
    ------
    ImageError, ValueError
        If an argument cannot be used, or no pixel is left.
    """
    if saturation is not None and not is_number(saturation):
        raise ValueError(f"saturation={saturation!r} must be a number in units of the image, or None.")
    if weight is None and not ignore_nan and saturation is None:
        return None
    refuse_mask(image)
    array = np.asarray(image)
    last = channels_last(array, find_channels(array, channel_axis))
    out = np.zeros(last.shape[:2], bool)
    if ignore_nan and last.dtype.kind == "f":
        out |= ~np.isfinite(last).all(2)
    if saturation is not None:
        out |= (last >= saturation).any(2)
    weights = checked_weight(weight, last.shape[:2])
    if not out.any():
        return weights
    weights = np.where(out, np.float32(0), np.float32(1) if weights is None else weights)
    if not weights.any():
        raise ImageError(
            "No pixel is left: all have weight 0, are NaN or infinite, or lie at or above the saturation. "
            "Give another mask or a higher saturation."
        )
    return weights


def mirrored(pixels: Floats, ignored: NDArray[np.bool_]) -> Floats:
    """Fill ignored pixels with those on the other side of the nearest that counts, at the same distance.

    The noise there is then like that of the rest; filled in with the nearest pixel it would vanish.

    Parameters
    ----------
    pixels : ndarray of float32, shape (H, W, C)
        Any finite values.
    ignored : ndarray of bool, shape (H, W)
        Not all of them.
    """
    if not ignored.any():
        return pixels
    size = np.array(ignored.shape)[:, None, None]
    nearest = distance_transform_edt(ignored, return_distances=False, return_indices=True)
    beyond = np.clip(2 * nearest - np.indices(ignored.shape), 0, size - 1)
    # Where that is ignored as well, the nearest itself has to do.
    filled: Floats = pixels[tuple(np.where(ignored[tuple(beyond)], nearest, beyond))]
    return filled
