"""The content-adaptive initialisation: more and smaller kernels where the image changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...image.bands import bands, by_bands
from ...image.blur import gaussian
from .start import SIGMA_RANGE, Start, check_request, draw_pixels, jitter

# Standard deviation in pixels of the blur before the gradient; less follows noise, more loses detail.
PRESMOOTHING = 0.5
DENSITY_SMOOTHING = 1.0  # Standard deviation in pixels of the blur of the gradient magnitude, which spreads kernels.
MIX = 0.9  # Share of the density that follows the gradient; the rest is uniform, so that flat areas get kernels too.
SCALE = 0.4  # Standard deviation of a kernel as a fraction of the local spacing; less leaves gaps, more blurs.
LEAST_GRADIENT = 1e-6  # Mean gradient relative to the values; smaller ones are rounding errors of the blur.
SCALE_SMOOTHING = 3.0  # Standard deviation in pixels of the blur of the density from which scales are computed.


def gradient_magnitude(image: Floats) -> NDArray[np.float64]:
    """Smoothed magnitude of the gradient of an image (H, W, C), all channels together: (H, W)."""
    height, width, channels = image.shape
    energy = np.zeros((height, width))
    for c in range(channels):
        soft = gaussian(image[..., c], PRESMOOTHING, dtype=np.float64)
        for band in bands(height, width):
            above = min(band.start, 1)
            part = soft[band.start - above : band.stop + 1]
            for axis in (0, 1):
                if soft.shape[axis] > 1:  # An axis of length one has no gradient.
                    slope = np.gradient(part, axis=axis)[above : above + band.stop - band.start]
                    energy[band] += slope**2
    return gaussian(by_bands(np.sqrt, energy), DENSITY_SMOOTHING)


def gradient_density(image: Floats, mix: float = MIX) -> NDArray[np.float64]:
    """Probability of each pixel to become the centre of a kernel.

    Parameters
    ----------
    image : ndarray of float32, shape (H, W, C)
        Image to be fitted.
    mix : float
        Share of the smoothed gradient magnitude, 0 to 1; the rest is uniform.

    Returns
    -------
    ndarray of float64, shape (H, W)
        Sums to one. Uniform where the image has no gradient at all.
    """
    magnitude = gradient_magnitude(image)
    total = magnitude.sum()
    if total <= LEAST_GRADIENT * magnitude.size * np.abs(image).max():
        return np.full(magnitude.shape, 1 / magnitude.size)
    return by_bands(lambda part: mix / total * part + (1 - mix) / magnitude.size, magnitude)


@dataclass(frozen=True)
class ContentPlaces:
    """Where kernels of an image begin, from which the initialisations of any number of models are drawn.

    Attributes
    ----------
    image : ndarray of float32, shape (H, W, C)
        The image; it must not change.
    density : ndarray of float64, shape (H, W)
        Probability of each pixel to become the centre of a kernel.
    around : ndarray of float64, shape (H, W)
        The mean density around each pixel.
    """

    image: Floats
    density: NDArray[np.float64]
    around: NDArray[np.float64]

    @classmethod
    def of(cls, image: Floats, mix: float = MIX) -> ContentPlaces:
        """The places of an image (H, W, C); `mix` as for `gradient_density`."""
        density = gradient_density(image, mix)
        return cls(image, density, gaussian(density, SCALE_SMOOTHING))

    def start(self, n_kernels: int, rng: np.random.Generator) -> Start:
        """Draw an initialisation; arguments as of `content_start`."""
        pixels = draw_pixels(self.density.ravel(), n_kernels, rng)
        sigmas = np.clip(SCALE / np.sqrt(n_kernels * self.around.ravel()[pixels]), *SIGMA_RANGE).astype(np.float32)
        experts = self.image.reshape(-1, self.image.shape[2])[pixels]
        return Start(jitter(pixels, self.image.shape[1], rng), sigmas, experts)


def content_start(
    image: Floats,
    n_kernels: int,
    rng: np.random.Generator,
    *,
    mix: float = MIX,
    scale: float = SCALE,
    sigma_range: tuple[float, float] = SIGMA_RANGE,
) -> Start:
    """Draw positions by the gradient of the image, and scales by their density.

    Pixels are drawn without replacement. If there are more kernels than pixels, a pixel holds several kernels at random
    positions.

    Parameters
    ----------
    image : ndarray of float32, shape (H, W, C)
        Image to be fitted.
    n_kernels : int
        Number of kernels, at least 1; may exceed the number of pixels.
    rng : numpy.random.Generator
        Random generator; the same state gives the same kernels.
    mix : float
        Share of the density that follows the gradient, 0 to below 1; the rest is uniform.
    scale : float
        Standard deviation as a fraction of the local spacing of the kernels, positive.
    sigma_range : tuple of float
        Smallest and largest standard deviation, in px, positive.

    Returns
    -------
    Start
        `n_kernels` kernels; experts are the colours of the pixels they fall on.

    Raises
    ------
    ValueError
        For an image, number or option that cannot be used.
    """
    check_request(image, n_kernels)
    if not 0 <= mix < 1:
        raise ValueError(f"mix must lie in [0, 1), not {mix}")
    if not 0 < scale < np.inf:
        raise ValueError(f"scale must be positive and finite, not {scale}")
    if not 0 < sigma_range[0] <= sigma_range[1] < np.inf:
        raise ValueError(f"sigma_range must be two positive numbers in order, not {sigma_range}")
    # As `ContentPlaces.start`, but the plane of scales is made when the draws of the pixels are gone, for memory.
    density = gradient_density(image, mix)
    pixels = draw_pixels(density.ravel(), n_kernels, rng)
    local = gaussian(density, SCALE_SMOOTHING).ravel()[pixels]
    sigmas = np.clip(scale / np.sqrt(n_kernels * local), *sigma_range).astype(np.float32)
    return Start(jitter(pixels, image.shape[1], rng), sigmas, image.reshape(-1, image.shape[2])[pixels])
