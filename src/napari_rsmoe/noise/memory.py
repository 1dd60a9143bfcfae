"""What the estimation of noise takes at its peak, said before it begins."""

from __future__ import annotations

from ..arrays import Floats
from ..memory import Need, require

LISTED = ((24.5, 29.5), 3.6e6)
"""The statistics of all blocks: bytes for each pixel, and for each with channel, and bytes whatever the size."""
SEARCHED = ((22.0, 60.0), 2.6e6)
"""The same for the search for flat patches, which takes more in images above 0.1 megapixels."""


def memory_of_noise(channels: int) -> Need:
    """What an estimate of the noise takes besides the image, for each pixel of it."""
    stages = [Need(pixel + value * channels, fixed) for (pixel, value), fixed in (LISTED, SEARCHED)]
    return stages[0].or_more(stages[1])


def check_noise_estimate(pixels: Floats) -> None:
    """Raise a NotEnoughMemoryError if the estimate of the noise of (H, W, C) takes more memory than it may."""
    height, width, channels = pixels.shape
    needed = memory_of_noise(channels).bytes(height * width)
    require(needed, f"Estimating the noise of {height} x {width} px", "Take a part of the image")
