"""What a deconvolution takes at its peak, said before it begins.

The constants are bytes, measured on the CPU as the growth of the resident memory (`tests/test_memory_of_jobs.py`).
"""

from __future__ import annotations

import math

from ..image.inputs import Inputs
from ..memory import require
from ..model.raster import Raster
from ..noise.given import Noise, is_no_noise

FIXED = 0.5e6
"""Tables and the like, whatever the size."""
MARGIN = 8
"""Pixels by which a channel is continued on both sides together, besides the width of the point spread function."""
PIXEL = 365.0
"""One channel with its margin: the transforms, the models that are compared, and two results of total variation."""
MODEL = 20.0
"""A model that is finished, and its drawing, for each pixel with margin. Two are counted in `PIXEL`."""
PLANE = 8.0
"""A channel without its noise, and its error, for each pixel."""
DENOISED = 40.0
"""What the removal of noise leaves, for each pixel."""
RESULT = 44.0
"""The result and its error bar, for each value."""
LEFT = 154.0
"""What a channel that is done leaves while the result is drawn, for each pixel."""


def memory_of_deblur(
    shape: tuple[int, int, int], width: int, raster: Raster, models: int, *, denoised: bool = True
) -> int:
    """Bytes that `napari_rsmoe.deblur` takes at its peak besides the image.

    Parameters
    ----------
    shape : (int, int, int)
        Of the image, (H, W, C).
    width : int
        Longer side of the point spread function, px.
    raster : Raster
        Of the result.
    models : int
        Models of each channel.
    denoised : bool
        Whether noise is removed before.
    """
    height, breadth, channels = shape
    padded, pixels = (height + width + MARGIN) * (breadth + width + MARGIN), height * breadth
    held = pixels * (PLANE * channels + (DENOISED if denoised else 0.0)) + FIXED
    more = padded * MODEL * max(0, models * channels - 2)
    result = RESULT * channels * math.prod(raster.shape) + LEFT * pixels
    return math.ceil(held + more + max(PIXEL * padded, result))


def check_deblur(inputs: Inputs, width: int, raster: Raster, models: int, noise: Noise) -> None:
    """Raise a NotEnoughMemoryError if a deconvolution takes more memory than it may; arguments as above."""
    height, breadth, channels = inputs.pixels.shape
    needed = memory_of_deblur((height, breadth, channels), width, raster, models, denoised=not is_no_noise(noise))
    require(needed, f"Deconvolving {height} x {breadth} px", "Take a part of the image")
