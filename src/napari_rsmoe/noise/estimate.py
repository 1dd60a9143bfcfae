"""The noise of an image as users see it: in units of the image, with standard errors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np

from .. import engine
from ..arrays import Array, Mask
from ..door import door
from ..errors import StoppedError
from ..image.beginning import checked_attended, reading_report, shape_beforehand
from ..image.format import ChannelAxis
from ..image.inputs import Inputs
from ..image.masks import Selection
from ..memory import Memory, release
from ..progress import Callback, Progress
from .doubts import doubt_measured
from .measure import SECONDS, measure_noise, measured_pixels, strength
from .memory import check_noise_estimate
from .noise_model import NoiseModel
from .sampled import sampled

PARTS = 3
"""Parts of the image along each axis. The estimate is repeated without each of the PARTS^2 parts."""


@dataclass(frozen=True, repr=False)
class ChannelNoise:
    """Noise of one channel, in units of the image, with standard errors.

    Attributes
    ----------
    clipped : (float, float)
        Share of the pixels at the lower and the upper end of the range if values were clipped there; else 0.
    sigma, sigma_error : float
        Standard deviation of the noise (root mean square over the channel) and its standard error; 0 if none was found.
    gain, gain_error, offset, offset_error, read, read_error : float
        As in `PoissonGaussian`; gain 0: even noise. Variances do not determine both offset and read noise: if their
        line over the values meets 0 above the smallest value, the offset is there and read noise is 0; else the offset
        is the smallest value.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import estimate_noise
    >>> noisy = np.random.default_rng(0).normal(100, 5, (64, 64))
    >>> (channel,) = estimate_noise(noisy).channels
    >>> round(channel.sigma), channel.gain, channel.clipped
    (5, 0.0, (0.0, 0.0))
    >>> print(channel)  # doctest: +ELLIPSIS
    the same at all values, 4.9... +- 0...
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

    def __str__(self) -> str:
        """The noise in one line, as ``napari-rsmoe noise`` prints it."""
        if self.sigma == 0:
            return "no noise found"
        if self.gain == 0:
            parts = [f"the same at all values, {_with_error(self.sigma, self.sigma_error)}"]
        else:
            numbers = (
                ("gain", self.gain, self.gain_error),
                ("offset", self.offset, self.offset_error),
                ("read noise", self.read, self.read_error),
            )
            parts = [f"{name} {_with_error(value, error)}" for name, value, error in numbers]
        ends = zip(("lower", "upper"), self.clipped, strict=True)
        return ", ".join(
            parts + [f"{share:.1%} of the pixels cut off at the {end} end" for end, share in ends if share]
        )

    def __repr__(self) -> str:
        return f"<ChannelNoise: {self}>"


@dataclass(frozen=True, repr=False)
class NoiseEstimate:
    """What `estimate_noise` returns; `denoise` takes it as `noise`.

    Attributes
    ----------
    sigma, sigma_error : float
        Standard deviation of the noise over the whole image, root mean square, and its standard error; 0 where none
        was found.
    channels : tuple of ChannelNoise
        The noise of each channel.
    correlation, correlation_error : (float, float)
        Correlation of the noise of neighbours along y and along x, and its standard error.
    shared, shared_error : float
        Mean correlation of the noise of two channels, and its standard error; 0 where they do not clearly share it.
    model : NoiseModel
        The same as one noise model for `denoise`, in units of the image.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import denoise, estimate_noise
    >>> noisy = np.random.default_rng(0).normal(100, 5, (64, 64))
    >>> noise = estimate_noise(noisy)
    >>> noise  # doctest: +ELLIPSIS
    <NoiseEstimate: standard deviation 4.9... +- 0..., even, white>
    >>> denoise(noisy, noise=noise, models=2, preset="fast").noise == noise.sigma
    True
    """

    sigma: float
    sigma_error: float
    channels: tuple[ChannelNoise, ...]
    correlation: tuple[float, float]
    correlation_error: tuple[float, float]
    shared: float
    shared_error: float
    model: NoiseModel

    def __str__(self) -> str:
        """The noise with its standard errors in a few lines, as ``napari-rsmoe noise`` prints it."""
        lines = [f"standard deviation {_with_error(self.sigma, self.sigma_error)}"]
        for number, channel in enumerate(self.channels):
            lines.append(f"  {f'channel {number}: ' if len(self.channels) > 1 else ''}{channel}")
        neighbours = ", ".join(
            f"{_with_error(*pair)} along {axis}"
            for axis, *pair in zip("yx", self.correlation, self.correlation_error, strict=True)
        )
        lines.append(f"  {self._colour}; correlation of neighbours {neighbours}")
        if self.shared:
            lines.append(f"  correlation of channels {_with_error(self.shared, self.shared_error)}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        kind = "growing with brightness" if any(channel.gain for channel in self.channels) else "even"
        found = f"standard deviation {_with_error(self.sigma, self.sigma_error)}, {kind}, {self._colour}"
        return f"<NoiseEstimate: {found if self.sigma else 'no noise found'}>"

    @property
    def _colour(self) -> str:
        return "white" if self.model.white else "correlated"


def _with_error(value: float, error: float) -> str:
    """A value and its standard error, without digits that the error leaves open."""
    if not error:  # Only one of offset and read noise follows from the variances.
        return f"{value:.4g} (assumed)"
    if not math.isfinite(error):  # Too few pixels.
        return f"{value:.4g} (error unknown)"
    return f"{round(value, 1 - math.floor(math.log10(error))):.4g} +- {error:.2g}"


@door
def estimate_noise(
    image: Any,
    *,
    channel_axis: ChannelAxis = "auto",
    weight: Any = None,
    ignore_nan: bool = False,
    saturation: float | None = None,
    below: float | None = None,
    above: float | None = None,
    nodata: float | str = "auto",
    defects: str = "auto",
    callback: Callback | None = None,
    memory: Memory = None,
) -> NoiseEstimate:
    """Estimate the noise of one image: its strength, growth with brightness, clipping, and correlation.

    White noise is estimated from the small eigenvalues of the covariance of patches [1]_, photon noise by a line
    through such variances at levels of brightness [2]_, correlated noise by the spectrum of flat blocks. Standard
    errors are those of the jackknife: the estimate is repeated without each ninth of the image. They say how well the
    image determines the numbers, not whether the model is right: fine texture all over an image may add to the noise.

    Parameters
    ----------
    image : array-like
        (Y, X), or (Y, X, C); see `channel_axis`. Integers or floats of any size, finite.
    channel_axis : int, None or "auto"
        Which axis holds channels; "auto" takes a last axis of length 3 or 4.
    weight : array-like, optional
        (Y, X) non-negative weights of the pixels; those of weight 0 are left out.
    ignore_nan : bool
        Leave out pixels that are NaN or infinite in any channel; otherwise they are an error.
    saturation : float, optional
        Leave out pixels that have at least this value in any channel, in units of the image.
    below, above : float, optional
        Leave out pixels that have less, or more, than this value in any channel.
    nodata : float or "auto"
        Value of missing pixels, which are left out. "auto" takes a value that is customary for missing data, such as
        -32768, -9999 or -3.4e38, if it lies far from all others.
    defects : {"auto", "keep"}
        Whether hot and dead pixels, single pixels far from everything around them, are found and left out, or kept as
        values like others.
    callback : callable, optional
        Called with a `Progress` ten times a second. If it returns True, the standard errors are those of the parts that
        are done; before there is an estimate, `StoppedError` is raised.
    memory : int or str, optional
        Memory that the job may take at its peak: a number of bytes, or a text such as "4G". By default half of what is
        free. Of an image that would take more, a sample is measured: squares of 256 px, spread evenly over it, which
        are all that is read of an array that lies in a file.

    Returns
    -------
    NoiseEstimate
        In units of the image. Images below 64 px a side are taken to have white, even noise. Standard errors are NaN
        if there is only a ninth of the image.

    Raises
    ------
    ImageError
        If the image or the weights cannot be used.

    References
    ----------
    .. [1] G. Chen, F. Zhu, P. A. Heng. An efficient statistical method for image noise level estimation. ICCV 2015.
       :doi:`10.1109/ICCV.2015.62`
    .. [2] A. Foi, M. Trimeche, V. Katkovnik, K. Egiazarian. Practical Poissonian-Gaussian noise modeling and fitting
       for single-image raw-data. IEEE Transactions on Image Processing 17, 2008. :doi:`10.1109/TIP.2008.2001399`

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import estimate_noise
    >>> ramp = np.add.outer(np.arange(96.0), np.arange(128.0))
    >>> noisy = ramp + np.random.default_rng(0).normal(0, 5, ramp.shape)
    >>> 4.5 < estimate_noise(noisy).sigma < 5.5
    True

    The estimate of one frame serves for others of the same camera::

        noise = estimate_noise(frames[0])
        clean = [denoise(frame, noise=noise).image for frame in frames]
    """
    selection = Selection(ignore_nan, saturation, below, above, nodata, defects)

    def read() -> Inputs:
        sample = sampled(image, channel_axis, selection, weight)
        return Inputs.of(image, channel_axis, selection, weight=weight) if sample is None else sample

    report = reading_report(image, callback, seconds=seconds_of(image, channel_axis))
    inputs = checked_attended(read, report)
    check_noise_estimate(inputs.pixels)
    layout, (pixels, used) = inputs.layout, measured_pixels(inputs)

    def measured(step: int, stage: str, kept: Mask, like: NoiseModel | None = None) -> NoiseModel:
        done = Progress(stage, step, 1 + PARTS**2, None, lambda: inputs.given, _seconds(inputs.pixels.size))
        report = None if callback is None else lambda share: bool(callback(done))
        if report is not None and report(None) and like is not None:
            raise StoppedError()
        return engine.attended(lambda: measure_noise(pixels, kept, like=like), report)

    model = measured(0, "noise", used)
    doubt_measured(model, pixels, used)
    ways: list[NoiseModel] = []
    with suppress(StoppedError):  # The standard errors are those of the parts that are done.
        for kept in _all_but_one(used):
            ways.append(measured(1 + len(ways), "standard errors", kept, model))
    counted = [each.reshape(-1) if used.all() else each[used] for each in np.moveaxis(pixels, -1, 0)]

    def figures(model: NoiseModel) -> Array:
        """Strength of the whole, correlations along y and x and of channels, and four numbers for each channel."""
        found = [strength(noise, counted[c]) for c, noise in enumerate(model.channels)]
        whole = math.sqrt(float(np.mean(np.square(found))))
        scaled = model.scaled(layout.span, layout.low)
        channels = [
            (strength * layout.span, noise.gain, noise.offset, noise.read)
            for strength, noise in zip(found, scaled.channels, strict=True)
        ]
        return np.array([whole * layout.span, *model.correlation, model.shared, *np.ravel(channels)])

    found = figures(model)
    # Jackknife estimates differ far less than those of separate images would, hence the factor.
    errors = np.sqrt((len(ways) - 1) * np.var([figures(way) for way in ways], axis=0)) if ways else np.nan * found
    channels = []
    for c, numbers in enumerate(np.stack([found[4:], errors[4:]], 1).reshape(-1, 4, 2)):
        shares = [float(np.mean(counted[c] == limit)) for limit in model.limits[c]]
        channels.append(ChannelNoise((shares[0], shares[1]), *map(float, numbers.ravel())))
    release()
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


def seconds_of(image: Any, channel_axis: ChannelAxis) -> float | None:
    """Seconds in which `estimate_noise` measures an image on an idle machine; None if its shape is not known yet."""
    shape = shape_beforehand(image, channel_axis)
    return None if shape is None else _seconds(math.prod(shape))


def _seconds(values: int) -> float:
    """The same, by the number of values."""
    return SECONDS * (1 + PARTS**2) * values / 1e6


def _all_but_one(used: Mask) -> Iterator[Mask]:
    """Pixels that count, without those of one part of the image after the other."""
    bounds = [np.linspace(0, length, PARTS + 1).astype(int) for length in used.shape]
    for (top, bottom), (left, right) in product(pairwise(bounds[0]), pairwise(bounds[1])):
        kept = used.copy()
        kept[top:bottom, left:right] = False
        if kept.any() and used[top:bottom, left:right].any():
            yield kept
