"""Measure the noise model of an image: candidates compared by what content, which only adds power, cannot explain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .. import engine
from ..arrays import Array, Floats, Mask
from ..image.bands import by_bands
from ..image.format import ImageFormat
from ..image.inputs import Inputs
from ..image.masks import fill_mirrored
from ..image.quantiles import quantiles
from ..image.value_range import beyond_range, compressed, expanded
from .channels import Channels, Models
from .clipping import two_valued
from .counts import count_noise, single_photons
from .evidence import Scales, posterior_mean
from .noise_model import BLOCK, SILENCE, NoiseModel, PoissonGaussian, flat_spectra, rounded
from .quiet import FAITHFUL
from .spectrum import COLOURED, neighbour_correlation
from .white import white_variance

SECONDS = 0.27
"""Processor seconds in which the noise of a million pixels of a channel is measured, on an AMD EPYC (Zen 4)."""
LEAST_SIDE = 4 * BLOCK
"""Side in px below which an image has too few blocks for a spectrum; its noise is then assumed to be white and even."""
EMPTY = 1000.0
"""Mean power over power at the finest scale from which an image was certainly interpolated."""
APART = 4
"""Distance in px at which the noise of pixels is independent although that of neighbours is not."""
CORRELATED_GROWTH = 1.5
"""As `photons.GROWTH`, for correlated noise, whose growth is measured among fewer independent pixels."""
SAME_LEVEL = 1.5
"""Largest over smallest variance of the even noise of channels. Up to it they are those of one camera, and all are
given the mean variance, which scatters less; above it each channel keeps its own."""
HIDDEN = 20.0
"""Variance of flat blocks, relative to that of the noise, above which content hides the noise. The variance of the
noise is then reduced in proportion, for most of what was measured is content."""
ROUNDING = 1e-5
"""Standard deviation of noise, relative to the range of most pixels, below which it is rounding of numbers."""
PRECISION = 1e-7
"""The same, relative to the range of all pixels: less is lost in single precision."""
MOST_PIXELS = (0.01, 0.99)
"""Quantiles between which most pixels lie. A few hot pixels, stars or gaps beyond them do not set the scale."""

FAR_BEYOND = 0.5
"""Distance beyond the range of most pixels, in its width, from which a pixel says nothing about the noise of most."""


def measured_pixels(inputs: Inputs) -> tuple[Floats, Mask]:
    """Pixels (H, W, C) of an image whose noise is to be measured, and which of them (H, W) count.

    Pixels that are left out are filled with the noise of the pixels around them: scattered ones would otherwise leave
    nearly no place of the image whole. Pixels far beyond the range of the others do not count, and the others are
    compressed to their logarithm.
    """
    pixels = fill_mirrored(inputs.pixels, inputs.left_out)
    if not inputs.extreme:
        return pixels, np.ones(pixels.shape[:2], bool)
    return compressed(pixels), ~beyond_range(pixels, FAR_BEYOND)


def in_linear_units(model: NoiseModel, layout: ImageFormat) -> NoiseModel:
    """A noise model that was found with the pixels of `measured_pixels`, with limits in uncompressed values."""
    if layout.limits is None:
        return model
    limits = np.array(model.limits)
    linear = np.where(np.isfinite(limits), expanded(limits), limits)
    return replace(model, limits=tuple((float(low), float(high)) for low, high in linear))


def strength(noise: PoissonGaussian, values: Floats) -> float:
    """Root mean square of the noise of a channel of these (noisy) values."""
    return math.sqrt(float(by_bands(noise.variance, values).mean()))


def measure_noise(pixels: Floats, used: Mask | None = None, like: NoiseModel | None = None) -> NoiseModel:
    """Measure the noise model of an image.

    Each channel has no noise, even noise (white Gaussian), or photon noise, which grows with brightness. Neighbours
    share their noise if the image has much less power at the finest scale than at coarser ones, as after
    interpolation in a camera, and if its pyramid looks like that of noise (`evidence.Scales`); then the noise gets a
    spectrum. Channels share theirs if brightness has clearly more of it than colour differences. Content only adds
    power, so each noise model must be met in the quietest places of the image; where they have less, the model is
    replaced by the posterior mean of it and the next simpler one.

    Parameters
    ----------
    pixels : ndarray of float32, shape (H, W, C)
        The image; finite.
    used : ndarray of bool, shape (H, W), or None
        Pixels that count; None: all.
    like : NoiseModel, optional
        Measure noise of the same kinds: which channels have photon noise, and whether neighbours share it.

    Returns
    -------
    NoiseModel
        In the units of the image.
    """
    used = None if used is None or used.all() else used
    channels = Channels(pixels, used, None if like is None else like.limits)
    small = min(pixels.shape[:2]) < LEAST_SIDE
    even = _common_level([_even_model(plane, used, small) for plane in channels.planes])
    # The quietest places of an image of few single photons hold nothing at all, and tell nothing.
    small = small or all(single_photons(plane, used) for plane in channels.planes)
    if small and like is None:
        counted = [count_noise(plane, used, model.read) for plane, model in zip(channels.planes, even, strict=True)]
        even = [found or model for found, model in zip(counted, even, strict=True)]
    if small or all(model == SILENCE for model in even):
        return NoiseModel(tuple(even), channels.limits, flat_spectra(_plane_levels(channels, even, like)))
    kinds = [None if like is None else model.gain > 0 for model in (like.channels if like else even)]
    engine.pause()
    models = channels.with_photons(even, kinds)
    engine.pause()
    scales = _scales(channels, models, like)
    if models != even and scales.finest < FAITHFUL:
        models = _believed(models, even, [scales.finest] * len(models), like)
        scales = _scales(channels, models, like)
    engine.pause()
    along_y, along_x = map(rounded, neighbour_correlation(scales.spectrum))
    interpolated = scales.spectrum.mean() > EMPTY * scales.finest and not scales.correlated
    if interpolated and not (like and like.white):
        own = channels.difference_spectrum()
        if own is not None:
            model = PoissonGaussian(0, 0, rounded(math.sqrt(own.mean())))
            return NoiseModel((model,) * 3, channels.limits, np.tile(own / own.mean(), (3, 1, 1)), (along_y, along_x))
    spectra: Array | None
    if scales.correlated if like is None else not like.white:
        models, spectra = _correlated(channels, even, models, scales, like)
    else:
        spectra = flat_spectra(_plane_levels(channels, models, like))
        models = _white(channels, even, models, scales, like)
    return NoiseModel(tuple(models), channels.limits, spectra, (along_y, along_x))


def _white(
    channels: Channels, even: Models, models: Models, scales: Scales, like: NoiseModel | None
) -> list[PoissonGaussian]:
    """Models of white noise, reduced as far as the quietest places of the image do not meet them."""
    models = _believed(models, even, channels.quiet_powers(models), like)
    # Compression takes noise away in quiet places, but not at half the resolution.
    if not FAITHFUL <= scales.steady <= COLOURED:
        models = _believed(models, [SILENCE] * len(models), channels.quiet_powers(models), like)
    return [model.stronger(min(1.0, HIDDEN / scales.excess)) for model in models]


def _correlated(
    channels: Channels, even: Models, models: Models, scales: Scales, like: NoiseModel | None
) -> tuple[list[PoissonGaussian], Array]:
    """Models of correlated noise and its spectrum in each decorrelated plane.

    The power at the finest scale says little then, so the level of each channel is measured over all scales. Pixels
    further apart hardly share their noise, but have more content. So noise has to grow at either distance, and flat
    blocks must clearly hold noise alone, for a model of photon noise.
    """
    kinds: list[bool | None] = [model.gain > 0 for model in (like or NoiseModel(tuple(models), ())).channels]
    if like is None:
        kinds = [None if photons and scales.clear else False for photons in kinds]
    models = channels.with_photons(channels.relevelled(even), kinds, APART, CORRELATED_GROWTH)
    models = channels.relevelled(models)
    spectra = channels.spectra(models)
    return [model.stronger(float(spectra.mean())) for model in models], spectra / spectra.mean()


def _scales(channels: Channels, models: Models, like: NoiseModel | None) -> Scales:
    level = _plane_levels(channels, models, like)[0]
    return Scales.of(*channels.brightness(models, level), channels.used)


def _plane_levels(channels: Channels, models: Models, like: NoiseModel | None) -> Array:
    """Variance of white noise in each decorrelated plane, relative to that of independent channels."""
    independent = like is not None and like.spectrum is None
    return channels.levels(models, independent, certain=like is not None)


def _believed(
    models: Models, others: Models, powers: Sequence[float], like: NoiseModel | None
) -> list[PoissonGaussian]:
    """Keep, weaken or replace each channel's noise model, depending on the power that was found of it."""
    each = zip(models, others, powers, strict=True)
    return [posterior_mean(*one, certain=like is not None) for one in each]


def _even_model(plane: Array, used: Mask | None, small: bool) -> PoissonGaussian:
    """Noise of a channel as if it were white and even; interpolation may have left none at the finest scale."""
    engine.pause()
    values = plane if used is None else plane[used]
    if single_photons(plane, used):
        return PoissonGaussian(0, 0, rounded(float(values.std())))
    if two_valued(values):
        return SILENCE
    sigma = math.sqrt(white_variance(plane, used))
    low, high = quantiles(values, MOST_PIXELS)
    if sigma <= max(ROUNDING * (high - low), PRECISION * float(np.ptp(plane))):
        scales = None if small else Scales.of(plane, np.ones_like(plane), used)
        sigma = math.sqrt(scales.steady) if scales and scales.log_odds > 0 else 0.0
    return PoissonGaussian(0, 0, rounded(sigma))


def _common_level(models: Models) -> list[PoissonGaussian]:
    """One level for all channels that have noise, if theirs are about the same."""
    found = [model.read for model in models if model.read > 0]
    if not found or max(found) ** 2 > SAME_LEVEL * min(found) ** 2:
        return list(models)
    common = PoissonGaussian(0, 0, rounded(math.sqrt(float(np.mean(np.square(found))))))
    return [common if model.read > 0 else model for model in models]
