"""The noise of an image as numbers: gain, offset and read noise by channel, limits of the range, and a spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, Limits

BLOCK = 16  # px, side of the blocks whose spectra are taken


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


SILENCE = PoissonGaussian(0, 0, 0)


@dataclass(frozen=True)
class NoiseModel:
    """Noise of an image (H, W, C), in the units of its values.

    Attributes
    ----------
    channels : tuple of PoissonGaussian
        For each channel; before clipping. Gain and read noise are 0 where there is no noise.
    limits : tuple of (float, float)
        For each channel the values at which it was cut off; infinite: not at all.
    spectrum : ndarray of float64, shape (C, BLOCK, BLOCK), or None
        Power of the noise, once it is even, by frequency as `numpy.fft.fft2` orders it, in each decorrelated plane
        (`colours.decorrelate`). 1 is the power of white noise that channels do not share; None: all of it is that.
    correlation : (float, float)
        Of the noise of neighbours along y and along x.
    """

    channels: tuple[PoissonGaussian, ...]
    limits: tuple[Limits, ...]
    spectrum: Array | None = None
    correlation: tuple[float, float] = (0.0, 0.0)

    @property
    def white(self) -> bool:
        """Whether neighbours have independent noise."""
        return self.spectrum is None or not np.ptp(self.spectrum, (1, 2)).any()

    @property
    def shared(self) -> float:
        """Mean correlation of the noise of two channels."""
        return 0.0 if self.spectrum is None else rounded(channel_correlation(self.spectrum.mean((1, 2))))

    def scaled(self, factor: float, shift: float) -> NoiseModel:
        """The noise of ``factor * image + shift``; `factor` is positive."""
        return replace(
            self,
            channels=tuple(law.scaled(factor, shift) for law in self.channels),
            limits=tuple((low * factor + shift, high * factor + shift) for low, high in self.limits),
        )


def channel_correlation(levels: Array) -> float:
    """Mean correlation of pairs of channels whose decorrelated planes have noise of these powers."""
    return float(levels[0] / levels.mean() - 1) / 2 if len(levels) == 3 else 0.0


def rounded(value: float) -> float:
    """To six digits, as the last bits of eigenvalues may depend on the number of threads."""
    return float(f"{value:.6g}")
