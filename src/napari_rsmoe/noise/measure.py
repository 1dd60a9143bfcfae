"""What the noise of an image is like: how strong at which brightness, at which scales, and shared by which channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .anscombe import Limits, PoissonGaussian
from .channels import Channels, Laws
from .octaves import octave_powers, peakedness, steady_power
from .photons import FAITHFUL
from .spectrum import (
    BLOCK,
    COLOURED,
    Array,
    as_noise,
    channel_correlation,
    finest,
    flat_spectrum,
    neighbour_correlation,
)
from .white import Mask, rounded, white_variance

Floats = NDArray[np.float32]

UNEVEN_COLOURED = 30.0  # as `spectrum.COLOURED`, if not all flat places have as much
GROWING = 100.0  # the same of the power at a quarter of the resolution, if it gets on growing from octave to octave
PEAKED = 2.9  # `octaves.peakedness` from which on it is texture
EMPTY = 1000.0  # mean power over power at the finest scale, from which on an image was certainly interpolated
APART = 4  # px, distance at which the noise of pixels is taken for independent if that of neighbours is not
COLOURED_GROWTH = 1.5  # as `photons.GROWTH`, where the noise of neighbours is correlated
ALIKE = 1.5  # largest over smallest variance of channels that are taken for equally noisy
TEXTURE = 0.45  # of the power that a law says, with less of which in quiet places it is dropped
HIDDEN = 20.0  # variance of flat places, in that of the noise, from which on the noise is hidden and hardly to be told
LEAST = 1e-5  # of a channel's range: less is the rounding of numbers
SILENCE = PoissonGaussian(0, 0, 0)


@dataclass(frozen=True)
class NoiseLaws:
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

    def scaled(self, factor: float, shift: float) -> NoiseLaws:
        """The noise of ``factor * image + shift``; `factor` is positive."""
        return replace(
            self,
            channels=tuple(law.scaled(factor, shift) for law in self.channels),
            limits=tuple((low * factor + shift, high * factor + shift) for low, high in self.limits),
        )


def measure_noise(pixels: Floats, used: Mask | None = None, like: NoiseLaws | None = None) -> NoiseLaws:
    """Find out what the noise of an image is like.

    Noise that clearly grows with brightness (photon noise) gets a gain; noise that is clearly weaker at the finest
    scale than at coarser ones (as after interpolation in a camera) gets a spectrum. In any other case it is white and
    even, and of one level where the channels have about the same.

    Parameters
    ----------
    pixels : ndarray of float32, shape (H, W, C)
        Finite.
    used : ndarray of bool, shape (H, W), or None
        Pixels that count; None: all.
    like : NoiseLaws, optional
        Noise of the same kinds is to be measured: which channels have photon noise, and whether there is a spectrum.
    """
    channels = Channels(pixels, used, None if like is None else like.limits)
    small = min(pixels.shape[:2]) < 4 * BLOCK
    even = _levelled([_white_law(plane, used, small) for plane in channels.planes])
    independent, certain = like is not None and like.spectrum is None, like is not None
    if small or all(law == SILENCE for law in even):
        levels = channels.levels(even, independent, certain)
        return NoiseLaws(tuple(even), channels.limits, _level_spectra(levels))
    kinds = [None if like is None else law.gain > 0 for law in (like.channels if like else even)]
    laws = channels.with_photons(even, kinds)
    levels = channels.levels(laws, independent, certain)
    scales = _Scales.of(*channels.brightness(laws, levels[0]), used)
    if laws != even and scales.finest < FAITHFUL:
        laws = _believed(laws, even, [scales.finest] * len(laws), certain)
        scales = _Scales.of(*channels.brightness(laws, levels[0]), used)
    along_y, along_x = map(rounded, neighbour_correlation(scales.spectrum))
    interpolated = scales.spectrum.mean() > EMPTY * scales.finest and not scales.alike
    if interpolated and not (like and like.white):
        own = channels.difference_spectrum()
        if own is not None:
            law = PoissonGaussian(0, 0, rounded(math.sqrt(own.mean())))
            return NoiseLaws((law,) * 3, channels.limits, np.tile(own / own.mean(), (3, 1, 1)), (along_y, along_x))
    if not scales.coloured if like is None else like.white:
        laws = _believed(laws, even, channels.quiet_powers(laws), certain)
        # Where noise is, it is everywhere. What compresses images takes it away in quiet places, but not at half the
        # resolution.
        if not FAITHFUL <= scales.steady <= COLOURED:
            laws = _believed(laws, [SILENCE] * len(laws), channels.quiet_powers(laws), certain)
        laws = [law.stronger(min(1.0, HIDDEN / scales.excess)) for law in laws]
        return NoiseLaws(tuple(laws), channels.limits, _level_spectra(levels), (along_y, along_x))
    # What was measured is the noise at the finest scale; pixels further apart hardly share theirs, but have more
    # content, so that noise has to grow at either scale, in flat places, to be taken for that of photons.
    if like is None:
        kinds = [None if law.gain > 0 and scales.alike else False for law in laws]
    laws = channels.with_photons(channels.relevelled(even), kinds, APART, COLOURED_GROWTH)
    laws = channels.relevelled(laws)
    spectra = channels.spectra(laws)
    laws = [law.stronger(float(spectra.mean())) for law in laws]
    return NoiseLaws(tuple(laws), channels.limits, spectra / spectra.mean(), (along_y, along_x))


@dataclass(frozen=True)
class _Scales:
    """Power of the brightness of an image at all scales, in units of what a law says.

    Soft content and fine texture have more power at coarse scales than at the finest one, as interpolated noise has.
    But noise is steady from octave to octave, as strong in one flat place as in another, and not peaked.
    """

    spectrum: Array
    excess: float  # variance of flat places
    scatter: float
    half: float
    quarter: float
    peakedness: float

    @classmethod
    def of(cls, brightness: Array, variance: Array, used: Mask | None) -> _Scales:
        half, quarter = octave_powers(brightness, used) / variance.mean()
        return cls(*flat_spectrum(brightness, variance, used), half, quarter, peakedness(brightness, used))

    @property
    def finest(self) -> float:
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
        return (self.alike or self.steady > UNEVEN_COLOURED * self.finest) and self.peakedness < PEAKED


def _believed(laws: Laws, others: Laws, powers: Sequence[float], certain: bool) -> list[PoissonGaussian]:
    """Laws as far as their power is heard: as they are, weaker, or (unless their kind is certain) others instead.

    Some of what was measured may have been texture, or all of it.
    """
    believed = []
    for law, other, power in zip(laws, others, powers, strict=True):
        if law in (other, SILENCE) or power >= FAITHFUL:
            believed.append(law)
        else:
            believed.append(law.stronger(power / FAITHFUL) if certain or power > TEXTURE else other)
    return believed


def _white_law(plane: Array, used: Mask | None, small: bool) -> PoissonGaussian:
    """Noise of a channel as if it were white and even; interpolation may have left none at the finest scale."""
    sigma = math.sqrt(white_variance(plane, used))
    if sigma <= LEAST * np.ptp(plane):
        noise_like = not small and as_noise(flat_spectrum(plane, np.ones_like(plane), used)[2])
        sigma = math.sqrt(steady_power(*octave_powers(plane, used))) if noise_like else 0.0
    return PoissonGaussian(0, 0, rounded(sigma))


def _levelled(laws: Laws) -> list[PoissonGaussian]:
    """One level for all channels that have noise, if theirs are about the same."""
    heard = [law.read for law in laws if law.read > 0]
    if not heard or max(heard) ** 2 > ALIKE * min(heard) ** 2:
        return list(laws)
    common = PoissonGaussian(0, 0, rounded(math.sqrt(float(np.mean(np.square(heard))))))
    return [common if law.read > 0 else law for law in laws]


def _level_spectra(levels: Array) -> Array | None:
    """Spectra of white noise; None if all planes have the same."""
    return None if (levels == 1).all() else np.tile(levels[:, None, None], (1, BLOCK, BLOCK))
