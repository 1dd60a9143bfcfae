"""The noise of an image as numbers: gain, offset and read noise by channel, limits of the range, and a spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, Limits
from ..image.opponent import Opponent

BLOCK = 16
"""Side of the blocks whose spectra are taken, px."""


@dataclass(frozen=True)
class PoissonGaussian:
    """Noise of a camera or photon counter: value = gain * photons + offset + Gaussian noise.

    The number of photons is Poisson distributed, so values of mean m have the variance
    ``gain * (m - offset) + read ** 2`` [1]_.

    Attributes
    ----------
    gain : float
        Units of the image per photon, not negative; 0: Gaussian noise, the same at all values.
    offset : float
        Value without light.
    read : float
        Standard deviation of the Gaussian noise, in units of the image, not negative.

    Raises
    ------
    ValueError
        If a number is not finite, or gain or read is negative.

    References
    ----------
    .. [1] A. Foi, M. Trimeche, V. Katkovnik, K. Egiazarian. Practical Poissonian-Gaussian noise modeling and fitting
       for single-image raw-data. IEEE Transactions on Image Processing 17, 2008. :doi:`10.1109/TIP.2008.2001399`

    Examples
    --------
    >>> from napari_rsmoe import PoissonGaussian
    >>> camera = PoissonGaussian(gain=2.0, offset=100.0, read=3.0)
    >>> camera.variance([100.0, 600.0])
    array([   9., 1009.])
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
"""The model of a channel without noise."""


@dataclass(frozen=True, repr=False)
class NoiseModel:
    """Noise model of an image (H, W, C), in the units of its values.

    Attributes
    ----------
    channels : tuple of PoissonGaussian
        The noise of each channel before clipping. Gain and read noise are 0 if the channel has no noise.
    limits : tuple of (float, float)
        For each channel the values at which it was clipped; infinite: not at all.
    spectrum : ndarray of float64, shape (C, BLOCK, BLOCK), or None
        Power of the stabilised noise by frequency, as `numpy.fft.fft2` orders it, in each decorrelated plane
        (`image.opponent`). 1 is the power of white noise that channels do not share; None: all of it is 1.
    correlation : (float, float)
        Correlation of the noise of neighbours along y and along x.
    """

    channels: tuple[PoissonGaussian, ...]
    limits: tuple[Limits, ...]
    spectrum: Array | None = None
    correlation: tuple[float, float] = (0.0, 0.0)

    def __repr__(self) -> str:
        shared = f", channels correlated by {self.shared:.3g}" if self.shared else ""
        return f"<NoiseModel: {list(self.channels)}, {'white' if self.white else 'correlated'}{shared}>"

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
            channels=tuple(model.scaled(factor, shift) for model in self.channels),
            limits=tuple((low * factor + shift, high * factor + shift) for low, high in self.limits),
        )

    def stronger(self, factor: float) -> NoiseModel:
        """Noise of `factor` times the variance at every value."""
        return replace(self, channels=tuple(model.stronger(factor) for model in self.channels))


def flat_spectra(levels: Array) -> Array | None:
    """Spectra of white noise of these variances; None if all planes have the same."""
    return None if (levels == 1).all() else np.tile(levels[:, None, None], (1, BLOCK, BLOCK))


def channel_correlation(levels: Array) -> float:
    """Mean correlation of the noise of two channels, from its variances in the decorrelated planes."""
    return float(levels[0] / levels.mean() - 1) / 2 if not Opponent.of(len(levels)).identity else 0.0


def rounded(value: float) -> float:
    """Round to six digits, as the last bits of eigenvalues may depend on the number of threads."""
    return float(f"{value:.6g}")
