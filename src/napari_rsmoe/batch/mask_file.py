"""Pixels that are left out of image files, by a mask in a file of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..image.pixelwise import ALL, Pixelwise
from ..image.planes import CHANNEL_AXES, Plane, Planes
from ..io.files import read_image
from .files import Files
from .pairs import Place


@dataclass(frozen=True)
class MaskFile:
    """The mask of one image file.

    Parameters
    ----------
    path : Path or Location or None
        The mask; None: all pixels count.
    axes : str
        Axes of the image.
    files : Files
        How files are read.
    """

    path: Place | None
    axes: str
    files: Files

    @cached_property
    def pixels(self) -> NDArray[np.bool_] | None:
        """Which pixels are left out, of one plane or of all."""
        return None if self.path is None else read_mask(self.path, self.axes, self.files)

    def of(self, plane: Plane, planes: Planes) -> NDArray[np.bool_] | None:
        """Which pixels (Y, X) of a plane are left out."""
        pixels = self.pixels
        if pixels is None or pixels.ndim == 2:
            return pixels
        own: NDArray[np.bool_] = Pixelwise("mask", pixels, planes).part(plane.number, ALL)
        return own


def read_mask(path: Place, axes: str, files: Files) -> NDArray[np.bool_]:
    """Read which pixels are left out: those that are not 0 in a file. (Y, X), or all `axes` but those of channels."""
    wanted = "".join(letter for letter in axes if letter not in CHANNEL_AXES)
    allow_outside, opened = files.allow_outside, files.opened.get(str(path))
    try:
        image = read_image(str(path), allow_outside=allow_outside, as_stored=True) if opened is None else opened()
    except ImageError:
        if not path.exists():
            raise
        # The file does not declare its axes.
        image = read_image(str(path), axes=wanted, allow_outside=allow_outside, as_stored=True)
    values = image.numpy() != 0
    if image.alpha:
        values = np.delete(values, -1, axis=image.axes.index("S" if "S" in image.axes else "C"))
    return values.any(axis=tuple(k for k, letter in enumerate(image.axes) if letter in CHANNEL_AXES))
