"""Enlarge a block of an image as the whole would be enlarged: its models, its refinement, and its error bar.

What needs the whole image is found once (`Whole`). Everything random depends on places in the whole image, and patches
are compared at the same places as in the whole. So the result hardly depends on the size of the blocks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import engine
from ..arrays import Array, Floats
from ..denoising.result import Estimate
from ..errors import EmptyPlaneError, StoppedError
from ..fitting.job import FitJob
from ..fitting.settings import FitSettings
from ..fitting.starts.placed import Density, PlacedKernels
from ..fitting.subject import Subject
from ..image.blocks import Block, Part, block_around, inside
from ..image.format import ImageFormat
from ..image.inputs import Inputs
from ..image.masks import Selection
from ..image.resize import interpolated_at, pixel_places
from ..image.seams import BAND, Values, outer
from ..model.drawing import draw
from ..model.model import Model
from ..model.raster import Raster
from ..progress import Callback, Parts, without_psnr
from .refinement import Sizes, refine, unrefined
from .sharpening import note_overshoot, sharpened

HALO = 32
"""Pixels of the image around a block that are worked on with it. With fewer the seams of blocks can be seen, more take
longer."""


@dataclass(frozen=True)
class Whole:
    """What is known of the whole image.

    Attributes
    ----------
    layout : ImageFormat
        Type and range of the image; channels are the last axis.
    subject : Subject
        The units of the fit.
    density : Density
        Density of the kernels of a model.
    selection : Selection
        Which values count.
    amount : ndarray or None
        As of `exemplars.Refined`; None: it is found in each block.
    """

    layout: ImageFormat
    subject: Subject
    density: Density
    selection: Selection
    amount: Array | None = None


@dataclass(frozen=True)
class Pixels:
    """Pixels of a part of the image.

    Attributes
    ----------
    given : ndarray, shape (H, W) or (H, W, C)
        As they are.
    clean : ndarray or None
        Without their noise, in units of the image; None: there is none.
    left : ndarray or None
        Standard deviation of the error that the noise has left, in units of the image.
    """

    given: NDArray[Any]
    clean: NDArray[Any] | None = None
    left: NDArray[Any] | None = None


@dataclass(frozen=True)
class How:
    """How blocks are enlarged; attributes as the keywords of `upscale`, but for `rounds` of refinement."""

    models: int
    rounds: int
    sharpen: float
    reduction: str
    seed: int
    device: str
    fit: FitSettings


@dataclass(frozen=True)
class EnlargeBlocks:
    """How the blocks of an image are enlarged.

    Attributes
    ----------
    how : How
        Models, refinement and sharpness.
    whole : Whole
        What is known of the whole.
    shape : (int, int)
        Rows and columns of the image.
    raster : Raster
        The whole drawing.
    sizes : Sizes or None
        Sizes of the whole between which drawings are refined; None: they are not refined.
    """

    how: How
    whole: Whole
    shape: tuple[int, int]
    raster: Raster
    sizes: Sizes | None

    def drawn(self, block: Block) -> Block:
        """The block in pixels of the drawing: its core, and what can be drawn of what it reads."""
        core, read, grid = [], [], 1 if self.sizes is None else self.sizes.grid
        for k in (0, 1):
            step, length, end = self.raster.step[k], self.raster.shape[k], self.shape[k]
            # Rounded down, so that every pixel belongs to one core.
            core.append(slice(*(length if at == end else math.floor(at / step) for at in _ends(block.core[k]))))
            first = -(-math.ceil(block.read[k].start / step) // grid) * grid
            last = length if block.read[k].stop == end else math.floor(block.read[k].stop / step)
            read.append(slice(first, last))
        return Block(block.number, (core[0], core[1]), (read[0], read[1]))

    def around(self, core: Part) -> Block:
        """The block that yields the result for a part of the image."""
        return block_around(core, self.shape, self.halo)

    @property
    def halo(self) -> int:
        """Pixels around a block that are worked on with it."""
        return HALO + math.ceil(BAND * max(self.raster.step))

    def __call__(self, pixels: Pixels, block: Block, callback: Callback | None = None) -> Values:
        """Enlarge a block.

        Parameters
        ----------
        pixels : Pixels
            What the block reads.
        block : Block
            The block of the image.
        callback : callable, optional
            As for `upscale`; a request to stop raises StoppedError.

        Returns
        -------
        image, std : ndarray of float
            The core of the drawn block with its margin, and its error bar, in units of the image; not rounded.
        """
        drawn, layout = self.drawn(block), self.whole.layout
        inner = inside(outer(drawn, self.raster.shape), drawn.read)
        nearest = np.ix_(*self._nearest(block, drawn))
        try:
            inputs = self.inputs(pixels)
        except EmptyPlaneError:
            image = pixels.given[nearest][inner].astype(layout.exact_type)
            return image, np.full(image.shape, np.nan, np.float32)
        estimate, _ = self.estimate(inputs, pixels, block, callback)
        image = layout.values(estimate.image, layout.exact_type)
        std = layout.error_bar(estimate.std)
        if inputs.missing is not None:
            there = inputs.missing[nearest]
            image[there] = np.atleast_3d(pixels.given)[nearest][there]
            std[there] = np.nan
        image, std = (each if pixels.given.ndim == 3 else each[..., 0] for each in (image, std))
        return np.ascontiguousarray(image[inner]), np.ascontiguousarray(std[inner])

    def inputs(self, pixels: Pixels) -> Inputs:
        """The checked pixels of a block, without their noise. An EmptyPlaneError if none counts."""
        whole = self.whole
        axis = 2 if pixels.given.ndim == 3 else None
        inputs = Inputs.of(pixels.given, axis, whole.selection, layout=whole.layout)
        if pixels.clean is None:
            return inputs
        return inputs.with_pixels(whole.layout.unit(np.atleast_3d(pixels.clean)))

    def estimate(
        self, inputs: Inputs, pixels: Pixels, block: Block, callback: Callback | None = None
    ) -> tuple[Estimate, Array | None]:
        """What is drawn of a block (H, W, C) in the engine's range, and the amount of `exemplars.Refined`."""
        drawn = self.drawn(block)
        parts = Parts(callback, self.how.models + 1)
        models = self._models(inputs, block, parts)
        plain = self._draw(models, block, drawn, 1.0)
        left = self._left(pixels, block, drawn)
        amount = None
        if self.sizes is None:
            estimate = unrefined(plain, left)
        else:
            sizes, (rows, columns) = self.sizes.part(drawn.read)
            own = inside((rows, columns), block.read)
            weight = None if inputs.weight is None else np.ascontiguousarray(inputs.weight[own])
            small = np.ascontiguousarray(inputs.pixels[own])
            core = inside(drawn.core, drawn.read)
            estimate, amount = refine(plain, small, weight, sizes, self.how.rounds, left, self.whole.amount, core)
        if self.how.sharpen != 1:
            change = self._draw(models, block, drawn, self.how.sharpen) - plain
            step = self.raster.step
            image = sharpened(estimate.image, change, (1 / step[0], 1 / step[1]))
            note_overshoot(image, inputs.pixels, self.how.sharpen, self._nearest(block, drawn))
            estimate = replace(estimate, image=image)
        return estimate, amount

    def _models(self, inputs: Inputs, block: Block, parts: Parts) -> list[Model]:
        """The models of a block."""
        how, subject = self.how, self.whole.subject.of_block(inputs)
        height, width = inputs.pixels.shape[:2]
        expected = max(1, round(self.whole.density.kernels * height * width))

        def fitted(device: Any) -> list[Model]:
            models = []
            for number in range(how.models):
                place = PlacedKernels(self.whole.density, (how.seed, number), block.origin)
                job = FitJob(inputs, subject, how.fit, {}, "smoe", how.seed, "upscale", device, place)
                callback = without_psnr(parts.part(number, f"model {number + 1} of {how.models}"))
                models.append(job.run(expected, callback)[0])
                if parts.stopped:
                    raise StoppedError
            return models

        return engine.run_on(how.device, fitted)

    def _draw(self, models: list[Model], block: Block, drawn: Block, sharpen: float) -> Floats:
        """The mean of models (H, W, C), in the engine's range."""
        step, layout = self.raster.step, models[0].layout
        origin = [drawn.read[k].start * step[k] - block.read[k].start for k in (0, 1)]
        raster = Raster((origin[0], origin[1]), step, drawn.shape)
        values = draw(models, raster, sharpen=sharpen, device=self.how.device, dtype=layout.exact_type)
        return self.whole.layout.unit(np.atleast_3d(values))

    def _left(self, pixels: Pixels, block: Block, drawn: Block) -> Floats | None:
        """What the noise has left, at the size of the drawing, in the engine's range."""
        if pixels.left is None:
            return None
        left = np.nan_to_num(np.atleast_3d(pixels.left) / self.whole.layout.error_unit, nan=0.0)
        places = [
            pixel_places(old, new, own.start, own.stop - own.start) - read.start
            for old, new, own, read in zip(self.shape, self.raster.shape, drawn.read, block.read, strict=True)
        ]
        return np.moveaxis(interpolated_at(np.moveaxis(left.astype(np.float32), -1, 0), places), 0, -1)

    def _nearest(self, block: Block, drawn: Block) -> list[NDArray[np.int64]]:
        """Rows and columns of the pixels, of those that the block reads, in which those of the drawing lie."""
        return [
            np.minimum(np.arange(own.start, own.stop) * old // new, read.stop - 1) - read.start
            for old, new, own, read in zip(self.shape, self.raster.shape, drawn.read, block.read, strict=True)
        ]


def _ends(part: slice) -> tuple[int, int]:
    return part.start, part.stop
