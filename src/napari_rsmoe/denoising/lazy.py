"""Denoise a dask array without reading it: block by block when the result is computed, with one survey of the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..image.blocks import Block, BlockPlan, Part
from ..image.pixelwise import Pixelwise
from ..image.planes import Planes, check_axes
from ..image.seams import Strip, Values, earlier, in_order, margin
from ..io.units import distances
from ..notes import note
from .beside import Beside, Reach
from .blockwise import HALO, DenoiseBlocks, surveyed
from .options import split_settings
from .result import Denoised

SMALLEST = 128
"""Side in pixels below which blocks are merged: in smaller ones the margin would be most of the work."""
PIXELWISE = ("weight", "mask")
"""Keywords whose values are arrays for the pixels."""
WHOLE_ONLY = ("warm_start", "neighbours", "checkpoint", "callback", "create")
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
        Keywords of `napari_rsmoe.denoise`. `mask` and `weight` may be dask arrays, of which blocks are read as they are
        needed. Those in `WHOLE_ONLY` are refused.

    Returns
    -------
    Denoised
        `image` and `std` are dask arrays in the chunks that were worked on, to be computed together:
        ``dask.compute(result.image, result.std)``. `noise` is that of the sample, and there are no models.

    Notes
    -----
    Only the sample of the survey is read now. Each block is denoised with the pixels around it, so results hardly
    depend on the chunks.
    """
    import dask.array as da  # here: the caller has loaded it

    axes = check_axes(axes, data.shape)
    refused = sorted(name for name in WHOLE_ONLY if _is_given(settings.get(name)))
    if refused:
        raise ImageError(f"{', '.join(refused)} cannot be given for a dask array; compute it first: image.compute().")
    options, selection = split_settings(settings)
    planes = Planes(
        data,
        axes,
        independent_channels=bool(settings.get("independent_channels", False)),
        spacing=distances(settings.get("spacing")),
    )
    height, width = planes.plane_shape[:2]
    beside = {name: _beside(name, settings[name], planes) for name in PIXELWISE if settings.get(name) is not None}
    reach = Reach.of(planes, settings)

    def pixelwise(number: int, part: Part) -> dict[str, NDArray[Any]]:
        return {name: np.asarray(each.part(number, part)) for name, each in beside.items()}

    work = surveyed(
        lambda number, part: planes.part(number, *part),
        (height, width),
        range(len(planes)),
        options,
        selection,
        fill=settings.get("fill", True),
        dtype=settings.get("dtype", "same"),
        weight=pixelwise,
        neighbours=lambda number, part: [
            Beside(planes.part(other, *part), offset, reach.depth, pixelwise(other, part))
            for other, offset in reach.around(planes, number)
        ],
    )
    if settings.get("noise", "auto") == "auto":
        note(
            "the noise was measured on a sample of the lazy image and serves for all of it (standard deviation "
            f"{work.found.noise:.4g}); noise= gives another",
        )
    plan = _plan(data.chunks, planes, settings.get("block", "auto"))
    both = np.empty((len(planes), *plan.grid), object)
    for number in range(len(planes)):
        both[number] = _blocks(planes, number, plan, work, beside, reach)
    image, std = (_assembled(da, planes, both, which) for which in (0, 1))
    return Denoised(image.astype(work.found.dtype), std.astype(np.float32), work.found.noise, [])


def _beside(name: str, values: Any, planes: Planes) -> Pixelwise:
    """An array for the pixels of the planes, as a dask array."""
    import dask.array as da  # here: the caller has loaded it

    return Pixelwise(name, values if hasattr(values, "dask") else da.asarray(np.asarray(values)), planes)


def _is_given(value: Any) -> bool:
    if isinstance(value, str):
        return value != "auto"
    return not (value is None or (isinstance(value, int | tuple | list) and not value))


def _plan(chunks: Sequence[tuple[int, ...]], planes: Planes, block: Any) -> BlockPlan:
    """The blocks: those of the first chunk, unless that is too small to be worked on."""
    y, x = (chunks[planes.axes.index(letter)] for letter in "YX")
    side = block if isinstance(block, int) else max(SMALLEST, min(max(y), max(x)))
    return BlockPlan((sum(y), sum(x)), side, HALO)


@dataclass(frozen=True)
class _Work:
    """Works on a block that dask has computed, in the order of axes of the whole array."""

    work: DenoiseBlocks
    planes: Planes
    depth: bool

    def values(
        self,
        pixels: NDArray[Any],
        number: int,
        block: Block,
        arrays: Mapping[str, NDArray[Any]],
        neighbours: Sequence[tuple[NDArray[Any], int, Mapping[str, NDArray[Any]]]],
    ) -> Values:
        """The block with its margin; of each neighbour the pixels, the offset, and the arrays for its pixels."""
        others = [Beside(self.planes.arranged(read), offset, self.depth, own) for read, offset, own in neighbours]
        return self.work(self.planes.arranged(pixels), number, block, arrays, others)

    def margin(self, values: Values, block: Block) -> list[Strip]:
        """The margin of a block."""
        return margin(block, self.work.shape, values)

    def finished(
        self, values: Values, number: int, block: Block, neighbours: Sequence[tuple[Block, list[Strip]]]
    ) -> NDArray[Any]:
        """The core of a block and its error bar, (2, ...)."""
        made = self.work.finished(values, number, block, neighbours)
        kind = np.result_type(*made)
        return np.stack([self.planes.stored(each.astype(kind, copy=False)) for each in made])


def _blocks(
    planes: Planes, number: int, plan: BlockPlan, work: DenoiseBlocks, beside: Mapping[str, Pixelwise], reach: Reach
) -> NDArray[np.object_]:
    """The blocks of a plane with their error bars, (2, ...), without the axes that are iterated over; lazy."""
    import dask.array as da  # here: the caller has loaded it
    from dask.delayed import delayed

    own = _Work(work, planes.without_data(), reach.depth)
    kind = np.result_type(np.dtype(work.found.dtype), np.float32)
    values, margins = {}, {}
    blocks = np.empty(len(plan), object)
    for k in in_order(plan):
        core = planes.data[planes.index_of(number, *plan[k].core)]
        read, arrays = _read(planes, number, plan[k].read, beside)
        others = [
            (pixels, offset, theirs)
            for other, offset in reach.around(planes, number)
            for pixels, theirs in [_read(planes, other, plan[k].read, beside)]
        ]
        values[k] = delayed(own.values)(read, number, plan[k], arrays, others)
        margins[k] = delayed(own.margin)(values[k], plan[k])
        before = [(plan[n], margins[n]) for n in earlier(plan, k)]
        blocks[k] = da.from_delayed(delayed(own.finished)(values[k], number, plan[k], before), (2, *core.shape), kind)
    return blocks.reshape(plan.grid)


def _read(planes: Planes, number: int, part: Part, beside: Mapping[str, Pixelwise]) -> tuple[Any, dict[str, Any]]:
    """A part of a plane as it is stored, and the arrays for its pixels; lazy."""
    return planes.data[planes.index_of(number, *part)], {name: each.part(number, part) for name, each in beside.items()}


def _assembled(da: Any, planes: Planes, blocks: NDArray[np.object_], which: int) -> Any:
    """The image or its error bar, from the blocks of all planes."""
    kept = [k for k in range(len(planes.axes)) if k not in planes.looped]
    y, x = (kept.index(planes.axes.index(letter)) for letter in "YX")
    whole = [
        da.concatenate([da.concatenate([block[which] for block in row], axis=x) for row in plane], axis=y)
        for plane in blocks
    ]
    if not planes.looped:
        return whole[0]
    shape = [planes.data.shape[k] for k in planes.looped]
    stacked = da.stack(whole).reshape(*shape, *whole[0].shape)
    return stacked.transpose(np.argsort([*planes.looped, *kept]).tolist())
