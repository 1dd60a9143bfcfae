"""Where a block lies in the whole image, by which everything random in its models is seeded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..arrays import Floats
from ..fitting.starts.placed import Density, placed_start
from ..fitting.starts.start import Start
from ..image.places import pixel_bits

KERNELS, DISTURBANCES = 0, 1
"""Streams of random numbers."""


@dataclass(frozen=True)
class Place:
    """The place of a block in the whole image.

    Attributes
    ----------
    origin : (int, int)
        Row and column of the block.
    plane : int
        Number of the plane in a stack.
    seed : int
        Seed of the job.
    densities : mapping of int to Density
        Density of the kernels of a model, by the number that it would have in the whole image.
    """

    origin: tuple[int, int]
    plane: int
    seed: int
    densities: Mapping[int, Density]

    def start(self, pixels: Floats, n_kernels: int, number: int) -> Start:
        """The initial kernels of a model in the block, of which the whole image would have `n_kernels`."""
        seed = (self.seed, self.plane, number, KERNELS)
        return placed_start(pixels, self.densities[n_kernels], seed, self.origin)

    def signs(self, number: int, planes: tuple[int, ...]) -> Floats:
        """White noise (C, H, W) of variance 1 for the disturbance of a model: -1 or 1."""
        height, width = planes[1:]
        signs = np.empty(planes, np.float32)
        for channel, sign in enumerate(signs):
            bits = pixel_bits((self.seed, self.plane, number, DISTURBANCES + channel), self.origin, (height, width))
            sign[...] = 1 - 2 * (bits >> np.uint64(63)).astype(np.float32)
        return signs
