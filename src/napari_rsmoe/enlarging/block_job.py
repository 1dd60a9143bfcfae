"""An enlargement in blocks: what is asked for, the memory that it takes, and the blocks into which it is divided."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..fitting.memory import memory_of_upscale
from ..image import sample
from ..image.blocks import SIDES, BlockPlan, block_around
from ..image.format import ImageFormat
from ..image.masks import Selection
from ..image.plane_source import PlaneSource
from ..memory import budget
from ..model.raster import Numbers, Raster
from ..noise.given import Noise, is_no_noise
from ..roomy import bytes_of, in_memory
from .blocks import EnlargeBlocks, How

LARGEST = 1024
"""Side in pixels of the largest blocks. Larger ones spend little less time around blocks, and take more memory."""
PROGRAM = 60e6
"""Bytes that a job takes besides its blocks: code that is loaded, tables and buffers of threads."""


@dataclass(frozen=True)
class Job:
    """An enlargement in blocks.

    Attributes
    ----------
    plane : PlaneSource
        The image.
    scale : float or (float, float)
        As for `upscale`.
    how : How
        Models, refinement and sharpness.
    n_kernels : int
        Kernels that a model of the whole would have.
    noise : Noise
        As for `upscale`.
    preset : str
        As for `upscale`.
    selection : Selection
        Which values count.
    """

    plane: PlaneSource
    scale: float | Numbers
    how: How
    n_kernels: int
    noise: Noise
    preset: str
    selection: Selection

    @property
    def _layout(self) -> ImageFormat:
        """The type of the image; its range is not known yet."""
        return ImageFormat(self.plane.dtype.str, None, 0.0, 1.0)

    @property
    def raster(self) -> Raster:
        """The whole drawing."""
        height, width, channels = self.plane.shape
        return Raster.plan((height, width), channels, scale=self.scale)

    def memory(self, shape: tuple[int, int]) -> int:
        """Bytes that enlarging an image or block of this shape takes at its peak."""
        height, width, channels = self.plane.shape
        kernels = max(1, round(self.n_kernels * math.prod(shape) / (height * width)))
        step = self.raster.step
        scale = (1 / step[0], 1 / step[1])
        return memory_of_upscale(self._layout, (*shape, channels), scale, self.how.models, kernels, self.how.fit)

    def memory_in_blocks(self, plan: BlockPlan) -> int:
        """Bytes that the job takes in blocks, with what it holds in memory of the whole image."""
        height, width, _ = self.plane.shape
        held = self.held() if in_memory(self.held()) else 0
        side = min(sample.SIDE, height), min(sample.SIDE, width)
        calibrated = block_around((slice(0, side[0]), slice(0, side[1])), (height, width), plan.halo)
        shapes = [plan[k].shape for k in _typical(plan)] + [calibrated.shape]
        return math.ceil(PROGRAM + held + self.memory(max(shapes, key=math.prod)))

    def held(self) -> int:
        """Bytes of the results, and of the image without its noise."""
        channels = self.plane.shape[2]
        without_noise = (
            0 if is_no_noise(self.noise) else bytes_of(self.plane.shape, self._layout.exact_type, np.float32)
        )
        return without_noise + bytes_of((*self.raster.shape, channels), self.plane.dtype, np.float32)

    def plan(self) -> BlockPlan | None:
        """The blocks, the largest that fit; None: the image is enlarged, or refused, as a whole."""
        height, width, _ = self.plane.shape
        if self.memory((height, width)) <= budget():
            return None
        halo = EnlargeBlocks(self.how, None, (height, width), self.raster, None).halo  # type: ignore[arg-type]
        plans = (BlockPlan((height, width), side, halo) for side in SIDES if side <= LARGEST)
        return next((each for each in plans if len(each) > 1 and self.memory_in_blocks(each) <= budget()), None)


def _typical(plan: BlockPlan) -> Sequence[int]:
    """Numbers of blocks among which is the largest one."""
    rows, columns = plan.grid
    return [y * columns + x for y in range(min(rows, 3)) for x in range(min(columns, 3))]
