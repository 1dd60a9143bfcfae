"""What a way to model an image is to the benchmarks: a function with a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...model.model import Model

Trace = list[tuple[int, float, float]]
"""Steps done, mean squared error on [0, 1], processor seconds: the course of a fit."""


class Fit(Protocol):
    """A function that models an image with kernels."""

    def __call__(
        self, image: np.ndarray, kernels: int, iterations: int | None, seed: int, trace: Trace | None = None
    ) -> Model:
        """Model an image (H, W) or (H, W, C), in the method's own number of steps for None; add to a `trace`."""


@dataclass(frozen=True)
class FitMethod:
    """A way to model an image with kernels.

    Attributes
    ----------
    name : str
        For tables.
    fit : Fit
        The function.
    ours : bool
        By default takes the steps of its preset; the others take those of the benchmark.
    rasterized : bool
        False: every kernel at every pixel, for small images.
    module : str
        Full name of the module whose code decides the result.
    """

    name: str
    fit: Fit
    module: str
    ours: bool = False
    rasterized: bool = True
