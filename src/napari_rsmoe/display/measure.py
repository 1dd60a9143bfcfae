"""What can be read off a picture: values with their error bars, profiles along lines, and regions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import ndimage

Box = tuple[int, int, int, int]
Line = tuple[float, float, float, float]
Size = tuple[int, int]
"""Height and width in pixels."""


def value_text(image: np.ndarray, std: np.ndarray | None, place: tuple[float, float], size: Size) -> str:
    """The value of an image at a place, with its standard deviation.

    Parameters
    ----------
    image : numpy.ndarray
        (Y, X) or (Y, X, C), of any resolution.
    std : numpy.ndarray, optional
        Standard deviation of its error, of the same shape.
    place : (float, float)
        y and x as in slices: pixel i covers i to i + 1, of an image of `size`.
    size : (int, int)
        Height and width that `place` refers to.
    """
    y, x = _index(image, place, size)
    values = np.atleast_1d(image[y, x])
    if std is None:
        return "  ".join(map(_number, values))
    errors = np.atleast_1d(std[y, x])
    return "  ".join(f"{_number(value)} ± {error:.2g}" for value, error in zip(values, errors, strict=True))


def profile(image: np.ndarray, line: Line, size: Size) -> np.ndarray:
    """Values along a line, one for each pixel of its length, linearly interpolated; the mean of the channels.

    Parameters
    ----------
    image, size
        As for `value_text`.
    line : (y0, x0, y1, x1)
        Its ends.
    """
    ends = np.reshape(line, (2, 2))
    count = max(2, int(np.ceil(np.hypot(*(ends[1] - ends[0])))) + 1)
    scale = np.array(image.shape[:2]) / size
    places = np.linspace(ends[0], ends[1], count).T * scale[:, None] - 0.5
    # Only the part around the line is converted, because the image may be large.
    low = np.clip(np.floor(places.min(1)).astype(int) - 1, 0, np.array(image.shape[:2]) - 1)
    high = np.ceil(places.max(1)).astype(int) + 2
    part = image[low[0] : high[0], low[1] : high[1]].astype(np.float64)
    flat = part if part.ndim == 2 else part.mean(2)
    values: np.ndarray = ndimage.map_coordinates(flat, places - low[:, None], order=1, mode="nearest")
    return values


def region_text(image: np.ndarray, box: Box, size: Size) -> str:
    """The slices of a region, and the mean and the standard deviation of its values."""
    y0, x0, y1, x1 = box
    scale = np.array(image.shape[:2]) / size
    rows, columns = (slice(int(a * s), max(int(np.ceil(b * s)), int(a * s) + 1)) for a, b, s in
                     ((y0, y1, scale[0]), (x0, x1, scale[1])))  # fmt: skip
    values = image[rows, columns].astype(np.float64)
    return (
        f"region [{y0}:{y1}, {x0}:{x1}], {y1 - y0} x {x1 - x0} px: "
        f"mean {np.nanmean(values):.4g}, standard deviation {np.nanstd(values):.4g}"
    )


def physical(length: float, pixel_size: Mapping[str, Any] | None) -> str:
    """A length in pixels as text, in the unit of the pixels if it is known; for square pixels."""
    if pixel_size is None or pixel_size["value"][0] != pixel_size["value"][1]:
        return f"{length:.1f} px"
    return f"{length * pixel_size['value'][0]:.4g} {pixel_size['unit']}"


def _index(image: np.ndarray, place: tuple[float, float], size: Size) -> tuple[int, int]:
    scaled = np.array(place) * image.shape[:2] / size
    y, x = np.clip(scaled.astype(int), 0, np.array(image.shape[:2]) - 1)
    return int(y), int(x)


def _number(value: Any) -> str:
    return str(value) if isinstance(value, np.integer | np.bool_ | int) else f"{value:.5g}"
