"""The range of the signal of an image: the unit of the engine and of PSNR, which a few extreme pixels do not set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Limits, Mask

TAILS = {0.01: 10.0, 0.05: 50.0}
"""Widths above which tails of the values are extreme, by the fraction of the values that lie in such a tail: in widths
of the range without the tails. Even the tails of exponential and log-normal values stay below. What more pixels have,
such as cells on a dark background, is signal however bright it is."""
MARGIN = 0.25
"""Width that is added where extreme values were left out, in widths of the range, as the noise reaches beyond it."""
MOST_VALUES = 1_000_000
"""Values of which quantiles are taken, at most. More take time and hardly change them."""
DISPLAY = {"u1": 255.0, "f": 1.0}
"""White of images made for display, by data type: 8 bits, and floats from 0 to 1."""
FILLED = 0.5
"""Fraction of the range from black to white that the signal of an image made for display fills at least. The signal of
an image that fills less is measured by its own range."""

MOST_LOGARITHM = 88.0
"""Largest logarithm whose exponential float32 holds."""


def signal_range(values: NDArray[Any]) -> Limits:
    """The range of the signal of an image: smallest and largest value, apart from a few extreme ones.

    Hot pixels, stars and gaps may lie far from everything else. A tail of the values is extreme if it is far wider
    than the range of the other values, see `TAILS`. Values of 8 bits are never extreme, for they cannot hide others.

    Parameters
    ----------
    values : ndarray
        Finite integers or floats of any shape; at least one.

    Returns
    -------
    (float, float)

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe.image.value_range import signal_range
    >>> image = np.arange(1000.0, 2000.0)
    >>> signal_range(image)
    (1000.0, 1999.0)
    >>> image[7] = 60000
    >>> signal_range(image)[1] < 2500
    True
    """
    lowest, highest = float(values.min()), float(values.max())
    if values.dtype.itemsize == 1 or lowest == highest:
        return lowest, highest
    flat = values.ravel()
    sample = flat[:: max(1, flat.size // MOST_VALUES) | 1].astype(np.float64)
    low, high = lowest, highest
    for tail, reach in TAILS.items():
        inner_low, inner_high = map(float, np.quantile(sample, [tail, 1 - tail]))
        width = inner_high - inner_low
        # Where most values are equal, nothing is known about how far others may lie from them.
        if width > 0 and inner_low - low > reach * width:
            low = max(lowest, inner_low - MARGIN * width)
        if width > 0 and high - inner_high > reach * width:
            high = min(highest, inner_high + MARGIN * width)
    return low, high


def data_range(dtype: Any, low: float, high: float) -> float:
    """The range by which the PSNR of an image is measured, whose signal lies between `low` and `high`.

    It is the width of the signal's own range, or from black to white for images made for display.
    """
    return _white(dtype) if for_display(dtype, low, high) else high - low


def for_display(dtype: Any, low: float, high: float) -> bool:
    """Whether an image is made for display: it has 8 bits, or floats from 0 to 1, and fills at least half of them.

    So has an image of one value, which has no range of its own.
    """
    white = _white(dtype)
    return 0 <= low <= high <= white < np.inf and (high - low >= FILLED * white or high == low)


def _white(dtype: Any) -> float:
    kind = np.dtype(dtype)
    return DISPLAY.get(kind.str[1:], DISPLAY.get(kind.kind, np.inf))


def compressed(units: NDArray[np.floating]) -> Floats:
    """Values of the engine with those beyond [0, 1] brought close by their logarithm, float32.

    The slope is 1 at 0 and 1, and falls in inverse proportion to the distance from the other end. Values between stay.
    """
    beyond = np.abs(units - 0.5) - 0.5  # Distance from the nearer end, negative inside.
    near = np.copysign(0.5 + np.log1p(np.maximum(beyond, 0)), units - 0.5) + 0.5
    return np.where(beyond > 0, near, units).astype(np.float32)


def expanded(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Undo `compressed`, in the type of the values."""
    beyond = np.abs(values - 0.5) - 0.5
    far = np.copysign(0.5 + np.expm1(np.clip(beyond, 0, MOST_LOGARITHM)), values - 0.5) + 0.5
    restored: NDArray[np.floating] = np.where(beyond > 0, far, values).astype(values.dtype)
    return restored


def compression_slope(units: NDArray[np.floating]) -> Floats:
    """Slope of `compressed` at values of the engine: 1 inside [0, 1]."""
    beyond = np.maximum(np.abs(units - 0.5) - 0.5, 0)
    return (1 / (1 + beyond)).astype(np.float32)


def beyond_range(units: NDArray[np.floating], margin: float = 0.0) -> Mask:
    """Pixels (H, W) whose value lies further than `margin` beyond [0, 1] in a channel of (H, W, C)."""
    beyond: Mask = (np.abs(units - 0.5) > 0.5 + margin).any(2)
    return beyond
