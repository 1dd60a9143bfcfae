"""Denoise a plane in memory, or one that is read where it is indexed, block by block into arrays."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import checked_flag
from ..errors import ImageError, StoppedError
from ..image.blocks import SIDES, Block, BlockPlan, Part, checked_block
from ..image.format import ChannelAxis
from ..image.masks import Selection
from ..image.plane_source import PlaneSource, plane_of
from ..image.rounding import check_dtype_choice
from ..image.seams import Strip, earlier, forget, in_order, margin, strip_parts
from ..notes import gathered, note
from ..progress import Callback, Progress
from ..roomy import bytes_of, in_memory, roomy
from .blockwise import HALO, DenoiseBlocks, blocks_of, check_blocks, fits_whole, surveyed
from .large.kept import Kept, Made, kept_blocks
from .neighbours import as_neighbour
from .options import Options
from .result import Denoised

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class BlockChoice:
    """A plane that is denoised in blocks, and its blocks."""

    plane: PlaneSource
    plan: BlockPlan

    @classmethod
    def of(
        cls, image: Any, channel_axis: ChannelAxis, options: Options, block: int | str, whole: Sequence[str]
    ) -> BlockChoice | None:
        """Choose the blocks of an image; None: it is denoised as a whole.

        Parameters
        ----------
        image, channel_axis, options, block
            As for `denoise`.
        whole : sequence of str
            Keywords that are given and that only a whole image can have.

        Raises
        ------
        NotEnoughMemoryError
            If even the smallest blocks take more memory than they may.
        """
        side = checked_block(block)
        if side is not None and whole:
            raise ValueError(f"block and {' and '.join(whole)} exclude each other: leave out one of them.")
        plane = None if whole else plane_of(image, channel_axis)
        if plane is None or (side is None and fits_whole(plane.shape, options)):
            return None
        itemsize = plane.dtype.itemsize
        results = bytes_of(plane.shape, plane.dtype, np.float32)
        held = results if in_memory(results) else 0
        plan = blocks_of(plane.shape, options, itemsize, side, held=held)
        if plan is not None and side is None and len(plan) > 1:
            return cls(plane, plan)
        height, width, _ = plane.shape
        chosen = BlockPlan((height, width), SIDES[-1], HALO) if side is None or plan is None else plan
        if side is None and len(chosen) == 1:
            return None  # What does not fit as a whole is refused as a whole.
        check_blocks(plane.shape, options, itemsize, chosen, held)
        return cls(plane, chosen)


@dataclass(frozen=True)
class Making:
    """How a result is made; attributes as the keywords of `denoise`. A ValueError if one is not accepted."""

    fill: bool
    dtype: str
    callback: Callback | None

    def __post_init__(self) -> None:
        """Check the attributes."""
        checked_flag(self.fill, "fill")
        check_dtype_choice(self.dtype)


def denoise_plane_in_blocks(
    blocks: BlockChoice,
    options: Options,
    selection: Selection,
    arrays: Mapping[str, Any],
    neighbours: Sequence[Any],
    making: Making,
) -> Denoised:
    """Denoise a plane block by block.

    Parameters
    ----------
    blocks : BlockChoice
        The plane and its blocks.
    options : Options
        Options of `denoise`.
    selection : Selection
        Which values count.
    arrays : mapping
        Keywords `weight` and `mask` of `denoise`, (Y, X).
    neighbours : sequence of array-like or Neighbour
        As for `denoise`.
    making : Making
        How the result is made. After a stop the blocks that are not done have the noisy image, and NaN as error bar.
    """
    plane, plan = blocks.plane, blocks.plan
    height, width, _ = plane.shape
    given = {name: np.asarray(array) for name, array in arrays.items() if array is not None}
    for name, array in given.items():
        if array.shape != (height, width):
            raise ImageError(f"{name} has shape {array.shape}; the image needs {(height, width)}.")
    LOG.info("%d blocks of %d px a side", len(plan), plan.side)

    def part_of(part: Part) -> dict[str, Any]:
        return {name: array[part] for name, array in given.items()}

    work = surveyed(
        plane.read,
        (height, width),
        [0],
        options,
        selection,
        fill=making.fill,
        dtype=making.dtype,
        weight=lambda _, part: part_of(part),
        neighbours=lambda _, part: [as_neighbour(each).part(part, plane.of_part) for each in neighbours],
    )
    shape = tuple(plane.planes.data.shape)
    results = bytes_of(shape, work.found.dtype, np.float32)
    (image, written), (std, written_too) = (roomy(shape, kind, results) for kind in (work.found.dtype, np.float32))
    notes: list[str] = []
    with kept_blocks("denoise", _identity(work), plan) as kept:
        report = BlockReport(making.callback, len(kept.plan), image)
        source = _Blocks(plane, work, given, neighbours, kept, {})
        for done, number in enumerate(in_order(kept.plan)):
            block, made = kept.plan[number], None
            index = plane.index(block.core)
            if not report.stopped:
                try:
                    made = source.made(block, report.part(done))
                except StoppedError:
                    if done == 0:
                        raise
            if made is None:
                image[index], std[index] = plane.planes.data[index], np.nan
                continue
            notes += made.notes
            image[index], std[index] = plane.planes.stored(made.image), plane.planes.stored(made.std)
            written()
            written_too()
        say_together(notes, len(kept.plan))
    return Denoised(image, std, work.found.noise, [])


def _identity(work: DenoiseBlocks) -> dict[str, Any]:
    """What determines the bits of a result, but the pixels: the settings, and what is known of the whole image."""
    options = work.options
    settings = asdict(replace(options, device="", noise=0.0))
    return {
        "settings": settings | {"measured": options.measures_noise, "fill": work.fill},
        "image": {"shape": list(work.shape), "selection": asdict(work.selection), "survey": work.found.description()},
        "version of napari-rsmoe": version("napari-rsmoe"),
    }


@dataclass(frozen=True)
class _Blocks:
    """The blocks of a plane, done one after the other.

    Attributes
    ----------
    plane : PlaneSource
        The plane.
    work : DenoiseBlocks
        How each is denoised.
    arrays : mapping
        `weight` and `mask` of the plane.
    neighbours : sequence
        As for `denoise`.
    kept : Kept
        Those that are done.
    margins : dict
        What neighbours fade into, as far as it is needed.
    """

    plane: PlaneSource
    work: DenoiseBlocks
    arrays: Mapping[str, NDArray[Any]]
    neighbours: Sequence[Any]
    kept: Kept
    margins: dict[int, list[Strip]]

    def made(self, block: Block, callback: Callback | None) -> Made:
        """The finished core of a block, done now or before; a request to stop raises StoppedError."""
        plan, number = self.kept.plan, block.number
        pixels = self.plane.read(0, block.read)
        arrays = {name: array[block.read] for name, array in self.arrays.items()}
        others = [as_neighbour(each).part(block.read, self.plane.of_part) for each in self.neighbours]
        given = [pixels, *arrays.values(), *(np.asarray(getattr(each.image, "pixels", each.image)) for each in others)]
        made = self.kept.take(number, given, strip_parts(block, plan.shape))
        if made is None:
            with gathered() as said:
                values = self.work(pixels, 0, block, arrays, others, callback)
            before = [(plan[k], self.margins[k]) for k in earlier(plan, number)]
            core = self.work.finished(values, 0, block, before)
            made = Made(*core, margin(block, plan.shape, values), list(said))
            self.kept.keep(number, given, made)
        self.margins[number] = made.strips
        forget(plan, number, self.margins)
        return made


class BlockReport:
    """The progress of a job over its blocks.

    Parameters
    ----------
    callback : callable or None
        The callback of the job.
    count : int
        Number of blocks.
    image : ndarray
        The result, which is the preview.
    """

    def __init__(self, callback: Callback | None, count: int, image: NDArray[Any]) -> None:
        self.callback, self.count, self.image, self.stopped = callback, count, image, False

    def part(self, done: int) -> Callback | None:
        """The callback of a block, when so many are done."""
        callback = self.callback
        if callback is None:
            return None

        def report(progress: Progress) -> bool:
            whole = replace(
                progress,
                stage=f"block {done + 1} of {self.count}, {progress.stage}",
                step=done * progress.total + progress.step,
                total=self.count * progress.total,
                seconds=None if progress.seconds is None else self.count * progress.seconds,
                preview=lambda: self.image,
            )
            self.stopped = bool(callback(whole)) or self.stopped
            return self.stopped

        return report


def say_together(notes: Sequence[str], blocks: int) -> None:
    """Say what was noted in blocks, once for all notes that differ in their numbers only."""
    kinds = Counter(re.sub(r"\d+(\.\d+)?", "#", text) for text in notes)
    for kind, count in kinds.items():
        first = next(text for text in notes if re.sub(r"\d+(\.\d+)?", "#", text) == kind)
        note(first if blocks == 1 else f"in {count} of {blocks} blocks, in the first of them: {first}")
