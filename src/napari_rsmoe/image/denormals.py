"""Numbers too small to be seen, which some processors compute with a hundred times as slowly as with others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bands import bands


def denormals_as_zero(values: NDArray[Any]) -> NDArray[Any]:
    """Replace denormal numbers of float32 and float64 by zeros, as the engine does with its own.

    They lie below the smallest normal number, 1e-38 or 2e-308. Tails of Gaussians and differences of images may be full
    of them. What NumPy makes of them would depend on whether the caller flushes denormals.

    Parameters
    ----------
    values : ndarray, shape (H, ...)
        Numbers of any type.

    Returns
    -------
    ndarray
        The same array if it holds none, else a copy.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe.image.denormals import denormals_as_zero
    >>> denormals_as_zero(np.array([0.5, 1e-40], np.float32)).tolist()
    [0.5, 0.0]
    """
    if values.dtype.kind != "f" or values.itemsize < 4:
        return values
    least, pixels = np.finfo(values.dtype).tiny, int(np.prod(values.shape[1:]))
    for band in bands(len(values), pixels):
        part = values[band]
        if ((np.abs(part) < least) & (part != 0)).any():
            return np.where(np.abs(values) < least, values.dtype.type(0), values)
    return values
