"""What lies inside of a turned or round shape counts; the rest of its box stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..image.pixelwise import ALL, Pixelwise
from ..image.planes import Plane
from .source import Source

FILL = "fill"
"""The setting of a denoising job that fills in pixels which are left out."""


def inside_only(source: Source, given: Mapping[str, Any]) -> tuple[Source, dict[str, Any]]:
    """An image of which only what lies inside of its shape counts, and the settings with which the rest stays as it is.

    Parameters
    ----------
    source : Source
        The image, with the pixels outside of the shape.
    given : mapping
        Settings of a job. Pixels of labels are filled in if they say so, those outside of a shape alone are not.
    """
    settings = dict(given)
    if source.outside is not None and FILL in settings:
        settings[FILL] = source.mask is not None and settings[FILL]
    return source.inside_only(), settings


def left_out(source: Source, plane: Plane) -> NDArray[np.bool_] | None:
    """The pixels (Y, X) of a plane that are left out; None: all count."""
    if source.mask is None:
        return None
    marked = np.asarray(source.mask) != 0
    if marked.ndim == 2:
        return marked
    own: NDArray[np.bool_] = Pixelwise("mask", marked, source.planes()).part(plane.number, ALL)
    return own


def kept(mask: NDArray[np.bool_] | None, image: NDArray[Any], result: NDArray[Any]) -> NDArray[Any]:
    """A result (Y, X) or (Y, X, C), in which the pixels of a mask have the values of the image."""
    if mask is not None:
        where = mask if result.ndim == 2 else mask[..., None]
        np.copyto(result, image, where=where, casting="unsafe")
    return result
