"""The raster of a rendering: its part of the plane and resolution, checked in advance, and kernels in its pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ranges import SCALE, SHARPEN

if TYPE_CHECKING:
    import torch

Region = tuple[float, float, float, float]
Numbers = Sequence[float] | np.ndarray

MOST_VALUES = 2**31
"""Largest number of values (pixels times channels) of one rendering. A larger one is rejected before any work."""
BLOCK_VALUES = 2**22
"""Samples times channels that are drawn at once. Larger blocks take more memory, smaller ones more time, as every
block begins with all kernels. A drawing of this size or below is one block."""
TILE = 16
"""Side of the engine's tiles in samples, of which the sides of a block are multiples."""


@dataclass(frozen=True)
class Block:
    """A part of a drawing that is drawn at once, or sample by sample where one pixel holds more than a block.

    Attributes
    ----------
    rows, columns : slice
        The pixels of the drawing.
    samples_y, samples_x : tuple of (int, int)
        First sample and number of samples of each part along y and x. The parts cover the pixels; there are several
        only where the block is one pixel wide along that axis.
    """

    rows: slice
    columns: slice
    samples_y: tuple[tuple[int, int], ...]
    samples_x: tuple[tuple[int, int], ...]

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels of the drawing."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    @property
    def whole(self) -> bool:
        """Whether all of it is drawn at once."""
        return len(self.samples_y) == len(self.samples_x) == 1


@dataclass(frozen=True)
class Raster:
    """The pixels of a rendering.

    Attributes
    ----------
    origin : (float, float)
        Upper left edge in image pixels (y, x), counted as in slices.
    step : (float, float)
        Image pixels per output pixel along (y, x).
    shape : (int, int)
        Output pixels, (height, width).
    """

    origin: tuple[float, float]
    step: tuple[float, float]
    shape: tuple[int, int]

    @property
    def fine(self) -> tuple[int, int]:
        """Samples along (y, x) that an output pixel averages; fewer than one per image pixel would alias."""
        y, x = (max(1, math.ceil(step - 1e-9)) for step in self.step)
        return y, x

    @property
    def sample_step(self) -> tuple[float, float]:
        """Image pixels per sample along (y, x)."""
        return self.step[0] / self.fine[0], self.step[1] / self.fine[1]

    def blocks(self, channels: int) -> Iterator[Block]:
        """Cut the drawing into blocks of at most `BLOCK_VALUES` values, but of one tile at least."""
        tall, wide = self._block_sides(channels)
        for rows, samples_y in _cuts(self.shape[0], self.fine[0], tall):
            for columns, samples_x in _cuts(self.shape[1], self.fine[1], wide):
                yield Block(rows, columns, samples_y, samples_x)

    def largest_block(self, channels: int) -> int:
        """Number of samples of the largest block."""
        sides = self._block_sides(channels)
        counts = (min(side, length * fine) for side, length, fine in zip(sides, self.shape, self.fine, strict=True))
        return math.prod(counts)

    def _block_sides(self, channels: int) -> tuple[int, int]:
        """Height and width of a block in samples."""
        height, width = (length * fine for length, fine in zip(self.shape, self.fine, strict=True))
        most = BLOCK_VALUES // channels
        if height * width <= most:
            return height, width
        wide = min(width, max(1, most // TILE**2) * TILE)
        return max(1, most // (wide * TILE)) * TILE, wide

    @classmethod
    def plan(
        cls,
        image_shape: tuple[int, int],
        channels: int,
        *,
        scale: float | Numbers | None = None,
        shape: Numbers | None = None,
        region: Numbers | None = None,
    ) -> Raster:
        """Check the arguments of `Model.render`, where they are described. Raises ValueError if they are invalid."""
        if scale is not None and shape is not None:
            raise ValueError("Give scale or shape, not both.")
        y0, x0, y1, x1 = (0.0, 0.0, *map(float, image_shape)) if region is None else _checked_region(region)
        size = (y1 - y0, x1 - x0)
        height, width = _scaled(size, scale) if shape is None else _checked_shape(shape)
        _check_size(height, width, channels)
        raster = cls((y0, x0), (size[0] / height, size[1] / width), (height, width))
        if min(raster.step) * SCALE.high < 1 - 1e-9:
            raise ValueError(
                f"{height} x {width} pixels for a part of {size[0]:g} x {size[1]:g} image pixels is too fine; scale "
                f"must be at most {SCALE.high:g}."
            )
        fine_y, fine_x = raster.fine
        _check_size(height * fine_y, width * fine_x, channels, " before averaging")
        return raster


def to_raster(
    geometry: torch.Tensor,
    experts: torch.Tensor,
    origin: tuple[float, float],
    step: tuple[float, float],
    *,
    linear: bool = False,
    sharpen: float = 1.0,
    sharpen_logits: bool = True,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Express kernels in the pixels of another raster.

    Parameters
    ----------
    geometry, experts : torch.Tensor
        (L, 6) and (L, C), linear (L, 3 C), as in `Model`.
    origin, step : (float, float)
        Upper left edge of the raster and size of its pixels, both in image pixels (y, x).
    linear : bool
        Whether experts are affine in position.
    sharpen : float
        Factor by which kernels shrink.
    sharpen_logits : bool
        Whether logits grow by the square of `sharpen`, which leaves the places where two gates are equal unchanged.

    Returns
    -------
    geometry, experts : torch.Tensor
        New tensors of the same shapes, float32.
    """
    moved = geometry.double().clone()
    for axis in (0, 1):
        moved[:, axis] = (moved[:, axis] + 0.5 - origin[axis]) / step[axis] - 0.5
    moved[:, 2] *= step[1]
    moved[:, 3:5] *= step[0]
    moved[:, 2:5] *= sharpen
    if sharpen_logits:
        moved[:, 5] *= sharpen**2
    if linear:
        experts = experts.clone()
        channels = experts.shape[1] // 3
        experts[:, channels : 2 * channels] *= step[0]
        experts[:, 2 * channels :] *= step[1]
    return moved.float().contiguous(), experts.contiguous()


def _cuts(length: int, fine: int, most: int) -> Iterator[tuple[slice, tuple[tuple[int, int], ...]]]:
    """Cut an axis of `length` pixels of `fine` samples each into parts of at most `most` samples, or of one pixel."""
    at_once = max(1, most // fine)
    for first in range(0, length, at_once):
        last = min(first + at_once, length)
        start, stop = first * fine, last * fine
        step = stop - start if fine <= most else most
        yield slice(first, last), tuple((at, min(step, stop - at)) for at in range(start, stop, step))


def output_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """(height, width) of an image of `size` after enlargement by `scale`, rounded as in `Model.render`."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def checked_sharpen(sharpen: float) -> float:
    """Check a sharpening factor; 1 leaves the image as it is. Raises ValueError if float32 cannot represent it."""
    return float(SHARPEN.check(sharpen, "sharpen"))


def _is_number(value: Any) -> bool:
    return not isinstance(value, list | tuple) and np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf"


def _numbers(values: Any) -> tuple[float, ...]:
    """Return the numbers in a sequence or array as floats; empty if it holds anything else."""
    try:
        array = np.asarray(values)
    except ValueError:  # The sequence is ragged.
        return ()
    return tuple(map(float, array)) if array.ndim == 1 and array.dtype.kind in "iuf" else ()


def _checked_region(region: Numbers) -> Region:
    edges = _numbers(region)
    good = len(edges) == 4 and all(map(math.isfinite, edges)) and edges[0] < edges[2] and edges[1] < edges[3]
    if not good or not (math.isfinite(edges[2] - edges[0]) and math.isfinite(edges[3] - edges[1])):
        raise ValueError(f"region={region!r} must be four numbers (y0, x0, y1, x1) with y0 < y1 and x0 < x1.")
    return edges[0], edges[1], edges[2], edges[3]


def _checked_shape(shape: Numbers) -> tuple[int, int]:
    sides = _numbers(shape)
    if len(sides) != 2 or not all(math.isfinite(side) and side == int(side) and side >= 1 for side in sides):
        raise ValueError(f"shape={shape!r} must be two positive whole numbers (height, width).")
    return int(sides[0]), int(sides[1])


def _scaled(size: tuple[float, float], scale: float | Numbers | None) -> tuple[int, int]:
    factors = (1.0,) if scale is None else (float(np.asarray(scale)),) if _is_number(scale) else _numbers(scale)
    if len(factors) not in (1, 2) or None in map(SCALE.number, factors):
        raise ValueError(f"scale={scale!r} must be one or two positive numbers of at most {SCALE.high:g}.")
    height, width = size[0] * factors[0], size[1] * factors[-1]
    _check_size(height, width, 1)  # Checked before rounding, because it may be infinite.
    return max(1, round(height)), max(1, round(width))


def _check_size(height: float, width: float, channels: int, when: str = "") -> None:
    if not max(height, 1) * max(width, 1) * channels <= MOST_VALUES:
        raise ValueError(
            f"The drawing would have {height:g} x {width:g} pixels{when}, in {channels} channels; all in all they must "
            f"be at most {MOST_VALUES}. Draw parts with region, or at a smaller scale."
        )
