"""Denoise a plane block by block, with the noise, the range and the density of kernels of the whole.

Everything random in a block is seeded by its place in the whole (`place`), and what needs the whole image comes from a
survey of it (`survey`). A block is worked on with a halo of `HALO` pixels around it, beyond which no stage reaches
noticeably; its core is cropped from the result and fades into its neighbours (`image.seams`). So the result hardly
depends on the size of the blocks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import engine
from ..errors import EmptyPlaneError, StoppedError
from ..image.blocks import SIDES, Block, BlockPlan, inside, largest_plan
from ..image.format import to_type
from ..image.masks import Selection
from ..image.rounding import at_random, rounded_at_random
from ..image.sample import SIDE, SQUARES, Read
from ..image.seams import Strip, Values, faded, outer
from ..memory import Need, budget, require
from ..noise.memory import memory_of_noise
from ..progress import Callback, Timetable
from .combine import combine
from .costs import expected_seconds
from .ensemble import fit_ensemble
from .memory import memory_of_denoising
from .options import Options
from .plans import REFERENCE_NOISE, plan_ensemble
from .result import with_kept
from .survey import Survey, block_inputs, block_neighbours, survey

HALO = 32
"""Pixels around a block that are worked on with it. With fewer the seams of blocks can be seen; more take longer."""
SAMPLE = (12.0, 66.0)
"""Bytes that the survey of an image takes for each pixel of its sample, and for each with channel."""


@dataclass(frozen=True)
class DenoiseBlocks:
    """How the blocks of an image are denoised: a function of a block that can be sent to another process.

    Attributes
    ----------
    options : Options
        Options of `denoise`.
    found : Survey
        What is known of the whole.
    selection : Selection
        Which values count.
    shape : (int, int)
        Rows and columns of a plane.
    fill : bool
        As for `denoise`.
    """

    options: Options
    found: Survey
    selection: Selection
    shape: tuple[int, int]
    fill: bool = True

    def __call__(
        self,
        image: NDArray[Any],
        plane: int,
        block: Block,
        arrays: Mapping[str, Any] | None = None,
        neighbours: Sequence[Any] = (),
        callback: Callback | None = None,
    ) -> Values:
        """Denoise a block.

        Parameters
        ----------
        image : ndarray
            The pixels that the block reads, (Y, X) or (Y, X, C).
        plane : int
            Number of the plane.
        block : Block
            The block.
        arrays : mapping, optional
            `weight` and `mask` of these pixels.
        neighbours : sequence of Beside, ndarray or Neighbour
            The same pixels of other planes, as they are stored or as for `denoise`.
        callback : callable, optional
            As for `denoise`; a request to stop raises StoppedError.

        Returns
        -------
        image, std : ndarray of float
            The core of the block with its margin, and its error bar, in units of the image; not rounded.
        """
        found, inner = self.found, inside(outer(block, self.shape), block.read)
        given = image[inner]
        as_it_is: Values = given.astype(_exact(found.dtype)), np.zeros(given.shape, np.float32)
        try:
            inputs = block_inputs(image, found, arrays or {}, self.selection)
        except EmptyPlaneError:
            return as_it_is[0], np.full(given.shape, np.nan, np.float32)
        if found.domain.sigma == 0 and not (self.fill and inputs.left_out[inner].any()):
            return as_it_is
        beside = block_neighbours(neighbours, found, self.selection)
        task = found.task(inputs, self.options, plane, block.origin, beside)
        steps, shape = task.settings.iterations, inputs.pixels.shape
        times = Timetable(callback, expected_seconds(shape, task.plans, steps, measured=False), inputs.given)
        estimate = combine(
            engine.run_on(self.options.device, lambda device: fit_ensemble(task, device, times)), times, found.whole
        )
        if times.stopped:
            raise StoppedError
        made = inputs.layout.values(estimate.image, _exact(found.dtype))
        made = made if image.ndim == 3 else made[..., 0]
        std = with_kept(made, estimate, inputs, found.domain.sigma, fill=self.fill, single=self.options.models == 1)
        return np.ascontiguousarray(made[inner]), np.ascontiguousarray(std[inner])

    def finished(
        self, values: Values, plane: int, block: Block, neighbours: Sequence[tuple[Block, Sequence[Strip]]]
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """The core of a block, faded into its neighbours and rounded to its data type, and its error bar."""
        inner = inside(block.core, outer(block, self.shape))
        image, std = faded(block, tuple(each[inner] for each in values), neighbours)
        kind = np.dtype(self.found.dtype)
        where = kind.kind in "iu" and at_random(image, self.found.layout, self.found.error, std)
        if np.any(where):
            origin = [part.start for part in block.core]
            rounded = rounded_at_random(image.astype(np.float64), self.options.seed + plane, (*origin, 0))
            image = np.where(where, rounded, image)
        return to_type(image, kind), std.astype(np.float32, copy=False)


def _exact(dtype: str) -> type:
    """The type in which values are rounded."""
    return np.float32 if np.dtype(dtype).itemsize <= np.dtype(np.float32).itemsize // 2 else np.float64


def memory_of_blocks(shape: tuple[int, ...], options: Options, itemsize: int, beside: float = 0.0) -> Need:
    """What a block of a plane (H, W, C) takes, by the pixels that it reads; or the survey, if that takes more.

    `beside` are the planes that help it.
    """
    height, width, channels = shape
    pixels = height * width
    plans = plan_ensemble((height, width, channels), options.models, options.n_kernels, REFERENCE_NOISE)
    stored = channels * (2 * itemsize + np.dtype(np.float32).itemsize)
    block = memory_of_denoising(channels, pixels, plans)
    sampled = min(pixels, SQUARES * SIDE**2)
    survey = (SAMPLE[0] + SAMPLE[1] * channels + beside) * sampled + block.bytes(min(pixels, SIDE**2))
    if isinstance(options.noise, str):
        survey = max(survey, memory_of_noise(channels).bytes(sampled))
    return (block + Need(stored + beside)).or_more(Need(0, survey))


def blocks_of(
    shape: tuple[int, ...],
    options: Options,
    itemsize: int,
    side: int | None = None,
    multiple: int = 1,
    workers: int = 1,
    held: int = 0,
    beside: float = 0.0,
) -> BlockPlan | None:
    """The blocks of a plane (H, W, C): of the given side, else the largest that fit the memory; None: none fits.

    `held` are the bytes that the results hold meanwhile, and `beside` those of the planes that help for each pixel.
    """
    plane = (shape[0], shape[1])
    if side is not None:
        return BlockPlan(plane, side, HALO)
    need = memory_of_blocks(shape, options, itemsize, beside)
    return largest_plan(plane, HALO, need.pixels((budget() - held) // workers), multiple)


def check_blocks(
    shape: tuple[int, ...], options: Options, itemsize: int, plan: BlockPlan, held: int = 0, beside: float = 0.0
) -> None:
    """Raise a NotEnoughMemoryError if the largest block takes more than it may; `held`, `beside` as for `blocks_of`."""
    needed = held + memory_of_blocks(shape, options, itemsize, beside).bytes(plan.largest)
    remedy = "Take fewer models or preset='fast'"
    if plan.side > SIDES[-1]:
        remedy = f"Take smaller blocks, such as block={SIDES[-1]}, fewer models or preset='fast'"
    require(needed, f"Denoising {shape[0]} x {shape[1]} px in blocks", remedy)


def fits_whole(shape: tuple[int, ...], options: Options) -> bool:
    """Whether a plane (H, W, C) can be denoised as a whole."""
    height, width, channels = shape
    plans = plan_ensemble((height, width, channels), options.models, options.n_kernels, REFERENCE_NOISE)
    pixels = math.prod((height, width))
    return memory_of_denoising(channels, pixels, plans).bytes(pixels) <= budget()


def surveyed(
    read: Read, shape: tuple[int, int], planes: Any, options: Options, selection: Selection, **more: Any
) -> DenoiseBlocks:
    """Survey an image, and return how its blocks are denoised; `more` holds further keywords of `survey` and `fill`."""
    fill = more.pop("fill", True)
    found = survey(read, shape, planes, options, selection=selection, **more)
    return DenoiseBlocks(options, found, selection, shape, fill)
