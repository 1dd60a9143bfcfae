"""What a way to enlarge an image is to the benchmarks: a function with a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Enlarge = Callable[[np.ndarray, int, float, int], np.ndarray]
"""Takes an image, a whole factor, the sharpening and a seed; same type and range out."""


@dataclass(frozen=True)
class Enlarger:
    """A way to enlarge an image by a whole factor, with sharpening above 1; `iterations` of a fit of its own."""

    name: str
    run: Enlarge
    module: str
    iterations: int | None = None
