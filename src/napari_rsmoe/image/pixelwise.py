"""Values beside the pixels of an image, such as a mask or weights: for one plane, or for each plane of a stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import ImageError
from .blocks import Part
from .planes import CHANNEL_AXES, Planes

ALL: Part = (slice(None), slice(None))
"""Rows and columns of a whole plane."""


@dataclass(frozen=True)
class Pixelwise:
    """Values beside the pixels of an image; an ImageError if their shape does not fit it.

    Attributes
    ----------
    name : str
        Name of the keyword, for messages.
    values : array-like with ``shape`` and indexing
        (Y, X) for every plane, or with the axes of the image without its channels. It is only read where it is indexed,
        so it may be a dask array.
    planes : Planes
        The planes of the image.
    """

    name: str
    values: Any
    planes: Planes

    def __post_init__(self) -> None:
        """Check the shape."""
        sizes = dict(zip(self.planes.axes, self.planes.data.shape, strict=True))
        plane, whole = (sizes["Y"], sizes["X"]), tuple(sizes[letter] for letter in self.axes)
        shape = tuple(self.values.shape)
        if shape != (plane if len(shape) == 2 else whole):
            more = "" if len(whole) == 2 else f", and {whole} for the axes {self.axes}"
            raise ImageError(f"{self.name} has shape {shape}; accepted are {plane} (Y, X){more}.")

    @property
    def axes(self) -> str:
        """The axes of the image without its channels."""
        return "".join(letter for letter in self.planes.axes if letter not in CHANNEL_AXES)

    def part(self, number: int, part: Part) -> Any:
        """The values (Y, X) of a part of a plane, in an array of the same library."""
        if len(self.values.shape) == 2:
            return self.values[part]
        places = dict(zip(self.planes.axes, self.planes.index_of(number, *part), strict=True))
        own = self.values[tuple(places[letter] for letter in self.axes)]
        return own if self.axes.index("Y") < self.axes.index("X") else own.T
