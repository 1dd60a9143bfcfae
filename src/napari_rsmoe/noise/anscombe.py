"""Variance stabilisation: noise that grows with the signal made even by a root, and the root undone without bias."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr

Array = NDArray[np.float64]
Limits = tuple[float, float]

NO_LIMITS: Limits = (-math.inf, math.inf)
GRID = 1025  # true values at which the moments of stabilised values are tabulated
FEW = 40.0  # photons up to which their numbers are summed one by one; more are as good as Gaussian
TAIL = 10.0  # standard deviations of the photon number that are summed beyond the mean
NODES = 48  # of the Gauss-Hermite rule that stands for Gaussian noise
LEAST_VARIANCE = 0.05  # of stabilised noise, where clipping or the lack of photons leaves less


@dataclass(frozen=True)
class PoissonGaussian:
    """Noise of a camera or photon counter: value = gain * photons + offset + Gaussian noise.

    The number of photons follows a Poisson law, so values of mean m have the variance
    ``gain * (m - offset) + read ** 2``.

    Attributes
    ----------
    gain : float
        Units of the image for one photon, not negative; 0: plain Gaussian noise, the same at all values.
    offset : float
        Value without light.
    read : float
        Standard deviation of the Gaussian noise, in units of the image, not negative.

    Raises
    ------
    ValueError
        If a number is not finite, or gain or read is negative.
    """

    gain: float
    offset: float = 0.0
    read: float = 0.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not all(map(math.isfinite, (self.gain, self.offset, self.read))) or min(self.gain, self.read) < 0:
            raise ValueError(f"{self} is no noise: its numbers must be finite, gain and read not negative.")

    def variance(self, mean: NDArray[np.floating]) -> Array:
        """Variance of values of these means."""
        light = np.maximum(np.asarray(mean, np.float64) - self.offset, 0)
        variance: Array = self.gain * light + self.read**2
        return variance

    def scaled(self, factor: float, shift: float = 0.0) -> PoissonGaussian:
        """The noise of ``factor * image + shift``."""
        return PoissonGaussian(self.gain * factor, self.offset * factor + shift, self.read * factor)

    def stronger(self, factor: float) -> PoissonGaussian:
        """Noise of `factor` times the variance at every value."""
        return PoissonGaussian(self.gain * factor, self.offset, self.read * math.sqrt(factor))


def stabilise(image: NDArray[np.floating], noise: PoissonGaussian) -> Array:
    """Turn values into ones whose noise has a standard deviation of about 1.

    This is the generalised Anscombe transform (Starck, Murtagh and Bijaoui, 1998), ``2 sqrt(photons + 3/8 +
    (read / gain)^2)``; for plain Gaussian noise a division by its standard deviation.

    Parameters
    ----------
    image : ndarray of float
        Values of any shape.
    noise : PoissonGaussian
        Noise of the image, in its units.

    Returns
    -------
    ndarray of float64
        Shape of `image`.
    """
    values = np.asarray(image, np.float64)
    if noise.gain == 0:
        return values / noise.read
    photons = (values - noise.offset) / noise.gain
    root: Array = 2 * np.sqrt(np.maximum(photons + 3 / 8 + (noise.read / noise.gain) ** 2, 0))
    return root


def unstabilise(image: NDArray[np.floating], noise: PoissonGaussian, limits: Limits = NO_LIMITS) -> Array:
    """Undo `stabilise` on denoised values, without bias.

    The mean of a root is not the root of the mean, so squaring would darken the image. Instead the value is taken whose
    noise, once stabilised, has the denoised value as its mean (Makitalo and Foi, IEEE Trans. Image Processing 2011 and
    2013), from a table of sums over photon numbers and integrals over Gaussian noise.

    Parameters
    ----------
    image : ndarray of float
        Denoised stabilised values of any shape.
    noise : PoissonGaussian
        As given to `stabilise`.
    limits : (float, float)
        Values at which the noisy image was cut off; infinite: not at all.

    Returns
    -------
    ndarray of float64
        Values in units of the noisy image.
    """
    stabilised = np.asarray(image, np.float64)
    # Half the root, squared, is the number of photons.
    highest = noise.offset + noise.gain * (max(float(stabilised.max(initial=0)), 0) / 2 + 1) ** 2
    return Stabiliser(noise, highest, limits).inverse(stabilised)


class Stabiliser:
    """Tables for one law of noise: the unbiased inverse of stabilised values, its slope, and what noise they have.

    Parameters
    ----------
    noise : PoissonGaussian
        Of the values; not zero.
    highest : float
        Largest true value to be expected, for noise with a gain.
    limits : (float, float)
        Values at which noisy values were cut off; infinite: not at all.
    """

    def __init__(self, noise: PoissonGaussian, highest: float, limits: Limits = NO_LIMITS) -> None:
        self.noise = noise
        bounded = [limit for limit in limits if math.isfinite(limit)]
        if noise.gain > 0:
            most = max((min(highest, limits[1]) - noise.offset) / noise.gain, 1.0)
            # Even steps of the root, which is where values are looked up.
            self._values = noise.offset + noise.gain * np.linspace(0, math.sqrt(most), GRID) ** 2
            self._means, self._variances = stabilised_moments(self._values, noise, limits)
            self._variance_means = self._means
            self._straight = (False, False)
            return
        # True values lie within the limits: beyond them nothing can be told. Far from a limit it is not felt.
        reach = 8 * noise.read
        low = limits[0] if math.isfinite(limits[0]) else min(bounded, default=0.0) - reach
        high = limits[1] if math.isfinite(limits[1]) else max(bounded, default=0.0) + reach
        self._straight = (not math.isfinite(limits[0]), not math.isfinite(limits[1]))
        self._values = np.linspace(low, high, GRID)
        self._means, _ = stabilised_moments(self._values, noise, limits)
        # Saturated areas have means beyond those of the values in the range, and hardly any noise.
        wide = np.linspace(low - reach, high + reach, 2 * GRID)
        self._variance_means, self._variances = stabilised_moments(wide, noise, limits)

    def forward(self, values: NDArray[np.floating]) -> Array:
        """Stabilise noisy values."""
        return stabilise(values, self.noise)

    def inverse(self, stabilised: NDArray[np.floating]) -> Array:
        """Values whose stabilised noise has these means."""
        values: Array = np.interp(stabilised, self._means, self._values)
        low, high = self._straight
        plain = np.asarray(stabilised, np.float64) * self.noise.read
        if low:
            values = np.where(stabilised < self._means[0], plain, values)
        if high:
            values = np.where(stabilised > self._means[-1], plain, values)
        return values

    def slope(self, stabilised: NDArray[np.floating]) -> Array:
        """How much `inverse` changes with a stabilised value."""
        step = 0.1  # of the noise: wide enough to bridge the table's steps
        slope: Array = (self.inverse(stabilised + step) - self.inverse(stabilised - step)) / (2 * step)
        return slope

    def variance(self, stabilised: NDArray[np.floating]) -> Array:
        """Variance of the noise of stabilised values of these means: 1, or less where it was cut off."""
        variance: Array = np.interp(stabilised, self._variance_means, self._variances)
        return np.maximum(variance, LEAST_VARIANCE)


def stabilised_moments(values: Array, noise: PoissonGaussian, limits: Limits = NO_LIMITS) -> tuple[Array, Array]:
    """Mean and variance of ``stabilise(clip(noisy, *limits), noise)`` for true values, shape (N,)."""
    if noise.gain == 0:
        mean, variance = clipped_moments(values, noise.read, limits)
        return mean / noise.read, variance / noise.read**2
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights /= weights.sum()

    def squares(photons: Array, spread: Array) -> tuple[Array, Array]:
        noisy = noise.offset + noise.gain * (photons[:, None] + spread[:, None] * nodes)
        root = stabilise(np.clip(noisy, *limits), noise)
        # Not through BLAS, whose last bits may depend on the number of threads.
        return np.einsum("nk,k->n", root, weights), np.einsum("nk,k->n", np.square(root), weights)

    light = np.maximum(values - noise.offset, 0) / noise.gain
    read = noise.read / noise.gain
    few = light <= FEW
    mean, square = np.empty_like(light), np.empty_like(light)
    mean[~few], square[~few] = squares(light[~few], np.sqrt(light[~few] + read**2))
    numbers = np.arange(FEW + TAIL * math.sqrt(FEW))
    first, second = squares(numbers, np.full_like(numbers, read))
    dim = np.maximum(light[few], 1e-12)[:, None]
    chance = np.exp(numbers * np.log(dim) - dim - gammaln(numbers + 1))
    mean[few], square[few] = np.einsum("nk,k->n", chance, first), np.einsum("nk,k->n", chance, second)
    return mean, np.maximum(square - mean**2, 0)


def clipped_moments(value: Array, sigma: float, limits: Limits) -> tuple[Array, Array]:
    """Mean and variance of ``clip(value + sigma n, *limits)`` for standard normal n and positive sigma."""
    a, b = ((limit - value) / sigma for limit in limits)
    below, above = ndtr(a), ndtr(-b)
    inside = 1 - below - above
    density_a, density_b = _density(a), _density(b)
    low, high = (limit if math.isfinite(limit) else 0.0 for limit in limits)
    mean = value * inside + sigma * (density_a - density_b) + low * below + high * above
    # About the value, so that little is lost to rounding far from 0.
    a_part, b_part = (np.where(np.isfinite(z), z, 0) * density for z, density in ((a, density_a), (b, density_b)))
    square = sigma**2 * (inside + a_part - b_part) + np.square(low - value) * below + np.square(high - value) * above
    return mean, np.maximum(square - np.square(mean - value), 0)


def _density(z: Array) -> Array:
    density: Array = np.exp(-0.5 * np.square(z)) / math.sqrt(2 * math.pi)
    return density
