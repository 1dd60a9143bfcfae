"""What is known of an image before it is enlarged in blocks: noise, range, missing value, and how it was reduced."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..denoising.denoise import denoise
from ..errors import EmptyPlaneError, ImageError
from ..fitting.starts.placed import sampled_densities
from ..fitting.subject import Subject
from ..image import sample
from ..image.blocks import BlockPlan, Part, inside
from ..image.format import ImageFormat
from ..image.inputs import Inputs
from ..image.masks import Selection, sentinel
from ..image.plane_source import InType, PlaneSource
from ..image.rounding import choose_type
from ..image.sample import mosaic, sample_places
from ..image.value_range import signal_range
from ..notes import gathered, note
from ..progress import Callback
from .block_job import LARGEST, Job
from .blocks import EnlargeBlocks, Pixels, Whole
from .found_noise import noise_of
from .found_reduction import share_of
from .refinement import Sizes

CALIBRATED = 16
"""Squares of the sample that are enlarged for what blocks take from the whole. More take longer; with 4, an enlargement
of a 1024 x 1024 image in blocks lost 0.1 dB."""


@dataclass(frozen=True)
class Known:
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
        reduction = self.reduction(job.how.reduction, squares, 1 / min(job.raster.step))
        sizes = Sizes.of(job.raster.shape, (height, width), reduction) if refined else None
        work = EnlargeBlocks(job.how, whole, (height, width), job.raster, sizes)
        work, error = _calibrated(work, read, [part for _, part in self.places])
        layout = replace(self.layout, dtype=job.plane.dtype.str)
        return work, error, choose_type(layout, error or math.inf, dtype)

    def reduction(self, told: str, squares: Sequence[Pixels], factor: float) -> float:
        """How the pixels came about, for `Reduction`: as told, or found in squares of the sample; see `share_of`."""
        parts = []
        for each in squares:
            with gathered(), suppress(EmptyPlaneError):
                parts.append(
                    Inputs.of(each.given, 2 if each.given.ndim == 3 else None, self.selection, layout=self.layout)
                )
        return share_of(told, parts, factor)


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


def known_beforehand(job: Job, callback: Callback | None) -> tuple[Known, Callable[[Part], Pixels], float]:
    """What is known beforehand; what reads a part of the image, without its noise; and how much noise there was."""
    plane = job.plane
    height, width, _ = plane.shape
    places = sample_places((height, width), [0])
    squares = mosaic([plane.read(0, part) for _, part in places])
    with gathered() as said:
        inputs = Inputs.of(squares, 2 if squares.ndim == 3 else None, job.selection)
        nodata = sentinel(squares) if job.selection.nodata == "auto" and inputs.missing is not None else None
        selection = replace(job.selection, nodata=nodata) if job.selection.nodata == "auto" else job.selection
    if nodata is not None:
        note(next((each for each in said if "missing data" in each), ""))
    layout = _layout(plane, inputs.layout, selection)
    found = noise_of(inputs, job.noise, None)
    known = Known(places, layout, selection)
    if found.share == 0:
        left = float(found.left(np.zeros(1, np.float32))[0])

        def as_given(part: Part) -> Pixels:
            given = plane.read(0, part)
            return Pixels(given, None, np.full(given.shape, left, np.float32) if left else None)

        return known, as_given, 0.0
    single = layout.exact_type == np.float32
    with gathered():
        clean = denoise(
            plane.planes.data if single else InType(plane.planes.data, layout.exact_type),
            noise=found.noise,
            preset=job.preset,
            dtype="float32" if single else "same",
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

    def read(part: Part) -> Pixels:
        given, pixels, std = plane.read(0, part), plane.of_part(clean.image, part), plane.of_part(clean.std, part)
        return Pixels(given, found.less(given, pixels), found.left(std))

    return known, read, found.share * clean.noise


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
