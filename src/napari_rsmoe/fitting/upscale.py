"""Enlarge an image: fit models finer than its pixels, draw them on a finer raster, average."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checks import checked_count
from ..image.format import ChannelAxis, to_type
from ..image.inputs import Inputs
from ..model.model import Model
from ..model.raster import Numbers, Raster, checked_sharpen
from ..progress import Callback, Parts
from .fit import fit

PIXELS_PER_KERNEL = 3


def upscale(
    image: Any,
    scale: float | Numbers,
    sharpen: float = 1.0,
    *,
    models: int = 4,
    n_kernels: int | None = None,
    iterations: int | None = None,
    seed: int = 0,
    device: str = "auto",
    channel_axis: ChannelAxis = "auto",
    callback: Callback | None = None,
) -> np.ndarray:
    """Enlarge an image by any real factor (native super-resolution).

    A pixel is taken for the mean over its area, as a camera measures it, not for the value at its centre: so edges
    come out sharper than the pixels were.

    Parameters
    ----------
    image : array-like
        As for `napari_rsmoe.fit`.
    scale : float or (float, float)
        Output pixels per image pixel (along y and x), positive; the output shape is rounded.
    sharpen : float
        Above 1 edges get sharper still: kernels shrink by this factor before drawing (kernel editing).
    models : int
        How many models, each from its own start, are averaged; more is smoother and takes longer.
    n_kernels : int, optional
        Kernels of each model; default: one for every 3 pixels, which keeps fine detail.
    iterations : int, optional
        Optimiser steps of each model; default 300.
    seed, device, channel_axis, callback
        As for `napari_rsmoe.fit`.

    Returns
    -------
    numpy.ndarray
        Like the image, (round(H scale), round(W scale)); same type, range and axis order.

    Raises
    ------
    ImageError, ValueError
        As for `napari_rsmoe.fit` and `Model.render`.

    Notes
    -----
    To draw one model at several sizes, use ``fit(image, preset="enlarge")`` and `Model.render`.
    """
    if scale is None:
        raise ValueError("scale=None must be one or two positive numbers.")
    sharpen = checked_sharpen(sharpen)
    inputs = Inputs.of(image, channel_axis)
    height, width, channels = inputs.pixels.shape
    Raster.plan((height, width), channels, scale=scale)
    fitted = fit_models(
        inputs, models=models, n_kernels=n_kernels, iterations=iterations, seed=seed, device=device, callback=callback
    )
    return draw_mean(fitted, scale=scale, sharpen=sharpen, device=device)


def fit_models(
    image: Any,
    *,
    models: int,
    n_kernels: int | None = None,
    iterations: int | None = None,
    seed: int = 0,
    device: str = "auto",
    channel_axis: ChannelAxis = "auto",
    callback: Callback | None = None,
) -> list[Model]:
    """The models that `upscale` averages; arguments as there. When the callback says stop, those that are finished."""
    inputs = Inputs.of(image, channel_axis)
    if n_kernels is None:
        n_kernels = max(1, inputs.pixels[..., 0].size // PIXELS_PER_KERNEL)
    models = checked_count(models, "models")
    checked_count(seed, "seed", smallest=0)  # a fraction times the number of models may be whole
    parts = Parts(callback, models)
    fitted: list[Model] = []
    for index in range(models):
        model = fit(
            inputs,
            n_kernels,
            preset="enlarge",
            iterations=iterations,
            seed=models * seed + index,
            device=device,
            callback=parts.part(index, f"model {index + 1} of {models}"),
        )
        if parts.stopped and fitted:
            break  # it is unfinished, others are not
        fitted.append(model)
        if parts.stopped:
            break
    return fitted


def draw_mean(models: Sequence[Model], **options: Any) -> np.ndarray:
    """The mean of models of one image, in its type; `options` as for `Model.render`."""
    total = models[0].render(**options, dtype=np.float64)
    for model in models[1:]:
        total += model.render(**options, dtype=np.float64)
    return to_type(total / len(models), models[0].layout.dtype)
