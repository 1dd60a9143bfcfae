"""What speaks for noise and what for content: the power of an image over the levels of its pyramid."""

from __future__ import annotations

from dataclasses import dataclass

from ..arrays import Array, Mask
from .pyramid import kurtosis, pyramid_powers, steady_power
from .spectrum import COLOURED, as_noise, finest, flat_spectrum

UNEVEN_COLOURED = 30.0  # as `spectrum.COLOURED`, if not all flat places have as much
GROWING = 100.0  # the same of the power at a quarter of the resolution, if it gets on growing from octave to octave
PEAKED = 2.9  # `pyramid.kurtosis` from which on it is texture


@dataclass(frozen=True)
class Scales:
    """Power of the brightness of an image at all scales, in units of what a law says.

    Soft content and fine texture have more power at coarse scales than at the finest one, as interpolated noise has.
    But noise is steady from octave to octave, as strong in one flat place as in another, and not peaked.
    """

    spectrum: Array
    excess: float  # variance of flat places
    scatter: float
    half: float
    quarter: float
    kurtosis: float

    @classmethod
    def of(cls, brightness: Array, variance: Array, used: Mask | None) -> Scales:
        """Measure the brightness of an image, whose noise has this variance."""
        half, quarter = pyramid_powers(brightness, used) / variance.mean()
        return cls(*flat_spectrum(brightness, variance, used), half, quarter, kurtosis(brightness, used))

    @property
    def finest(self) -> float:
        """Power at the finest scale."""
        return finest(self.spectrum)

    @property
    def steady(self) -> float:
        """Power at half the resolution, if it is that of noise."""
        return steady_power(self.half, self.quarter)

    @property
    def alike(self) -> bool:
        """Whether noise is correlated, and so in all flat places."""
        grows = self.quarter > GROWING * self.finest
        return as_noise(self.scatter) and self.half > COLOURED * self.finest and (self.steady > 0 or grows)

    @property
    def coloured(self) -> bool:
        """Whether noise is correlated."""
        return (self.alike or self.steady > UNEVEN_COLOURED * self.finest) and self.kurtosis < PEAKED
