"""The noise of an image as users see it: in its units, with standard errors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, Mask
from ..image.format import ChannelAxis
from ..image.inputs import Inputs
from .measure import measure_noise
from .noise_model import NoiseModel, PoissonGaussian

PARTS = 3  # along each axis: the estimate is repeated without each of PARTS^2 parts of the image


@dataclass(frozen=True)
class ChannelNoise:
    """Noise of one channel, in units of the image, with standard errors.

    Attributes
    ----------
    clipped : (float, float)
        Share of the pixels at the lower and the upper end, if values seem to be cut off there; else 0.
    sigma, sigma_error : float
        Standard deviation, root mean square over the channel where it depends on the value; 0 where none was found.
    gain, gain_error, offset, offset_error, read, read_error : float
        As in `PoissonGaussian`; gain 0: even noise. Variances tell only where their line over the values ends: where
        it meets 0 above the smallest value, that is the offset, and read noise is 0; else the offset is the smallest
        value.
    """

    clipped: tuple[float, float]
    sigma: float
    sigma_error: float
    gain: float
    gain_error: float
    offset: float
    offset_error: float
    read: float
    read_error: float


@dataclass(frozen=True)
class NoiseEstimate:
    """What `estimate_noise` returns; `denoise` takes it as `noise`.

    Attributes
    ----------
    sigma, sigma_error : float
        Standard deviation of the noise over the whole image, root mean square, and its standard error; 0 where none
        was found.
    channels : tuple of ChannelNoise
        What the noise of each channel is like.
    correlation, correlation_error : (float, float)
        Of the noise of neighbours along y and along x, and its standard error.
    shared, shared_error : float
        Mean correlation of the noise of two channels, and its standard error; 0 where they do not clearly share it.
    model : NoiseModel
        The same as one noise model for `denoise`, in units of the image.
    """

    sigma: float
    sigma_error: float
    channels: tuple[ChannelNoise, ...]
    correlation: tuple[float, float]
    correlation_error: tuple[float, float]
    shared: float
    shared_error: float
    model: NoiseModel


def estimate_noise(image: Any, *, channel_axis: ChannelAxis = "auto", weight: Any = None) -> NoiseEstimate:
    """Estimate the noise of one image: its strength, growth with brightness, clipping, and correlation.

    Standard errors are those of the jackknife: the estimate is repeated without each ninth of the image. They tell
    how well the image determines the numbers, not whether the model is right: fine texture all over an image, for
    example, is taken for noise.

    Parameters
    ----------
    image : array-like
        (Y, X), or (Y, X, C); see `channel_axis`. Integers or floats of any size, finite.
    channel_axis : int, None or "auto"
        Which axis holds channels; "auto" takes a last axis of length 3 or 4.
    weight : array-like, optional
        (Y, X) non-negative weights of the pixels; those of weight 0 are left out.

    Returns
    -------
    NoiseEstimate
        In units of the image. Images below 64 px a side are taken to have white, even noise. Standard errors are NaN
        where a ninth of the image is all there is.

    Raises
    ------
    ImageError
        If the image or the weights cannot be used.

    Examples
    --------
    >>> noise = napari_rsmoe.estimate_noise(frames[0])  # doctest: +SKIP
    >>> clean = [napari_rsmoe.denoise(frame, noise=noise).image for frame in frames]  # doctest: +SKIP
    """
    inputs = Inputs.of(image, channel_axis, weight)
    pixels, layout, used = inputs.pixels, inputs.layout, ~inputs.left_out
    model = measure_noise(pixels, used)
    ways = [measure_noise(pixels, kept, like=model) for kept in _all_but_one(used)]

    def figures(model: NoiseModel) -> Array:
        """Strength of the whole, correlations along y and x and of channels, and by channel what its noise is like."""
        found = [_strength(law, pixels[..., c][used]) for c, law in enumerate(model.channels)]
        whole = math.sqrt(float(np.mean(np.square(found))))
        scaled = model.scaled(layout.span, layout.low)
        channels = [
            (strength * layout.span, law.gain, law.offset, law.read)
            for strength, law in zip(found, scaled.channels, strict=True)
        ]
        return np.array([whole * layout.span, *model.correlation, model.shared, *np.ravel(channels)])

    found = figures(model)
    # Of the jackknife, whose estimates differ far less than those of separate images would.
    errors = np.sqrt((len(ways) - 1) * np.var([figures(way) for way in ways], axis=0)) if ways else np.nan * found
    channels = []
    for c, numbers in enumerate(np.stack([found[4:], errors[4:]], 1).reshape(-1, 4, 2)):
        values = pixels[..., c][used]
        shares = [float(np.mean(values == limit)) for limit in model.limits[c]]
        channels.append(ChannelNoise((shares[0], shares[1]), *map(float, numbers.ravel())))
    return NoiseEstimate(
        float(found[0]),
        float(errors[0]),
        tuple(channels),
        (float(found[1]), float(found[2])),
        (float(errors[1]), float(errors[2])),
        float(found[3]),
        float(errors[3]),
        model.scaled(layout.span, layout.low),
    )


def _all_but_one(used: Mask) -> Iterator[Mask]:
    """The pixels that count, without those of one part of the image after the other."""
    bounds = [np.linspace(0, length, PARTS + 1).astype(int) for length in used.shape]
    for (top, bottom), (left, right) in product(pairwise(bounds[0]), pairwise(bounds[1])):
        kept = used.copy()
        kept[top:bottom, left:right] = False
        if kept.any() and used[top:bottom, left:right].any():
            yield kept


def _strength(law: PoissonGaussian, values: NDArray[np.float32]) -> float:
    """Root mean square of the noise of an image of these (noisy) values."""
    return math.sqrt(float(law.variance(values.astype(np.float64)).mean()))
