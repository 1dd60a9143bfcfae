"""The channels of an image, and what each noise model of them predicts and finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, Floats, Limits, Mask
from ..image.bands import by_bands
from ..image.opponent import Opponent
from ..progress import pause
from .clipping import clip_limits
from .counts import count_noise
from .noise_model import BLOCK, PoissonGaussian, channel_correlation, rounded
from .photons import GROWTH, photon_noise, variance_line
from .pyramid import pyramid_powers, steady_power
from .quiet import FEWEST_BLOCKS, block_means, finest_power, quiet_power, quietest_power, stabilised_plane
from .spectrum import COLOURED, CONSTANT, as_noise, finest, flat_spectrum

Models = Sequence[PoissonGaussian]
"""A noise model for each channel."""
QUIETEST, QUIET = 0.01, 0.1
"""Quantiles of the block powers at which the decorrelated planes are compared."""
SHARED = 0.45
"""Mean correlation of two channels in the quietest blocks from which they may share their noise."""
EVEN = 1.15
"""Power of brightness in quiet blocks over that in the quietest, up to which it is noise. Noise has 0.8 to 1.12 in
images of 72 px and more; content, and noise that was compressed, vary more (photographs as JPEG 1.18 to 1.7)."""
UNEVEN_SHARE = 0.7
"""Fraction of the power of flat blocks that counts as noise, where that power varies more from block to block than
noise does."""
EQUAL = np.array([3.0, 0.0, 0.0])
"""Variance of the noise of the decorrelated planes of three equal channels, relative to that of independent ones."""


@dataclass(frozen=True)
class PlaneSpectrum:
    """Power of the flat blocks of a plane, which hold noise, and perhaps content.

    Attributes
    ----------
    power : ndarray of float64, shape (BLOCK, BLOCK)
        By frequency, in units of the variance of the noise; at most the power at half the resolution if it is `sure`.
    alone : bool
        Whether the blocks hold nothing but noise.
    sure : bool
        Whether the plane has noise that can be distinguished from content.
    """

    power: Array
    alone: bool
    sure: bool

    @property
    def noise(self) -> Array:
        """Power of the noise, if nothing else bounds it."""
        return self.power if self.alone else UNEVEN_SHARE * self.power

    def bounded(self, bound: Array) -> Array:
        """Power of the noise, if it is at most `bound` where the blocks hold content."""
        return self.power if self.alone else np.minimum(self.noise, bound)


class Channels:
    """The channels of an image, for measuring what given noise models predict of them.

    Parameters
    ----------
    pixels : ndarray of float32, shape (H, W, C)
        The image; finite.
    used : ndarray of bool, shape (H, W), or None
        Pixels that count; None: all.
    limits : tuple of (float, float), or None
        For each channel the values at which it was clipped; None: measure them.

    Attributes
    ----------
    planes : list of ndarray of float64, shape (H, W)
        The channels.
    """

    def __init__(self, pixels: NDArray[np.float32], used: Mask | None, limits: tuple[Limits, ...] | None) -> None:
        self.planes = [by_bands(np.asarray, plane) for plane in np.moveaxis(pixels, -1, 0)]
        self.used = None if used is None or used.all() else used
        self.opponent = Opponent.of(len(self.planes))
        self.limits = tuple(clip_limits(plane, used) for plane in self.planes) if limits is None else limits
        self._stabilised: dict[int, tuple[PoissonGaussian, tuple[Array, Array]]] = {}

    def with_photons(
        self, even: Models, kinds: Sequence[bool | None], apart: int = 1, growth: float = GROWTH
    ) -> list[PoissonGaussian]:
        """Replace models of even noise by models of photon noise where the noise grows with brightness.

        Parameters
        ----------
        even : sequence of PoissonGaussian
            The model of even noise of each channel.
        kinds : sequence of bool or None
            Whether each channel has photon noise; None: measure it.
        apart : int
            Distance of the pixels that are compared, px: more than 1 where neighbours share their noise.
        growth : float
            Variance at the brightest over that at the darkest level from which noise grows.
        """
        models = []
        for plane, model, limit, photons in zip(self.planes, even, self.limits, kinds, strict=True):
            pause()
            found = None
            if photons is None and model.read > 0:
                found = photon_noise(plane, self.used, model.read, limit, apart, growth)
            elif photons:
                found = variance_line(plane, self.used, limit, apart)
            if photons is not False and apart == 1:
                found = found or count_noise(plane, self.used, model.read)
            found = found or model
            models.append(PoissonGaussian(*map(rounded, (found.gain, found.offset, found.read))))
        return models

    def quiet_powers(self, models: Models) -> list[float]:
        """`quietest_power` of each channel; 1 where the model has no noise."""
        return [self._quiet_power(c, model) if _noisy(model) else 1.0 for c, model in enumerate(models)]

    def brightness(self, models: Models, level: float = 1.0) -> tuple[Array, Array]:
        """Mean of the stabilised channels with noise, and its variance: `level` times that of independent channels."""
        noisy = [self._stable(c, model) for c, model in enumerate(models) if _noisy(model)]
        means, variances = zip(*noisy, strict=True)
        count = len(noisy)
        return by_bands(_mean, *means), by_bands(lambda *parts: _mean(*parts) * level / count, *variances)

    def difference_spectrum(self) -> Array | None:
        """Measure correlated noise in the difference of red and blue, in which there is little content.

        Returns
        -------
        ndarray of float64, shape (BLOCK, BLOCK), or None
            Power of the noise of one channel in squared units, if channels have equal and independent noise. None if
            there are not three channels, or if the difference does not show correlated noise.
        """
        difference = self.planes[0] - self.planes[-1]
        if self.opponent.identity or not difference.any():
            return None
        spectrum, _, scatter = flat_spectrum(difference, np.ones_like(difference), self.used)
        shared = as_noise(scatter) and spectrum.mean() > COLOURED * finest(spectrum)
        return spectrum / 2 if shared else None

    def levels(self, models: Models, independent: bool, certain: bool) -> Array:
        """`shared_levels` of the channels; 1 for all if there are not three with noise, or if they are independent."""
        if independent or not self._colour(models):
            return np.ones(len(self.planes))
        return shared_levels(*self._decorrelated(models), self._unclipped(), certain)

    def spectra(self, models: Models) -> Array:
        """Spectrum of the noise of each decorrelated plane, shape (C, BLOCK, BLOCK).

        It is common to all planes if there are not three channels with noise. A plane that has content in its flat
        blocks has at most the spectrum of the planes without, if channels have independent noise; and if its noise
        cannot be distinguished from content, at most the spectrum of the others in any case.
        """
        if not self._colour(models):
            common = self._spectrum(*self.brightness(models)).noise
            return np.tile(common / common.mean(), (len(self.planes), 1, 1))
        measured, bound = self._decorrelated_spectra(models)
        if bound is not None:
            return np.stack([each.bounded(bound) for each in measured])
        sure = [each.noise for each in measured if each.sure]
        most = np.mean(sure, 0) if sure else np.inf
        return np.stack([each.noise if each.sure else np.minimum(each.noise, most) for each in measured])

    def relevelled(self, models: Models) -> list[PoissonGaussian]:
        """Scale each model to the power of its channel over all scales; interpolation may treat channels unequally."""
        noisy = [c for c, model in enumerate(models) if _noisy(model)]
        measured = {c: self._spectrum(*self._stable(c, models[c])) for c in noisy}
        powers = {c: float(each.noise.mean()) for c, each in measured.items()}
        if self._colour(models) and not all(each.alone for each in measured.values()):
            bound = self._decorrelated_spectra(models)[1]
            if bound is not None:
                powers = {c: float(each.bounded(bound).mean()) for c, each in measured.items()}
            if not all(each.sure for each in measured.values()):
                # Content only adds power, so what was measured of a channel bounds its noise from above.
                common = float(self.spectra(models).mean())
                powers = {c: min(power, common) for c, power in powers.items()}
        return [model.stronger(powers.get(c, 1.0)) for c, model in enumerate(models)]

    def _decorrelated_spectra(self, models: Models) -> tuple[list[PlaneSpectrum], Array | None]:
        """Spectra of the decorrelated planes, and the power that none of them can exceed.

        Noise that channels do not share is equally strong in all planes, while content differs. So what planes
        without content hold bounds the noise of all. There is no bound if channels may share their noise, which
        brightness then has more of, or if all planes have content.
        """
        planes, variances = self._decorrelated(models)
        measured = [self._spectrum(*each) for each in zip(planes, variances, strict=True)]
        alone = [each.power for each in measured if each.alone]
        if not alone or channel_correlation(shared_levels(planes, variances, self._unclipped(), True)) >= SHARED:
            return measured, None
        return measured, np.asarray(np.mean(alone, 0))

    def _unclipped(self) -> Mask:
        """Pixels that count and are not clipped in any channel."""
        counted = np.ones(self.planes[0].shape, bool) if self.used is None else self.used.copy()
        for plane, (low, high) in zip(self.planes, self.limits, strict=True):
            counted &= (plane > low) & (plane < high)
        return counted

    def _spectrum(self, plane: Array, variance: Array) -> PlaneSpectrum:
        """Spectrum of the flat blocks of a stabilised plane, in units of the variance of its noise."""
        if not (plane if self.used is None else plane[self.used]).any():
            return PlaneSpectrum(np.zeros((BLOCK, BLOCK)), alone=True, sure=True)
        power, _, scatter = flat_spectrum(plane, variance, self.used)
        if as_noise(scatter):
            return PlaneSpectrum(power, alone=True, sure=True)
        # Flat blocks hold content as well, most of all at low frequencies.
        steady = steady_power(*pyramid_powers(plane, self.used) / variance.mean())
        return PlaneSpectrum(np.minimum(power, steady) if steady else power, alone=False, sure=steady > 0)

    def _stable(self, channel: int, model: PoissonGaussian) -> tuple[Array, Array]:
        """A channel stabilised by a noise model, and the variance that its noise then has; the last one is kept."""
        if channel not in self._stabilised or self._stabilised[channel][0] != model:
            self._stabilised.pop(channel, None)  # Its memory serves for what takes its place.
            self._stabilised[channel] = model, stabilised_plane(self.planes[channel], model, self.limits[channel])
        return self._stabilised[channel][1]

    def _quiet_power(self, channel: int, model: PoissonGaussian) -> float:
        plane, limits = self.planes[channel], self.limits[channel]
        return quietest_power(plane, model, limits, self.used, self._stable(channel, model))

    def _colour(self, models: Models) -> bool:
        """Whether there are three channels, all with noise."""
        return not self.opponent.identity and all(map(_noisy, models))

    def _decorrelated(self, models: Models) -> tuple[Array, Array]:
        """Decorrelated planes (3, H, W) of stabilised channels, and the variances that independent noise would have."""
        values, variances = zip(*(self._stable(c, model) for c, model in enumerate(models)), strict=True)
        planes = self.opponent.planes(np.stack(values, -1, dtype=np.float32, casting="same_kind")).astype(np.float64)
        variance = self.opponent.plane_variance(np.stack(variances, -1, dtype=np.float32, casting="same_kind"))
        return planes, variance.astype(np.float64)


def _mean(*planes: Array) -> Array:
    """The mean of planes."""
    mean: Array = np.mean(planes, 0)
    return mean


def _noisy(model: PoissonGaussian) -> bool:
    """Whether a model has any noise."""
    return model.gain + model.read > 0


def equal_levels(pixels: Floats) -> Array:
    """`EQUAL` if the image (H, W, C) is grey, stored as three channels; else 1 for each channel.

    What is known of the noise of a channel says nothing of its correlation with others, unless they are the same.
    """
    grey = pixels.shape[2] == len(EQUAL) and (pixels == pixels[..., :1]).all()
    return EQUAL if grey else np.ones(pixels.shape[2])


def shared_levels(planes: Array, variance: Array, used: Mask, certain: bool = False) -> Array:
    """Variance of white noise in each decorrelated plane, relative to that of independent channels.

    Content is similar in all channels and adds to brightness. So the planes are compared in the quietest places, at the
    finest scale. Channels share noise only if they clearly do and if it is equally strong everywhere, or if they are
    equal; else they are independent.

    Parameters
    ----------
    planes, variance : ndarray of float64, shape (3, H, W)
        Brightness and two colour differences of the stabilised channels, and their variances if channels are
        independent.
    used : ndarray of bool, shape (H, W)
        Pixels that count.
    certain : bool
        Whether channels are known to share noise.

    Returns
    -------
    ndarray of float64, shape (3,)
        1 for independent channels. The mean is 1, or less if quiet places have less noise than predicted.
    """
    if used.any() and not planes[1:, used].any():
        return EQUAL
    power = np.stack([finest_power(plane, each) for plane, each in zip(planes, variance, strict=True)])
    power = power[:, (block_means(used) == 1) & (power.sum(0) > CONSTANT)]
    if power.shape[1] < FEWEST_BLOCKS:
        return np.ones(3)
    levels, quiet = (np.array([quiet_power(each, share) for each in power]) for share in (QUIETEST, QUIET))
    if certain or (channel_correlation(levels) >= SHARED and quiet[0] <= EVEN * levels[0]):
        return levels / max(levels.mean(), 1)
    return np.ones(3)
