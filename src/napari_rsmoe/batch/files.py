"""How files are read and written, the same for all files of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..io.formats import JPEG_QUALITY
from ..io.location import Location

if TYPE_CHECKING:
    from ..io.image_file import ImageFile


@dataclass(frozen=True)
class Files:
    """The options about files; see `napari_rsmoe.ui.parameters.files.FILES`.

    Parameters
    ----------
    axes : str or None
        Axes of the input, instead of those in the file.
    independent_channels : bool
        Whether to treat each channel as an image of its own.
    format : str or None
        Suffix of the files of an output folder, without the dot; None keeps the suffix of each file.
    quality : int
        JPEG quality, 1 to 100.
    series : str or None
        Number or title of the image, in files that hold several.
    allow_incomplete : bool
        Whether a file in which planes are missing is read as far as it goes.
    allow_outside : bool
        Whether the input may draw in files outside its folder.
    overwrite : bool
        Whether existing files are replaced, whatever they are.
    opened : mapping of str to callable
        Images that lie in no file, by the paths under which they are known; called for the image.
    """

    axes: str | None = None
    independent_channels: bool = False
    format: str | None = None
    quality: int = JPEG_QUALITY
    series: str | None = None
    allow_incomplete: bool = False
    allow_outside: bool = False
    overwrite: bool = False
    opened: Mapping[str, Callable[[], ImageFile]] = field(default_factory=dict, compare=False, repr=False)

    def read(self, path: Path | Location) -> ImageFile:
        """An image, whose pixels are read where they are indexed."""
        from ..io.files import read_image  # here: NumPy takes a tenth of a second

        if str(path) in self.opened:
            return self.opened[str(path)]()
        return read_image(str(path), lazy=True, **self.reading())

    def reading(self) -> dict[str, Any]:
        """The options of `napari_rsmoe.read_image`."""
        return {
            "axes": self.axes,
            "series": self.series,
            "allow_incomplete": self.allow_incomplete,
            "allow_outside": self.allow_outside,
        }
