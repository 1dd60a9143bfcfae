"""Super-resolution: an image at another size, with an error bar."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from .. import engine
from ..checks import checked_choice, checked_flag
from ..denoising.result import Estimate
from ..door import door
from ..errors import StoppedError
from ..fitting.memory import check_upscale, upscale_settings
from ..fitting.upscale import fit_models, kernels_of, models_of
from ..image.beginning import checked_attended, reading_report, shape_beforehand
from ..image.blocks import BlockPlan
from ..image.format import ChannelAxis
from ..image.inputs import Inputs
from ..image.masks import Selection
from ..image.other_arrays import same_kind_out
from ..image.plane_source import plane_of
from ..image.rounding import check_dtype_choice
from ..memory import Memory, limited
from ..model.raster import Numbers, Raster, checked_sharpen
from ..noise.given import Noise, check_noise, is_no_noise, noise_or_sigma
from ..progress import Callback, Parts, Progress
from ..ranges import SEED
from .block_job import Job
from .blocks import How
from .costs import upscale_seconds
from .enlargement import Enlargement
from .found_noise import removed
from .found_reduction import CHOICES, share_of
from .restored import Restored
from .upscale_in_blocks import upscale_in_blocks

ROUNDS = {"fast": 2, "balanced": 6, "best": 16}
"""Rounds of refinement, by preset."""
STEPS = {"fast": 35, "balanced": 40, "best": 40}
"""Steps of the optimiser for each model, by preset. With fewer, drawings enlarged 4 times lose detail; at 2 times they
gain a little, as noise and aliases are followed less."""


@dataclass(frozen=True)
class Settings:
    """How an image is enlarged; attributes as the keywords of `upscale`."""

    noise: Noise = "auto"
    reduction: str = "auto"
    preset: str = "balanced"
    models: int | str = "auto"
    n_kernels: int | None = None
    iterations: int | None = None
    seed: int = 0
    device: str = "auto"

    def checked(self) -> Settings:
        """The settings themselves; ValueError if one is out of range that the fit does not check."""
        check_noise(self.noise)
        checked_choice(self.reduction, "reduction", CHOICES)
        checked_choice(self.preset, "preset", ROUNDS)
        return self

    @property
    def steps(self) -> int:
        """Steps of the optimiser for each model."""
        return STEPS[self.preset] if self.iterations is None else self.iterations


@door
@same_kind_out
def upscale(
    image: Any,
    scale: float | Numbers,
    sharpen: float = 1.0,
    *,
    noise: Noise = "auto",
    sigma: float | None = None,
    reduction: str = "auto",
    preset: str = "balanced",
    models: int | str = "auto",
    n_kernels: int | None = None,
    iterations: int | None = None,
    mask: Any = None,
    ignore_nan: bool = False,
    saturation: float | None = None,
    below: float | None = None,
    above: float | None = None,
    nodata: float | str = "auto",
    defects: str = "auto",
    dtype: str = "same",
    return_std: bool = False,
    seed: int = 0,
    device: str = "auto",
    memory: Memory = None,
    channel_axis: ChannelAxis = "auto",
    callback: Callback | None = None,
) -> Any:
    """Enlarge an image by any real factor (super-resolution by steered kernels).

    Steered kernels [1]_ are fitted. A pixel is modelled as the mean over its area, as a camera measures it, instead of
    as the value at its centre. So edges come out sharper than interpolation draws them. Then similar patches of the
    drawing serve as exemplars for each other [2]_, in turn with corrections after which the result, reduced again, is
    the image. Noise that is found is removed before. Nothing is learnt from other images.

    Parameters
    ----------
    image : array-like
        (Y, X), or (Y, X, C) with colour last; see `channel_axis`. Integers or floats of any size, finite.
    scale : float or (float, float)
        Output pixels for each image pixel (along y and x), positive; the output shape is rounded.
    sharpen : float
        Above 1 edges get sharper still: kernels shrink by this factor before they are drawn (kernel editing).
    noise : float, PoissonGaussian, (float, float, float), list of PoissonGaussian, NoiseEstimate or "auto"
        The noise of the image, as for `napari_rsmoe.denoise`. "auto" finds it. What is noise is removed, not followed;
        with 0 nothing is.
    sigma : float, optional
        Another name of `noise`, as in scikit-image.
    reduction : {"auto", "mean", "bicubic"}
        How the pixels came about: as means over their area, as cameras measure, or by bicubic interpolation with
        antialiasing of a larger image, as programs for photographs reduce it. "auto" finds it from the power spectrum
        of the image, and counts on both as far as each is likely.
    preset : {"fast", "balanced", "best"}
        Number of models, 2, 4 or 8, and of rounds of refinement, 2, 6 or 16; "fast" also takes fewer steps and compares
        fewer patches.
    models : int or "auto"
        Number of models that are averaged, each from its own start. More models are smoother and take longer. "auto"
        leaves it to the preset.
    n_kernels : int, optional
        Kernels of each model; by default one for every 4 pixels, which keeps fine detail.
    iterations : int, optional
        Steps of the optimiser for each model; by default 40, with "fast" 35.
    mask : array-like, optional
        (Y, X) pixels that are left out: those where it is not 0. They keep their value in the result. With a mask an
        image is not worked on in blocks.
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
    dtype : {"same", "auto", "float32"}
        Data type of the result. "same": that of the image; integers are rounded up or down at random, so that their
        mean stays, if the image has a few levels only, and a warning says so. "auto": float32 in that case. "float32":
        in any case.
    return_std : bool
        True: return the error bar too.
    seed : int
        Same seed, same machine: the same result to the bit, for any number of threads.
    device : {"auto", "cpu", "cuda"}
        Where to compute, as for `napari_rsmoe.fit`.
    memory : int or str, optional
        Memory that the job may take at its peak: a number of bytes, or a text such as "4G". By default half of what is
        free. What would take more is done in blocks, and what does not fit even so is refused before it begins.
    channel_axis : int, None or "auto"
        Which axis holds channels; "auto" takes a last axis of length 3 or 4.
    callback : callable, optional
        Called with a `Progress` every few steps. If it returns True, the job stops, and the result is drawn from the
        models that are finished, or from the unfinished first one, without refinement.

    Returns
    -------
    numpy.ndarray
        (round(H scale), round(W scale)), with channels where the image has them; its type and range. With `return_std`
        a `Restored`, with the image and the estimated standard deviation of its error at each pixel, in its units.

    Raises
    ------
    ImageError
        If the image cannot be used.
    ValueError
        If a parameter is out of range.
    DeviceError
        If the device cannot be used.
    NotEnoughMemoryError
        If the job would take more memory than it may.

    Notes
    -----
    To draw one model at several sizes, use ``fit(image, preset="upscale")`` and `Model.render`.

    References
    ----------
    .. [1] Y.-H. Li, T. Sikora, S. Knorr, M. Sjöström. Rasterized Steered Mixture of Experts for Efficient 2D Image
       Regression, 2025. :doi:`10.48550/arXiv.2510.05814`
    .. [2] K. Egiazarian and V. Katkovnik. Single image super-resolution via BM3D sparse coding. EUSIPCO 2015.
       :doi:`10.1109/EUSIPCO.2015.7362905`

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import upscale
    >>> y, x = np.mgrid[:24, :32]
    >>> disc = np.where((y - 12) ** 2 + (x - 16) ** 2 < 64, 200, 50).astype(np.uint8)
    >>> large = upscale(disc, 2.5, models=2)
    >>> large.shape, large.dtype
    ((60, 80), dtype('uint8'))
    """
    if scale is None:
        raise ValueError("scale=None must be one or two positive numbers.")
    sharpen = checked_sharpen(sharpen)
    check_dtype_choice(dtype)
    checked_flag(return_std, "return_std")
    noise = noise_or_sigma(noise, sigma)
    settings = Settings(noise, reduction, preset, models, n_kernels, iterations, seed, device).checked()
    selection = Selection(ignore_nan, saturation, below, above, nodata, defects)
    blocks = None if mask is not None else in_blocks(image, channel_axis, scale, sharpen, settings, selection)
    if blocks is not None:
        result = upscale_in_blocks(*blocks, dtype, callback)
        return result if return_std else result.image
    seconds = _seconds_of(image, channel_axis, scale, settings)
    inputs = _checked(image, channel_axis, selection, mask, callback, seconds)
    result = enlarged(inputs, scale, sharpen, settings, dtype=dtype, callback=callback)
    return result if return_std else result.image


def in_blocks(
    image: Any,
    channel_axis: ChannelAxis,
    scale: float | Numbers,
    sharpen: float,
    settings: Settings,
    selection: Selection,
) -> tuple[Job, BlockPlan] | None:
    """The job in blocks and its blocks, where the image does not fit the memory as a whole; arguments as `upscale`."""
    plane = plane_of(image, channel_axis)
    if plane is None:
        return None
    height, width, channels = plane.shape
    Raster.plan((height, width), channels, scale=scale)
    how = How(
        models_of(settings.models, settings.preset),
        ROUNDS[settings.preset],
        sharpen,
        settings.reduction,
        SEED.check(settings.seed, "seed"),
        settings.device,
        upscale_settings(settings.steps),
    )
    n_kernels = kernels_of((height, width), settings.n_kernels)
    job = Job(plane, scale, how, n_kernels, settings.noise, settings.preset, selection)
    plan = job.plan()
    return None if plan is None else (job, plan)


def enlarged(
    inputs: Inputs,
    scale: float | Numbers,
    sharpen: float,
    settings: Settings,
    *,
    dtype: str = "same",
    callback: Callback | None = None,
) -> Restored:
    """Enlarge a checked image; arguments as for `upscale`."""
    prepared, last = prepare(inputs, scale, settings, callback)
    return result_of(prepared, scale, sharpen, dtype, last)


def enlargement_of(
    image: Any,
    scale: float | Numbers,
    *,
    channel_axis: ChannelAxis = "auto",
    mask: Any = None,
    callback: Callback | None = None,
    memory: Memory = None,
    **given: Any,
) -> tuple[Enlargement, Callback | None]:
    """Do what `upscale` does until the result is drawn, for front ends that draw it more than once.

    Arguments are those of `upscale` but for `sharpen` and `dtype`. Returns the enlargement, and the callback for
    `result_of`.
    """
    names = {each.name for each in fields(Settings)}
    settings = Settings(**{name: value for name, value in given.items() if name in names}).checked()
    left_out = {name: value for name, value in given.items() if name not in names}
    with limited(memory):
        seconds = _seconds_of(image, channel_axis, scale, settings)
        inputs = _checked(image, channel_axis, Selection(**left_out), mask, callback, seconds)
        return prepare(inputs, scale, settings, callback)


def _checked(
    image: Any,
    channel_axis: ChannelAxis,
    selection: Selection,
    mask: Any,
    callback: Callback | None,
    seconds: float | None,
) -> Inputs:
    """The checked image; reports meanwhile, also how many seconds all is expected to take."""
    report = reading_report(image, callback, seconds=seconds)
    return checked_attended(lambda: Inputs.of(image, channel_axis, selection, outside=mask), report)


def _seconds_of(image: Any, channel_axis: ChannelAxis, scale: float | Numbers, settings: Settings) -> float | None:
    """Seconds in which an image is expected to be enlarged; None if its shape is not known yet."""
    shape = shape_beforehand(image, channel_axis)
    return None if shape is None else sum(_expected(shape, scale, settings))


def _expected(shape: tuple[int, ...], scale: float | Numbers, settings: Settings) -> list[float]:
    """Seconds that each part of the job is expected to take, for an image (H, W, C)."""
    height, width, channels = shape
    raster = Raster.plan((height, width), channels, scale=scale)
    seconds = upscale_seconds(
        (height, width, channels),
        (raster.shape[0], raster.shape[1]),
        models_of(settings.models, settings.preset),
        kernels_of((height, width), settings.n_kernels),
        settings.steps,
        settings.preset,
        ROUNDS[settings.preset],
    )
    return [0.0, *seconds[1:]] if is_no_noise(settings.noise) else seconds


def prepare(
    inputs: Inputs, scale: float | Numbers, settings: Settings, callback: Callback | None = None
) -> tuple[Enlargement, Callback | None]:
    """Remove the noise of an image, and fit its models; also returns the callback for drawing the result."""
    height, width, channels = inputs.pixels.shape
    raster = Raster.plan((height, width), channels, scale=scale)
    count, n_kernels = models_of(settings.models, settings.preset), kernels_of((height, width), settings.n_kernels)
    check_upscale(inputs, scale, count, n_kernels, settings.steps)
    expected = _expected((height, width, channels), scale, settings)
    parts = Parts(callback, expected)
    clean, left, noise = removed(
        inputs,
        settings.noise,
        preset=settings.preset,
        seed=settings.seed,
        device=settings.device,
        callback=parts.part(0, "noise"),
    )
    if noise == 0:  # None had to be removed.
        parts.expect([0.0, *expected[1:]])
    models = fit_models(
        clean,
        count,
        n_kernels,
        iterations=settings.steps,
        seed=settings.seed,
        device=settings.device,
        parts=parts,
        first=1,
    )
    rounds = 0 if parts.stopped else ROUNDS[settings.preset]
    reduction = share_of(settings.reduction, [inputs], 1 / min(raster.step))
    prepared = Enlargement(models, clean, left, noise, reduction, rounds, settings.device)
    return prepared, None if parts.stopped else parts.part(count + 1, "refine")


def result_of(
    prepared: Enlargement,
    scale: float | Numbers,
    sharpen: float = 1.0,
    dtype: str = "same",
    callback: Callback | None = None,
) -> Restored:
    """Draw an enlargement; where the callback asks to stop, the models are drawn without refinement."""

    def report(share: float | None) -> bool:
        done = round(100 * (share or 0.0))
        return callback is not None and bool(
            callback(Progress("refine", done, 100, None, lambda: prepared.inputs.given))
        )

    try:
        estimate: Estimate = engine.attended(
            lambda: prepared.estimate(scale, sharpen), None if callback is None else report
        )
    except StoppedError:
        estimate = replace(prepared, rounds=0).estimate(scale, sharpen)
    return Restored.of(estimate, prepared.inputs, prepared.noise, prepared.models, dtype=dtype)
