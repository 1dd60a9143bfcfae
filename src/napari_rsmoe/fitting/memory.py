"""What fits and enlargements take at their peak, said before they begin.

The constants are bytes, measured on the CPU as the growth of the resident memory (`tests/test_memory_of_jobs.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from .. import engine
from ..image.format import ImageFormat
from ..image.inputs import Inputs
from ..memory import Need, require
from ..model.drawing import memory_of_block, memory_of_drawing
from ..model.raster import Numbers, Raster
from ..ranges import ITERATIONS
from .settings import FitSettings, preset
from .tensors import TILE

FLOAT = 4.0
"""A number of single precision."""
STARTS = {"segmentation": (32.0, 13.0, 360.0), "content": (48.0, 2.2, 25.0), "random": (2.0, 0.0, 35.0)}
"""What each initialisation takes for each pixel, for each pixel and channel, and for each kernel."""
CHECKED = (25.0, 10.0)
"""The check of the image, for each pixel, and for each pixel and channel."""
COMPARED = 26.0
"""The PSNR of what is drawn, for each pixel and channel."""
RELOCATION = (65.0, 8.4)
"""What a relocation takes for each sample, and for each sample and channel."""
WITHIN_SQUARES = 34.0
"""What a relocation within squares, as in blocks and in `upscale`, takes besides for each sample."""
HELD = 0.1
"""Share of what a step takes that the allocator still holds during a relocation."""
KERNEL = (390.0, 3.7)
"""The state of a kernel while it is fitted, and the same for each channel."""
LISTED_PAIR = (49.0, 21.0)
"""A pair of a tile and a kernel, with its gradients, and the same for each column of the expert. Tiles leave out the
kernels that do not matter to them."""
EXTENT = 0.5
"""Standard deviation of a kernel, relative to the side of a square with the area of the samples for one kernel."""
SAMPLES_PER_KERNEL = 20
"""Samples for each kernel for which the number of pairs is exact. It is up to a sixth too high for others."""
PAIR = 46.0
"""A pair of a tile and a kernel where no tile leaves out any."""
TYPICAL_AUTO = 30
"""Pixels for each kernel that ``n_kernels="auto"`` leaves in most images."""
FIXED = 0.3e6
"""Tables and the like, whatever the size."""
REFINED = (12.0, 60.0)
"""The refinement of a drawing and its error bar, for each output pixel, and for each with channel."""
WEIGHT = 8.0
"""The weight of a pixel, as an image and in tiles."""


def memory_of_fit(
    channels: int, n_kernels: int, settings: FitSettings, mode: str, *, weighted: bool = False, placed: bool = False
) -> Need:
    """What a fit takes besides the image, for each pixel of the image and for its kernels.

    Parameters
    ----------
    channels : int
        Channels of the image.
    n_kernels : int
        Number of kernels.
    settings : FitSettings
        Settings of the fit.
    mode : {"smoe", "rbf"}
        As for `napari_rsmoe.fit`.
    weighted : bool
        Whether pixels have weights.
    placed : bool
        Whether kernels move within squares.
    """
    start = STARTS[settings.start]
    beginning = Need(FLOAT * channels + start[0] + start[1] * channels, n_kernels * start[2])
    steps = _memory_of_steps(channels, n_kernels, settings, mode, weighted=weighted, placed=placed)
    checked, compared = Need(CHECKED[0] + CHECKED[1] * channels), Need(COMPARED * channels)
    return Need(0, FIXED) + beginning.or_more(steps).or_more(checked).or_more(compared)


def _memory_of_steps(
    channels: int, n_kernels: int, settings: FitSettings, mode: str, *, weighted: bool, placed: bool = False
) -> Need:
    """What the target, the kernels and the steps of a fit take, on the device that computes them."""
    samples = settings.oversample**2
    columns = (3 if settings.linear else 1) * channels
    target = samples * (FLOAT * (channels + 1) + (WEIGHT if weighted else 0.0))
    if samples > 1:
        target += samples * FLOAT * channels
    steps = _memory_of_pairs(columns, n_kernels, settings)
    if mode == "smoe" and settings.relocate > 0 and _reaches_relocation(settings):
        each = RELOCATION[0] + RELOCATION[1] * channels + (WITHIN_SQUARES if placed else 0.0)
        relocation = Need(samples * each)
        steps = steps.or_more(relocation + steps * HELD)
    return Need(FLOAT * channels + target, n_kernels * (KERNEL[0] + KERNEL[1] * columns)) + steps


def require_on_device(
    device: torch.device, shape: Sequence[int], n_kernels: int, settings: FitSettings, mode: str, models: int = 1
) -> None:
    """Refuse a fit of models at once, of an image of this shape (H, W, C), that a CUDA device has no memory for."""
    height, width, channels = shape
    need = _memory_of_steps(channels, n_kernels, settings, mode, weighted=True)
    engine.require_on(device, models * need.bytes(height * width))


def _memory_of_pairs(columns: int, n_kernels: int, settings: FitSettings) -> Need:
    """What the pairs of tiles and kernels take during a step, for each pixel of the image and for the kernels."""
    samples = settings.oversample**2
    if math.isinf(settings.tau):
        return Need(samples * n_kernels * PAIR / TILE**2)
    # A square kernel whose side is a multiple `side` of the tile's lies in (1 + side)^2 tiles. With n kernels in s
    # samples, side^2 is reach^2 s / n, and the middle term 2 side n is below `share` n + reach^2 s / share.
    reach = 2 * EXTENT * math.sqrt(2 * (settings.tau + settings.list_margin)) / TILE
    share = reach * math.sqrt(SAMPLES_PER_KERNEL)
    pair = LISTED_PAIR[0] + LISTED_PAIR[1] * columns
    return Need(samples * pair * reach**2 * (1 + 1 / share), n_kernels * pair * (1 + share))


def _reaches_relocation(settings: FitSettings) -> bool:
    first = 2 * settings.relocate_interval
    return first < settings.iterations * settings.relocate_until


def check_fit(
    shape: Sequence[int], n_kernels: int, settings: FitSettings, mode: str, *, weighted: bool = False
) -> None:
    """Raise a NotEnoughMemoryError if a fit of an image of this shape (H, W, C) takes more memory than it may."""
    height, width, channels = shape
    need = memory_of_fit(channels, n_kernels, settings, mode, weighted=weighted)
    remedy = "Take a part of the image, or fewer kernels"
    if math.isinf(settings.tau):
        remedy += ", or rasterized=True"
    require(need.bytes(height * width), f"Fitting {n_kernels} kernels to {height} x {width} px", remedy)


def memory_of_upscale(
    layout: ImageFormat,
    shape: Sequence[int],
    scale: float | Numbers,
    models: int,
    n_kernels: int,
    settings: FitSettings,
    *,
    weighted: bool = False,
) -> int:
    """Bytes that `napari_rsmoe.upscale` takes at its peak for an image of this shape (H, W, C), besides the image."""
    height, width, channels = shape
    finished = n_kernels * FLOAT * (6 + channels)
    fit = memory_of_fit(channels, n_kernels, settings, "smoe", weighted=weighted, placed=True).bytes(height * width)
    raster = Raster.plan((height, width), channels, scale=scale)
    block = memory_of_block(layout, channels, n_kernels, channels, layout.dtype, models, math.prod(raster.fine))
    drawing = memory_of_drawing(raster, channels, layout.dtype, block) + FLOAT * channels * height * width
    refining = math.prod(raster.shape) * (REFINED[0] + REFINED[1] * channels)
    if max(raster.step) > 1:
        refining = 0.0  # It is not refined.
    return math.ceil(max(fit + (models - 1) * finished, max(drawing, refining) + models * finished))


def upscale_settings(iterations: int | None) -> FitSettings:
    """The settings of the fits of an enlargement."""
    settings = preset("upscale")
    if iterations is None:
        return settings
    return replace(settings, iterations=ITERATIONS.check(iterations, "iterations"))


def check_upscale(inputs: Inputs, scale: float | Numbers, models: int, n_kernels: int, iterations: int | None) -> None:
    """Raise a NotEnoughMemoryError if an enlargement takes more memory than it may; arguments as for `upscale`."""
    settings = upscale_settings(iterations)
    shape, weighted = inputs.pixels.shape, inputs.weight is not None
    needed = memory_of_upscale(inputs.layout, shape, scale, models, n_kernels, settings, weighted=weighted)
    remedy = "Take a part of the image, a smaller scale or fewer kernels"
    require(needed, f"Enlarging {shape[0]} x {shape[1]} px", remedy)
