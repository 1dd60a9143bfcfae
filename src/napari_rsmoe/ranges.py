"""The range of every number that users give: one table for the functions, the forms and the command line.

Where there is an upper end, what lies above is surely a slip of the hand: it would take days, or mean nothing.
"""

from __future__ import annotations

from typing import Any

from .checks import Range

SEED = Range(0, 2**63 - 1, whole=True)
"""Seed of the random numbers."""
MODELS = Range(1, 1000, whole=True)
"""Models of one image. The published experiments take up to 64; more than a few hundred change nothing to be seen."""
KERNELS = Range(1, whole=True)
"""Kernels of a model; an image takes one for each pixel at most, see `check_kernels`."""
ITERATIONS = Range(0, 10**6, whole=True)
"""Steps of the optimiser. The published experiments take 10 000."""
AVERAGE = Range(0, 100, whole=True)
"""Planes on either side that help a plane."""
NEIGHBOURS = Range(0, 200, whole=True)
"""Number of planes that help a plane, `AVERAGE` on either side at most."""
PSNR = Range(high=300, positive=True)
"""PSNR in dB that a fit is to reach: the rounding of double precision lies at 300."""
TIME = Range(high=10**7, positive=True)
"""Seconds that a fit may take; 10^7 are 4 months."""
THRESHOLD = Range(high=1000, positive=True)
"""Largest step of colour in a segment, in 0..255 of the image's range; black and white of RGB are 442 apart."""
VALUE = Range()
"""A value of pixels, in units of the image, from which on they are left out."""
NODATA = Range(nan=True)
"""The value that means missing data, in units of the image."""
DATA_RANGE = Range(positive=True)
"""Range of values that a PSNR refers to, in units of the image."""
SCALE = Range(high=10**6, positive=True)
"""Pixels of a drawing along one pixel of the image. Beyond, neighbouring pixels coincide in float32."""
SHARPEN = Range(1e-6, 1e6)
"""Factor by which kernels shrink. Beyond, float32 overflows."""
BLOCK = Range(32, 2**16, whole=True)
"""Side of the blocks of an image, px. Smaller ones are mostly halo; larger ones are whole images."""
WORKERS = Range(1, 10_000, whole=True)
"""Processes that share the blocks of an image. More than there are blocks have nothing to do."""
FRAMES = Range(1, 2**31 - 1, whole=True)
"""Frames of a film. More do not fit the counters of file formats."""
IDLE = Range(0.1, 7 * 86_400.0)
"""Seconds without a new frame after which a film has ended. With fewer it ends between two frames; with more than a
week, an instrument that has stopped is never noticed."""
THREADS = Range(1, 1024, whole=True)
"""Threads of the processor. More than it has cores only cost time."""
NOISE_FACTOR = Range(1e-3, 1e3)
"""Factor of the noise that is taken away. Beyond, nothing or everything is."""
PROBABILITY = Range(1e-6, 1 - 1e-6)
"""Probability of an interval. Beyond, it is a point or everything."""
QUALITY = Range(1, 100, whole=True)
"""JPEG quality, from the smallest file to the best image."""

BENCH_KERNELS = Range(1, 10**7, whole=True)
"""Kernels of a benchmark, for images of any size; the largest published experiment takes 200 000."""
BENCH_STEPS = Range(1, 10**6, whole=True)
"""Steps of a benchmark's fits, as for `ITERATIONS`; none would compare nothing."""
BENCH_MODELS = Range(0, 64, whole=True)
"""Models of multi-model inference in a benchmark; 0 leaves it out, and the paper takes up to 64."""
VARIANCE = Range(high=1, positive=True)
"""Variance of the noise that a benchmark adds to images in [0, 1]. With more, hardly a pixel is not clipped."""
SIGMA = Range(high=255, positive=True)
"""Standard deviation of the noise that a benchmark adds, where white is 255."""
BENCH_SCALE = Range(2, 16, whole=True)
"""Factor of super-resolution that a benchmark measures. Beyond, nothing is left of its images."""
CROP = Range(16, 2**24, whole=True)
"""Side in pixels of the square that a benchmark takes from the middle: at least a tile of the engine."""


def number_or_auto(value: Any, name: str, accepted: Range) -> Any:
    """Return a number of a range, or None for "auto"; a ValueError for anything else."""
    return None if isinstance(value, str) and value == "auto" else accepted.check(value, name, also="'auto'")


def check_kernels(n_kernels: int, height: int, width: int) -> None:
    """Refuse more kernels than an image has pixels: they would hold more numbers than the image itself.

    Raises
    ------
    ValueError
        If `n_kernels` exceeds the number of pixels.
    """
    if n_kernels > height * width:
        raise ValueError(
            f"n_kernels={n_kernels} must be at most {height * width}, the number of pixels of the image ({height} x "
            f"{width}); one for every 20 pixels holds most of the detail."
        )
