"""The blocks of a plane: parts that are worked on one by one, each with the pixels around it that it needs.

Blocks are squares of one side, counted row by row; those at the lower and right edges end with the plane. What a block
yields is its core; it reads its core and a halo of at least `BlockPlan.halo` pixels around it, as far as there are any.
The halo begins at a multiple of `ALIGNMENT`, so that all grids of the work lie at the same places in every block.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..ranges import BLOCK

ALIGNMENT = 48
"""Multiple of the pixels at which blocks begin to read: of the engine's tiles, 16, and the strides of patches, 6, 4."""
SIDES = (4096, 3072, 2048, 1536, 1024, 768, 512, 384, 256, 192, 128)
"""Sides of blocks that are chosen from, px. Larger ones spend less time on halos, smaller ones take less memory."""

Part = tuple[slice, slice]
"""Rows and columns."""


def inside(part: Part, whole: Part) -> Part:
    """A part of a plane, in the pixels of a larger part."""
    y, x = (slice(p.start - w.start, p.stop - w.start) for p, w in zip(part, whole, strict=True))
    return y, x


@dataclass(frozen=True)
class Block:
    """A block of a plane.

    Attributes
    ----------
    number : int
        Its number in the plan.
    core : (slice, slice)
        Rows and columns of the plane for which it yields the result.
    read : (slice, slice)
        Rows and columns that it reads.
    """

    number: int
    core: Part
    read: Part

    @property
    def inner(self) -> Part:
        """The core in the pixels that are read."""
        return inside(self.core, self.read)

    @property
    def origin(self) -> tuple[int, int]:
        """Row and column at which it begins to read."""
        return self.read[0].start, self.read[1].start

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns that it reads."""
        return self.read[0].stop - self.read[0].start, self.read[1].stop - self.read[1].start


@dataclass(frozen=True)
class BlockPlan:
    """The blocks of a plane. No list of them is held, so a plan may have millions.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the plane.
    side : int
        Side of the core of a block, px.
    halo : int
        Pixels around it that it reads at least.

    Examples
    --------
    >>> from napari_rsmoe.image.blocks import BlockPlan
    >>> plan = BlockPlan((1000, 500), 384, 32)
    >>> len(plan), plan[4].core, plan[4].read
    (6, (slice(768, 1000, None), slice(0, 384, None)), (slice(720, 1000, None), slice(0, 416, None)))
    """

    shape: tuple[int, int]
    side: int
    halo: int

    @property
    def grid(self) -> tuple[int, int]:
        """Number of blocks along y and along x."""
        return math.ceil(self.shape[0] / self.side), math.ceil(self.shape[1] / self.side)

    def __len__(self) -> int:
        return math.prod(self.grid)

    def __iter__(self) -> Iterator[Block]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> Block:
        if not 0 <= number < len(self):
            raise IndexError(f"block {number} of {len(self)}")
        y, x = (
            slice(place * self.side, min((place + 1) * self.side, length))
            for place, length in zip(divmod(number, self.grid[1]), self.shape, strict=True)
        )
        return block_around((y, x), self.shape, self.halo, number)

    @property
    def largest(self) -> int:
        """Pixels that the largest block reads."""
        rows, columns = self.grid
        few = [
            range(rows) if rows < 4 else (0, 1, 2, rows - 1),
            range(columns) if columns < 4 else (0, 1, 2, columns - 1),
        ]
        return max(math.prod(self[y * columns + x].shape) for y in few[0] for x in few[1])


def block_around(core: Part, shape: tuple[int, int], halo: int, number: int = 0) -> Block:
    """The block of a plane of this shape that yields the result for `core`."""
    y, x = (
        slice(max(0, part.start - halo) // ALIGNMENT * ALIGNMENT, min(part.stop + halo, length))
        for part, length in zip(core, shape, strict=True)
    )
    return Block(number, core, (y, x))


def largest_plan(shape: tuple[int, int], halo: int, pixels: int, multiple: int = 1) -> BlockPlan | None:
    """The plan with the largest blocks that read at most so many pixels; None if even the smallest read more.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the plane.
    halo : int
        Pixels around a block that it reads at least.
    pixels : int
        Largest number of pixels that a block may read.
    multiple : int
        Number of which the side must be a multiple, such as the side of a chunk.
    """
    sides = [side for side in SIDES if side % multiple == 0] or [multiple]
    plans = (BlockPlan(shape, side, halo) for side in sides)
    return next((plan for plan in plans if plan.largest <= pixels), None)


def checked_block(block: int | str | None) -> int | None:
    """The side of blocks that the user asks for, checked; None for "auto"."""
    return None if block is None or (isinstance(block, str) and block == "auto") else BLOCK.check(block, "block")
