"""The options of a benchmark."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import perceptual
from .pictures import Picture, find_pictures
from .protocol import quality

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """The options of all benchmarks; those that a benchmark does not use keep their defaults.

    Attributes
    ----------
    source, target : Path
        Folder of images; folder of results, which exists.
    quick : bool
        One small image and few steps, only to show that everything runs.
    images, methods : str
        Regular expressions: only images whose ``DATASET/NAME``, and methods whose name, contains a match.
    crop : int or None
        Side of the central square that is used, in pixels; None for whole images.
    seed : int
        Seed of the noise and of the methods.
    lpips : tuple of str
        Networks of the perceptual distance, from "alex" and "vgg"; empty for none.
    kernels : tuple of int
        Kernel counts; empty for those of the benchmark.
    iterations : int or None
        Steps of the fits of the peers; None for those of the benchmark.
    own_iterations : int or None
        Steps of our fits; None for those of the preset.
    variances, sigmas : tuple of float
        Levels of added noise: variances on [0, 1], clipped, and standard deviations on 0 to 255, not clipped.
    models : int
        Largest number of models of multi-model inference; 0 leaves it out.
    scales : tuple of int
        Factors of enlargement; empty for those of the benchmark.
    """

    source: Path
    target: Path
    quick: bool = False
    images: str = ""
    methods: str = ""
    crop: int | None = None
    seed: int = 0
    lpips: tuple[str, ...] = ()
    kernels: tuple[int, ...] = ()
    iterations: int | None = None
    own_iterations: int | None = None
    variances: tuple[float, ...] = ()
    sigmas: tuple[float, ...] = ()
    models: int = 0
    scales: tuple[int, ...] = ()

    def pictures(self, quick_side: int) -> list[Picture]:
        """The images; for a quick run the central `quick_side` px of the first image of each data set."""
        found = find_pictures(self.source, self.images, quick_side if self.quick else self.crop)
        if not self.quick:
            return found
        return list({picture.dataset: picture for picture in reversed(found)}.values())[::-1]

    def wants_film(self, name: str) -> bool:
        """Whether a film is selected, by the scene and what it is made from."""
        return re.search(self.images, name) is not None

    def wants(self, method: str) -> bool:
        """Whether a method is selected."""
        return re.search(self.methods, method) is not None

    @property
    def needed(self) -> tuple[str, ...]:
        """The quality figures that every row must have."""
        return tuple(f"lpips_{net}" for net in self.lpips)

    def quality(self, result: np.ndarray, clean: np.ndarray) -> dict[str, float]:
        """The quality figures of a result against the truth, both on [0, 1]."""
        clipped = np.clip(result, 0, 1)
        distances = {f"lpips_{net}": perceptual.lpips(clipped, clean, net) for net in self.lpips}
        return quality(result, clean) | distances


def slug(name: str) -> str:
    """The name in a form that is valid in file names."""
    return re.sub(r"[^0-9A-Za-z]+", "-", name).strip("-")
