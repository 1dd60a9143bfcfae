"""What the estimation of noise takes at its peak, said before it begins."""

from __future__ import annotations

from ..arrays import Floats
from ..memory import Need, require

PIXEL = (54.5, 53.5)
"""Bytes for each pixel, and for each pixel and channel: the channels in double precision, sums over patches, places."""
PATCHES = 5.5e6
"""Bytes of the patches whose covariance is taken, whatever the size of the image."""


def memory_of_noise(channels: int) -> Need:
    """What an estimate of the noise takes besides the image, for each pixel of it."""
    return Need(PIXEL[0] + PIXEL[1] * channels, PATCHES)


def check_noise_estimate(pixels: Floats) -> None:
    """Raise a NotEnoughMemoryError if the estimate of the noise of (H, W, C) takes more memory than it may."""
    height, width, channels = pixels.shape
    needed = memory_of_noise(channels).bytes(height * width)
    require(needed, f"Estimating the noise of {height} x {width} px", "Take a part of the image")
