"""The picture that all benchmarks use: a photograph that scikit-image ships, so that nothing is downloaded."""

from __future__ import annotations

import time

import numpy as np
from skimage import data

NOISE = 20.0
"""Standard deviation of the noise that is added, in grey levels of 8 bits."""


class Benchmark:
    """What all benchmarks have in common: CPU time, few repetitions of long calls, and a generous time limit."""

    timer = staticmethod(time.process_time)
    number = 1
    warmup_time = 0.0
    rounds = 1
    repeat = (1, 5, 20.0)
    timeout = 1200.0


def clean(side: int) -> np.ndarray:
    """The middle of a photograph, (side, side, 3) uint8."""
    photograph = data.astronaut()
    first = (len(photograph) - side) // 2
    middle: np.ndarray = photograph[first : first + side, first : first + side]
    return middle


def noisy(side: int) -> np.ndarray:
    """The same with Gaussian noise, rounded and clipped to 8 bits."""
    picture = clean(side)
    noise = np.random.default_rng(0).normal(0, NOISE, picture.shape)
    return np.rint(np.clip(picture + noise, 0, 255)).astype(np.uint8)


def error(found: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square error; asv takes what has grown for worse, so PSNR would be read the wrong way round."""
    return float(np.sqrt(np.mean(np.square(found.astype(float) - truth))))
