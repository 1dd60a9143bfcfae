"""What denoising takes at its peak, said before it begins.

The constants are bytes, measured on the CPU as the growth of the resident memory (`tests/test_memory_of_jobs.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..memory import Need, require
from ..noise.memory import memory_of_noise
from .options import Options
from .plans import Plan
from .pooled_noise import MOST_PIXELS

PIXEL = (20.0, 96.0)
"""The image in its domain, its noise, the fit of one model and the filter: for each pixel, and each with channel."""
COUNT = 17.0
"""Sums, mean, risk and weight of the models of one kernel count, for each pixel and channel."""
KERNEL = 2.6
"""Copies of a kernel's numbers that are kept until the end."""
FIXED = 2.2e6
"""Tables and buffers of the filter, whatever the size."""
THROUGH = 4
"""Numbers of each plane, pixel and channel through which groups of patches reach: the plane on the places of
the one that is denoised, and its pixels, estimate and noise as the filter takes them."""
SINGLE = 4
"""A number of single precision."""
NUMBERS = (24.0, 4.0)
"""The numbers of a kernel: its geometry, and its colour for each channel."""


def memory_of_denoising(channels: int, pixels: int, plans: Sequence[Plan]) -> Need:
    """What `napari_rsmoe.denoise` takes besides the image, for each pixel of an image or of a block of it.

    Parameters
    ----------
    channels : int
        Channels of the image.
    pixels : int
        Pixels of the image that the plans are for; the kernels of a block are as dense.
    plans : sequence of Plan
        Its models.
    """
    counts = len({plan.n_kernels for plan in plans})
    density = sum(plan.n_kernels for plan in plans) / pixels
    kernels = density * KERNEL * (NUMBERS[0] + NUMBERS[1] * channels)
    return Need(PIXEL[0] + (PIXEL[1] + COUNT * counts) * channels + kernels, FIXED)


def memory_of_planes(channels: int, itemsize: int, planes: int, pixels: int, *, measured: bool) -> tuple[int, int]:
    """Bytes that planes hold while one of them is denoised, and those that the search for their noise takes besides.

    Parameters
    ----------
    channels, itemsize : int
        Channels of a plane, and bytes of one of its values.
    planes : int
        The plane and those that help it.
    pixels : int
        Pixels of a plane.
    measured : bool
        Whether the noise is measured, in parts of all planes together.
    """
    held = planes * pixels * channels * (itemsize + SINGLE)
    if planes > 1:
        held += planes * pixels * channels * THROUGH * SINGLE
    if not measured:
        return held, 0
    together = pixels if planes == 1 else min(planes * pixels, max(MOST_PIXELS, pixels))
    mosaic = 0 if planes == 1 else 2 * SINGLE * channels * together
    return held, memory_of_noise(channels).bytes(together) + mosaic


def check_planes(image: Any, planes: int, *, measured: bool) -> int:
    """Raise a NotEnoughMemoryError if planes like this one, (H, W) or (H, W, C), take more memory than they may.

    What denoising takes besides is checked there. Returns the bytes that the planes hold.
    """
    height, width, channels = (*image.shape, 1)[:3]
    held, search = memory_of_planes(channels, image.dtype.itemsize, planes, height * width, measured=measured)
    remedy = "Take fewer planes on either side (average), or a part of the image"
    require(held + search, f"Holding {planes} planes of {height} x {width} px and measuring their noise", remedy)
    return held


def check_stack(shape: Sequence[int], dtype: Any) -> None:
    """Raise a NotEnoughMemoryError if a denoised stack and its error bar take more memory than they may."""
    needed = math.prod(shape) * (np.dtype(dtype).itemsize + np.dtype(np.float32).itemsize)
    remedy = "Denoise fewer planes at once, or give a function create that makes files, such as those of Zarr"
    require(needed, f"Holding a denoised stack of shape {tuple(shape)}", remedy)


def check_denoising(shape: Sequence[int], options: Options, plans: Sequence[Plan]) -> None:
    """Raise a NotEnoughMemoryError if denoising takes more memory than it may.

    Parameters
    ----------
    shape : sequence of int
        Of the image, (H, W, C).
    options : Options
        Options of `denoise`.
    plans : sequence of Plan
        Its models.
    """
    height, width, channels = shape
    needed = memory_of_denoising(channels, height * width, plans).bytes(height * width)
    if isinstance(options.noise, str):
        needed = max(needed, memory_of_noise(channels).bytes(height * width))
    require(
        needed,
        f"Denoising {height} x {width} px with {len(plans)} models",
        "Take a part of the image, fewer models or preset='fast'",
    )
