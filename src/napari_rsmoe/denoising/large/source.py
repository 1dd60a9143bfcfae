"""The image of a large job, of which parts are read: its planes, what is left out of them, and what helps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...image.blocks import Part
from ...image.planes import Planes
from ...io.image_file import ImageFile
from ...io.lazily import Stored
from ...io.units import spacing_of
from ..beside import Beside, Reach
from .masks import LazyMask


@dataclass(frozen=True)
class Source:
    """An image whose pixels are read where they are indexed.

    Attributes
    ----------
    image : ImageFile
        The image.
    planes : Planes
        Its planes.
    stored : Stored
        What is stored of them.
    mask : LazyMask or None
        The pixels that are left out; None: none by a mask.
    reach : Reach
        Which planes help each other.
    """

    image: ImageFile
    planes: Planes
    stored: Stored
    mask: LazyMask | None
    reach: Reach

    @classmethod
    def of(
        cls,
        image: ImageFile,
        mask_of: Callable[[Planes], LazyMask | None],
        settings: Mapping[str, Any],
        *,
        independent_channels: bool,
    ) -> Source:
        """The source in an open image, by the keywords of `napari_rsmoe.denoise`."""
        spacing = spacing_of(image.pixel_size)
        planes = Planes(image.data, image.axes, independent_channels=independent_channels, spacing=spacing)
        return cls(image, planes, Stored(planes), mask_of(planes), Reach.of(planes, settings))

    def part(self, number: int, part: Part) -> Any:
        """Pixels of a part of a plane, (Y, X) or (Y, X, C)."""
        return self.planes.part(number, *part)

    def left_out(self, number: int, part: Part) -> dict[str, Any]:
        """Keyword `mask` of `napari_rsmoe.denoise` for a part of a plane, if there is a mask."""
        return {} if self.mask is None else {"mask": self.mask.part(number, part)}

    def neighbours(self, number: int, part: Part) -> list[Beside]:
        """A part of the planes that help a plane, the nearest first, without those of which nothing is stored there."""
        return [
            Beside(self.part(other, part), offset, self.reach.depth, self.left_out(other, part))
            for other, offset in self.reach.around(self.planes, number)
            if not self.stored.sparse or self.stored.has(other, part)
        ]

    def close(self) -> None:
        """Close the image and the mask."""
        self.image.close()
        if self.mask is not None:
            self.mask.image.close()
