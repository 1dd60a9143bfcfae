"""Names for the kinds of array that are passed around, so that type hints say what an array holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
"""Pixels and what is computed from them, in single precision."""
Array = NDArray[np.float64]
"""Statistics, in double precision."""
Mask = NDArray[np.bool_]
"""A yes or no for each pixel."""
Limits = tuple[float, float]
"""The lower and the upper end of a range of values."""
