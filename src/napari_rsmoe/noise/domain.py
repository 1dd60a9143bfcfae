"""The variance-stabilised domain, in which the noise of an image is even enough to be worked on."""

from __future__ import annotations

import math
from copy import copy

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..arrays import Array, Floats
from ..image.opponent import Opponent
from .anscombe import Stabiliser
from .noise_model import NoiseModel, PoissonGaussian
from .quiet import LOCAL_MEAN
from .spectrum import coloured

FAINTEST = 1 / 16  # of the strongest channel's noise, that counts as the noise of a channel that has less


class StabilisedDomain:
    """Noise of an image in the engine's range, and the domain that denoising works in.

    There, noise is as strong in every channel and at every value, as nearly as can be: each channel is stabilised, and
    one scale brings all of them to [0, 1]. Where all channels have the same even noise, it is the image's own domain.

    Parameters
    ----------
    model : NoiseModel
        The noise of the image, in the engine's range.
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
    opponent : Opponent
        The transform from the channels to the planes that are denoised, chosen here for all that follows.
    strength : float
        Standard deviation in the domain of white noise as strong as the strongest frequencies of brightness.
    """

    def __init__(self, model: NoiseModel, pixels: Floats) -> None:
        self.model = model
        self.opponent = Opponent.of(pixels.shape[2])
        power = np.ones((len(model.channels), 1, 1)) if model.spectrum is None else model.spectrum
        levels = power.mean((1, 2), keepdims=True)
        # A plane without noise is kept nearly as it is.
        self.levels = np.maximum(levels, FAINTEST**2 * levels.max()).astype(np.float32)
        self.spectrum = None if model.white else (power - levels + self.levels) / self.levels
        local = gaussian_filter(pixels, (LOCAL_MEAN, LOCAL_MEAN, 0)).astype(np.float64)
        strengths = np.array([law.variance(local[..., c]).mean() for c, law in enumerate(model.channels)])
        self.sigma = math.sqrt(float(strengths.mean()))
        self._stabilisers: list[Stabiliser] = []
        self._scale, self._shift = 1.0, 0.0
        self.strength = 0.0
        self.variance: Floats = np.zeros(pixels.shape, np.float32)
        if self.sigma == 0:
            return
        # A channel without noise is given back as it is, but takes part.
        least = FAINTEST * math.sqrt(float(strengths.max()))
        for c, law in enumerate(model.channels):
            heard = law if strengths[c] > least**2 else PoissonGaussian(0, 0, least)
            self._stabilisers.append(Stabiliser(heard, float(pixels[..., c].max()), model.limits[c]))
        if len({(each.noise.gain, each.noise.read) for each in self._stabilisers}) == 1 and model.channels[0].gain == 0:
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
        return self.levels * self.opponent.plane_variance(self.variance)

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

    def averaged(self, share: Floats) -> StabilisedDomain:
        """The domain of an image of which averaging has left a share of the variance, (H, W, 1), at each pixel."""
        domain = copy(self)
        domain.variance = self.variance * share
        return domain

    def sample(self, planes: tuple[int, ...], rng: np.random.Generator) -> Floats:
        """Draw noise of variance 1 and these spectra, shape (C, H, W)."""
        signs = rng.choice(np.array([-1, 1], np.float32), planes)
        if self.spectrum is None:
            return signs
        return coloured(signs, self.spectrum).astype(np.float32)

    def _stabilised(self, pixels: Floats) -> Array:
        return np.stack([each.forward(pixels[..., c]) for c, each in enumerate(self._stabilisers)], -1)

    def _by_channel(self, method: str, values: NDArray[np.floating], factor: float) -> Floats:
        """One of the tables of every channel, times a factor."""
        channels = [getattr(each, method)(values[..., c]) for c, each in enumerate(self._stabilisers)]
        return (factor * np.stack(channels, -1)).astype(np.float32)
