"""A method that fits a model as the benchmarks see it: a named function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...model.model import Model

Trace = list[tuple[int, float, float]]
"""The course of a fit: number of steps, mean squared error on [0, 1], CPU seconds."""


class Fit(Protocol):
    """A function that fits kernels to an image."""

    def __call__(
        self, image: np.ndarray, kernels: int, iterations: int | None, seed: int, trace: Trace | None = None
    ) -> Model:
        """Fit an image (H, W) or (H, W, C) and append to `trace`; `iterations` None takes the method's own number."""


@dataclass(frozen=True)
class FitMethod:
    """A method that fits kernels to an image.

    Attributes
    ----------
    name : str
        Name in tables.
    fit : Fit
        The function.
    ours : bool
        Whether the steps are by default those of the preset, instead of those of the benchmark.
    rasterized : bool
        False if every kernel is evaluated at every pixel, which is feasible for small images only.
    module : str
        Full name of the module whose code decides the result.
    """

    name: str
    fit: Fit
    module: str
    ours: bool = False
    rasterized: bool = True
