"""Sharpening by kernel editing: how it changes an enlarged image, and where it leaves the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from ..arrays import Floats
from ..notes import note

Nearest = Sequence[NDArray[np.integer[Any]]]
"""Rows and columns of the small image in which those of the large one lie."""

NEIGHBOURS = 1
"""Pixels of the small image around a place whose values bound the sharpened one. With more, kernels that are much
narrower than those beside them (needles) show as bright or dark cracks; with none, edges stay as they are."""
SURROUNDINGS = 2
"""Pixels of the small image around a pixel whose range counts as the data in the measure of overshoot."""
OVERSHOOT = 0.02
"""Fraction of the range of the image by which values may leave the data before a note says so."""
SEEN = 1e-3
"""Fraction of the pixels that must leave the data by so much before a note says so; fewer are hardly seen."""


def sharpened(image: Floats, change: Floats, scale: tuple[float, float]) -> Floats:
    """An enlarged image (H, W, C) with the change that narrower kernels make, within the values around each place.

    Narrower kernels steepen edges. Where a kernel is far narrower than its neighbours, its own value shows up alone as
    a crack. Values within the range of those that are about one pixel of the small image away do neither.
    """
    size = (*(2 * round(NEIGHBOURS * factor) + 1 for factor in scale), 1)
    low, high = minimum_filter(image, size), maximum_filter(image, size)
    return np.asarray(np.clip(image + change, low, high), np.float32)


def overshoot(large: Floats, small: Floats, nearest: Nearest | None = None) -> Floats:
    """How far values (H, W, C) leave the range of the 5 x 5 pixels around them of a smaller image (h, w, c).

    By default both images show the same; otherwise `nearest` says where the large one lies in the small one.
    """
    if nearest is None:
        nearest = [np.arange(new) * old // new for new, old in zip(large.shape[:2], small.shape[:2], strict=True)]
    size = (2 * SURROUNDINGS + 1, 2 * SURROUNDINGS + 1, 1)
    low, high = (each(small, size)[np.ix_(*nearest)] for each in (minimum_filter, maximum_filter))
    return np.maximum(large - high, 0) + np.maximum(low - large, 0)


def note_overshoot(large: Floats, small: Floats, sharpen: float, nearest: Nearest | None = None) -> None:
    """Say where sharpened values leave the data; images in the engine's range, arguments as above."""
    # Results are clipped to the range of the image, from 0 to 1 unless few pixels lie far beyond the others.
    clipped = np.clip(large, min(0.0, float(small.min())), max(1.0, float(small.max())))
    beyond = overshoot(clipped, small, nearest)
    share = float(np.mean(beyond > OVERSHOOT))
    if share > SEEN:
        note(
            f"sharpen={sharpen:g} makes {100 * share:.2g} % of the values leave those of the pixels around them by "
            f"more than {100 * OVERSHOOT:.0f} % of the range, by {100 * float(beyond.max()):.2g} % at most; a smaller "
            "factor does so less"
        )
