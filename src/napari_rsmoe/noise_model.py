"""What the noise of an image is like, and the domain in which it is even and white enough to be worked on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve, gaussian_filter

from .colours import decorrelate, decorrelated_variance
from .noise import Mask, clip_limits, white_variance
from .photons import GROWTH, LOCAL_MEAN, photon_noise, quietest_power, stabilised_plane, variance_line
from .spectrum import BLOCK, Array, channel_correlation, flat_spectrum, neighbour_correlation, shared_levels
from .stabilising import Limits, PoissonGaussian, Stabiliser

Floats = NDArray[np.float32]

COLOURED = 3.0  # mean power over power at the finest scale, from which on noise counts as correlated
UNEVEN = 1.5  # how many times as much as noise of its spectrum the power of flat blocks may scatter
APART = 4  # px, distance at which the noise of pixels is taken for independent if that of neighbours is not
COLOURED_GROWTH = 1.5  # as `photons.GROWTH`, where the noise of neighbours is correlated
ALIKE = 1.5  # largest over smallest variance of channels that are taken for equally noisy
FAINTEST = 1 / 16  # of the strongest channel's noise, that counts as the noise of a channel that has less
# Power of photon noise at the finest scale in flat or quiet places, over what its law says: with less than FAITHFUL the
# law is made weaker, with less than TEXTURE it is dropped.
FAITHFUL, TEXTURE = 0.75, 0.45
HIDDEN = 20.0  # variance of flat places, in that of the noise, from which on the noise is hidden and hardly to be told
LEAST = 1e-5  # of a channel's range: less is the rounding of numbers


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
        return 0.0 if self.spectrum is None else _rounded(channel_correlation(self.spectrum.mean((1, 2))))

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
    planes = [plane.astype(np.float64) for plane in np.moveaxis(pixels, -1, 0)]
    limits = (
        tuple(clip_limits(plane if used is None else plane[used]) for plane in planes) if like is None else like.limits
    )
    # Rounded, as the last bits of eigenvalues may depend on the number of threads.
    sigmas = [_rounded(math.sqrt(white_variance(plane, used))) for plane in planes]
    sigmas = [sigma if sigma > LEAST * np.ptp(plane) else 0.0 for sigma, plane in zip(sigmas, planes, strict=True)]
    laws = [PoissonGaussian(0, 0, sigma) for sigma in _levelled(sigmas)]
    if min(pixels.shape[:2]) < 4 * BLOCK or not any(sigmas):
        return NoiseLaws(tuple(laws), limits, _level_spectra(_levels(planes, laws, limits, used, like)))
    kinds = [None if like is None else law.gain > 0 for law in (like.channels if like else laws)]
    even, laws = laws, _with_photons(planes, laws, limits, used, kinds)
    levels = _levels(planes, laws, limits, used, like)
    spectrum, excess, scatter = _spectrum_of(planes, laws, limits, used, levels[0])
    heard, certain = _finest(spectrum), like is not None
    if laws != even and heard < FAITHFUL:
        laws = [_believed(law, level, heard, certain) for law, level in zip(laws, even, strict=True)]
        spectrum, excess, scatter = _spectrum_of(planes, laws, limits, used, levels[0])
    finest = _finest(spectrum)
    along_y, along_x = map(_rounded, neighbour_correlation(spectrum))
    # Noise is as strong in one flat place as in another; soft content and fine texture are not.
    white = spectrum.mean() <= COLOURED * finest or scatter > UNEVEN
    if white if like is None else like.white:
        each = zip(planes, laws, even, limits, strict=True)
        laws = [
            _believed(law, level, quietest_power(plane, law, limit, used), certain) if law.gain > 0 else law
            for plane, law, level, limit in each
        ]
        laws = [law.stronger(min(1.0, HIDDEN / excess)) for law in laws]
        return NoiseLaws(tuple(laws), limits, _level_spectra(levels), (along_y, along_x))
    # What was measured is the noise at the finest scale; pixels further apart hardly share theirs, but have more
    # content, so that noise has to grow at either scale to be taken for that of photons.
    if like is None:
        kinds = [None if law.gain > 0 else False for law in laws]
    even = _relevelled(planes, even, limits, used)
    laws = _with_photons(planes, even, limits, used, kinds, APART, COLOURED_GROWTH)
    laws = _relevelled(planes, laws, limits, used)
    return NoiseLaws(tuple(laws), limits, _spectra_of(planes, laws, limits, used), (along_y, along_x))


def _believed(law: PoissonGaussian, level: PoissonGaussian, heard: float, certain: bool) -> PoissonGaussian:
    """A law of photon noise as far as its power is heard: as it is, weaker, or (unless photons are certain) even noise.

    Some of what grew with brightness may have been texture, or all of it.
    """
    if law.gain == 0 or heard >= FAITHFUL:
        return law
    return law.stronger(heard / FAITHFUL) if certain or heard > TEXTURE else level


def _with_photons(
    planes: Sequence[Array],
    even: Sequence[PoissonGaussian],
    limits: Sequence[Limits],
    used: Mask | None,
    kinds: Sequence[bool | None],
    apart: int = 1,
    growth: float = GROWTH,
) -> list[PoissonGaussian]:
    """The laws of even noise, or of photon noise in the channels that are said to have it or (None) seem to."""
    laws = []
    for plane, law, limit, photons in zip(planes, even, limits, kinds, strict=True):
        found = None
        if photons is None and law.read > 0:
            found = photon_noise(plane, used, law.read, limit, apart, growth)
        elif photons:
            found = variance_line(plane, used, limit, apart)
        numbers = (law.gain, law.offset, law.read) if found is None else (found.gain, found.offset, found.read)
        laws.append(PoissonGaussian(*map(_rounded, numbers)))
    return laws


class NoiseModel:
    """Noise of an image in the engine's range, and the domain that denoising works in.

    There, noise is as strong in every channel and at every value, as nearly as can be: each channel is stabilised, and
    one scale brings all of them to [0, 1]. Where all channels have the same even noise, it is the image's own domain.

    Parameters
    ----------
    laws : NoiseLaws
        In the engine's range.
    pixels : ndarray of float32, shape (H, W, C)
        The image in the engine's range.

    Attributes
    ----------
    sigma : float
        Root mean square of the noise over the image in the engine's range; 0 where there is none.
    variance : ndarray of float32, shape (H, W, C)
        Of the noise at each pixel, in the domain.
    levels : ndarray of float32, shape (C, 1, 1)
        Variance of decorrelated planes, in that of independent channels.
    spectrum : ndarray of float64, shape (C, BLOCK, BLOCK), or None
        Power by frequency in each decorrelated plane, mean 1; None: white.
    strength : float
        Standard deviation in the domain of white noise as strong as the strongest frequencies of brightness.
    """

    def __init__(self, laws: NoiseLaws, pixels: Floats) -> None:
        self.laws = laws
        power = np.ones((len(laws.channels), 1, 1)) if laws.spectrum is None else laws.spectrum
        levels = power.mean((1, 2), keepdims=True)
        # A plane without noise is kept nearly as it is.
        self.levels = np.maximum(levels, FAINTEST**2 * levels.max()).astype(np.float32)
        self.spectrum = None if laws.white else (power - levels + self.levels) / self.levels
        local = gaussian_filter(pixels, (LOCAL_MEAN, LOCAL_MEAN, 0)).astype(np.float64)
        strengths = np.array([law.variance(local[..., c]).mean() for c, law in enumerate(laws.channels)])
        self.sigma = math.sqrt(float(strengths.mean()))
        self._stabilisers: list[Stabiliser] = []
        self._scale, self._shift = 1.0, 0.0
        self.strength = 0.0
        self.variance: Floats = np.zeros(pixels.shape, np.float32)
        if self.sigma == 0:
            return
        # A channel without noise is given back as it is, but takes part.
        least = FAINTEST * math.sqrt(float(strengths.max()))
        for c, law in enumerate(laws.channels):
            heard = law if strengths[c] > least**2 else PoissonGaussian(0, 0, least)
            self._stabilisers.append(Stabiliser(heard, float(pixels[..., c].max()), laws.limits[c]))
        if len({(each.noise.gain, each.noise.read) for each in self._stabilisers}) == 1 and laws.channels[0].gain == 0:
            self._scale = self._stabilisers[0].noise.read
        else:
            stabilised = self._stabilised(pixels)
            self._scale = 1 / float(np.ptp(stabilised))
            self._shift = -float(stabilised.min())
        means = gaussian_filter(self._stabilised(pixels), (LOCAL_MEAN, LOCAL_MEAN, 0))
        self.variance = self._by_channel("variance", means, self._scale**2)
        # Of what is to be told from content: where noise was cut off, that is no easier; and of correlated noise, its
        # strongest frequencies are.
        strongest = 1.0 if self.spectrum is None else float(self.spectrum[0].max())
        self.strength = self._scale * math.sqrt(strongest * float(self.levels[0, 0, 0]))

    @property
    def plane_variance(self) -> Floats:
        """Variance of the noise of the decorrelated planes in the domain, (C, H, W)."""
        return self.levels * decorrelated_variance(self.variance)

    def stabilised(self, pixels: Floats) -> Floats:
        """Bring the image into the domain; float32, (H, W, C)."""
        if self.sigma == 0:
            return pixels
        return (self._scale * (self._stabilised(pixels) + self._shift)).astype(np.float32)

    def restored(self, values: Floats) -> Floats:
        """Bring denoised values of the domain, (..., C), back to the engine's range, without bias by the noise."""
        if self.sigma == 0:
            return values
        return self._by_channel("inverse", values / self._scale - self._shift, 1.0)

    def slopes(self, values: Floats) -> Floats:
        """How much the values of the engine's range change with those of the domain, (..., C)."""
        if self.sigma == 0:
            return np.ones_like(values)
        return self._by_channel("slope", values / self._scale - self._shift, 1 / self._scale)

    def averaged(self, share: Floats) -> NoiseModel:
        """The model of an image of which averaging has left a share of the variance, (H, W, 1), at each pixel."""
        model = copy(self)
        model.variance = self.variance * share
        return model

    def sample(self, planes: tuple[int, ...], rng: np.random.Generator) -> Floats:
        """Draw noise of variance 1 and these spectra, shape (C, H, W)."""
        signs = rng.choice(np.array([-1, 1], np.float32), planes)
        if self.spectrum is None:
            return signs
        kernels = np.fft.fftshift(np.fft.ifft2(np.sqrt(self.spectrum)).real, (1, 2))
        kernels /= np.sqrt(np.square(kernels).sum((1, 2), keepdims=True))
        drawn = [convolve(plane, kernel, mode="wrap") for plane, kernel in zip(signs, kernels, strict=True)]
        return np.stack(drawn).astype(np.float32)

    def _stabilised(self, pixels: Floats) -> Array:
        return np.stack([each.forward(pixels[..., c]) for c, each in enumerate(self._stabilisers)], -1)

    def _by_channel(self, method: str, values: NDArray[np.floating], factor: float) -> Floats:
        """One of the tables of every channel, times a factor."""
        channels = [getattr(each, method)(values[..., c]) for c, each in enumerate(self._stabilisers)]
        return (factor * np.stack(channels, -1)).astype(np.float32)


def _levelled(sigmas: Sequence[float]) -> list[float]:
    """One level for all channels that have noise, if theirs are about the same."""
    heard = [sigma for sigma in sigmas if sigma > 0]
    if not heard or max(heard) ** 2 > ALIKE * min(heard) ** 2:
        return list(sigmas)
    common = _rounded(math.sqrt(float(np.mean(np.square(heard)))))
    return [common if sigma > 0 else 0.0 for sigma in sigmas]


def _relevelled(
    planes: Sequence[Array], laws: Sequence[PoissonGaussian], limits: Sequence[Limits], used: Mask | None
) -> list[PoissonGaussian]:
    """The laws, each as strong as the flat blocks of its channel: interpolation may treat channels differently."""
    each = zip(planes, laws, limits, strict=True)
    return [
        law.stronger(_spectrum_of([plane], [law], [limit], used)[1]) if law.gain + law.read > 0 else law
        for plane, law, limit in each
    ]


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _spectrum_of(
    planes: Sequence[Array],
    laws: Sequence[PoissonGaussian],
    limits: Sequence[Limits],
    used: Mask | None,
    shared: float = 1.0,
) -> tuple[Array, float, float]:
    """As `flat_spectrum`, of the mean of the stabilised channels, in units of what was expected.

    `shared` is the variance of that mean, in that of independent channels.
    """
    means, variances = [], []
    for plane, law, limit in zip(planes, laws, limits, strict=True):
        if law.gain + law.read > 0:
            stabilised, variance = stabilised_plane(plane, law, limit)
            means.append(stabilised)
            variances.append(variance)
    return flat_spectrum(np.mean(means, 0), np.mean(variances, 0) * shared / len(means), used)


def _decorrelated(
    planes: Sequence[Array], laws: Sequence[PoissonGaussian], limits: Sequence[Limits]
) -> tuple[Array, Array]:
    """Decorrelated planes (3, H, W) of stabilised channels, and the variances that independent noise would have."""
    channels = [stabilised_plane(*each) for each in zip(planes, laws, limits, strict=True)]
    values, variances = (np.stack(each, -1).astype(np.float32) for each in zip(*channels, strict=True))
    return decorrelate(values).astype(np.float64), decorrelated_variance(variances).astype(np.float64)


def _levels(
    planes: Sequence[Array],
    laws: Sequence[PoissonGaussian],
    limits: Sequence[Limits],
    used: Mask | None,
    like: NoiseLaws | None,
) -> Array:
    """As `shared_levels`; 1 for all if there are not three channels with noise, or if it is said to be like that."""
    if (like is not None and like.spectrum is None) or len(planes) != 3 or not all(law.gain + law.read for law in laws):
        return np.ones(len(planes))
    counted = np.ones(planes[0].shape, bool) if used is None else used.copy()
    for plane, (low, high) in zip(planes, limits, strict=True):
        counted &= (plane > low) & (plane < high)
    return shared_levels(*_decorrelated(planes, laws, limits), counted, certain=like is not None)


def _level_spectra(levels: Array) -> Array | None:
    """Spectra of white noise; None if all planes have the same."""
    return None if (levels == 1).all() else np.tile(levels[:, None, None], (1, BLOCK, BLOCK))


def _spectra_of(
    planes: Sequence[Array], laws: Sequence[PoissonGaussian], limits: Sequence[Limits], used: Mask | None
) -> Array:
    """The spectrum of each decorrelated plane; a common one if there are not three channels with noise."""
    if len(planes) != 3 or not all(law.gain + law.read for law in laws):
        common = _spectrum_of(planes, laws, limits, used)[0]
        return np.tile(common / common.mean(), (len(planes), 1, 1))
    spectra = np.zeros((3, BLOCK, BLOCK))
    for spectrum, plane, variance in zip(spectra, *_decorrelated(planes, laws, limits), strict=True):
        if (plane if used is None else plane[used]).any():
            power, level, _ = flat_spectrum(plane, variance, used)
            spectrum[:] = power * (level / power.mean())
    return spectra


def _finest(spectrum: Array) -> float:
    """Mean power at the finest scale."""
    return float(spectrum[BLOCK // 2 - 2 : BLOCK // 2 + 3, BLOCK // 2].mean())
