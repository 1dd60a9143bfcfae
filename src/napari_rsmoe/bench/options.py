"""What the user asked a benchmark for."""

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
    """Of every benchmark; what one of them does not use stays at its default.

    Attributes
    ----------
    source, target : Path
        Folder of images; folder of results, which exists.
    quick : bool
        One small image, few steps: shows that everything runs, and no more.
    images, methods : str
        Regular expressions: only images whose ``DATASET/NAME``, and methods whose name, contains a match.
    crop : int or None
        Side of the square in the middle that is used.
    seed : int
        Of the noise and of the methods.
    lpips : tuple of str
        Nets of the perceptual distance, among "alex" and "vgg"; empty: none.
    kernels : tuple of int
        Numbers of kernels; empty: the benchmark's.
    iterations : int or None
        Steps of the fits of the peers; None: the benchmark's.
    own_iterations : int or None
        Steps of our fits; None: those of the preset.
    variances, sigmas : tuple of float
        Levels of added noise: variances on [0, 1], clipped; standard deviations of 255, not clipped.
    models : int
        Largest number of models of multi-model inference; 0: without.
    scales : tuple of int
        Factors of enlargement; empty: the benchmark's.
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
        """The images; for a quick run the first of each data set and `quick_side` px of it."""
        found = find_pictures(self.source, self.images, quick_side if self.quick else self.crop)
        if not self.quick:
            return found
        return list({picture.dataset: picture for picture in reversed(found)}.values())[::-1]

    def wants(self, method: str) -> bool:
        """Whether a method is asked for."""
        return re.search(self.methods, method) is not None

    @property
    def needed(self) -> tuple[str, ...]:
        """Figures of quality that every row must have."""
        return tuple(f"lpips_{net}" for net in self.lpips)

    def quality(self, result: np.ndarray, clean: np.ndarray) -> dict[str, float]:
        """Figures of a result against the truth, both on [0, 1]."""
        clipped = np.clip(result, 0, 1)
        distances = {f"lpips_{net}": perceptual.lpips(clipped, clean, net) for net in self.lpips}
        return quality(result, clean) | distances


def slug(name: str) -> str:
    """A name as part of a file name."""
    return re.sub(r"[^0-9A-Za-z]+", "-", name).strip("-")
