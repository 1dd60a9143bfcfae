"""Draw models block by block, so that a drawing takes little more memory than its result."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .. import engine
from ..engine.bounds import undrawable
from ..image.format import ImageFormat, real_type, to_type
from ..memory import Need, release, require
from .raster import Block, Raster, to_raster

if TYPE_CHECKING:
    from .model import Model

BYTES_OF_KERNEL = 150.0
"""Memory of a kernel in the pixels of a block, with its place in the lists of the tiles, in bytes."""
BYTES_OF_COLUMN = 8.0
"""The same for each column of its expert."""
AVERAGED = 4.0
"""The mean of the samples of a pixel, and what its computation takes, for each channel, in bytes."""
FIXED = 0.1e6
"""Tables and the like, whatever the size."""


def draw(
    models: Sequence[Model], raster: Raster, *, sharpen: float = 1.0, dtype: Any = None, device: str = "auto"
) -> np.ndarray:
    """Draw the mean of models of one image.

    Blocks have the same size whatever the memory, so results do not depend on it.

    Parameters
    ----------
    models : sequence of Model
        At least one; all have the layout of the first.
    raster : Raster
        What to draw.
    sharpen, dtype, device
        As for `Model.render`.

    Returns
    -------
    numpy.ndarray
        As `Model.render` returns it.

    Raises
    ------
    NotEnoughMemoryError
        If the drawing takes more memory than it may; before any work.
    ValueError
        If a kernel is out of bounds in the samples of the raster; before any work.
    """
    layout, channels = models[0].layout, models[0].channels
    kind = real_type(layout.dtype if dtype is None else dtype)
    check_memory(models, raster, kind)
    _check_kernels(models, raster, sharpen)
    height, width = raster.shape
    axis = layout.channel_axis
    shape = [height, width]
    if axis is not None:
        shape.insert(axis, channels)
    drawn = np.empty(shape, kind)
    pixels = drawn[..., None] if axis is None else np.moveaxis(drawn, axis, -1)

    def work(chosen: torch.device) -> np.ndarray:
        blocks = list(raster.blocks(channels))
        for block in blocks:
            images = (_block(model, raster, block, sharpen, chosen) for model in models)
            pixels[block.rows, block.columns] = _mean(images, layout, len(models), kind)
            if len(blocks) > 1:
                release()
        return drawn

    result: np.ndarray = engine.run_on(device, work)
    return result


def _mean(images: Iterator[np.ndarray], layout: ImageFormat, count: int, kind: np.dtype[Any]) -> np.ndarray:
    """The mean of images (H, W, C) of the engine's range in units of the image and of type `kind`."""
    if count == 1:  # Converted at once, from single precision where that is exact.
        return layout.values(next(images), kind)
    exact = layout.exact_type
    total = layout.values(next(images), exact).astype(np.float64)
    for _ in range(count - 1):
        release()
        total += layout.values(next(images), exact)
    total /= count
    return to_type(total, kind)


def _block(model: Model, raster: Raster, block: Block, sharpen: float, device: torch.device) -> np.ndarray:
    """Draw a block (height, width, C) in the engine's range: each pixel is the mean of its samples."""
    height, width = block.shape
    total: np.ndarray | None = None
    for y, tall in block.samples_y:
        for x, wide in block.samples_x:
            drawn = _samples(model, raster, (y, x), (tall, wide), sharpen, device)
            if block.whole and raster.fine == (1, 1):
                return drawn.permute(1, 2, 0).numpy()
            by_pixel = drawn.reshape(len(drawn), height, tall // height, width, wide // width)
            if block.whole:
                return by_pixel.mean((2, 4)).permute(1, 2, 0).numpy()
            # NumPy converts piece by piece; torch would convert all samples first.
            part = by_pixel.numpy().sum((2, 4), dtype=np.float64)
            total = part if total is None else total + part
            del drawn, by_pixel
            release()
    assert total is not None
    mean = (total / (raster.fine[0] * raster.fine[1])).astype(np.float32)
    return np.moveaxis(mean, 0, -1)


def _check_kernels(models: Sequence[Model], raster: Raster, sharpen: float) -> None:
    """Raise a ValueError if the engine would leave out a kernel that is out of bounds in a block."""
    # Places are the further away the nearer a block lies to a corner of the drawing.
    last = [length * fine - 1 for length, fine in zip(raster.shape, raster.fine, strict=True)]
    for model in models:
        for corner in ((0, 0), (last[0], last[1])):
            if reason := undrawable(*_kernels(model, raster, corner, sharpen)):
                raise ValueError(
                    f"At this scale, region and sharpness a kernel is out of bounds: in pixels of the drawing, {reason}"
                    ". Draw at a smaller scale or less sharp, or remove that kernel."
                )


def _kernels(model: Model, raster: Raster, at: tuple[int, int], sharpen: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Geometry and experts in samples of the raster, counted from row and column `at` on."""
    step = raster.sample_step
    return to_raster(
        model.geometry,
        model.experts,
        (raster.origin[0] + at[0] * step[0], raster.origin[1] + at[1] * step[1]),
        step,
        linear=model.linear,
        sharpen=sharpen,
        sharpen_logits=model.mode == "smoe",
    )


def _samples(
    model: Model, raster: Raster, at: tuple[int, int], shape: tuple[int, int], sharpen: float, device: torch.device
) -> torch.Tensor:
    """Draw samples (C, height, width) of a raster from row and column `at` on."""
    geometry, experts = _kernels(model, raster, at, sharpen)
    return engine.render(
        geometry.to(device),
        experts.to(device),
        *shape,
        normalised=model.mode == "smoe",
        confidence=model.confidence,
        linear=model.linear,
    ).cpu()


def memory_of_block(
    layout: ImageFormat, channels: int, kernels: int, columns: int, kind: Any, models: int = 1, samples: int = 1
) -> Need:
    """What drawing a block takes besides the result; its pixels are samples.

    Parameters
    ----------
    layout : ImageFormat
        Of the image.
    channels : int
        Channels of the image.
    kernels, columns : int
        Kernels of a model, and columns of its experts.
    kind : data type
        Of the drawing.
    models : int
        Number of models whose mean is drawn.
    samples : int
        Samples that a pixel averages.
    """
    single, double = np.dtype(np.float32).itemsize, np.dtype(np.float64).itemsize
    exact, kind = layout.exact_type.itemsize, np.dtype(kind)
    # A pixel in units of the image, rounded for integers, in its type, and whether it exceeds it.
    of_value = exact + kind.itemsize + (exact + 1 if kind.kind in "iu" else 0)
    if models > 1:  # The sum in double precision, with the next model while that is converted, or while it is rounded.
        of_value = double + max(2 * exact, double + kind.itemsize + 1)
    own = kernels * (BYTES_OF_KERNEL + BYTES_OF_COLUMN * columns)
    if samples == 1:
        return Need((single + of_value) * channels, FIXED + own)
    # The samples and their mean, beside the sum of the models before; then the mean alone is converted.
    before = double if models > 1 else 0
    drawn = Need((single + (AVERAGED + before) / samples) * channels, FIXED + own)
    return drawn.or_more(Need((single + of_value) / samples * channels, FIXED + own))


def memory_of_drawing(raster: Raster, channels: int, kind: Any, of_block: Need) -> int:
    """Bytes that a drawing takes at its peak, its result included."""
    result = math.prod(raster.shape) * channels * np.dtype(kind).itemsize
    return result + of_block.bytes(raster.largest_block(channels))


def check_memory(models: Sequence[Model], raster: Raster, kind: np.dtype[Any]) -> None:
    """Raise a NotEnoughMemoryError if a drawing takes more memory than it may."""
    first, kernels = models[0], max(model.n_kernels for model in models)
    samples = math.prod(raster.fine)
    columns = first.experts.shape[1]
    of_block = memory_of_block(first.layout, first.channels, kernels, columns, kind, len(models), samples)
    needed = memory_of_drawing(raster, first.channels, kind, of_block)
    height, width = raster.shape
    require(needed, f"Drawing {height} x {width} px", "Draw a part with region, or at a smaller scale")
