"""Images on another raster: with fewer pixels, or interpolated."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, dctn, idct, idctn

from ..arrays import Array, Floats
from .bands import bands
from .format import to_type


def resized(planes: NDArray[np.floating], shape: list[int]) -> Floats:
    """Reduce planes (C, H, W) to `shape` (height, width), without the frequencies that fewer pixels cannot hold."""
    low = dctn(planes, axes=(1, 2), norm="ortho")[:, : shape[0], : shape[1]]
    scale = sqrt(low[0].size / planes[0].size)
    return np.asarray(scale * idctn(low, axes=(1, 2), norm="ortho"), np.float32)


def halved(plane: Array) -> Array:
    """A plane (H, W) at half the resolution, as by `resized`, which may be stopped. It is exact to single precision."""
    height, width = ((length + 1) // 2 for length in plane.shape)
    across, low = np.empty((plane.shape[0], width)), np.empty((height, width))
    for band in bands(plane.shape[0], plane.shape[1]):
        across[band] = dct(plane[band], axis=1, norm="ortho")[:, :width]
    for band in bands(width, plane.shape[0]):
        columns = dct(across[:, band], axis=0, norm="ortho")[:height]
        low[:, band] = idct(columns, axis=0, norm="ortho")
    scale = sqrt(low.size / plane.size)
    for band in bands(height, width):
        low[band] = (scale * idct(low[band], axis=1, norm="ortho")).astype(np.float32)
    return low


def cubic(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Interpolate (Y, X) or (Y, X, C) by cubic splines to `size` (height, width).

    The result is clipped to the range of the image and has its type; integers are rounded.
    """
    from skimage.transform import resize  # here, as loading it takes longer than starting the program

    large = resize(image.astype(np.float64), size, order=3, mode="edge", anti_aliasing=False)
    return to_type(np.clip(large, image.min(), image.max()), image.dtype)


def with_low_frequencies(planes: NDArray[np.float32], coarse: NDArray[np.float32]) -> NDArray[np.float32]:
    """Planes (C, H, W) with the low frequencies of others that have fewer pixels, as `resized` makes them."""
    frequencies = dctn(planes, axes=(1, 2), norm="ortho")
    scale = sqrt(planes[0].size / coarse[0].size)
    frequencies[:, : coarse.shape[1], : coarse.shape[2]] = scale * dctn(coarse, axes=(1, 2), norm="ortho")
    return np.asarray(idctn(frequencies, axes=(1, 2), norm="ortho"), np.float32)


def interpolated(planes: NDArray[np.float32], shape: tuple[int, int]) -> Floats:
    """Planes (C, H, W) at another size (height, width), linearly interpolated; values stay within their range."""
    return interpolated_at(planes, [pixel_places(old, new) for old, new in zip(planes.shape[1:], shape, strict=True)])


def pixel_places(old: int, new: int, first: int = 0, count: int | None = None) -> NDArray[np.float64]:
    """Where the pixels of a line of `new` pixels lie in one of `old`: all of them, or `count` from `first` on."""
    return (np.arange(first, new if count is None else first + count) + 0.5) * old / new - 0.5


def interpolated_at(planes: NDArray[np.float32], places: Sequence[NDArray[np.float64]]) -> Floats:
    """Planes (C, H, W) interpolated linearly at rows and columns, which may be fractions; ends are repeated."""
    for axis, place in zip((1, 2), places, strict=True):
        old = planes.shape[axis]
        place = np.clip(place, 0, old - 1)
        first = np.minimum(place.astype(int), max(old - 2, 0))
        share = (place - first).astype(np.float32).reshape([-1 if k == axis else 1 for k in range(3)])
        low, high = (np.take(planes, np.minimum(first + k, old - 1), axis) for k in (0, 1))
        planes = low + share * (high - low)
    return planes
