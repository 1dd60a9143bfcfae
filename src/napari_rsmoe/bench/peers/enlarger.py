"""A super-resolution method as the benchmarks see it: a named function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Enlarge = Callable[[np.ndarray, int, float, int], np.ndarray]
"""Takes an image, an integer factor, the sharpening and a seed; returns the same data type and range."""


@dataclass(frozen=True)
class Enlarger:
    """A method that enlarges an image by an integer factor, with `iterations` if it fits a model."""

    name: str
    run: Enlarge
    module: str
    iterations: int | None = None
