"""Rounding of results to integers without bias, and what it costs."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Mask
from ..notes import note
from .format import ImageFormat, to_type
from .value_range import for_display

DTYPES = ("same", "auto", "float32")
"""What may be asked for: the type of the image; that, or float32 where rounding costs much; or float32."""
COSTLY = 1.1
"""Error with rounding, relative to the error without, from which rounding costs much: more than a tenth."""
STEPS_TO_RATIO = 60
"""Steps of a fixed-point iteration that gains half a digit in each; more change nothing in double precision."""
FEW_LEVELS = 16
"""Levels of integers between the darkest and the brightest value below which rounding to the nearest destroys an image,
whatever its error."""
DARK = 4.0
"""Magnitude in steps of integers below which rounding to the nearest changes a value by much of what it is."""
ROUNDING_VARIANCE = 1 / 12
"""Variance of what rounding to the nearest integer changes, in squared steps."""


def check_dtype_choice(choice: Any) -> None:
    """Raise a ValueError if `choice` is not one of `DTYPES`."""
    if choice not in DTYPES:
        raise ValueError(f"dtype={choice!r} is not known; use one of {', '.join(DTYPES)}.")


FINEST = math.sqrt(ROUNDING_VARIANCE / (COSTLY**2 - 1))
"""Error in steps of integers below which rounding costs much."""


def rounding_costs(error: float, dtype: Any) -> bool:
    """Whether rounding to a data type makes a root mean square error worse by more than a tenth."""
    if np.dtype(dtype).kind == "f":
        return False
    return math.sqrt(error**2 + ROUNDING_VARIANCE) > COSTLY * error


def _costs(layout: ImageFormat, error: float) -> bool:
    """Whether rounding to the type of an image costs much; it costs nothing if the image has one value only."""
    return layout.high > layout.low and rounding_costs(error, layout.dtype)


def is_coarse(layout: ImageFormat) -> bool:
    """Whether an image consists of a few levels of integers, as counts of few photons do."""
    return np.dtype(layout.dtype).kind in "iu" and layout.high - layout.low < FEW_LEVELS


def typed_result(
    values: NDArray[Any],
    layout: ImageFormat,
    error: float,
    choice: str,
    seed: int = 0,
    std: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Convert a result to the type that the user has chosen, without bias.

    Where rounding costs more than a tenth of the error, values are rounded up or down at random, with the probability
    that keeps their mean; see `at_random`.

    Parameters
    ----------
    values : ndarray of float
        The result, in units of the image.
    layout : ImageFormat
        Format of the image.
    error : float
        Root mean square error of the result, in units of the image.
    choice : {"same", "auto", "float32"}
        As `DTYPES` says.
    seed : int
        The same values and seed are rounded in the same way.
    std : ndarray, optional
        Error of each value, in the shape of the values.

    Warns
    -----
    ImageWarning
        If rounding costs more than a tenth of the error.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe.image.format import ImageFormat
    >>> from napari_rsmoe.image.rounding import typed_result
    >>> from napari_rsmoe.notes import gathered
    >>> layout = ImageFormat("<u2", None, 0, 3)
    >>> with gathered() as notes:
    ...     counts = typed_result(np.full((100, 100), 0.25, np.float32), layout, 0.05, "same")
    >>> counts.dtype.name, bool(abs(counts.mean() - 0.25) < 0.02), len(notes)
    ('uint16', True, 1)
    """
    kind = choose_type(layout, error, choice)
    where = kind.kind in "iu" and at_random(values, layout, error, std)
    if where is True:
        return to_type(rounded_at_random(values, seed), kind)
    result = to_type(values, kind)
    if isinstance(where, np.ndarray) and where.any():
        result[where] = to_type(rounded_at_random(values, seed, where=where), kind)
    return result


def at_random(values: NDArray[Any], layout: ImageFormat, error: float, std: NDArray[Any] | None) -> Mask | bool:
    """Where a result of the type of the image is rounded up or down at random.

    Everywhere if rounding costs more than a tenth of the error of the whole; else where it costs that of the value, and
    where values are low, as in the dark background of a bright image. Images made for display, which are rarely counts,
    are rounded to the nearest but for their lowest values, and images of one value everywhere.
    """
    if layout.low == layout.high:
        return False
    display = for_display(np.dtype(layout.dtype), layout.low, layout.high)
    if _costs(layout, error) and not display:
        return True
    if std is None and display:
        return False
    dark: Mask = np.abs(values) < DARK
    return dark if std is None or display else dark | (std < FINEST)


def choose_type(layout: ImageFormat, error: float, choice: str) -> np.dtype[Any]:
    """The data type of a result, and a note if rounding costs much; arguments as for `typed_result`."""
    kind = np.dtype(layout.dtype).newbyteorder("=")
    if choice == "float32":
        return np.dtype(np.float32)
    if not _costs(layout, error):
        return kind
    if choice == "auto":
        note(
            f"the result is float32 instead of {kind.name}, as rounding would cost more than a tenth of its error"
            f"{f' of {error:.2g}' if error else ''}",
        )
        return np.dtype(np.float32)
    amount = f", {error:.2g}" if error else ""
    by_chance = rounded_by_chance(layout, error)
    how = "; values are rounded up or down at random, so that their mean stays" if by_chance else ""
    note(
        f"rounding to {kind.name} costs more than a tenth of the error of the result{amount}{how}. "
        "dtype='float32' (--dtype float32) keeps fractions",
    )
    return kind


def rounded_by_chance(layout: ImageFormat, error: float) -> bool:
    """Whether a result of the type of the image is rounded up or down at random."""
    return _costs(layout, error) and not for_display(np.dtype(layout.dtype), layout.low, layout.high)


def rounded_at_random(
    values: NDArray[Any], seed: int = 0, origin: Sequence[int] | None = None, where: Mask | None = None
) -> NDArray[Any]:
    """Values rounded up or down at random to whole numbers, in their type, with a mean that stays.

    Thresholds are evenly spread over every small part of the image, as Roberts' sequence, which generalises multiples
    of the golden ratio, spreads them. So the mean of such a part stays nearly too. Their common offset is drawn by the
    seed and the values, so that those of two planes of a film are independent. Of a block of an image, whose first
    pixel lies at `origin` in the whole, the thresholds are those of the whole, and the seed alone decides. With `where`
    only these values are rounded and returned, in raster order.
    """
    key = [seed] if origin is not None else [seed, zlib.crc32(np.ascontiguousarray(values).tobytes())]
    rng = np.random.default_rng(key)
    ratio = 2.0
    for _ in range(STEPS_TO_RATIO):  # The root of ratio^(axes + 1) = ratio + 1: the golden ratio for one axis.
        ratio = (1 + ratio) ** (1 / (values.ndim + 1))
    thresholds = np.full((), rng.random())
    places = np.ix_(*map(np.arange, values.shape)) if where is None else np.nonzero(where)
    for axis, place in enumerate(places):
        first = 0 if origin is None else origin[axis]
        thresholds = thresholds + (first + place) * ratio ** -(axis + 1)
    chosen = values if where is None else values[where]
    rounded: NDArray[Any] = np.floor(chosen + (thresholds % 1).astype(values.dtype))
    return rounded
