"""Large arrays worked on band by band: a job can be stopped between two bands, and the cache holds what is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..progress import pause

PIXELS = 1 << 18
"""Pixels of a band: a hundredth of a second of work. More leave the cache of the processor, and a job ends later; fewer
take more time for each."""


def bands(length: int, pixels: int, unit: int = 1) -> Iterator[slice]:
    """Parts of an axis of this length, one after the other; the work may be stopped before each.

    Parameters
    ----------
    length : int
        Number of rows.
    pixels : int
        Pixels of each row.
    unit : int
        Parts begin at multiples of this number of rows.
    """
    step = max(1, PIXELS // max(1, pixels * unit)) * unit
    for first in range(0, length, step):
        pause()
        yield slice(first, min(first + step, length))


def by_bands(function: Callable[..., NDArray[Any]], *arrays: NDArray[Any], dtype: Any = np.float64) -> NDArray[Any]:
    """What a function of single values makes of arrays of one shape, with the bits of calling it on the whole.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe.image.bands import by_bands
    >>> by_bands(np.sqrt, np.array([[4.0, 9.0]])).tolist()
    [[2.0, 3.0]]
    """
    shape = arrays[0].shape
    if not shape:
        return np.asarray(function(*arrays), dtype)
    result = np.empty(shape, dtype)
    for band in bands(shape[0], int(np.prod(shape[1:]))):
        result[band] = function(*(array[band] for array in arrays))
    return result


def separably(
    filter1d: Callable[..., Any], values: NDArray[Any], *arguments: Any, dtype: Any = None, **options: Any
) -> NDArray[Any]:
    """A separable filter of SciPy along the first and then the second axis, with the bits of filtering the whole.

    Lines along the axis of a pass do not depend on each other.

    Parameters
    ----------
    filter1d : callable
        Such as `scipy.ndimage.gaussian_filter1d`.
    values : ndarray, shape (H, W) or (H, W, C)
        Numbers.
    dtype : data type, optional
        Of the result; by default that of the values.
    *arguments, **options
        Of the filter.
    """
    down, result = (np.empty(values.shape, values.dtype if dtype is None else dtype) for _ in range(2))
    depth = int(np.prod(values.shape[2:]))
    for band in bands(values.shape[1], values.shape[0] * depth):
        filter1d(values[:, band], *arguments, axis=0, output=down[:, band], **options)
    for band in bands(values.shape[0], values.shape[1] * depth):
        filter1d(down[band], *arguments, axis=1, output=result[band], **options)
    return result
