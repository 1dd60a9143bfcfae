"""Denoise a dask array without reading it: block by block when the result is computed, with one noise model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..image.planes import CHANNEL_AXES, check_axes
from ..noise.estimate import estimate_noise
from .result import Denoised
from .stack import denoise_stack

LOG = logging.getLogger(__name__)
OVERLAP = 32
"""Pixels around a block that are worked on with it. With fewer the seams of blocks can be seen; more take longer."""
SMALLEST = 128
"""Side in pixels below which blocks are merged: in smaller ones the margin would be most of the work."""
SAMPLE = 512
"""Side in pixels of the square from which the noise is estimated, in the middle of the middle plane."""
WHOLE_ONLY = ("weight", "mask", "warm_start", "neighbours", "checkpoint", "callback", "create", "average")
"""Keywords that speak of the whole image, which no block knows."""


def denoise_lazy(data: Any, axes: str, settings: Mapping[str, Any]) -> Denoised:
    """Denoise a dask array lazily.

    Parameters
    ----------
    data : dask array
        The image or stack.
    axes : str
        A letter for each axis.
    settings : mapping
        Keywords of `napari_rsmoe.denoise`. Those in `WHOLE_ONLY` are refused.

    Returns
    -------
    Denoised
        `image` and `std` are dask arrays in the chunks that were worked on, to be computed together:
        ``dask.compute(result.image, result.std)``. `noise` is that of the sample, and there are no models.

    Notes
    -----
    Only a sample is read now: the middle `SAMPLE` x `SAMPLE` pixels of the middle plane. Its noise is estimated, unless
    ``noise`` is given, and holds for the whole. Each block is denoised with `OVERLAP` pixels around it, so results
    depend a little on the chunks.
    """
    import dask.array as da  # here: the caller has loaded it

    axes = check_axes(axes, data.shape)
    refused = sorted(name for name in WHOLE_ONLY if _is_given(settings.get(name)))
    if refused:
        raise ImageError(f"{', '.join(refused)} cannot be given for a dask array; compute it first: image.compute().")
    kept = {name: value for name, value in settings.items() if name not in WHOLE_ONLY}
    if isinstance(kept.get("noise", "auto"), str):
        sample = _sample(data, axes)
        kept["noise"] = estimate_noise(sample, channel_axis=2 if sample.ndim == 3 else None)
        LOG.info("Noise of the middle %d x %d px of the middle plane: %s", *sample.shape[:2], kept["noise"])
    whole = data.rechunk({k: _chunk(letter, data.chunks[k]) for k, letter in enumerate(axes)})
    depth = {k: OVERLAP if letter in "YX" else 0 for k, letter in enumerate(axes)}
    overlap: Any = da.overlap.overlap
    padded = overlap(whole, depth=depth, boundary="none")
    kind = np.result_type(data.dtype, np.float32)
    both = padded.map_blocks(
        _denoised_block, axes, depth, padded.numblocks, kept, kind,
        dtype=kind, new_axis=0, chunks=((2,), *whole.chunks), meta=np.empty((0,) * (data.ndim + 1), kind),
    )  # fmt: skip
    level: Any = getattr(kept["noise"], "sigma", kept["noise"])
    noise = float(level) if isinstance(level, int | float) else float("nan")
    image = both[0].astype(data.dtype if kept.get("dtype", "same") == "same" else kind)
    return Denoised(image, both[1].astype(np.float32), noise, [])


def _is_given(value: Any) -> bool:
    return not (value is None or (isinstance(value, int | tuple | list) and not value))


def _chunk(letter: str, chunks: tuple[int, ...]) -> Any:
    """The chunks of an axis: all channels in one, one plane each, and no block too small to be worked on alone."""
    if letter in CHANNEL_AXES:
        return -1
    if letter not in "YX":
        return 1
    return chunks if min(chunks) >= SMALLEST else max(SMALLEST, chunks[0])


def _sample(data: Any, axes: str) -> NDArray[Any]:
    """The middle of the middle plane, (Y, X) or (Y, X, C)."""
    index: list[int | slice] = []
    for letter, length in zip(axes, data.shape, strict=True):
        start = max(0, (length - SAMPLE) // 2)
        inside = slice(start, start + SAMPLE) if letter in "YX" else slice(None)
        index.append(inside if letter in "YX" or letter in CHANNEL_AXES else length // 2)
    values = np.asarray(data[tuple(index)])
    left = [letter for letter, each in zip(axes, index, strict=True) if isinstance(each, slice)]
    order = [left.index("Y"), left.index("X"), *(k for k, letter in enumerate(left) if letter in CHANNEL_AXES)]
    moved = values.transpose(order)
    return moved.reshape(*moved.shape[:2], -1) if moved.ndim > 2 else moved


def _denoised_block(
    block: NDArray[Any],
    axes: str,
    depth: Mapping[int, int],
    numblocks: tuple[int, ...],
    settings: Mapping[str, Any],
    kind: np.dtype[Any],
    block_id: tuple[int, ...] = (),
) -> NDArray[Any]:
    """The image and its error bar for one block, (2, ...), without the margin that it was given."""
    done = denoise_stack(block, axes, warm_start=False, **settings)
    inner = tuple(
        slice(depth[k] if place > 0 else 0, length - (depth[k] if place < numblocks[k] - 1 else 0))
        for k, (place, length) in enumerate(zip(block_id[1:], block.shape, strict=True))
    )
    return np.stack([done.image[inner].astype(kind), done.std[inner].astype(kind)])
