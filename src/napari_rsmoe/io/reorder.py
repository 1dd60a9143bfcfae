"""Write planes to formats that require a certain order of axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..image.planes import ArraySink


def stored_axes(axes: str, wanted: str) -> str:
    """Return the letters of `axes` in the order of `wanted`, which contains all of them."""
    return "".join(letter for letter in wanted if letter in axes)


def in_stored_order(array: ArraySink, stored: str, axes: str) -> ArraySink:
    """Return a sink that is indexed in the order of `axes` and writes to `array`, whose axes are `stored`.

    `stored` has the same letters as `axes` in another order, except that one may name colour samples ``S`` and the
    other ``C``.
    """
    if "S" in stored and "S" not in axes:
        axes = axes.replace("C", "S")
    elif "C" in stored and "C" not in axes:
        axes = axes.replace("S", "C")
    order = [axes.index(letter) for letter in stored]
    return array if order == sorted(order) else _Reordered(array, order)


class _Reordered:
    """A sink that permutes the axes of each index and plane: axis k of the array is axis ``order[k]`` of the index."""

    def __init__(self, array: ArraySink, order: list[int]) -> None:
        self._array = array
        self._order = order

    def __setitem__(self, index: tuple[int | slice, ...], plane: Any) -> None:
        stored = tuple(index[k] for k in self._order)
        # Axes indexed by an integer are not part of the plane.
        kept = [k for k, entry in enumerate(index) if isinstance(entry, slice)]
        moved = [kept.index(k) for k in self._order if k in kept]
        self._array[stored] = np.asarray(plane).transpose(moved)
