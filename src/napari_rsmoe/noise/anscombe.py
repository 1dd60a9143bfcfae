"""Variance stabilisation: the generalised Anscombe transform, its unbiased inverse, and what noise it leaves."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from ..arrays import Array, Limits
from ..door import door
from .clipping import NO_LIMITS, clipped_moments
from .noise_model import PoissonGaussian

GRID = 1025
"""True values at which the moments of stabilised values are tabulated."""
STEPS = 8193
"""Even steps of stabilised values at which the variance of the noise and the slope of the inverse are tabulated."""
FEW = 40.0
"""Number of photons up to which the Poisson distribution is summed term by term; above, a Gaussian replaces it."""
TAIL = 10.0
"""Standard deviations beyond the mean up to which photon numbers are summed."""
NODES = 48
"""Nodes of the Gauss-Hermite rule that integrates over Gaussian noise."""
LEAST_VARIANCE = 0.05
"""Least variance of stabilised noise, where clipping or few photons leave less."""
SLOPE_STEP = 0.1
"""Half of the interval over which the slope of the inverse is taken, in standard deviations of the noise. It is wide
enough to bridge the steps of the table."""
REACH = 8.0
"""Distance from a limit, in standard deviations of the noise, beyond which clipping has no effect."""


@door
def stabilise(image: NDArray[np.floating], noise: PoissonGaussian) -> Array:
    """Turn values into ones whose noise has a standard deviation of about 1.

    This is the generalised Anscombe transform [1]_, ``2 sqrt(photons + 3/8 + (read / gain)^2)``; for Gaussian noise
    it is a division by the standard deviation.

    Parameters
    ----------
    image : ndarray of float
        Values of any shape.
    noise : PoissonGaussian
        Noise of the image, in its units.

    Returns
    -------
    ndarray of float64
        Shape of `image`; in standard deviations of the noise.

    References
    ----------
    .. [1] J.-L. Starck, F. Murtagh, A. Bijaoui. Image processing and data analysis: the multiscale approach. Cambridge
       University Press, 1998. :doi:`10.1017/CBO9780511564352`

    Examples
    --------
    >>> from napari_rsmoe import PoissonGaussian, stabilise
    >>> stabilise([0.0, 10.0, 1000.0], PoissonGaussian(gain=2.0)).round(2)
    array([ 1.22,  4.64, 44.74])
    """
    values = np.asarray(image, np.float64)
    if noise.gain == 0:
        return values / noise.read
    photons = (values - noise.offset) / noise.gain
    root: Array = 2 * np.sqrt(np.maximum(photons + 3 / 8 + (noise.read / noise.gain) ** 2, 0))
    return root


@door
def unstabilise(image: NDArray[np.floating], noise: PoissonGaussian, limits: Limits = NO_LIMITS) -> Array:
    """Undo `stabilise` on denoised values, without bias.

    The mean of a root is not the root of the mean, so squaring would darken the image. The exact unbiased inverse [1]_
    is the value whose noise, once stabilised, has the denoised value as its mean. It is looked up in a table of sums
    over photon numbers and integrals over Gaussian noise.

    Parameters
    ----------
    image : ndarray of float
        Denoised stabilised values of any shape.
    noise : PoissonGaussian
        As given to `stabilise`.
    limits : (float, float)
        Values at which the noisy image was clipped; infinite: not at all.

    Returns
    -------
    ndarray of float64
        Values in units of the noisy image.

    References
    ----------
    .. [1] M. Makitalo, A. Foi. Optimal inversion of the generalized Anscombe transformation for Poisson-Gaussian
       noise. IEEE Transactions on Image Processing 22, 2013. :doi:`10.1109/TIP.2012.2202675`

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import PoissonGaussian, stabilise, unstabilise
    >>> counts = 3.0 * np.random.default_rng(0).poisson(2.0, 100_000)
    >>> camera = PoissonGaussian(gain=3.0)
    >>> round(float(unstabilise(stabilise(counts, camera).mean(), camera)), 1)
    6.0
    """
    stabilised = np.asarray(image, np.float64)
    # Half the root, squared, is the number of photons.
    highest = noise.offset + noise.gain * (max(float(stabilised.max(initial=0)), 0) / 2 + 1) ** 2
    return Stabiliser(noise, highest, limits).inverse(stabilised)


class Stabiliser:
    """Tables for one noise model: the unbiased inverse of stabilised values, its slope, and the noise they have.

    Parameters
    ----------
    noise : PoissonGaussian
        Noise model of the values; not zero.
    highest : float
        Largest true value to be expected, for noise with a gain.
    limits : (float, float)
        Values at which noisy values were clipped; infinite: not at all.
    """

    def __init__(self, noise: PoissonGaussian, highest: float, limits: Limits = NO_LIMITS) -> None:
        self.noise, self.highest = noise, highest
        bounded = [limit for limit in limits if math.isfinite(limit)]
        if noise.gain > 0:
            most = max((min(highest, limits[1]) - noise.offset) / noise.gain, 1.0)
            # Values are looked up by their root, so the table has even steps of the root.
            self._values = noise.offset + noise.gain * np.linspace(0, math.sqrt(most), GRID) ** 2
            self._means, self._variances = stabilised_moments(self._values, noise, limits)
            self._variance_means = self._means
            self._straight = (False, False)
            self._tabulate_variances()
            return
        # True values lie within the limits. Far from a limit clipping has no effect, and the inverse is linear.
        reach = REACH * noise.read
        low = limits[0] if math.isfinite(limits[0]) else min(bounded, default=0.0) - reach
        high = limits[1] if math.isfinite(limits[1]) else max(bounded, default=0.0) + reach
        self._straight = (not math.isfinite(limits[0]), not math.isfinite(limits[1]))
        self._values = np.linspace(low, high, GRID)
        self._means, _ = stabilised_moments(self._values, noise, limits)
        # Saturated areas have means beyond those of the values in the range, and hardly any noise.
        wide = np.linspace(low - reach, high + reach, 2 * GRID)
        self._variance_means, self._variances = stabilised_moments(wide, noise, limits)
        self._tabulate_variances()

    def reaching(self, highest: float, limits: Limits = NO_LIMITS) -> Stabiliser:
        """Tables that also hold a true value of `highest`; these, if they do."""
        enough = self.noise.gain == 0 or min(highest, limits[1]) <= self._values[-1]
        return self if enough else Stabiliser(self.noise, highest, limits)

    def _tabulate_variances(self) -> None:
        """Tabulate variances at even steps of the mean, where they are looked up without a search."""
        even = np.linspace(self._variance_means[0], self._variance_means[-1], STEPS)
        self._variance_table = np.maximum(np.interp(even, self._variance_means, self._variances), LEAST_VARIANCE)

    def forward(self, values: NDArray[np.floating]) -> Array:
        """Stabilise noisy values."""
        return stabilise(values, self.noise)

    def inverse(self, stabilised: NDArray[np.floating]) -> Array:
        """True values whose stabilised noise has these means."""
        values: Array = np.interp(stabilised, self._means, self._values)
        low, high = self._straight
        plain = np.asarray(stabilised, np.float64) * self.noise.read
        if low:
            values = np.where(stabilised < self._means[0], plain, values)
        if high:
            values = np.where(stabilised > self._means[-1], plain, values)
        return values

    def mean_of(self, value: float) -> float:
        """The mean of stabilised noise above which `inverse` is more than a value; infinite if it nowhere is."""
        return math.inf if value >= self._values[-1] else float(np.interp(value, self._values, self._means))

    def slope(self, stabilised: NDArray[np.floating]) -> Array:
        """Slope of `inverse` at these stabilised values; beyond the means that noisy values can have, that at the end.

        There `inverse` is constant, as no true value lies further out; the one at the end is not certain for that.
        """
        low, high, table = self._slopes
        steps = np.clip((np.asarray(stabilised, np.float64) - low) * ((STEPS - 1) / (high - low)), 0, STEPS - 1)
        before = np.minimum(steps.astype(np.intp), STEPS - 2)
        slope: Array = table[before] + (steps - before) * np.diff(table)[before]
        return slope

    @cached_property
    def _slopes(self) -> tuple[float, float, Array]:
        """Slopes at even steps of stabilised values, of which the first and the last are returned too.

        Beyond these the slope stays the same. Slopes are tabulated as they take two searches for each value.
        """
        straight_below, straight_above = self._straight
        least, most = float(self._means[0]), float(self._means[-1])
        middle = (least + most) / 2
        first = -math.inf if straight_below else min(least + SLOPE_STEP, middle)
        last = math.inf if straight_above else max(most - SLOPE_STEP, middle)
        low, high = least - 2 * SLOPE_STEP, most + 2 * SLOPE_STEP
        within = np.clip(np.linspace(low, high, STEPS), first, last)
        above, below = self.inverse(within + SLOPE_STEP), self.inverse(within - SLOPE_STEP)
        return low, high, (above - below) / (2 * SLOPE_STEP)

    def variance(self, stabilised: NDArray[np.floating]) -> Array:
        """Variance of the noise of stabilised values of these means: 1, or less where values are clipped."""
        first, last = self._variance_means[[0, -1]]
        steps = (np.asarray(stabilised) - first) * (len(self._variance_table) - 1) / (last - first)
        nearest = np.clip(steps + 0.5, 0, len(self._variance_table) - 1).astype(np.intp)
        variance: Array = self._variance_table[nearest]
        return variance


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
        # BLAS is avoided, as its last bits may depend on the number of threads.
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
