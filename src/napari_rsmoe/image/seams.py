"""Seams between blocks: a block fades into the neighbours that were worked on before it, so that no step is left.

Blocks have four phases, by whether their row and column in the grid are even. A block yields a margin of `BAND` pixels
around its core too. In its core, near a neighbour of an earlier phase, its result fades into the margin of that one.
So the core of a block depends on neighbours of earlier phases only, each pixel is written once, and blocks of one phase
do not depend on each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import Block, BlockPlan, Part

BAND = 16
"""Pixels over which a block fades into its neighbour. Over fewer the step can be seen; more lie nearer the end of what
a block reads, where its result is worse."""

Values = tuple[NDArray[np.floating], ...]
"""Arrays of one shape (Y, X) or (Y, X, C), such as an image and its error bar."""


@dataclass(frozen=True)
class Strip:
    """A part of the margin of a block: rows and columns of the plane, and the values there."""

    part: Part
    values: Values


def outer(block: Block, shape: tuple[int, int]) -> Part:
    """The core of a block with its margin, in a plane of this shape."""
    y, x = (
        slice(max(0, part.start - BAND), min(length, part.stop + BAND))
        for part, length in zip(block.core, shape, strict=True)
    )
    return y, x


def phase(plan: BlockPlan, number: int) -> int:
    """The phase of a block, 0 to 3."""
    y, x = divmod(number, plan.grid[1])
    return 2 * (y % 2) + x % 2


def earlier(plan: BlockPlan, number: int) -> list[int]:
    """The neighbours of a block that have earlier phases, the latest first."""
    rows, columns = plan.grid
    y, x = divmod(number, columns)
    around = [
        j * columns + i
        for j in range(max(0, y - 1), min(rows, y + 2))
        for i in range(max(0, x - 1), min(columns, x + 2))
    ]
    own = phase(plan, number)
    return sorted((k for k in around if phase(plan, k) < own), key=lambda k: -phase(plan, k))


def in_order(plan: BlockPlan) -> Iterator[int]:
    """All blocks, each after its neighbours of earlier phases, and as near to them as possible."""
    rows, columns = plan.grid
    for row in range(0, rows + 1, 2):
        for y in (row, row - 1):
            if 0 <= y < rows:
                for first in (0, 1):
                    yield from (y * columns + x for x in range(first, columns, 2))


def forget(plan: BlockPlan, number: int, margins: dict[int, Any]) -> None:
    """Remove from margins by number those that neither this block needs nor any that comes later `in_order`."""
    row = number // plan.grid[1]
    for each in [each for each in margins if each // plan.grid[1] < row - 2]:
        del margins[each]


def margin(block: Block, shape: tuple[int, int], values: Values) -> list[Strip]:
    """The margin of a block as strips, from its values on `outer`."""
    rows, columns = outer(block, shape)
    strips = []
    for y, x in strip_parts(block, shape):
        inside = (
            slice(y.start - rows.start, y.stop - rows.start),
            slice(x.start - columns.start, x.stop - columns.start),
        )
        strips.append(Strip((y, x), tuple(np.ascontiguousarray(each[inside]) for each in values)))
    return strips


def strip_parts(block: Block, shape: tuple[int, int]) -> list[Part]:
    """Where the strips of the margin of a block lie."""
    (top, bottom), (left, right) = ((part.start, part.stop) for part in block.core)
    rows, columns = outer(block, shape)
    parts = (
        (slice(rows.start, top), columns),
        (slice(bottom, rows.stop), columns),
        (slice(top, bottom), slice(columns.start, left)),
        (slice(top, bottom), slice(right, columns.stop)),
    )
    return [(y, x) for y, x in parts if y.start < y.stop and x.start < x.stop]


def faded(block: Block, values: Values, neighbours: Sequence[tuple[Block, Sequence[Strip]]]) -> Values:
    """The values of the core of a block, which fade into the margins of neighbours, the latest phase first."""
    result = tuple(each.copy() for each in values)
    for neighbour, strips in neighbours:
        for strip in strips:
            common = [
                (max(mine.start, theirs.start), min(mine.stop, theirs.stop))
                for mine, theirs in zip(block.core, strip.part, strict=True)
            ]
            if any(first >= end for first, end in common):
                continue
            here, there = (
                tuple(
                    slice(first - part.start, end - part.start)
                    for (first, end), part in zip(common, parts, strict=True)
                )
                for parts in (block.core, strip.part)
            )
            weight = _weight(common, neighbour)
            for mine, theirs in zip(result, strip.values, strict=True):
                share = weight if mine.ndim == 2 else weight[..., None]
                # Values that are the same in both stay so to the bit.
                mine[here] += share.astype(mine.dtype) * (theirs[there] - mine[here])
    return result


def _weight(common: Sequence[tuple[int, int]], neighbour: Block) -> NDArray[np.float64]:
    """Weight of a neighbour at pixels outside its core: 1 at its border, falling to 0 beyond its margin."""
    far = [
        np.maximum(core.start - np.arange(first, end), np.arange(first, end) - core.stop + 1)
        for (first, end), core in zip(common, neighbour.core, strict=True)
    ]
    distance = np.maximum(np.maximum.outer(far[0], far[1]), 0)
    weight: NDArray[np.float64] = 1 - distance / (BAND + 1)
    return weight
