"""Arrays whose planes are converted when they are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..image.planes import ArraySource

Pixels = NDArray[Any]


@dataclass(frozen=True)
class Step:
    """One conversion.

    Parameters
    ----------
    function : callable
        Converts an array whose last axes are Y, X and, with samples, S.
    dtype : dtype
        Data type of the result.
    samples : int or None
        Samples of the result; None for no axis S.
    swapped : bool
        Whether Y and X change places.
    note : str
        What is converted, for the user.
    """

    function: Callable[[Pixels], Pixels]
    dtype: np.dtype[Any]
    samples: int | None
    swapped: bool = False
    note: str = ""


class Converted:
    """An array whose planes are converted when they are read.

    Parameters
    ----------
    source : array-like
        The stored samples.
    axes : str
        Their axes.
    step : Step
        The conversion.

    Attributes
    ----------
    axes : str
        The axes of the result: those of no plane in their order, then Y, X and, with samples, S.
    shape, dtype
        Of the result.
    """

    def __init__(self, source: ArraySource, axes: str, step: Step) -> None:
        self._source, self._stored, self._step = source, axes, step
        sizes = dict(zip(axes, source.shape, strict=True))
        self._loops = "".join(axis for axis in axes if axis not in "YXS")
        if step.swapped:
            sizes["Y"], sizes["X"] = sizes["X"], sizes["Y"]
        sizes["S"] = step.samples or 0
        self.axes = self._loops + "YX" + ("S" if step.samples else "")
        self.shape = tuple(int(sizes[axis]) for axis in self.axes)
        self.dtype = step.dtype

    def __getitem__(self, index: Any) -> Pixels:
        entries = expanded(index, len(self.shape))
        of_loop = dict(zip(self._loops, entries, strict=False))
        block = np.asarray(self._source[tuple(of_loop.get(axis, slice(None)) for axis in self._stored)])
        left = [axis for axis in self._stored if not isinstance(of_loop.get(axis), int | np.integer)]
        wanted = [axis for axis in self._loops if axis in left] + [axis for axis in "YXS" if axis in left]
        planes = self._step.function(block.transpose([left.index(axis) for axis in wanted]))
        lead = (slice(None),) * sum(axis in left for axis in self._loops)
        return planes[(*lead, *entries[len(self._loops) :])]

    def close(self) -> None:
        """Close the file of the stored samples."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()


def expanded(index: Any, ndim: int) -> list[Any]:
    """An index with one entry for each axis."""
    entries = list(index) if isinstance(index, tuple) else [index]
    if any(entry is Ellipsis for entry in entries):
        at = next(k for k, entry in enumerate(entries) if entry is Ellipsis)
        entries[at : at + 1] = [slice(None)] * (ndim - len(entries) + 1)
    return entries + [slice(None)] * (ndim - len(entries))
