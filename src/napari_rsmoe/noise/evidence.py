"""Evidence for correlated noise against content: how the power of an image behaves over the levels of its pyramid."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..arrays import Array, Mask
from .noise_model import PoissonGaussian, rounded
from .pyramid import kurtosis, pyramid_powers, steady_power
from .quiet import FAITHFUL, quiet_variance
from .spectrum import COLOURED, as_noise, finest, flat_spectrum

Normal = tuple[float, float]
"""Mean and standard deviation of a normal distribution."""


@dataclass(frozen=True)
class Statistic:
    """How one statistic of an image is distributed where noise, and where content, makes its coarse scales.

    Attributes
    ----------
    noise, content : (float, float)
        Mean and standard deviation, measured on the images that docs/trials names.
    """

    noise: Normal
    content: Normal

    def log_ratio(self, value: float) -> float:
        """Logarithm of the likelihood of a value under noise, over its likelihood under content."""
        (mean, width), (other_mean, other_width) = self.noise, self.content
        nearer = ((value - other_mean) / other_width) ** 2 - ((value - mean) / width) ** 2
        return nearer / 2 + math.log(other_width / width)

    def probability(self, value: float) -> float:
        """Probability of noise rather than content, given a value, if both are as likely before."""
        return (1 + math.tanh(self.log_ratio(value) / 2)) / 2


GROWTH = Statistic(noise=(0.5, 0.6), content=(1.8, 0.8))
"""Logarithm of the power at a quarter of the resolution over that at half. Content has more power at coarse scales."""
SCATTER = Statistic(noise=(0.3, 0.5), content=(1.4, 0.5))
"""Logarithm of the scatter of the variances of flat blocks, over that of noise. Noise is as strong everywhere."""
KURTOSIS = Statistic(noise=(2.64, 0.09), content=(2.5, 0.2))
"""Kurtosis of the finest details at half the resolution, over their local power. It hardly varies between noises."""
QUIET = Statistic(noise=(0.0, 0.35), content=(-1.6, 0.35))
"""Logarithm of the power in the quietest places over the power that a noise model predicts there. Noise is everywhere;
texture that was mistaken for noise leaves out some places."""
LEAST_POWER = 1e-6
"""Relative power in the quietest places below which a smaller power tells nothing more."""
NEGLIGIBLE = 0.01
"""Probability of a noise model below which the simpler one is taken as it is."""
PRIOR = 1.3
"""Log odds for correlated noise before anything is measured. To overlook noise costs more than to filter content
whose power is that low."""
INTERPOLATED = 30.0
"""Power at half the resolution over power at the finest scale that interpolation leaves at least. Below, and above
COLOURED, flat blocks must scatter like noise for their noise to be correlated."""
ALONE = 2.0
"""Variance of quiet blocks, relative to the predicted noise, up to which they hold noise and hardly anything else.
Above, it may be the finest part of content that covers the whole image; up to it, noise is seen beside the content,
also in small images, of which no block has flat surroundings."""


@dataclass(frozen=True)
class Scales:
    """Power of the brightness of an image at all scales, relative to what a noise model predicts.

    Attributes
    ----------
    spectrum : ndarray of float64, shape (BLOCK, BLOCK)
        Power of flat blocks by frequency.
    excess : float
        Variance of flat blocks; at most ALONE if quiet blocks hold no more.
    scatter : float
        Scatter of the variances of flat blocks, relative to that of noise of their spectrum.
    half, quarter : float
        Power at half and at a quarter of the resolution.
    kurtosis : float
        As `pyramid.kurtosis`.
    """

    spectrum: Array
    excess: float
    scatter: float
    half: float
    quarter: float
    kurtosis: float

    @classmethod
    def of(cls, brightness: Array, variance: Array, used: Mask | None) -> Scales:
        """Measure the brightness of an image whose noise has this variance."""
        half, quarter = pyramid_powers(brightness, used) / variance.mean()
        spectrum, excess, scatter = flat_spectrum(brightness, variance, used)
        if quiet_variance(brightness, variance, used) <= ALONE:
            excess = min(excess, ALONE)
        return cls(spectrum, excess, scatter, half, quarter, kurtosis(brightness, used))

    @property
    def finest(self) -> float:
        """Power at the finest scale."""
        return finest(self.spectrum)

    @property
    def steady(self) -> float:
        """Power at half the resolution, if it is that of noise; else 0."""
        return steady_power(self.half, self.quarter)

    @property
    def log_odds(self) -> float:
        """Log odds of correlated noise against content, from all statistics."""
        if min(self.half, self.quarter) <= 0 or not 0 < self.scatter < math.inf or not math.isfinite(self.kurtosis):
            return -math.inf
        growth = GROWTH.log_ratio(math.log(self.quarter / self.half))
        return PRIOR + growth + SCATTER.log_ratio(math.log(self.scatter)) + KURTOSIS.log_ratio(self.kurtosis)

    @property
    def correlated(self) -> bool:
        """Whether neighbours share their noise: there is much less at the finest scale, and it is noise."""
        least = COLOURED if as_noise(self.scatter) else INTERPOLATED
        return self.half > least * self.finest and self.log_odds > 0

    @property
    def clear(self) -> bool:
        """Whether neighbours share their noise, and flat blocks hold nothing but noise."""
        return self.correlated and as_noise(self.scatter)


def posterior_mean(
    model: PoissonGaussian, other: PoissonGaussian, power: float, *, certain: bool = False
) -> PoissonGaussian:
    """The mean of a noise model and a simpler one, weighted by the evidence for each.

    Parameters
    ----------
    model : PoissonGaussian
        The noise model in question.
    other : PoissonGaussian
        What holds if `model` was measured on texture: a simpler model, or none (zero gain and read noise).
    power : float
        Power in the quietest places, relative to what `model` predicts. Above FAITHFUL, `model` is returned.
    certain : bool
        Whether the kind of the noise is known, so that it only may be weaker.
    """
    if power >= FAITHFUL or model == other:
        return model
    share = 1.0 if certain else QUIET.probability(math.log(max(power, LEAST_POWER)))
    if share < NEGLIGIBLE:
        return other
    weaker = model.stronger(power / FAITHFUL)
    read = math.sqrt(share * weaker.read**2 + (1 - share) * other.read**2)
    return PoissonGaussian(rounded(share * weaker.gain), weaker.offset, rounded(read))
