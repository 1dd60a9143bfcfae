"""Colour tables: those that only colour grey values, and those whose entries are the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from .converted import Step

_RAMP_VARIATION = 3.0
"""Total variation of a channel over the entries of a colour table, in full ranges of the channel. Up to it the table is
a ramp, as those of micrographs are (green, fire, jet, spectrum); above it the table is a list of colours, which in no
order have about n / 3 for n entries."""
_RAMP_ENTRIES = 16
"""Entries of a colour table: with fewer it is always a list of colours."""


def through_table(table: NDArray[Any], samples: int | None) -> Step:
    """Replace indices by their colours: of 8 bits if the table has no more, and grey if all colours are."""
    if samples is not None:
        raise ImageError(
            "the image has a colour table and several samples per pixel, which cannot be converted to RGB; save it as "
            "RGB in the program that wrote it."
        )
    colours = np.ascontiguousarray(table.T)
    # Writers stretch 8 bits to 16 by either factor.
    factor = next((each for each in (257, 256) if table.max() > 255 and (table % each == 0).all()), 1)
    colours = colours // factor
    dtype = np.dtype(np.uint8 if colours.max() <= 255 else np.uint16)
    colours = colours.astype(dtype)
    note = "the colours of the colour table are read, not the stored indices"
    if (colours == colours[:, :1]).all():
        return Step(lambda block: colours[:, 0][np.minimum(block, len(colours) - 1)], dtype, None, note=note)
    return Step(lambda block: colours[np.minimum(block, len(colours) - 1)], dtype, 3, note=note)


def is_ramp(table: NDArray[Any]) -> bool:
    """Whether a colour table (3, n) shows grey values in colours, so that neighbouring values look alike."""
    steps = np.abs(np.diff(table.astype(np.float64), axis=1)).sum(1)
    return table.shape[1] >= _RAMP_ENTRIES and bool((steps <= _RAMP_VARIATION * max(int(table.max()), 1)).all())


def is_plain_grey(table: NDArray[Any]) -> bool:
    """Whether a colour table shows grey values as they are."""
    expected = np.rint(np.linspace(0, 65535, table.shape[1]))
    return bool((np.abs(table - expected) < 65535 / table.shape[1]).all())
