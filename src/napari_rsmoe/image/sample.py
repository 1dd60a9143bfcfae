"""A sample of a large image: squares spread evenly over it and its planes, and the mosaic that they make.

An image that is no larger than the sample is its own sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import Part

SQUARES = 16
"""Squares of the sample. Fewer miss rare content and noise of single places, more take longer before the work
begins."""
SIDE = 256
"""Side of a square of the sample, px. Smaller ones hold too few flat blocks for a spectrum of the noise."""
GOLDEN_STEPS = (0.7548776662466927, 0.5698402909980532)
"""Steps along y and x, as fractions of the image, between squares: those of the R2 sequence, which spreads evenly."""
TRIED = 4
"""Places tried for each square of the sample before the list of what is stored is read, which may be long."""

Read = Callable[[int, Part], NDArray[Any]]
"""Reads a part of a plane, by its number: (Y, X) or (Y, X, C)."""
Present = Callable[[int, Part], bool]
"""Whether anything is stored in a part of a plane."""
Parts = Callable[[], Iterable[tuple[int, Part]]]
"""The parts in which anything is stored, as numbers of planes and parts of them."""


def sample_places(
    shape: tuple[int, int],
    planes: Sequence[int],
    present: Present = lambda plane, part: True,
    parts: Parts | None = None,
) -> list[tuple[int, Part]]:
    """The squares of the sample, as numbers of planes and parts of them, in which anything is stored."""
    if len(planes) == 1 and math.prod(shape) <= SQUARES * SIDE**2:
        return [(planes[0], (slice(0, shape[0]), slice(0, shape[1])))]
    side = [min(SIDE, length) for length in shape]
    places: list[tuple[int, Part]] = []
    for k in range(TRIED * SQUARES):
        if len(places) == SQUARES:
            return places
        first = [
            int((0.5 + k * step) % 1 * (length - size + 1))
            for step, length, size in zip(GOLDEN_STEPS, shape, side, strict=True)
        ]
        part = (slice(first[0], first[0] + side[0]), slice(first[1], first[1] + side[1]))
        plane = planes[(2 * k + 1) * len(planes) // (2 * SQUARES) % len(planes)]
        if (plane, part) not in places and present(plane, part):
            places.append((plane, part))
    if parts is None or len(places) >= SQUARES // 2:
        return places
    there = list(parts())
    count = min(SQUARES, len(there))
    chosen = [there[k * len(there) // count] for k in range(count)]
    squares = []
    for plane, around in chosen:
        first = [min(each.start, length - size) for each, length, size in zip(around, shape, side, strict=True)]
        squares.append((plane, (slice(first[0], first[0] + side[0]), slice(first[1], first[1] + side[1]))))
    return squares


def mosaic(squares: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Squares of one size in rows, as one image; the last row repeats squares if they do not fill it."""
    columns = max(1, math.isqrt(len(squares)))
    rows = -(-len(squares) // columns)
    filled = [*squares, *squares[: rows * columns - len(squares)]]
    return np.concatenate([np.concatenate(filled[k * columns : (k + 1) * columns], 1) for k in range(rows)], 0)
