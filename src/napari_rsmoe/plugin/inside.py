"""What lies inside of a turned or round shape counts; the rest of its box stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..image.planes import Plane
from ..notes import note
from .source import Source

if TYPE_CHECKING:
    from ..image.inputs import Inputs


def within(source: Source, plane: Plane, settings: Mapping[str, Any]) -> NDArray[Any] | Inputs:
    """The pixels of a plane, of which only those inside of a turned or round shape count; the others stay as they are.

    Parameters
    ----------
    source : Source
        The image, with the pixels outside of the shape.
    plane : Plane
        A plane of it.
    settings : mapping
        Keywords of the function, which may leave out further pixels.
    """
    if source.outside is None:
        return plane.image
    # Imported here to save start-up time.
    from ..image.inputs import Inputs
    from ..image.masks import Selection

    note(f"only what lies inside of the shape in {source.outside_name!r} counts; the rest of its box stays as it is")
    inputs = Inputs.of(plane.image, 2 if plane.image.ndim == 3 else None, Selection.of(settings), mask=source.outside)
    outside = source.outside if inputs.missing is None else source.outside | inputs.missing
    return replace(inputs, missing=outside)


def kept_outside(image: NDArray[Any] | Inputs, result: NDArray[Any]) -> NDArray[Any]:
    """A result with the pixels that `within` keeps as they are."""
    return result if isinstance(image, np.ndarray) else image.with_missing(result)
