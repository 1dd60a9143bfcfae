"""Super-resolution: fit models finer than the pixels of an image, draw them on a finer raster, and average."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checks import checked_choice
from ..door import door
from ..errors import StoppedError
from ..image.format import ChannelAxis
from ..image.inputs import Inputs
from ..image.other_arrays import same_kind_out
from ..image.rounding import check_dtype_choice, is_coarse, rounding_costs, typed_result
from ..memory import Memory
from ..model.drawing import draw
from ..model.model import Model
from ..model.raster import Numbers, Raster, checked_sharpen, output_size
from ..noise.estimate import estimate_noise
from ..notes import gathered, note
from ..progress import Callback, Parts, without_psnr
from ..ranges import KERNELS, MODELS, SEED, check_kernels, number_or_auto
from .fit import fit
from .memory import check_upscale

PIXELS_PER_KERNEL = 3
"""Pixels for each kernel of a model by default. With fewer pixels a model takes longer and begins to follow noise, with
more it loses fine detail."""

PRESET_MODELS = {"fast": 2, "balanced": 4, "best": 8}
"""Number of models, by preset. More average out more of what each model does wrong; time grows with their number."""
NOISY = 0.02
"""Standard deviation of the noise, in parts of the range of the image, above which a note says that the image should be
denoised first. Below it, denoising gains less than 1 dB on photographs (docs/trials/fitting.md)."""
LEAST_NOISE_SIDE = 128
"""Smallest side in pixels of an image whose noise is judged; in smaller ones texture is too often taken for noise."""
NOISE_SIDE = 160
"""Side of the part in the middle whose noise is measured, in pixels; a larger part takes more time."""

PixelBox = tuple[int, int, int, int]
"""Rows and columns (y0, x0, y1, x1) of an output, as in slices."""


@door
@same_kind_out
def upscale(
    image: Any,
    scale: float | Numbers,
    sharpen: float = 1.0,
    *,
    preset: str = "balanced",
    models: int | str = "auto",
    n_kernels: int | None = None,
    iterations: int | None = None,
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
) -> np.ndarray:
    """Enlarge an image by any real factor (super-resolution by steered kernels [1]_).

    A pixel is modelled as the mean over its area, as a camera measures it, instead of as the value at its centre. So
    edges come out sharper than interpolation draws them. Nothing is learnt from other images.

    Parameters
    ----------
    image : array-like
        (Y, X), or (Y, X, C) with colour last; see `channel_axis`. Integers or floats of any size, finite.
    scale : float or (float, float)
        Output pixels for each image pixel (along y and x), positive; the output shape is rounded.
    sharpen : float
        Above 1 edges get sharper still: kernels shrink by this factor before they are drawn (kernel editing).
    preset : {"fast", "balanced", "best"}
        Number of models: 2, 4 or 8.
    models : int or "auto"
        Number of models that are averaged, each from its own start. More models are smoother and take longer. "auto"
        leaves it to the preset.
    n_kernels : int, optional
        Kernels of each model; by default one for every 3 pixels, which keeps fine detail.
    iterations : int, optional
        Steps of the optimiser for each model; by default 50.
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
    seed : int
        Same seed, same machine: the same result to the bit, for any number of threads.
    device : {"auto", "cpu", "cuda"}
        Where to compute, as for `napari_rsmoe.fit`.
    memory : int or str, optional
        Memory that the job may take at its peak: a number of bytes, or a text such as "4G". By default half of what is
        free. What would take more is refused before it begins.
    channel_axis : int, None or "auto"
        Which axis holds channels; "auto" takes a last axis of length 3 or 4.
    callback : callable, optional
        Called with a `Progress` every few steps. If it returns True, the job stops, and the result is made of the
        models that are finished, or of the unfinished first one.

    Returns
    -------
    numpy.ndarray
        (round(H scale), round(W scale)), with channels where the image has them; its type and range.

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
    inputs = Inputs.of(
        image,
        channel_axis,
        ignore_nan=ignore_nan,
        saturation=saturation,
        below=below,
        above=above,
        nodata=nodata,
        defects=defects,
    )
    height, width, channels = inputs.pixels.shape
    Raster.plan((height, width), channels, scale=scale)
    count, n_kernels = _models_of(models, preset), _kernels_of(inputs, n_kernels)
    check_upscale(inputs, scale, count, n_kernels, iterations)
    fitted = fit_models(
        inputs,
        preset=preset,
        models=count,
        n_kernels=n_kernels,
        iterations=iterations,
        seed=seed,
        device=device,
        callback=callback,
    )
    large = draw_mean(fitted, scale=scale, sharpen=sharpen, device=device, choice=dtype)
    return inputs.with_missing(large)


@door
def fit_models(
    image: Any,
    *,
    preset: str = "balanced",
    models: int | str = "auto",
    n_kernels: int | None = None,
    iterations: int | None = None,
    seed: int = 0,
    device: str = "auto",
    channel_axis: ChannelAxis = "auto",
    callback: Callback | None = None,
    memory: Memory = None,
    **left_out: Any,
) -> list[Model]:
    """Fit the models that `upscale` averages; arguments as there, also those that leave pixels out.

    If the callback asks to stop, the finished models are returned, or the unfinished first one.
    """
    inputs = Inputs.of(image, channel_axis, **left_out)
    n_kernels = _kernels_of(inputs, n_kernels)
    count = _models_of(models, preset)
    seed = SEED.check(seed, "seed")  # a fraction times the number of models may be whole
    _note_noise(inputs)
    parts = Parts(callback, count)
    fitted: list[Model] = []
    for index in range(count):
        try:
            model = fit(
                inputs,
                n_kernels,
                preset="upscale",
                iterations=iterations,
                seed=(count * seed + index) % 2**63,
                device=device,
                callback=without_psnr(parts.part(index, f"model {index + 1} of {count}")),
            )
        except StoppedError:
            if fitted:
                break  # There are finished models to keep.
            raise
        if parts.stopped and fitted:
            break  # it is unfinished, others are not
        fitted.append(model)
        if parts.stopped:
            break
    return fitted


def _models_of(models: int | str, preset: str) -> int:
    """The number of models, as given or by the preset; checked."""
    usual = PRESET_MODELS[checked_choice(preset, "preset", PRESET_MODELS)]
    number: int | None = number_or_auto(models, "models", MODELS)
    return usual if number is None else number


def _kernels_of(inputs: Inputs, n_kernels: int | None) -> int:
    """The number of kernels of a model, as given or by the number of pixels; checked."""
    height, width, _ = inputs.pixels.shape
    if n_kernels is None:
        return max(1, height * width // PIXELS_PER_KERNEL)
    check_kernels(KERNELS.check(n_kernels, "n_kernels"), height, width)
    return n_kernels


def _note_noise(inputs: Inputs) -> None:
    """Say that an image is noisy: finer than its pixels, noise becomes strokes."""
    height, width, channels = inputs.pixels.shape
    if min(height, width) < LEAST_NOISE_SIDE:
        return
    y, x = max(0, (height - NOISE_SIDE) // 2), max(0, (width - NOISE_SIDE) // 2)
    part = inputs.pixels[y : y + NOISE_SIDE, x : x + NOISE_SIDE, channels // 2]  # Of colours, green.
    with gathered():  # What the estimate doubts is of no account here.
        sigma = estimate_noise(np.ascontiguousarray(part), channel_axis=None).sigma
    if sigma > NOISY:
        note(
            f"the image seems to hold noise with a standard deviation of {sigma * inputs.layout.span:.2g}, which "
            "upscaling draws as strokes; unless that is fine texture, denoise the image first"
        )


@door
def draw_mean(
    models: Sequence[Model], *, sharpen: float = 1.0, device: str = "auto", choice: str = "same", **placing: Any
) -> np.ndarray:
    """Draw the mean of models of one image.

    Parameters
    ----------
    models : sequence of Model
        The models.
    sharpen, device, **placing
        As for `Model.render`.
    choice : {"same", "auto", "float32"}
        Data type of the result, as `dtype` of `upscale`.
    """
    layout = models[0].layout
    raster = Raster.plan(models[0].shape, models[0].channels, **placing)
    # With few levels the error of the result is below them, as far as anything is known about it.
    error = 0.0 if is_coarse(layout) else np.inf
    exact = choice == "float32" or rounding_costs(error, layout.dtype)
    drawn = draw(models, raster, sharpen=checked_sharpen(sharpen), device=device, dtype=np.float32 if exact else None)
    return typed_result(drawn, layout, error, choice) if exact else drawn


def draw_part(
    models: Sequence[Model],
    scale: float,
    sharpen: float,
    box: PixelBox | None = None,
    step: int = 1,
    *,
    device: str = "auto",
) -> np.ndarray:
    """Draw a part of what `upscale` returns, for a first impression also with fewer pixels.

    Parameters
    ----------
    models : sequence of Model
        Of one image, from `fit_models`.
    scale, sharpen, device
        As for `upscale`.
    box : (y0, x0, y1, x1), optional
        Pixels of the whole result to draw, as in slices; by default all.
    step : int
        Pixels of the result along each axis for one that is drawn, rounded up; above 1 for a first impression.

    Returns
    -------
    numpy.ndarray
        (height, width) of the box divided by `step`, in the type of the image.
    """
    height, width = models[0].shape
    rows, columns = output_size((height, width), scale)
    y0, x0, y1, x1 = box or (0, 0, rows, columns)
    tall, wide = -(-(y1 - y0) // step), -(-(x1 - x0) // step)
    y1, x1 = y0 + tall * step, x0 + wide * step
    region = (y0 * height / rows, x0 * width / columns, y1 * height / rows, x1 * width / columns)
    return draw_mean(models, region=region, shape=(tall, wide), sharpen=sharpen, device=device)
