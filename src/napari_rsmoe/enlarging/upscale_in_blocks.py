"""Enlarge an image block by block, where the whole would take more memory than it may."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..denoising.large.kept import Kept, Made, kept_blocks
from ..denoising.plane_in_blocks import BlockReport, say_together
from ..errors import StoppedError
from ..image.blocks import Block, BlockPlan, Part, inside
from ..image.format import to_type
from ..image.rounding import at_random, rounded_at_random
from ..image.seams import Strip, Values, earlier, faded, forget, in_order, margin, outer, strip_parts
from ..notes import gathered
from ..progress import Callback
from ..roomy import roomy
from .block_job import Job
from .blocks import EnlargeBlocks, Pixels
from .exemplars import FIRST, GROUP, GROWS_FROM, LAST
from .refinement import MODELS_SHARE, SHARPER
from .restored import Restored
from .survey import known_beforehand

LOG = logging.getLogger(__name__)


def upscale_in_blocks(job: Job, plan: BlockPlan, dtype: str, callback: Callback | None) -> Restored:
    """Enlarge an image block by block.

    Parameters
    ----------
    job : Job
        The image, and how it is enlarged.
    plan : BlockPlan
        The blocks.
    dtype, callback
        As for `upscale`. After a stop the blocks that are not done repeat the pixels, with NaN as error bar.
    """
    known, read, noise = known_beforehand(job, callback)
    work, error, kind = known.surveyed(job, read, dtype)
    planes, raster = job.plane.planes, work.raster
    shape = planes.result_shape(raster.shape)
    (image, written), (std, written_too) = (roomy(shape, each, job.held()) for each in (kind, np.float32))
    notes: list[str] = []
    with kept_blocks("upscale", _identity(work, error, kind, job), plan) as kept:
        plan = kept.plan
        LOG.info("%d blocks of %d px a side", len(plan), plan.side)
        report = BlockReport(callback, len(plan), image)
        blocks = _Blocks(work, error, kind, kept, {})
        for done, number in enumerate(in_order(plan)):
            block = plan[number]
            core, made = work.drawn(block).core, None
            index = planes.index_of(0, *core)
            if not report.stopped:
                try:
                    made = blocks.made(block, read(block.read), report.part(done))
                except StoppedError:
                    if done == 0:
                        raise
            if made is None:
                image[index], std[index] = planes.stored(_repeated(job, core)), np.nan
                continue
            notes += made.notes
            image[index], std[index] = planes.stored(made.image), planes.stored(made.std)
            written()
            written_too()
    say_together(notes, len(plan))
    return Restored(image, std, noise, [], job.plane.axis)


def _identity(work: EnlargeBlocks, error: float, kind: np.dtype[Any], job: Job) -> dict[str, Any]:
    """What determines the bits of a result, but the pixels: the settings, and what is known of the whole image."""
    whole, how = work.whole, work.how
    return {
        "settings": asdict(replace(how, device="")) | {"n_kernels": job.n_kernels, "preset": job.preset},
        "scale": list(work.raster.step),
        "image": {
            "shape": [*job.plane.shape],
            "layout": whole.layout.description(),
            "density": asdict(whole.density),
            "amount": None if whole.amount is None else whole.amount.tolist(),
            "selection": asdict(whole.selection),
            "error": error,
        },
        "refinement": [FIRST, LAST, GROUP, GROWS_FROM, SHARPER, MODELS_SHARE],
        "data type": kind.str,
        "version of napari-rsmoe": version("napari-rsmoe"),
    }


@dataclass(frozen=True)
class _Blocks:
    """The blocks of a job, done one after the other.

    Attributes
    ----------
    work : EnlargeBlocks
        How each is enlarged.
    error, kind
        Root mean square error of the result, by which it is rounded, and its data type.
    kept : Kept
        Those that are done.
    margins : dict
        The drawn blocks that were done before, with their margins, as far as others need them.
    """

    work: EnlargeBlocks
    error: float
    kind: np.dtype[Any]
    kept: Kept
    margins: dict[int, tuple[Block, list[Strip]]]

    def made(self, block: Block, pixels: Pixels, callback: Callback | None) -> Made:
        """The finished core of a block, done now or before; a request to stop raises StoppedError."""
        work, number = self.work, block.number
        drawn, shape = work.drawn(block), work.raster.shape
        given = [each for each in (pixels.given, pixels.clean, pixels.left) if each is not None]
        made = self.kept.take(number, given, strip_parts(drawn, shape))
        if made is None:
            with gathered() as said:
                values = work(pixels, block, callback)
            before = [self.margins[k] for k in earlier(self.kept.plan, number) if k in self.margins]
            core = _finished(work, drawn, values, before, self.error, self.kind, work.how.seed)
            made = Made(*core, margin(drawn, shape, values), list(said))
            self.kept.keep(number, given, made)
        self.margins[number] = drawn, made.strips
        forget(self.kept.plan, number, self.margins)
        return made


def _finished(
    work: EnlargeBlocks,
    drawn: Block,
    values: Values,
    before: Sequence[tuple[Block, Sequence[Strip]]],
    error: float,
    kind: np.dtype[Any],
    seed: int,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The core of a block, faded into its neighbours and rounded to its data type, and its error bar."""
    inner = inside(drawn.core, outer(drawn, work.raster.shape))
    image, std = faded(drawn, tuple(each[inner] for each in values), before)
    where = kind.kind in "iu" and at_random(image, work.whole.layout, error, std)
    if np.any(where):
        origin = [part.start for part in drawn.core]
        image = np.where(where, rounded_at_random(image.astype(np.float64), seed, (*origin, 0)), image)
    return to_type(image, kind), std


def _repeated(job: Job, part: Part) -> NDArray[Any]:
    """The pixels of the image in which those of a part of the drawing lie."""
    at = [
        np.arange(own.start, own.stop) * old // new
        for own, old, new in zip(part, job.plane.shape, job.raster.shape, strict=False)
    ]
    first = (slice(int(at[0][0]), int(at[0][-1]) + 1), slice(int(at[1][0]), int(at[1][-1]) + 1))
    return job.plane.read(0, first)[np.ix_(at[0] - at[0][0], at[1] - at[1][0])]
