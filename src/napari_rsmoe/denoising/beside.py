"""Which planes of a stack help a plane, and their pixels where it is denoised in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..image.planes import Planes
from ..ranges import AVERAGE, number_or_auto
from .memory import memory_of_planes
from .options import NEIGHBOURS


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
        number = planes_on_either_side(settings.get("average", "auto"), settings)
        return cls(number, axis, axis is not None and planes.axes[axis] == "Z")

    def around(self, planes: Planes, number: int) -> list[tuple[int, int]]:
        """Number and offset of each plane that helps a plane, the nearest first."""
        axis = self.axis
        if axis is None:
            return []
        found = ((planes.neighbour_number(number, axis, offset), offset) for offset in offsets(self.number))
        return [(other, offset) for other, offset in found if other is not None]

    def bytes(self, planes: Planes) -> float:
        """Bytes that the planes that help one of a stack hold at most, for each pixel."""
        most = 0 if self.axis is None else min(2 * self.number, planes.data.shape[self.axis] - 1)
        if most == 0:
            return 0.0
        channels, itemsize = (*planes.plane_shape, 1)[2], np.dtype(planes.data.dtype).itemsize
        return memory_of_planes(channels, itemsize, most + 1, 1, measured=False, depth=self.depth)[0]


def planes_on_either_side(average: Any, settings: Mapping[str, Any]) -> int:
    """The number of planes on either side that help, as given or by the preset."""
    number = number_or_auto(average, "average", AVERAGE)
    # An unknown preset is refused by `denoise`.
    return NEIGHBOURS.get(str(settings.get("preset", "balanced")), 0) if number is None else number


def offsets(number: int) -> Iterator[int]:
    """Places of so many planes on either side, relative to a plane, the nearest first."""
    return (offset for distance in range(1, number + 1) for offset in (-distance, distance))
