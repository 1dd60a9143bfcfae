"""What the noise of an image is like: how strong at which brightness, at which scales, and shared by which channels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..arrays import Array, Floats, Mask
from .channels import Channels, Laws
from .evidence import Scales
from .noise_model import BLOCK, SILENCE, NoiseModel, PoissonGaussian, rounded
from .pyramid import pyramid_powers, steady_power
from .quiet import FAITHFUL
from .spectrum import COLOURED, as_noise, flat_spectrum, neighbour_correlation
from .white import white_variance

EMPTY = 1000.0  # mean power over power at the finest scale, from which on an image was certainly interpolated
APART = 4  # px, distance at which the noise of pixels is taken for independent if that of neighbours is not
COLOURED_GROWTH = 1.5  # as `photons.GROWTH`, where the noise of neighbours is correlated
ALIKE = 1.5  # largest over smallest variance of channels that are taken for equally noisy
TEXTURE = 0.45  # of the power that a law says, with less of which in quiet places it is dropped
HIDDEN = 20.0  # variance of flat places, in that of the noise, from which on the noise is hidden and hardly to be told
LEAST = 1e-5  # of a channel's range: less is the rounding of numbers


def measure_noise(pixels: Floats, used: Mask | None = None, like: NoiseModel | None = None) -> NoiseModel:
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
    like : NoiseModel, optional
        Noise of the same kinds is to be measured: which channels have photon noise, and whether there is a spectrum.
    """
    channels = Channels(pixels, used, None if like is None else like.limits)
    small = min(pixels.shape[:2]) < 4 * BLOCK
    even = _levelled([_white_law(plane, used, small) for plane in channels.planes])
    independent, certain = like is not None and like.spectrum is None, like is not None
    if small or all(law == SILENCE for law in even):
        levels = channels.levels(even, independent, certain)
        return NoiseModel(tuple(even), channels.limits, _level_spectra(levels))
    kinds = [None if like is None else law.gain > 0 for law in (like.channels if like else even)]
    laws = channels.with_photons(even, kinds)
    levels = channels.levels(laws, independent, certain)
    scales = Scales.of(*channels.brightness(laws, levels[0]), used)
    if laws != even and scales.finest < FAITHFUL:
        laws = _believed(laws, even, [scales.finest] * len(laws), certain)
        scales = Scales.of(*channels.brightness(laws, levels[0]), used)
    along_y, along_x = map(rounded, neighbour_correlation(scales.spectrum))
    interpolated = scales.spectrum.mean() > EMPTY * scales.finest and not scales.alike
    if interpolated and not (like and like.white):
        own = channels.difference_spectrum()
        if own is not None:
            law = PoissonGaussian(0, 0, rounded(math.sqrt(own.mean())))
            return NoiseModel((law,) * 3, channels.limits, np.tile(own / own.mean(), (3, 1, 1)), (along_y, along_x))
    if not scales.coloured if like is None else like.white:
        laws = _believed(laws, even, channels.quiet_powers(laws), certain)
        # Where noise is, it is everywhere. What compresses images takes it away in quiet places, but not at half the
        # resolution.
        if not FAITHFUL <= scales.steady <= COLOURED:
            laws = _believed(laws, [SILENCE] * len(laws), channels.quiet_powers(laws), certain)
        laws = [law.stronger(min(1.0, HIDDEN / scales.excess)) for law in laws]
        return NoiseModel(tuple(laws), channels.limits, _level_spectra(levels), (along_y, along_x))
    # What was measured is the noise at the finest scale; pixels further apart hardly share theirs, but have more
    # content, so that noise has to grow at either scale, in flat places, to be taken for that of photons.
    if like is None:
        kinds = [None if law.gain > 0 and scales.alike else False for law in laws]
    laws = channels.with_photons(channels.relevelled(even), kinds, APART, COLOURED_GROWTH)
    laws = channels.relevelled(laws)
    spectra = channels.spectra(laws)
    laws = [law.stronger(float(spectra.mean())) for law in laws]
    return NoiseModel(tuple(laws), channels.limits, spectra / spectra.mean(), (along_y, along_x))


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
        sigma = math.sqrt(steady_power(*pyramid_powers(plane, used))) if noise_like else 0.0
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
