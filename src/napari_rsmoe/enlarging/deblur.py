"""Deconvolution: an image without the blur of its optics and without its noise, with an error bar."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Mask
from ..checks import checked_choice
from ..denoising.observation import measured_model
from ..denoising.result import Estimate
from ..door import door
from ..engine.attention import attended_in_steps
from ..errors import StoppedError
from ..fitting.upscale import PRESET_MODELS
from ..image.beginning import checked_attended, reading_report, shape_beforehand
from ..image.format import ChannelAxis, ImageFormat
from ..image.inputs import Inputs
from ..image.masks import Selection, at_size, fill_mirrored
from ..image.other_arrays import same_kind_out
from ..image.resize import interpolated
from ..image.rounding import check_dtype_choice
from ..memory import Memory
from ..model.drawing import draw
from ..model.model import Model
from ..model.raster import Numbers, Raster
from ..noise.given import Noise, check_noise, noise_or_sigma
from ..noise.noise_model import NoiseModel, PoissonGaussian
from ..notes import note
from ..progress import Callback, Parts, Progress
from ..ranges import SEED
from .blended import blended
from .cleaned import cleaned
from .costs import deblur_seconds
from .darkness import darkness
from .deconvolution import DARK, SHARP_START, Blur, Deconvolved, as_model, deconvolved, richardson_lucy
from .memory import check_deblur
from .psf import point_spread
from .restored import Restored
from .stop_band import stop_band_noise
from .through_blur import Measured, agreed

UNFIT = (
    "the image does not fit this point spread function, by more than its noise: the result is smoother than it could "
    "be, and may ring; one that is too wide does that, so measure it, or give a narrower one (psf=, --psf)"
)
"""Said of an image that no light explains through the blur."""
ROUNDS = {"fast": 4, "balanced": 8, "best": 16}
"""Rounds of refinement, by preset."""


@dataclass(frozen=True)
class _Found:
    """One channel: its models, what the refinement changes of their mean, and its error, in the engine's range."""

    models: list[Model]
    change: Floats
    std: Floats


@door
@same_kind_out
def deblur(
    image: Any,
    psf: Any,
    scale: float | Numbers = 1.0,
    *,
    noise: Noise = "auto",
    sigma: float | None = None,
    preset: str = "balanced",
    mask: Any = None,
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

    The noise is measured and removed first. Then kernels are fitted so that their drawing, blurred by the point spread
    function, is the image. Half of the models begin with the image, and half with a deconvolution of it by the method
    of Richardson and Lucy [1]_; they err differently, and their mean is drawn. Then similar patches of the drawing
    serve as exemplars for each other, in turn with the noisy values: each counts as much as its noise, of photons and
    of the camera, allows. Where there are no lines, a deconvolution by total variation counts as far as its weight
    changes it little; if structures are wider than the blur, most of the result is a smooth deconvolution. How far
    these are apart, and how wide the blur is, enters the error bar. Light is never negative.

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
    sigma : float, optional
        Another name of `noise`, as in scikit-image.
    preset : {"fast", "balanced", "best"}
        Number of models: 2, 4 or 8; and of rounds of refinement: 4, 8 or 16.
    mask : array-like, optional
        (Y, X) pixels that are left out: those where it is not 0. They keep their value in the result.
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
    sharp and are wrong: one that is too wide makes rings around edges and splits lines. If the image clearly does not
    fit it, a warning says so, and the result is smoother.

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
    noise = noise_or_sigma(noise, sigma)
    check_noise(noise)
    check_dtype_choice(dtype)
    count = PRESET_MODELS[checked_choice(preset, "preset", PRESET_MODELS)]
    seed = SEED.check(seed, "seed")
    selection = Selection(ignore_nan, saturation, below, above, nodata, defects)
    shape = shape_beforehand(image, channel_axis)
    seconds = None if shape is None else sum(deblur_seconds(shape, count, preset, ROUNDS[preset]))
    report = reading_report(image, callback, seconds=seconds)
    inputs = checked_attended(lambda: Inputs.of(image, channel_axis, selection, outside=mask), report)
    height, width, channels = inputs.pixels.shape
    raster = Raster.plan((height, width), channels, scale=scale)
    check_deblur(inputs, max(spread.shape), raster, count, noise)
    report = reading_report(image, callback, "noise", seconds)
    model = checked_attended(lambda: _noise_model(inputs, noise, spread), report)
    parts = Parts(callback, deblur_seconds((height, width, channels), count, preset, ROUNDS[preset]))
    clean, _, sigma = cleaned(
        inputs, _in_units(model, inputs), preset=preset, seed=seed, device=device, callback=parts.part(0, "noise")
    )
    planes = np.clip(clean, 0, 1) if inputs.extreme else clean
    jobs = [
        _Channel(inputs, c, planes[..., c], model.channels[c], spread, _offset(noise, c, inputs.layout), preset, parts)
        for c in range(channels)
    ]
    results = [job.deconvolved(seed) for job in jobs]
    drawn = [_drawn(found, raster, device) for found in results]
    image_, std = (np.stack([each[k] for each in drawn], -1) for k in (0, 1))
    if inputs.extreme:
        # Values such as saturated stars would set the scale of the fits. What they exceed the range by is added.
        image_ += at_size(clean - planes, image_.shape[:2])
    models = [model for found in results for model in found.models]
    # Sharp details are brighter than what the camera saw of them.
    most = float(np.finfo(inputs.layout.exact_type).max)
    unbounded = replace(inputs, layout=replace(inputs.layout, limits=(-most, most)))
    return Restored.of(Estimate(image_, std), unbounded, sigma, models, dtype=dtype)


def _offset(noise: Noise, channel: int, layout: ImageFormat) -> float | None:
    """The value without light of a channel in the engine's range, if it is given."""
    known: Any = noise[channel % len(noise)] if isinstance(noise, list) else noise
    offset = known[1] if isinstance(known, tuple) and len(known) == 3 else getattr(known, "offset", None)
    return None if offset is None else (float(offset) - layout.low) / layout.span


@dataclass(frozen=True)
class _Channel:
    """One channel that is to be deconvolved.

    Attributes
    ----------
    inputs : Inputs
        The image.
    index : int
        Which of its channels.
    clean : ndarray
        The channel (H, W) without its noise, in the engine's range.
    noise : PoissonGaussian
        Its noise, in the engine's range.
    spread : ndarray of float64
        The point spread function.
    offset : float or None
        The value without light, in the engine's range, if it is given.
    preset : str
        As for `deblur`.
    parts : Parts
        Of the job: one for each model, and two more, of each channel.
    """

    inputs: Inputs
    index: int
    clean: Floats
    noise: PoissonGaussian
    spread: NDArray[np.float64]
    offset: float | None
    preset: str
    parts: Parts

    @cached_property
    def blur(self) -> Blur:
        """The convolution of the channel."""
        return Blur.of(self.spread, (self.clean.shape[0], self.clean.shape[1]))

    @cached_property
    def observed(self) -> NDArray[np.float64]:
        """The channel with its margin, as light above 0."""
        unit, zero = self.light
        return np.maximum(self.blur.padded((self.clean - zero) / unit), DARK)

    @property
    def measured(self) -> Measured:
        """The channel with its noise, and its margin."""
        unit, zero = self.light
        pixels, used = _measured(self.inputs)
        counted = self.blur.padded(pixels[..., self.index].astype(np.float64) / unit - zero / unit)
        noise = self.noise.scaled(1 / unit, -zero / unit)
        return Measured(counted, self.observed, self.blur.padded(used.astype(np.float64)), noise, self.blur)

    @cached_property
    def light(self) -> tuple[float, float]:
        """Unit and zero of light in the engine's range; light is about [0, 1]."""
        if self.offset is None:
            dark = darkness(self.clean, self.noise, self.blur)
        else:
            dark = min(self.offset, float(self.clean.min()))
        return max(float(self.clean.max()) - dark, float(np.finfo(np.float32).tiny)), dark

    def report(self, part: int, words: str) -> Callable[[float], bool] | None:
        """Takes the fraction of a part that is done; returns whether to stop. None: nobody listens."""
        callback = self.parts.part(1 + self.index * (PRESET_MODELS[self.preset] + 2) + part, words)

        def reported(share: float) -> bool:
            progress = Progress("model", round(100 * share), 100, None, lambda: self.inputs.given)
            return callback is not None and bool(callback(progress))

        return None if callback is None else reported

    def deconvolved(self, seed: int) -> _Found:
        """Fit the models, and refine their mean."""
        unit, zero = self.light
        blur, layout, count = self.blur, self.inputs.layout, PRESET_MODELS[self.preset]
        shape = (self.clean.shape[0], self.clean.shape[1])
        observed = self.observed
        starts: dict[str, NDArray[np.float64] | None] = {"blurred": observed, "sharp": None}
        drawings: list[Floats] = []
        models: list[Model] = []
        for index in range(count):
            kind = "blurred" if index % 2 == 0 else "sharp"
            work = partial(_model, observed, starts[kind], blur, kind, (count * seed + index) % 2**63)
            try:
                starts[kind], (drawn, geometry, experts) = attended_in_steps(
                    work, self.report(index, f"model {index + 1} of {count}")
                )
            except StoppedError:
                if not drawings:
                    raise
                break
            drawings.append(drawn)
            models.append(as_model(geometry, experts * unit + zero, blur, shape, layout.single_channel()))
            if self.parts.stopped:
                break
        mean: NDArray[np.float64] = np.asarray(np.mean(drawings, 0, dtype=np.float64))
        refined, error = self._refined(mean)
        std = unit * error
        change = blur.inner(unit * (refined - mean))
        return _Found(models, np.asarray(change, np.float32), np.ascontiguousarray(blur.inner(std), np.float32))

    def _refined(self, mean: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The mean of the models in agreement with the noisy values, as far as nobody asks to stop, and its error."""
        measured, rounds, count = self.measured, ROUNDS[self.preset], PRESET_MODELS[self.preset]
        light = mean
        if not self.parts.stopped:
            with suppress(StoppedError):  # What there is by then is the result.
                light = attended_in_steps(partial(agreed, mean, measured, rounds), self.report(count, "refine"))
                if not self.parts.stopped:
                    work = partial(blended, mean, light, measured)
                    blend = attended_in_steps(work, self.report(count + 1, "flat areas"))
                    if not blend.fits:
                        note(UNFIT)
                    return blend.light, blend.std
        return light, measured.error_of(light)


def _model(
    observed: NDArray[np.float64],
    start: NDArray[np.float64] | None,
    blur: Blur,
    kind: str,
    seed: int,
    step: Callable[[float], bool],
) -> tuple[NDArray[np.float64], Deconvolved]:
    """What a model begins with, and the model; see `deconvolved`. None: a deconvolution of the plane."""
    begin = richardson_lucy(observed, blur, SHARP_START) if start is None else start
    return begin, deconvolved(observed, begin, blur, kind, seed, step)


def _noise_model(inputs: Inputs, noise: Noise, spread: NDArray[np.float64]) -> NoiseModel:
    """The noise in the engine's range: as given, or what the image holds that the optics do not pass."""
    if isinstance(noise, str):
        pixels, used = _measured(inputs)
        blur = Blur.of(spread, (pixels.shape[0], pixels.shape[1]))
        found = [stop_band_noise(plane, used, blur) for plane in np.moveaxis(pixels, -1, 0)]
        models = tuple(each for each in found if each is not None)
        if len(models) == len(found):
            return NoiseModel(models, ((-math.inf, math.inf),) * len(models))
    return measured_model(inputs, noise)


def _measured(inputs: Inputs) -> tuple[Floats, Mask]:
    """The image (H, W, C) in the engine's range, and where it was measured (H, W): elsewhere it is as nearby."""
    pixels = inputs.pixels
    used = np.ones(pixels.shape[:2], bool) if inputs.weight is None else inputs.weight > 0
    if inputs.extreme:
        used &= ((pixels >= 0) & (pixels <= 1)).all(2)
    return (pixels if used.all() else fill_mirrored(pixels, ~used)), used


def _in_units(model: NoiseModel, inputs: Inputs) -> Noise:
    """A noise model of the engine's range as `denoise` takes it; 0 where there is none."""
    if all(channel.gain == channel.read == 0 for channel in model.channels):
        return 0.0
    return model.scaled(inputs.layout.span, inputs.layout.low)


def _drawn(found: _Found, raster: Raster, device: str) -> tuple[Floats, Floats]:
    """One channel at the size of the result, and its error bar, in the engine's range."""
    layout = found.models[0].layout
    drawn = draw(found.models, raster, device=device, dtype=layout.exact_type)
    change, std = interpolated(np.stack([found.change, found.std]), (raster.shape[0], raster.shape[1]))
    return np.asarray((drawn - layout.low) / layout.span + change, np.float32), np.maximum(std, 0)
