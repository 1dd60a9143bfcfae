"""The variance-stabilised domain, in which the noise of an image is even enough to be worked on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import copy
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, Floats, Mask
from ..image.bands import by_bands
from ..image.blur import blurred, gaussian
from ..image.opponent import Opponent
from ..image.value_range import beyond_range, compressed, compression_slope, expanded
from .anscombe import Stabiliser
from .noise_model import NoiseModel, PoissonGaussian
from .spectrum import coloured

FAINTEST = 1 / 16
"""Least standard deviation that the noise of a channel is counted with, in ranges of the channel's own values, relative
to the channel that has the most in its own range. Less would let a channel without noise decide where all kernels go;
the ranges of channels, such as a bright and a dark dye, may differ by any factor."""
DARK = 3.0
"""Mean number of photons for each pixel below which the light of an estimate is corrected. Above, it needs no care."""
CERTAIN = 1.0
"""Mean number of photons for each pixel from which the variance of their noise is known. Below, it is far less than the
model predicts (a third in frames of single photons)."""
LIGHT_WIDTH = 10.0
"""Standard deviation of the window in which an estimate has the light of the noisy image, px.

A smaller one brings noise back; with a larger one bright spots lose light to their surroundings."""
LIGHT_PHOTONS = 400.0
"""Photons in this window that tell as much about its light as is known of it before: that a few per cent are lost."""
UNCLIPPED = 3.0
"""Distance from the value at which a channel is saturated, in standard deviations of the noise, from which a pixel
tells of the light. Nearer ones are darker than their light, as the brightest of their noise was cut off."""
LOCAL_MEAN = 2.0
"""Standard deviation of the blur that estimates the brightness at a pixel, px."""


Light = tuple[float | None, ...]
"""Factor of the light of each channel; None: 1."""


class StabilisedDomain:
    """The variance-stabilised domain of an image, in which denoising works.

    In this domain noise is, as nearly as possible, equally strong in every channel and at every value: each channel is
    stabilised, and one scale brings all of them to [0, 1]. If all channels have the same even noise, the domain is that
    of the image itself. A few extreme pixels, which lie beyond, are brought close by their logarithm. Their noise is
    then weaker in the same proportion, so that they keep their values.

    Parameters
    ----------
    model : NoiseModel
        The noise of the image, in the engine's range.
    pixels : ndarray of float32, shape (H, W, C)
        The image in the engine's range; extreme pixels lie beyond [0, 1].

    Attributes
    ----------
    sigma : float
        Root mean square of the noise over the image, in the engine's range; 0 without noise.
    variance : ndarray of float32, shape (H, W, C)
        Variance of the noise at each pixel, in the domain.
    levels : ndarray of float32, shape (C, 1, 1)
        Variance of the noise of each decorrelated plane, relative to that of independent channels.
    spectrum : ndarray of float64, shape (C, BLOCK, BLOCK), or None
        Power of the noise by frequency in each decorrelated plane, with a mean of 1; None: white noise.
    opponent : Opponent
        The transform from the channels to the planes that are denoised, chosen here for all that follows.
    extreme : bool
        Whether a few pixels lie beyond the range of the others.
    uneven : bool
        The same of the whole image, if this is the domain of a part of it.
    strength : float
        Standard deviation in the domain of white noise as strong as the strongest frequencies of brightness.
    """

    def __init__(self, model: NoiseModel, pixels: Floats) -> None:
        self.model = model
        self.opponent = Opponent.of(pixels.shape[2])
        power = np.ones((len(model.channels), 1, 1)) if model.spectrum is None else model.spectrum
        levels = power.mean((1, 2), keepdims=True)
        # A plane without noise keeps a little, so that it stays nearly as it is.
        self.levels = np.maximum(levels, FAINTEST**2 * levels.max()).astype(np.float32)
        self.spectrum = None if model.white else (power - levels + self.levels) / self.levels
        self.extreme = self.uneven = bool(beyond_range(pixels).any())
        # A few extreme pixels say nothing about the noise around them.
        near = np.clip(pixels, 0, 1) if self.extreme else pixels
        local = gaussian(near, LOCAL_MEAN)
        strengths = np.array([by_bands(noise.variance, local[..., c]).mean() for c, noise in enumerate(model.channels)])
        self.sigma = math.sqrt(float(strengths.mean()))
        self._stabilisers: list[Stabiliser] = []
        self._scale, self._shift = 1.0, 0.0
        self._mean_variance: np.floating | None = None
        self.strength = 0.0
        self.variance: Floats = np.zeros(pixels.shape, np.float32)
        if self.sigma == 0:
            return
        # A channel without noise takes part with a little, and is returned nearly as it is.
        least = _least_counted(np.sqrt(strengths), np.ptp(near, axis=(0, 1)).astype(np.float64))
        for c, noise in enumerate(model.channels):
            counted = noise if strengths[c] > least[c] ** 2 else PoissonGaussian(0, 0, float(least[c]))
            self._stabilisers.append(Stabiliser(counted, float(pixels[..., c].max()), model.limits[c]))
        if len({(each.noise.gain, each.noise.read) for each in self._stabilisers}) == 1 and model.channels[0].gain == 0:
            self._scale = self._stabilisers[0].noise.read
        else:
            stabilised = self._stabilised(near)
            self._scale = 1 / (float(np.ptp(stabilised)) or 1.0)  # An image of one value has no range.
            self._shift = -float(stabilised.min())
        self.variance = self._variance_of(pixels, near)
        # The strongest frequencies of correlated noise are what must be distinguished from content; clipping, which
        # makes noise weaker, does not make that easier.
        strongest = 1.0 if self.spectrum is None else float(self.spectrum[0].max())
        self.strength = self._scale * math.sqrt(strongest * float(self.levels[0, 0, 0]))

    def _variance_of(self, pixels: Floats, near: Floats) -> Floats:
        """Variance of the noise at each pixel, whose values without what is extreme are `near`."""
        means = gaussian(self._stabilised(near), LOCAL_MEAN)
        variance = self._by_channel("variance", means, self._scale**2)
        if self.extreme:
            variance *= np.square(compression_slope(self._even(pixels)))
        return variance

    def description(self) -> dict[str, Any]:
        """The domain without the variance of its pixels, in values that JSON can hold."""
        model = self.model
        return {
            "channels": [asdict(each) for each in model.channels],
            "limits": [list(each) for each in model.limits],
            "spectrum": None if model.spectrum is None else model.spectrum.tolist(),
            "correlation": list(model.correlation),
            "stabilised": [[*asdict(each.noise).values(), each.highest] for each in self._stabilisers],
            "uneven": self.uneven,
            "sigma": self.sigma,
            "strength": self.strength,
            "scale": self._scale,
            "shift": self._shift,
            "mean variance": float(self.mean_variance),
        }

    @classmethod
    def described(cls, known: Mapping[str, Any]) -> StabilisedDomain:
        """Undo `description`; the variance is that of no pixels."""
        spectrum = None if known["spectrum"] is None else np.array(known["spectrum"])
        limits = tuple((float(low), float(high)) for low, high in known["limits"])
        channels = tuple(PoissonGaussian(**each) for each in known["channels"])
        model = NoiseModel(channels, limits, spectrum, tuple(known["correlation"]))
        domain = cls(model, np.zeros((1, 1, len(channels)), np.float32))
        domain.extreme = domain.uneven = bool(known["uneven"])
        domain.sigma, domain.strength = known["sigma"], known["strength"]
        domain._scale, domain._shift = known["scale"], known["shift"]
        domain._mean_variance = np.float32(known["mean variance"])
        domain._stabilisers = [
            Stabiliser(PoissonGaussian(*noise), highest, limit)
            for (*noise, highest), limit in zip(
                known["stabilised"], limits, strict=False
            )  # There are none without noise.
        ]
        return domain

    def part(self, pixels: Floats) -> StabilisedDomain:
        """The same domain for other pixels (H, W, C) of the image of which this one was made from a sample.

        Values beyond those of the sample are brought close by their logarithm, as extreme ones are.
        """
        domain = copy(self)
        domain.extreme = bool(beyond_range(pixels).any())
        if self.sigma == 0:
            domain.variance = np.zeros(pixels.shape, np.float32)
            return domain
        domain._stabilisers = [
            each.reaching(float(pixels[..., c].max()), self.model.limits[c]) for c, each in enumerate(self._stabilisers)
        ]
        domain._mean_variance = self.mean_variance
        domain.variance = domain._variance_of(pixels, np.clip(pixels, 0, 1) if domain.extreme else pixels)
        return domain

    @property
    def even(self) -> bool:
        """Whether the noise is as strong at all values, but for clipping."""
        return all(channel.gain == 0 for channel in self.model.channels)

    @property
    def mean_variance(self) -> np.floating:
        """Mean variance of the noise of the whole image, in the domain."""
        return self.variance.mean() if self._mean_variance is None else self._mean_variance

    @property
    def plane_variance(self) -> Floats:
        """Variance of the noise of the decorrelated planes (C, H, W), in the domain."""
        return self.levels * self.opponent.plane_variance(self.variance)

    def stabilised(self, pixels: Floats) -> Floats:
        """Bring pixels (H, W, C) of the engine's range into the domain."""
        if self.sigma == 0:
            return pixels
        even = self._even(pixels)
        return compressed(even) if self.extreme else even

    def restored(self, values: Floats) -> Floats:
        """Bring denoised values (..., C) of the domain back to the engine's range, without bias."""
        if self.sigma == 0:
            return values
        return self._by_channel("inverse", self._linear(values) / self._scale - self._shift, 1.0)

    def light(self, image: Floats, noisy: Floats, used: Mask) -> Light:
        """Factor by which the light of each channel of an estimate (H, W, C) is less than that of the noisy image.

        The inverse transform is exact for the mean of noise, but where a filter leaves some noise in the dark, less
        than a photon for each pixel, it takes light away. None: the channel is not dark.
        """
        factors: list[float | None] = []
        for c, model in enumerate(self.model.channels):
            factors.append(None)
            if self._lightless(c):
                continue
            clear = self._unsaturated(c, image[..., c], None)
            counted = used if clear is None else used & (clear > 0)
            if not np.any(counted):
                continue
            seen, left = (float(each[..., c][counted].mean(dtype=np.float64)) - model.offset for each in (noisy, image))
            if 0 < seen < DARK * model.gain and left > 0:
                factors[-1] = seen / left
        return tuple(factors)

    def with_light(self, image: Floats, light: Light, noisy: Floats, used: Floats | None) -> Floats:
        """An estimate (H, W, C) in the engine's range with as much light everywhere as the noisy image.

        The inverse transform is exact for the mean of noise, but where content is lost, a mean of roots takes light
        away. Around each pixel the light of photon noise is therefore that of the noisy image, as far as its photons
        there are enough to tell.

        Parameters
        ----------
        image, noisy : ndarray of float32, shape (H, W, C)
            The estimate and the noisy image.
        light : tuple
            As `light` returns it, for all of the image.
        used : ndarray of float32, shape (H, W), or None
            1 where the noisy image counts, 0 where it does not; None: everywhere.
        """
        result = image
        for c, (model, whole) in enumerate(zip(self.model.channels, light, strict=True)):
            if self._lightless(c):
                continue
            result = result.copy() if result is image else result
            pair = np.stack([noisy[..., c], image[..., c]]) - np.float32(model.offset)
            counted = self._unsaturated(c, image[..., c], used)
            # Windows of which only a part counts tell less.
            seen, left = np.maximum(blurred(pair if counted is None else pair * counted, None, LIGHT_WIDTH), 0)
            told = np.float32(LIGHT_PHOTONS * model.gain / (4 * math.pi * LIGHT_WIDTH**2))
            known = told * np.float32(1.0 if whole is None else whole)
            lit = partial(_lit, told=told, known=known, offset=np.float32(model.offset))
            result[..., c] = by_bands(lit, pair[1], seen, left, dtype=np.float32)
        return result

    def light_of(self, image: Floats) -> Floats:
        """The light of photons in an image (H, W, C) in the engine's range; 0 in channels without photon noise."""
        light = np.zeros_like(image)
        for c, model in enumerate(self.model.channels):
            if model.gain > 0:
                np.maximum(image[..., c] - np.float32(model.offset), 0, out=light[..., c])
        return light

    def deviation_of(self, image: Floats) -> Floats:
        """Standard deviation of the noise at the values of an image (H, W, C), in the engine's range."""
        deviation = np.empty_like(image)
        for c, model in enumerate(self.model.channels):
            deviation[..., c] = np.sqrt(by_bands(model.variance, image[..., c], dtype=np.float32))
        return deviation

    def _lightless(self, c: int) -> bool:
        """Whether the light of a channel is not known.

        It is not if it is not that of photons, if the dark was cut off, or if noise is correlated: it then is as strong
        in windows as content that was lost.
        """
        return self.model.channels[c].gain == 0 or self.spectrum is not None or math.isfinite(self.model.limits[c][0])

    def _unsaturated(self, c: int, image: Floats, used: Floats | None) -> Floats | None:
        """1 where pixels of a channel (H, W) count and cannot have been saturated, 0 elsewhere; None: all count."""
        high, noise = self.model.limits[c][1], self.model.channels[c]
        if not math.isfinite(high):
            return used

        def apart(values: Floats) -> Floats:
            return np.asarray(values + UNCLIPPED * np.sqrt(noise.variance(values)) < high, np.float32)

        clear: Floats = by_bands(apart, image, dtype=np.float32)
        return clear if used is None else clear * used

    def where_photons(self, values: Floats, used: Floats | None) -> Floats:
        """1 where all photon noise of denoised values (H, W, C) of the domain is that of photons, 0 elsewhere; (H, W).

        Where there is less than one photon for each pixel, what little is left of the noise follows from rare photons
        and from what the camera makes of none, so that its variance is not known well.

        Parameters
        ----------
        values : ndarray of float32, shape (H, W, C)
            Values of the domain.
        used : ndarray of float32, shape (H, W), or None
            1 where pixels count, 0 where they do not; None: all count.
        """
        linear = self._linear(values)
        counted: Floats = np.ones(values.shape[:2], np.float32) if used is None else used
        for c, model in enumerate(self.model.channels):
            if model.gain > 0:
                mean = self._stabilisers[c].mean_of(model.offset + CERTAIN * model.gain)
                counted = counted * (linear[..., c] > self._scale * (mean + self._shift))
        return counted

    def slopes(self, values: Floats) -> Floats:
        """Slope of `restored` at values (..., C) of the domain."""
        if self.sigma == 0:
            return np.ones_like(values)
        linear = self._linear(values)
        slopes = self._by_channel("slope", linear / self._scale - self._shift, 1 / self._scale)
        return slopes / compression_slope(linear) if self.extreme else slopes

    def averaged(self, share: Floats) -> StabilisedDomain:
        """The domain of an average of planes that leaves a share (H, W, 1) of the noise variance at each pixel."""
        domain = copy(self)
        domain.variance = self.variance * share
        if self._mean_variance is not None:
            domain._mean_variance = self._mean_variance * share.mean()
        return domain

    @staticmethod
    def signs(planes: tuple[int, ...], rng: np.random.Generator) -> Floats:
        """Draw white noise (C, H, W) of variance 1: -1 or 1."""
        return rng.choice(np.array([-1, 1], np.float32), planes)

    def sample(self, signs: Floats) -> Floats:
        """Turn white noise (C, H, W) of variance 1 into noise with the spectra of the decorrelated planes."""
        if self.spectrum is None:
            return signs
        return coloured(signs, self.spectrum).astype(np.float32)

    def _even(self, pixels: Floats) -> Floats:
        """Stabilised pixels (H, W, C), of which most lie in [0, 1]."""
        stabilised = self._stabilised(pixels)
        return by_bands(lambda part: self._scale * (part + self._shift), stabilised, dtype=np.float32)

    def _linear(self, values: Floats) -> Floats:
        """Values of the domain without the compression of extreme ones."""
        return expanded(values).astype(np.float32, copy=False) if self.extreme else values

    def _stabilised(self, pixels: Floats) -> Array:
        stabilised = np.empty(pixels.shape)
        for c, each in enumerate(self._stabilisers):
            stabilised[..., c] = by_bands(each.forward, pixels[..., c])
        return stabilised

    def _by_channel(self, method: str, values: NDArray[np.floating], factor: float) -> Floats:
        """Look values up in one of the tables of each channel, and multiply them by a factor."""
        found = np.empty(values.shape, np.float32)
        for c, each in enumerate(self._stabilisers):
            look_up = getattr(each, method)
            found[..., c] = by_bands(lambda part, look_up=look_up: factor * look_up(part), values[..., c])
        return found


def _lit(
    values: Floats, seen: Floats, left: Floats, *, told: np.floating, known: np.floating, offset: np.floating
) -> Floats:
    """Values above the offset, brought to the light that is seen around them, and back to above 0."""
    return np.asarray(values * ((seen + known) / (left + told)) + offset, np.float32)


def _least_counted(noise: Array, ranges: Array) -> Array:
    """Least standard deviation (C) that the noise of each channel is counted with, in the units of both arguments.

    Parameters
    ----------
    noise : ndarray, shape (C,)
        Standard deviations, of which at least one is above 0.
    ranges : ndarray, shape (C,)
        Widths of the ranges of values of the channels. A channel of one value gets that of the widest.
    """
    ranges = np.where(ranges > 0, ranges, ranges.max() or 1.0)
    least: Array = FAINTEST * float((noise / ranges).max()) * ranges
    return least
