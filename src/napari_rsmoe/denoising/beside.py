"""Which planes of a stack help a plane, and their pixels where it is denoised in blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import engine
from ..image.planes import Planes
from ..ranges import AVERAGE, number_or_auto
from .memory import memory_of_planes
from .options import NEIGHBOURS

NEAR = engine.PATCH_SIDE / 2
"""Distance, in pixels, up to which planes along depth help: half the side of a patch, within which it shows the same.

With less, what they have in common is not used; with more, time is spent on planes that show something else."""
LEAST_NEAR = 2
"""Planes on either side that help at most where the preset would take fewer, if they are so near."""


@dataclass(frozen=True)
class Beside:
    """The pixels of a neighbouring plane in a block, as they are stored.

    Attributes
    ----------
    image : ndarray, shape (H, W) or (H, W, C)
        The pixels.
    offset : int
        The place of the plane in the series, relative to the plane that is denoised.
    depth : bool
        As of `Neighbour`.
    arrays : mapping
        `weight` and `mask` of these pixels.
    """

    image: Any
    offset: int = 0
    depth: bool = False
    arrays: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reach:
    """Which planes of a stack help each other.

    Attributes
    ----------
    number : int
        Planes on either side.
    axis : int or None
        Number of the axis along which planes are neighbours; None: there is none.
    depth : bool
        Whether that is depth, not time.
    """

    number: int
    axis: int | None
    depth: bool = False

    @classmethod
    def of(cls, planes: Planes, settings: Mapping[str, Any]) -> Reach:
        """The reach in a stack, by the keywords `average`, `along` and `preset` of `napari_rsmoe.denoise`."""
        axis = planes.neighbour_axis(settings.get("along"))
        number = planes_on_either_side(settings.get("average", "auto"), settings, planes.depth_step(axis))
        return cls(number, axis, axis is not None and planes.axes[axis] == "Z")

    def around(self, planes: Planes, number: int) -> list[tuple[int, int]]:
        """Number and offset of each plane that helps a plane, the nearest first."""
        axis = self.axis
        if axis is None:
            return []

        def other(offset: int) -> int | None:
            return planes.neighbour_number(number, axis, offset)

        places = offsets(self.number, lambda offset: other(offset) is not None, depth=self.depth)
        found = ((other(offset), offset) for offset in places)
        return [(each, offset) for each, offset in found if each is not None]

    def bytes(self, planes: Planes) -> float:
        """Bytes that the planes that help one of a stack hold at most, for each pixel."""
        most = 0 if self.axis is None else min(2 * self.number, planes.data.shape[self.axis] - 1)
        if most == 0:
            return 0.0
        channels, itemsize = (*planes.plane_shape, 1)[2], np.dtype(planes.data.dtype).itemsize
        return memory_of_planes(channels, itemsize, most + 1, 1, measured=False)[0]


def planes_on_either_side(average: Any, settings: Mapping[str, Any], step: float | None = None) -> int:
    """The number of planes on either side that help, as given, by their distance along depth, or by the preset.

    Parameters
    ----------
    average : int or "auto"
        The number that was asked for.
    settings : mapping
        Keywords of `napari_rsmoe.denoise`.
    step : float or None
        Distance of planes that lie one above the other, in pixels. Those within `NEAR` help, but at least one.
    """
    number = number_or_auto(average, "average", AVERAGE)
    # An unknown preset is refused by `denoise`.
    usual = NEIGHBOURS.get(str(settings.get("preset", "balanced")), 0)
    if number is not None:
        return int(number)
    return usual if step is None else min(max(1, int(NEAR / step)), max(usual, LEAST_NEAR))


def offsets(number: int, present: Callable[[int], bool], *, depth: bool = False) -> list[int]:
    """Places of the planes that help, relative to a plane, the nearest first.

    Beside the last planes of a series, others before them help instead of those that are missing; and beside the first
    ones others after them, along depth. Frames of a film would have to wait for those.

    Parameters
    ----------
    number : int
        Planes on either side.
    present : callable
        Whether there is a plane at such a place.
    depth : bool
        Whether planes lie one above the other.
    """
    missing = {sign: sum(not present(sign * distance) for distance in range(1, number + 1)) for sign in (-1, 1)}
    ends = {-1: number + missing[1], 1: number + (missing[-1] if depth else 0)}
    distances = range(1, 2 * number + 1)
    candidates = (sign * distance for distance in distances for sign in (-1, 1) if distance <= ends[sign])
    return [offset for offset in candidates if present(offset)]
