"""What an estimate of noise rests on: variance against brightness, and power against frequency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import engine
from ..arrays import Array, Mask
from ..image.beginning import checked_attended, reading_report
from ..image.format import ChannelAxis
from ..image.inputs import Inputs
from ..image.masks import EVERYTHING, Selection
from ..progress import Callback
from .channels import Channels
from .estimate import NoiseEstimate, estimate_noise, seconds_of
from .measure import APART, LEAST_SIDE, measured_pixels
from .noise_model import BLOCK, NoiseModel
from .photons import variance_levels
from .spectrum import flat_spectrum

CURVE_POINTS = 64
"""Places at which the variance that a noise model predicts is given."""


@dataclass(frozen=True)
class VarianceCurve:
    """Variance of the noise of one channel against brightness, in units of the image.

    Attributes
    ----------
    brightness, variance : numpy.ndarray
        (n,) float64: what was measured at n levels; empty if there are too few pixels.
    line_brightness, line_variance : numpy.ndarray
        (m,) float64: what the noise model predicts.
    """

    brightness: Array
    variance: Array
    line_brightness: Array
    line_variance: Array


@dataclass(frozen=True)
class Spectrum:
    """Power of the noise of one channel against frequency.

    Attributes
    ----------
    frequency : numpy.ndarray
        (n,) float64, in cycles per pixel, from 0 to about 0.7.
    power : numpy.ndarray
        (n,) float64, the mean over all directions, relative to the power that white noise of the strength of the
        estimate has: 1 at all frequencies for white noise.
    """

    frequency: Array
    power: Array


@dataclass(frozen=True)
class NoiseReport:
    """What `noise_report` returns.

    Attributes
    ----------
    estimate : NoiseEstimate
        As `estimate_noise` returns it.
    curves : tuple of VarianceCurve
        One for each channel.
    spectra : tuple of Spectrum
        One for each channel; empty for images below 64 px a side, and where no noise was found.
    """

    estimate: NoiseEstimate
    curves: tuple[VarianceCurve, ...]
    spectra: tuple[Spectrum, ...]


def noise_report(
    image: Any,
    *,
    channel_axis: ChannelAxis = "auto",
    selection: Selection = EVERYTHING,
    callback: Callback | None = None,
) -> NoiseReport:
    """Estimate the noise of one image, and show what the estimate rests on.

    Parameters
    ----------
    image, channel_axis, callback
        As for `estimate_noise`.
    selection : Selection
        Which values count.

    Returns
    -------
    NoiseReport
        In units of the image. If the image has pixels far beyond the range of the others, which are compressed before
        the noise is measured, there are no curves and spectra.

    Raises
    ------
    ImageError
        If the image cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe.noise.report import noise_report
    >>> light = np.random.default_rng(0).poisson(np.linspace(10, 200, 128) * np.ones((96, 1)))
    >>> (curve,) = noise_report(light).curves
    >>> bool(curve.line_variance[-1] > 4 * curve.line_variance[0])
    True
    """
    inputs = checked_attended(
        lambda: Inputs.of(image, channel_axis, selection),
        reading_report(image, callback, seconds=seconds_of(image, channel_axis)),
    )
    estimate = estimate_noise(inputs, callback=callback)
    if inputs.extreme:
        return NoiseReport(estimate, (), ())
    pixels, used = measured_pixels(inputs)
    span, low = inputs.layout.span, inputs.layout.low
    model = estimate.model.scaled(1 / span, -low / span)
    channels = Channels(pixels, used, model.limits)
    curves = [_curve(plane, used, model, c, span, low) for c, plane in enumerate(channels.planes)]
    small = min(pixels.shape[:2]) < LEAST_SIDE
    spectra = [] if small else [_spectrum(plane, used, model, c) for c, plane in enumerate(channels.planes)]
    return NoiseReport(estimate, tuple(curves), tuple(each for each in spectra if each is not None))


def _curve(plane: Array, used: Mask, model: NoiseModel, channel: int, span: float, low: float) -> VarianceCurve:
    engine.pause()
    means, variances = variance_levels(plane, used, model.limits[channel], 1 if model.white else APART)
    values = plane[used]
    line = np.linspace(float(values.min()), float(values.max()), CURVE_POINTS)
    predicted = model.channels[channel].variance(line)
    return VarianceCurve(means * span + low, variances * span**2, line * span + low, predicted * span**2)


def _spectrum(plane: Array, used: Mask, model: NoiseModel, channel: int) -> Spectrum | None:
    engine.pause()
    variance = model.channels[channel].variance(plane)
    if not variance.any():
        return None
    power, _, _ = flat_spectrum(plane, np.maximum(variance, variance.max() * 1e-6), used)
    each = np.fft.fftfreq(BLOCK)
    radius = np.hypot(each[:, None], each[None])
    # Frequencies in rings one step of the transform wide; mean and slope of the blocks, which fill the first, are gone.
    rings = np.rint(radius * BLOCK).astype(int)
    found = np.arange(1, rings.max() + 1)
    mean = [float(power[rings == ring].mean()) for ring in found]
    return Spectrum(np.array([radius[rings == ring].mean() for ring in found]), np.array(mean))
