"""Denoise an array on the workers of a client of Dask: its pixels are sent there, and come back as a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...image.planes import CHANNEL_AXES
from ..lazy import PIXELWISE, denoise_lazy
from ..result import Denoised

IN_MEMORY = 1024
"""Side in pixels of the blocks of an array in memory. Larger ones leave workers without work, smaller ones are mostly
halo."""


def denoise_with_client(client: Any, image: Any, axes: str, settings: Mapping[str, Any]) -> Denoised:
    """Denoise an array on the workers of a client of Dask.

    Parameters
    ----------
    client : distributed.Client
        The client. Blocks are sent to its workers directly, and come back as results.
    image : array-like
        The image or stack.
    axes : str
        A letter for each axis.
    settings : mapping
        Keywords of `napari_rsmoe.denoise`; those of `lazy.WHOLE_ONLY` are refused. `mask` and `weight` may be arrays of
        NumPy or dask.

    Returns
    -------
    Denoised
        With arrays, and no models.
    """

    def sent(array: Any, letters: str) -> Any:
        if hasattr(array, "dask"):
            return array
        array = np.asarray(array) if isinstance(array, list) else array
        return _scattered(client, array, _chunks(array.shape, letters, settings))

    letters = "".join(each for each in axes.upper() if each not in CHANNEL_AXES)
    beside = {
        name: sent(values, letters if np.ndim(values) == len(letters) else "YX")
        for name in PIXELWISE
        if (values := settings.get(name)) is not None
    }
    lazy = sent(image, axes)  # Held until the end, as its workers forget what nobody holds.
    result = denoise_lazy(lazy, axes, {**settings, **beside})
    made, std = client.gather(client.compute([result.image, result.std]), direct=True)
    return replace(result, image=made, std=std)


def _scattered(client: Any, image: Any, sizes: Sequence[int]) -> Any:
    """An array of dask whose chunks lie on the workers; they do not pass through the scheduler."""
    import dask.array as da  # here: it is in an extra

    grid = [range(0, length, size) for length, size in zip(image.shape, sizes, strict=True)]

    def nested(place: tuple[slice, ...]) -> Any:
        if len(place) < len(grid):
            axis = len(place)
            ends = (slice(k, min(k + sizes[axis], image.shape[axis])) for k in grid[axis])
            return [nested((*place, each)) for each in ends]
        chunk = np.ascontiguousarray(image[place])
        return da.from_delayed(client.scatter(chunk, direct=True, hash=False), chunk.shape, chunk.dtype)

    return da.block(nested(()))


def _chunks(shape: Sequence[int], axes: str, settings: Mapping[str, Any]) -> tuple[int, ...]:
    """Chunks of an array in memory: one block each."""
    given = settings.get("block", "auto")
    side = given if isinstance(given, int) else IN_MEMORY
    sides = {"Y": side, "X": side, "C": max(shape), "S": max(shape)}
    return tuple(min(length, sides.get(axis.upper(), 1)) for axis, length in zip(axes, shape, strict=True))
