"""The pixels that are left out of a large image: a mask that is read where it is needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import AxesError, ImageError
from ...image.blocks import Part
from ...image.planes import CHANNEL_AXES, Planes
from ...io.image_file import ImageFile


@dataclass(frozen=True)
class LazyMask:
    """The mask of an image.

    Attributes
    ----------
    image : ImageFile
        (Y, X) for every plane, or with the axes of the image without its channels; pixels that are not 0 are left out.
    planes : Planes
        The planes of the image that is masked.
    """

    image: ImageFile
    planes: Planes

    @classmethod
    def of(cls, open_: Callable[..., ImageFile], planes: Planes) -> LazyMask:
        """Open a mask; where its file does not declare its axes, they are those of the image.

        Parameters
        ----------
        open_ : callable
            Opens the mask; takes the keyword `axes` of `napari_rsmoe.read_image`.
        planes : Planes
            The planes of the image.
        """
        try:
            image = open_()
            wanted = {
                each: n for each, n in zip(planes.axes, planes.data.shape, strict=True) if each not in CHANNEL_AXES
            }
            if image.shape == tuple(wanted.values()):  # Its axes may have been guessed.
                image = replace(image, axes="".join(wanted))
            return cls(image, planes)
        except AxesError:
            return cls(open_(axes="".join(each for each in planes.axes if each not in CHANNEL_AXES)), planes)

    def __post_init__(self) -> None:
        """Raise an ImageError if the mask does not fit the image."""
        own = {letter: n for letter, n in self.image.sizes.items() if letter not in CHANNEL_AXES}
        wanted = {letter: n for letter, n in self._sizes.items() if letter not in CHANNEL_AXES}
        plane = {letter: wanted[letter] for letter in "YX"}
        if own not in (wanted, plane):
            raise ImageError(
                f"the mask has axes {self.image.axes} and shape {self.image.shape}; accepted are "
                f"{tuple(plane.values())} (Y, X), and {tuple(wanted.values())} for the axes {''.join(wanted)}."
            )

    @property
    def _sizes(self) -> dict[str, int]:
        return dict(zip(self.planes.axes, self.planes.data.shape, strict=True))

    def part(self, number: int, part: Part) -> NDArray[np.bool_]:
        """Which pixels (Y, X) of a part of a plane are left out."""
        places = dict(zip(self.planes.axes, self.planes.index_of(number, *part), strict=True))
        axes = self.image.axes
        index = tuple(slice(None) if letter in CHANNEL_AXES else places[letter] for letter in axes)
        marked = np.asarray(self.image.data[index]) != 0
        kept = [letter for letter, entry in zip(axes, index, strict=True) if isinstance(entry, slice)]
        marked = marked.any(axis=tuple(k for k, letter in enumerate(kept) if letter in CHANNEL_AXES))
        return marked if axes.index("Y") < axes.index("X") else marked.T
