"""Enlarge an image block by block, where the whole would take more memory than it may."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import engine
from ..denoising.denoise import denoise
from ..denoising.large.kept import Kept, Made, kept_blocks
from ..denoising.observation import measured_model
from ..denoising.plane_in_blocks import BlockReport, say_together
from ..errors import EmptyPlaneError, ImageError, StoppedError
from ..fitting.memory import memory_of_upscale
from ..fitting.starts.placed import sampled_densities
from ..fitting.subject import Subject
from ..image import sample
from ..image.blocks import SIDES, Block, BlockPlan, Part, block_around, inside
from ..image.format import ImageFormat, to_type
from ..image.inputs import Inputs
from ..image.masks import Selection, sentinel
from ..image.plane_source import PlaneSource
from ..image.rounding import at_random, choose_type, rounded_at_random
from ..image.sample import mosaic, sample_places
from ..image.seams import Strip, Values, earlier, faded, forget, in_order, margin, outer, strip_parts
from ..image.value_range import signal_range
from ..memory import budget
from ..model.raster import Numbers, Raster
from ..noise.given import Noise, is_no_noise
from ..notes import gathered, note
from ..progress import Callback
from ..roomy import bytes_of, in_memory, roomy
from .blocks import EnlargeBlocks, How, Pixels, Whole
from .found_noise import found_noise
from .found_reduction import share_of
from .refinement import Sizes
from .restored import Restored

LOG = logging.getLogger(__name__)
LARGEST = 1024
"""Side in pixels of the largest blocks. Larger ones spend little less time around blocks, and take more memory."""
CALIBRATED = 16
"""Squares of the sample that are enlarged for what blocks take from the whole. More take longer; with 4, an enlargement
of a 1024 x 1024 image in blocks lost 0.1 dB."""
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
    def raster(self) -> Raster:
        """The whole drawing."""
        height, width, channels = self.plane.shape
        return Raster.plan((height, width), channels, scale=self.scale)

    def memory(self, shape: tuple[int, int]) -> int:
        """Bytes that enlarging an image or block of this shape takes at its peak."""
        height, width, channels = self.plane.shape
        kernels = max(1, round(self.n_kernels * math.prod(shape) / (height * width)))
        layout = ImageFormat(self.plane.dtype.str, None, 0.0, 1.0)
        step = self.raster.step
        scale = (1 / step[0], 1 / step[1])
        return memory_of_upscale(layout, (*shape, channels), scale, self.how.models, kernels, self.how.fit)

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
        without_noise = 0 if is_no_noise(self.noise) else bytes_of(self.plane.shape, np.float32, np.float32)
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
    known, read, noise = _without_noise(job, callback)
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


@dataclass(frozen=True)
class _Known:
    """What is known of the image before anything is enlarged: its sample, range and missing value."""

    places: Sequence[tuple[int, Part]]
    layout: ImageFormat
    selection: Selection

    def surveyed(
        self, job: Job, read: Callable[[Part], Pixels], dtype: str
    ) -> tuple[EnlargeBlocks, float, np.dtype[Any]]:
        """How blocks are enlarged, the error of the result in units of the image, and its data type."""
        height, width, _ = job.plane.shape
        squares = [read(part) for _, part in self.places]
        given = mosaic([each.given for each in squares])
        with gathered():
            inputs = Inputs.of(given, 2 if given.ndim == 3 else None, self.selection, layout=self.layout)
        if squares[0].clean is not None:
            clean = mosaic([each.clean for each in squares if each.clean is not None])
            inputs = inputs.with_pixels(self.layout.unit(np.atleast_3d(clean)))
        subject = Subject.of(inputs, "smoe")
        tall, wide = squares[0].given.shape[:2]
        density = sampled_densities(subject.pixels, (tall, wide), [job.n_kernels / (height * width)])[0]
        whole = Whole(self.layout, replace(subject, pixels=subject.pixels[:0]), density, self.selection)
        refined = job.how.rounds > 0 and max(job.raster.step) <= 1 and not inputs.extreme
        reduction = self.reduction(job.how.reduction, squares)
        sizes = Sizes.of(job.raster.shape, (height, width), reduction) if refined else None
        work = EnlargeBlocks(job.how, whole, (height, width), job.raster, sizes)
        work, error = _calibrated(work, read, [part for _, part in self.places])
        layout = replace(self.layout, dtype=job.plane.dtype.str)
        return work, error, choose_type(layout, error or math.inf, dtype)

    def reduction(self, told: str, squares: Sequence[Pixels]) -> float:
        """How the pixels came about, for `Reduction`: as told, or found in squares of the sample."""
        parts = []
        for each in squares:
            with gathered(), suppress(EmptyPlaneError):
                parts.append(
                    Inputs.of(each.given, 2 if each.given.ndim == 3 else None, self.selection, layout=self.layout)
                )
        return share_of(told, parts, noisy=squares[0].clean is not None)


def _calibrated(
    work: EnlargeBlocks, read: Callable[[Part], Pixels], places: Sequence[Part]
) -> tuple[EnlargeBlocks, float]:
    """The work with the amount of detail that pixels do not determine, and the error of the result, from squares."""
    amounts, errors, areas = [], [], []
    plain = replace(work, how=replace(work.how, sharpen=1.0))
    squares = [square for part in places for square in _squares(part)]
    for part in squares[:: max(1, len(squares) // CALIBRATED)]:
        block = work.around(part)
        pixels = read(block.read)
        try:
            with gathered():
                estimate, amount = plain.estimate(plain.inputs(pixels), pixels, block)
        except ImageError:  # No pixel counts there.
            continue
        if amount is not None:
            amounts.append(np.square(amount))
        inner = inside(work.drawn(block).core, work.drawn(block).read)
        errors.append(float(np.mean(np.square(estimate.std[inner], dtype=np.float64))))
        areas.append(math.prod(each.stop - each.start for each in part))
    if not errors:
        raise ImageError("No pixel of the sample counts, so nothing is known about the image.")
    amount = np.sqrt(np.average(amounts, 0, areas)) if amounts else None
    error = math.sqrt(float(np.average(errors, weights=areas))) * work.whole.layout.span
    return replace(work, whole=replace(work.whole, amount=amount)), error


def _squares(part: Part) -> Iterator[Part]:
    """A part of the image in squares of the sample; the last ones of both axes end with it."""
    rows, columns = (range(each.start, each.stop, sample.SIDE) for each in part)
    for y in rows:
        for x in columns:
            yield slice(y, min(y + sample.SIDE, part[0].stop)), slice(x, min(x + sample.SIDE, part[1].stop))


def _without_noise(job: Job, callback: Callback | None) -> tuple[_Known, Callable[[Part], Pixels], float]:
    """What is known beforehand; what reads a part of the image, without its noise; and how much noise there was."""
    plane = job.plane
    height, width, _ = plane.shape
    places = sample_places((height, width), [0])
    squares = mosaic([plane.read(0, part) for _, part in places])
    with gathered() as said:
        inputs = Inputs.of(squares, 2 if squares.ndim == 3 else None, job.selection)
        nodata = sentinel(squares) if job.selection.nodata == "auto" and inputs.missing is not None else None
        selection = replace(job.selection, nodata=nodata) if job.selection.nodata == "auto" else job.selection
        known = engine.attended(lambda: found_noise(inputs)[0], None) if isinstance(job.noise, str) else job.noise
    if nodata is not None:
        note(next((each for each in said if "missing data" in each), ""))
    layout = _layout(plane, inputs.layout, selection)
    if is_no_noise(known):
        return _Known(places, layout, selection), lambda part: Pixels(plane.read(0, part)), 0.0
    if not isinstance(job.noise, str):
        measured_model(inputs, job.noise)  # Says so if it is in doubt.
    with gathered():
        clean = denoise(
            plane.planes.data,
            noise=known,
            preset=job.preset,
            dtype="float32",
            seed=job.how.seed,
            device=job.how.device,
            channel_axis=plane.axis,
            callback=callback,
            ignore_nan=selection.ignore_nan,
            saturation=selection.saturation,
            below=selection.below,
            above=selection.above,
            nodata="auto" if selection.nodata is None else selection.nodata,
            defects=selection.defects,
        )
    if isinstance(job.noise, str):
        note(
            f"noise with a standard deviation of {clean.noise:.2g} was found and removed, not enlarged; where it is "
            "fine texture, noise=0 (--noise 0) keeps it"
        )

    def read(part: Part) -> Pixels:
        return Pixels(plane.read(0, part), plane.of_part(clean.image, part), plane.of_part(clean.std, part))

    return _Known(places, layout, selection), read, clean.noise


def _layout(plane: PlaneSource, sampled: ImageFormat, selection: Selection) -> ImageFormat:
    """The format of the whole: its range is that of all pixels that count, unless a few lie far beyond the sample."""
    height, width, _ = plane.shape
    lows, highs = [sampled.low], [sampled.high]
    for block in BlockPlan((height, width), LARGEST, 0):
        values = np.atleast_3d(plane.read(0, block.core))
        out = selection.left_out(values)
        missing = selection.missing(values)
        kept = values[~(out if missing is None else out | missing)]
        kept = kept[np.isfinite(kept)] if kept.dtype.kind == "f" else kept
        if kept.size:
            lows.append(float(kept.min()))
            highs.append(float(kept.max()))
    lowest, highest = min(lows), max(highs)
    low, high = sampled.low, sampled.high
    if sampled.limits is None:
        # Values that the sample has missed widen its range, as long as they are not extreme.
        known = np.concatenate([np.linspace(low, high, 101), [lowest, highest]])
        low, high = signal_range(known)
    limits = None if (low, high) == (lowest, highest) else (lowest, highest)
    return replace(sampled, low=low, high=high, limits=limits)
