"""The kernels that every initialisation returns, and common helpers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...image.bands import by_bands
from ...image.quantiles import smallest

Indices = NDArray[np.int64]

SIGMA_RANGE = (0.7, 25.0)
"""Smallest and largest standard deviation in pixels that an initialisation chooses."""


@dataclass(frozen=True)
class Start:
    """The initial kernels of a fit.

    Attributes
    ----------
    centers : ndarray of float32, shape (L, 2)
        Positions (y, x) in px; pixel centres lie at integers.
    sigmas : ndarray of float32, shape (L,)
        Isotropic standard deviations in px, positive.
    experts : ndarray of float32, shape (L, C)
        Colours, in the units of the image.
    """

    centers: Floats
    sigmas: Floats
    experts: Floats

    def __len__(self) -> int:
        return len(self.sigmas)


def check_request(image: Floats, n_kernels: int) -> None:
    """Reject arguments that no initialisation accepts.

    Raises
    ------
    ValueError
        If the image is not a non-empty array (H, W, C) of float32, or `n_kernels` is below 1.
    """
    if image.ndim != 3 or image.size == 0 or image.dtype != np.float32:
        raise ValueError(f"a start needs a non-empty float32 image (H, W, C), not {image.dtype} of shape {image.shape}")
    if n_kernels < 1:
        raise ValueError(f"n_kernels must be at least 1, not {n_kernels}")


def draw_pixels(weights: NDArray[np.float64], count: int, rng: np.random.Generator) -> Indices:
    """Draw pixels without replacement.

    If `count` exceeds the number of pixels N, each is taken ``count // N`` times and the remainder is drawn.

    Parameters
    ----------
    weights : ndarray of float64, shape (N,)
        Positive; need not sum to one.
    count : int
        Number of pixels to draw.
    rng : numpy.random.Generator
        Random generator, from which one number per pixel is drawn.

    Returns
    -------
    ndarray of int64, shape (count,)
        Indices into `weights`, ascending.
    """
    rounds, rest = divmod(count, weights.size)
    # A race (Efraimidis and Spirakis, doi:10.1016/j.ipl.2005.11.003): pixel i arrives after an exponential time with
    # rate w_i, and the first pixels are drawn.
    arrivals = by_bands(lambda part: rng.standard_exponential(part.size) / part, weights)
    drawn = smallest(arrivals, rest)  # The remainder is below N.
    return np.sort(np.concatenate([np.tile(np.arange(weights.size), rounds), drawn])) if rounds else drawn


def jitter(pixels: Indices, width: int, rng: np.random.Generator) -> Floats:
    """Random positions (y, x), shape (L, 2), within the given pixels of an image `width` px wide."""
    centers = np.stack(np.divmod(pixels, width), axis=1) + rng.uniform(-0.5, 0.5, (pixels.size, 2))
    return centers.astype(np.float32)
