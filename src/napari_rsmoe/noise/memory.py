"""What the estimation of noise takes at its peak, said before it begins.

The constants are bytes, measured on the CPU as the growth of the resident memory (`tests/test_memory_of_jobs.py`).
"""

from __future__ import annotations

from ..arrays import Floats
from ..memory import Need, require

PIXEL = (50.0, 32.0)
"""The channels, each stabilised, and the statistics of one of them: for each pixel, and each with channel."""
FIXED = 3.2e6
"""The patches of which the covariance is taken, whatever the size."""
COLOURS = 181.0
"""Three channels that are compared with each other, for each pixel."""


def memory_of_noise(channels: int) -> Need:
    """What an estimate of the noise takes besides the image, for each pixel of it."""
    need = Need(PIXEL[0] + PIXEL[1] * channels, FIXED)
    return need.or_more(Need(COLOURS)) if channels == 3 else need


def check_noise_estimate(pixels: Floats) -> None:
    """Raise a NotEnoughMemoryError if the estimate of the noise of (H, W, C) takes more memory than it may."""
    height, width, channels = pixels.shape
    needed = memory_of_noise(channels).bytes(height * width)
    require(needed, f"Estimating the noise of {height} x {width} px", "Take a part of the image")
