"""Deconvolution: an image without the blur of its optics and without its noise, with an error bar."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..checks import checked_choice
from ..denoising.denoise import denoise
from ..denoising.result import Estimate
from ..door import door
from ..fitting.upscale import PRESET_MODELS
from ..image.beginning import checked_attended, reading_report
from ..image.blur import blurred
from ..image.format import ChannelAxis
from ..image.inputs import Inputs
from ..image.masks import Selection, at_size, fill_nearest
from ..image.resize import interpolated
from ..image.rounding import check_dtype_choice
from ..memory import Memory, require
from ..model.drawing import draw
from ..model.model import Model
from ..model.raster import Numbers, Raster
from ..noise.given import Noise, check_noise
from ..notes import gathered
from ..progress import Callback, Parts, Progress
from ..ranges import SEED
from .deconvolution import SHARP_START, Blur, as_model, deconvolved, richardson_lucy
from .psf import point_spread
from .restored import Restored

SPREAD = 1.0
"""Standard deviation of the error relative to the spread of all models."""
SPREAD_WINDOW = 3.0
"""Standard deviation in pixels of the window in which the spread is averaged."""
LEAST = 3e-3
"""Error, as a fraction of the range of the image, that is claimed at least."""
BYTES = 400.0
"""Memory for each pixel with the margin of the point spread function, in bytes."""


@dataclass(frozen=True)
class _Found:
    """One channel: its models, and the standard deviation of the error of their mean, in the engine's range."""

    models: list[Model]
    std: Floats


@door
def deblur(
    image: Any,
    psf: Any,
    scale: float | Numbers = 1.0,
    *,
    noise: Noise = "auto",
    preset: str = "balanced",
    ignore_nan: bool = False,
    saturation: float | None = None,
    below: float | None = None,
    above: float | None = None,
    nodata: float | str = "auto",
    defects: str = "auto",
    dtype: str = "same",
    seed: int = 0,
    device: str = "auto",
    memory: Memory = None,
    channel_axis: ChannelAxis = "auto",
    callback: Callback | None = None,
) -> Restored:
    """Undo a known blur (deconvolution by steered kernels).

    The noise is removed first. Then kernels are fitted so that their drawing, blurred by the point spread function, is
    the image. Half of the models begin with the image, and half with a deconvolution of it by the method of Richardson
    and Lucy [1]_; they err differently, and the result is the mean of all. Light is never negative.

    Parameters
    ----------
    image : array-like
        (Y, X), or (Y, X, C) with colour last; see `channel_axis`. Channels are deconvolved one by one.
    psf : float, (float, float, float), str or array-like
        The point spread function: the standard deviation of a Gaussian in pixels; numerical aperture, wavelength and
        pixel size, the last two in the same unit; or an image (Y, X) of a point, as `measure_psf` returns it.
    scale : float or (float, float)
        Output pixels for each image pixel, positive.
    noise : float, PoissonGaussian, (float, float, float), list of PoissonGaussian, NoiseEstimate or "auto"
        As for `napari_rsmoe.denoise`. The offset of a camera is taken from it if it is given.
    preset : {"fast", "balanced", "best"}
        Number of models: 2, 4 or 8.
    ignore_nan, saturation, below, above, nodata, defects, dtype, seed, device, memory, channel_axis, callback
        As for `napari_rsmoe.upscale`. Models are fitted on the CPU.

    Returns
    -------
    Restored
        The image, of (round(H scale), round(W scale)) pixels, its error bar, the noise and the models.

    Raises
    ------
    ImageError
        If the image cannot be used.
    ValueError
        If a parameter is out of range.
    NotEnoughMemoryError
        If the job would take more memory than it may.

    Notes
    -----
    What the optics have removed completely is not known afterwards. With a wrong point spread function results look
    sharp and are wrong: one that is too wide makes rings around edges and splits lines.

    References
    ----------
    .. [1] W. H. Richardson. Bayesian-based iterative method of image restoration. Journal of the Optical Society of
       America 62, 1972. :doi:`10.1364/JOSA.62.000055`

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.ndimage import gaussian_filter
    >>> from napari_rsmoe import deblur
    >>> points = np.zeros((40, 40))
    >>> points[10:30:9, 10:30:9] = 1000
    >>> sharp = deblur(gaussian_filter(points, 1.5), 1.5, noise=0, preset="fast")
    >>> bool(sharp.image.max() > 2 * gaussian_filter(points, 1.5).max())
    True
    """
    spread = point_spread(psf)
    check_noise(noise)
    check_dtype_choice(dtype)
    count = PRESET_MODELS[checked_choice(preset, "preset", PRESET_MODELS)]
    seed = SEED.check(seed, "seed")
    selection = Selection(ignore_nan, saturation, below, above, nodata, defects)
    inputs = checked_attended(lambda: Inputs.of(image, channel_axis, selection), reading_report(image, callback))
    height, width, channels = inputs.pixels.shape
    raster = Raster.plan((height, width), channels, scale=scale)
    _check_memory(inputs, spread, raster)
    parts = Parts(callback, 1 + count * channels)
    with gathered():
        clean = denoise(
            inputs, noise=noise, preset=preset, dtype="float32", seed=seed, device=device,
            callback=parts.part(0, "noise"),
        )  # fmt: skip
    planes, excess = _without_extremes(inputs, np.atleast_3d(inputs.layout.channels_last(clean.image)))
    results = [
        _channel(planes[..., c], inputs, spread, _offset(noise, planes[..., c], c), count, seed, parts, c)
        for c in range(channels)
    ]
    drawn = [_drawn(found, raster, device) for found in results]
    image_, std = (np.stack([each[k] for each in drawn], -1) for k in (0, 1))
    if excess is not None:
        image_ += at_size(excess, image_.shape[:2]) / np.float32(inputs.layout.span)
    models = [model for found in results for model in found.models]
    # Sharp details are brighter than what the camera saw of them.
    unbounded = replace(inputs, layout=replace(inputs.layout, limits=(-math.inf, math.inf)))
    return Restored.of(Estimate(image_, std), unbounded, clean.noise, models, dtype=dtype)


def _without_extremes(inputs: Inputs, planes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Values (H, W, C) without the places that have no data, and what a few values lie beyond the range of the others.

    Extreme values, such as saturated stars, would set the scale of the fits. What they exceed the range by is added to
    the result where they are.
    """
    if inputs.missing is not None:
        planes = fill_nearest(planes, inputs.missing)
    if not inputs.extreme:
        return planes, None
    within = np.clip(planes, inputs.layout.low, inputs.layout.high)
    return within, planes - within


def _check_memory(inputs: Inputs, spread: NDArray[np.float64], raster: Raster) -> None:
    """Raise a NotEnoughMemoryError if the job takes more memory than it may."""
    height, width, channels = inputs.pixels.shape
    reach = max(spread.shape) + 8
    needed = BYTES * ((height + reach) * (width + reach) + 0.2 * channels * raster.shape[0] * raster.shape[1])
    require(round(needed), f"Deconvolving {height} x {width} px", "Take a part of the image")


def _offset(noise: Noise, plane: Floats, channel: int) -> float:
    """The value without light: as given, or the smallest value."""
    lowest = float(plane.min())
    known: Any = noise[channel % len(noise)] if isinstance(noise, list) else noise
    offset = known[1] if isinstance(known, tuple) and len(known) == 3 else getattr(known, "offset", None)
    return lowest if offset is None else min(float(offset), lowest)


def _channel(
    plane: Floats,
    inputs: Inputs,
    spread: NDArray[np.float64],
    offset: float,
    count: int,
    seed: int,
    parts: Parts,
    channel: int,
) -> _Found:
    """Deconvolve one channel, given in units of the image without its noise."""
    layout, shape = inputs.layout, plane.shape
    blur = Blur.of(spread, (shape[0], shape[1]))
    span = max(float(plane.max()) - offset, float(np.finfo(np.float32).tiny))
    observed = np.maximum(blur.padded((plane - offset) / span), 1e-4)
    unit, shift = span / layout.span, (offset - layout.low) / layout.span
    single = layout.single_channel()
    sharp: NDArray[np.float64] | None = None
    drawings: list[Floats] = []
    models: list[Model] = []
    for index in range(count):
        kind = "blurred" if index % 2 == 0 else "sharp"
        if kind == "sharp" and sharp is None:
            sharp = richardson_lucy(observed, blur, SHARP_START)
        start = observed if kind == "blurred" else sharp
        assert start is not None
        callback = parts.part(1 + channel * count + index, f"model {index + 1} of {count}")

        def report(share: float, callback: Callback | None = callback) -> bool:
            progress = Progress("model", round(100 * share), 100, None, lambda: inputs.given)
            return callback is not None and bool(callback(progress))

        drawn, geometry, experts = deconvolved(observed, start, blur, kind, (count * seed + index) % 2**63, report)
        drawings.append(drawn)
        models.append(as_model(geometry, experts * unit + shift, blur, (shape[0], shape[1]), single))
        if parts.stopped:
            break
    return _Found(models, _error(drawings, blur, unit))


def _error(drawings: list[Floats], blur: Blur, unit: float) -> Floats:
    """The standard deviation of the error (H, W), in the engine's range."""
    spread = blurred(np.var(drawings, 0)[None].astype(np.float32), None, SPREAD_WINDOW)[0]
    return np.ascontiguousarray(blur.inner(unit * np.sqrt(SPREAD**2 * spread + LEAST**2)), np.float32)


def _drawn(found: _Found, raster: Raster, device: str) -> tuple[Floats, Floats]:
    """One channel at the size of the result, and its error bar, in the engine's range."""
    layout = found.models[0].layout
    drawn = draw(found.models, raster, device=device, dtype=layout.exact_type)
    std = interpolated(found.std[None], (raster.shape[0], raster.shape[1]))[0]
    return np.asarray((drawn - layout.low) / layout.span, np.float32), std
