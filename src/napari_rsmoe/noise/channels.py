"""The channels of a noisy image, seen through noise models of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, Limits, Mask
from ..image.opponent import decorrelate, decorrelated_variance
from .clipping import clip_limits
from .noise_model import BLOCK, PoissonGaussian, channel_correlation, rounded
from .photons import GROWTH, photon_noise, variance_line
from .pyramid import pyramid_powers, steady_power
from .quiet import FEWEST_BLOCKS, block_means, finest_power, quiet_power, quietest_power, stabilised_plane
from .spectrum import COLOURED, CONSTANT, as_noise, finest, flat_spectrum

QUIETEST, QUIET = 0.01, 0.1  # shares of the small blocks in which the planes of an image are compared
SHARED = 0.45  # mean correlation of channels in the quietest, from which on they are taken to share noise, unless
EVEN = 1.2  # brightness has more than so many times as much power in the quiet ones
Models = Sequence[PoissonGaussian]
UNEVEN_SHARE = 0.7  # of the power of places that are not alike, that is taken to be noise


class Channels:
    """What can be told of the noise of channels if models of it are given.

    Parameters
    ----------
    pixels, used
        As of `measure_noise`.
    limits : tuple of (float, float), or None
        For each channel the values at which it was cut off; None: as it seems.
    """

    def __init__(self, pixels: NDArray[np.float32], used: Mask | None, limits: tuple[Limits, ...] | None) -> None:
        self.planes = [plane.astype(np.float64) for plane in np.moveaxis(pixels, -1, 0)]
        self.used = used
        counted = (plane if used is None else plane[used] for plane in self.planes)
        self.limits = tuple(map(clip_limits, counted)) if limits is None else limits
        self._stabilised: dict[tuple[int, PoissonGaussian], tuple[Array, Array]] = {}

    def with_photons(
        self, even: Models, kinds: Sequence[bool | None], apart: int = 1, growth: float = GROWTH
    ) -> list[PoissonGaussian]:
        """The models of even noise, or of photon noise in the channels that are said to have it or (None) seem to."""
        models = []
        for plane, model, limit, photons in zip(self.planes, even, self.limits, kinds, strict=True):
            found = None
            if photons is None and model.read > 0:
                found = photon_noise(plane, self.used, model.read, limit, apart, growth)
            elif photons:
                found = variance_line(plane, self.used, limit, apart)
            found = found or model
            models.append(PoissonGaussian(*map(rounded, (found.gain, found.offset, found.read))))
        return models

    def quiet_powers(self, models: Models) -> list[float]:
        """As `quietest_power`, of each channel; 1 where there is no noise."""
        return [self._quiet_power(c, model) if _noisy(model) else 1.0 for c, model in enumerate(models)]

    def brightness(self, models: Models, level: float = 1.0) -> tuple[Array, Array]:
        """Mean of the stabilised channels that have noise, and its variance, `level` times that of independent ones."""
        noisy = [self._stable(c, model) for c, model in enumerate(models) if _noisy(model)]
        means, variances = zip(*noisy, strict=True)
        return np.mean(means, 0), np.mean(variances, 0) * level / len(means)

    def difference_spectrum(self) -> Array | None:
        """Power of the noise of a channel by the difference of red and blue, in which there is little content.

        In squared units of the channels, as if these were alike and independent. None if there are not three channels,
        or if neighbours do not share the noise of the difference, as far as can be told.
        """
        difference = self.planes[0] - self.planes[-1]
        if len(self.planes) != 3 or not difference.any():
            return None
        spectrum, _, scatter = flat_spectrum(difference, np.ones_like(difference), self.used)
        shared = as_noise(scatter) and spectrum.mean() > COLOURED * finest(spectrum)
        return spectrum / 2 if shared else None

    def levels(self, models: Models, independent: bool, certain: bool) -> Array:
        """As `shared_levels`; 1 for all if there are not three channels with noise, or if they are independent."""
        if independent or not self._colour(models):
            return np.ones(len(self.planes))
        counted = np.ones(self.planes[0].shape, bool) if self.used is None else self.used.copy()
        for plane, (low, high) in zip(self.planes, self.limits, strict=True):
            counted &= (plane > low) & (plane < high)
        return shared_levels(*self._decorrelated(models), counted, certain)

    def spectra(self, models: Models) -> Array:
        """The spectrum of each decorrelated plane; a common one if there are not three channels with noise.

        Planes in which noise cannot be told from content have at most that of the others.
        """
        if not self._colour(models):
            common, _ = self._spectrum(*self.brightness(models))
            return np.tile(common / common.mean(), (len(self.planes), 1, 1))
        told = [self._spectrum(*each) for each in zip(*self._decorrelated(models), strict=True)]
        sure = [spectrum for spectrum, certain in told if certain]
        most = np.mean(sure, 0) if sure else np.inf
        return np.stack([spectrum if certain else np.minimum(spectrum, most) for spectrum, certain in told])

    def relevelled(self, models: Models) -> list[PoissonGaussian]:
        """The models, each as strong as its channel is at all scales: interpolation may treat channels differently."""
        powers, certain = [], True
        for c, model in enumerate(models):
            power = 1.0
            if _noisy(model):
                spectrum, told = self._spectrum(*self._stable(c, model))
                power, certain = float(spectrum.mean()), certain and told
            powers.append(power)
        if self._colour(models) and not certain:
            # Content only adds power, so what was measured of a channel bounds its noise from above.
            common = float(self.spectra(models).mean())
            powers = [min(power, common) for power in powers]
        return [model.stronger(power) for model, power in zip(models, powers, strict=True)]

    def _spectrum(self, plane: Array, variance: Array) -> tuple[Array, bool]:
        """Power of the noise of a stabilised plane, in units of its variance, and whether it is told from content."""
        if not (plane if self.used is None else plane[self.used]).any():
            return np.zeros((BLOCK, BLOCK)), True
        spectrum, _, scatter = flat_spectrum(plane, variance, self.used)
        if as_noise(scatter):
            return spectrum, True
        # Flat places have content too then, most of all at low frequencies.
        steady = steady_power(*pyramid_powers(plane, self.used) / variance.mean())
        return UNEVEN_SHARE * (np.minimum(spectrum, steady) if steady else spectrum), steady > 0

    def _stable(self, channel: int, model: PoissonGaussian) -> tuple[Array, Array]:
        """A channel stabilised by a noise model, and the variance that its noise then has; kept for the next caller."""
        if (channel, model) not in self._stabilised:
            self._stabilised[channel, model] = stabilised_plane(self.planes[channel], model, self.limits[channel])
        return self._stabilised[channel, model]

    def _quiet_power(self, channel: int, model: PoissonGaussian) -> float:
        plane, limits = self.planes[channel], self.limits[channel]
        return quietest_power(plane, model, limits, self.used, self._stable(channel, model))

    def _colour(self, models: Models) -> bool:
        return len(models) == 3 and all(map(_noisy, models))

    def _decorrelated(self, models: Models) -> tuple[Array, Array]:
        """Decorrelated planes (3, H, W) of stabilised channels, and the variances that independent noise would have."""
        channels = [self._stable(c, model) for c, model in enumerate(models)]
        values, variances = (np.stack(each, -1).astype(np.float32) for each in zip(*channels, strict=True))
        return decorrelate(values).astype(np.float64), decorrelated_variance(variances).astype(np.float64)


def _noisy(model: PoissonGaussian) -> bool:
    return model.gain + model.read > 0


def shared_levels(planes: Array, variance: Array, used: Mask, certain: bool = False) -> Array:
    """Power of the white noise of decorrelated planes, in units of that of independent channels: 1 if they are that.

    Content is alike in all channels, and adds to brightness. So it is told in the quietest places, at the finest scale.
    Channels share noise only if they clearly do and it is as strong in one place as in another, or if they are equal.

    Parameters
    ----------
    planes, variance : ndarray of float64, shape (3, H, W)
        Brightness and two colour differences of the stabilised channels, and the variances they would have.
    used : ndarray of bool, shape (H, W)
        Pixels that count.
    certain : bool
        Channels are known to share noise.

    Returns
    -------
    ndarray of float64, shape (3,)
        Mean 1; less where quiet places have less noise than they were said to have.
    """
    if used.any() and not planes[1:, used].any():
        return np.array([3.0, 0, 0])
    power = np.stack([finest_power(plane, each) for plane, each in zip(planes, variance, strict=True)])
    power = power[:, (block_means(used) == 1) & (power.sum(0) > CONSTANT)]
    if power.shape[1] < FEWEST_BLOCKS:
        return np.ones(3)
    levels, quiet = (np.array([quiet_power(each, share) for each in power]) for share in (QUIETEST, QUIET))
    if certain or (channel_correlation(levels) >= SHARED and quiet[0] <= EVEN * levels[0]):
        return levels / max(levels.mean(), 1)
    return np.ones(3)
