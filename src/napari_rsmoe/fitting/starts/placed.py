"""The content-adaptive initialisation of a block of an image: the kernels that the whole image would get there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ...arrays import Floats
from ...image.bands import bands
from ...image.places import mixed, pixel_bits, uniform
from .content import LEAST_GRADIENT, MIX, SCALE, SCALE_SMOOTHING, gradient_magnitude
from .start import SIGMA_RANGE, Start

HALVINGS = 60
"""Steps of the bisection in `Density.of`; more change nothing in double precision."""


@dataclass(frozen=True)
class Density:
    """How densely the kernels of a model lie in the whole image.

    Attributes
    ----------
    kernels : float
        Kernels for each pixel, on average over the whole image.
    gradient : float
        Mean of the gradient magnitude over the whole image; 0 if it has none.
    race : float
        Factor of the expected number of kernels at a pixel with which the race of `content_start`, in which no pixel
        wins twice, ends with the wanted number of kernels in all.
    """

    kernels: float
    gradient: float
    race: float

    @classmethod
    def of(cls, kernels: float, magnitude: NDArray[np.float64], gradient: float) -> Density:
        """The density of a model with so many kernels for each pixel, from the gradient magnitude of a sample."""
        expected, drawn = _expected(magnitude, kernels, gradient), kernels % 1
        low, high = 0.0, 1.0
        while (1 - np.exp(-high * expected)).mean() < drawn and high < 2.0**HALVINGS:
            high *= 2
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if (1 - np.exp(-middle * expected)).mean() < drawn else (low, middle)
        return cls(kernels, gradient, high)


def sampled_densities(mosaic: Floats, square: tuple[int, int], kernels: Sequence[float]) -> list[Density]:
    """Densities of models, from the pixels of a sample of the whole image.

    Parameters
    ----------
    mosaic : ndarray of float32, shape (H, W, C)
        Squares of the image, side by side.
    square : (int, int)
        Rows and columns of a square. The gradient is taken square by square, as there are steps between them.
    kernels : sequence of float
        Kernels for each pixel, of each model.
    """
    tall, wide = square
    squares = [
        mosaic[y : y + tall, x : x + wide]
        for y in range(0, mosaic.shape[0], tall)
        for x in range(0, mosaic.shape[1], wide)
    ]
    magnitude = np.concatenate([gradient_magnitude(each).ravel() for each in squares])
    gradient = float(magnitude.mean())
    if gradient <= LEAST_GRADIENT * float(np.abs(mosaic).max()):
        gradient = 0.0
    return [Density.of(each, magnitude, gradient) for each in kernels]


def _expected(magnitude: NDArray[np.float64], kernels: float, gradient: float) -> NDArray[np.float64]:
    """Expected number of kernels at each pixel."""
    relative = magnitude / gradient if gradient > 0 else np.ones_like(magnitude)
    expected: NDArray[np.float64] = kernels * (MIX * relative + (1 - MIX))
    return expected


@dataclass(frozen=True)
class PlacedKernels:
    """The kernels of a model in a block of an image, by the place of the block in the whole.

    Attributes
    ----------
    density : Density
        Density of the kernels in the whole image.
    seed : tuple of int
        Other numbers give other kernels.
    origin : (int, int)
        Row and column of the block in the whole image.
    """

    density: Density
    seed: tuple[int, ...]
    origin: tuple[int, int]

    def start(self, image: Floats) -> Start:
        """The initial kernels of the block (H, W, C)."""
        return placed_start(image, self.density, (*self.seed, 0), self.origin)

    def arrivals(self, step: int, shape: tuple[int, int], finer: int) -> Floats:
        """Draws from the exponential distribution, one for each point (H W,), for what happens at a step above 0.

        `finer` is the number of points for a pixel along each axis.
        """
        y, x = (finer * each for each in self.origin)
        found = np.empty(shape, np.float32)
        for band in bands(*shape):
            bits = pixel_bits((*self.seed, step), (y + band.start, x), (band.stop - band.start, shape[1]))
            found[band] = -np.log(uniform(bits))
        return found.ravel()


def placed_start(image: Floats, density: Density, seed: tuple[int, ...], origin: tuple[int, int]) -> Start:
    """Draw the kernels of a block as `content_start` draws those of a whole image, but by their place in the whole.

    Each pixel draws its arrival in the race from a hash of its place. It holds a kernel if it arrives before the time
    at which the whole image has as many kernels as wanted. So two blocks that overlap draw the same kernels there.

    Parameters
    ----------
    image : ndarray of float32, shape (H, W, C)
        The block.
    density : Density
        Density of the kernels in the whole image.
    seed : tuple of int
        Other numbers give other kernels.
    origin : (int, int)
        Row and column of the block in the whole image.

    Returns
    -------
    Start
        At least one kernel.
    """
    bits = pixel_bits(seed, origin, (image.shape[0], image.shape[1]))
    expected = _expected(gradient_magnitude(image), density.kernels, density.gradient)
    each = int(density.kernels)  # If there are more kernels than pixels, each pixel holds several.
    arrivals = -np.log(uniform(bits)) / (density.race * expected)
    chosen = np.flatnonzero(arrivals < 1)
    if chosen.size == 0 and each == 0:
        chosen = np.array([int(np.argmin(arrivals))])
    pixels = np.sort(np.concatenate([np.tile(np.arange(bits.size), each), chosen]))
    local = gaussian_filter(expected, SCALE_SMOOTHING).ravel()[pixels]
    sigmas = np.clip(SCALE / np.sqrt(local), *SIGMA_RANGE).astype(np.float32)
    # The places of several kernels of one pixel differ by their rank in it.
    rank = np.arange(pixels.size) - np.searchsorted(pixels, pixels)
    own = mixed(bits.ravel()[pixels] ^ mixed(rank.astype(np.uint64)))
    offsets = np.stack([uniform(own), uniform(mixed(own))], 1) - 0.5
    centers = np.stack(np.divmod(pixels, image.shape[1]), 1) + offsets
    return Start(centers.astype(np.float32), sigmas, image.reshape(-1, image.shape[2])[pixels])
