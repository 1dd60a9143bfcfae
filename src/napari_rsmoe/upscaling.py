"""Enlarge an image: fit a model, draw it on a finer raster."""

from __future__ import annotations

from typing import Any

import numpy as np

from .fitting import fit
from .images import ChannelAxis, prepare_image
from .progress import Callback

PIXELS_PER_KERNEL = 8


def upscale(
    image: Any,
    scale: float | tuple[float, float],
    sharpen: float = 1.0,
    *,
    n_kernels: int | None = None,
    preset: str = "default",
    iterations: int | None = None,
    seed: int = 0,
    device: str = "auto",
    channel_axis: ChannelAxis = "auto",
    callback: Callback | None = None,
) -> np.ndarray:
    """Enlarge an image by any real factor (native super-resolution).

    Parameters
    ----------
    image : array-like
        As for `napari_rsmoe.fit`.
    scale : float or (float, float)
        Output pixels per image pixel (along y and x), positive; the output shape is rounded.
    sharpen : float
        Above 1 edges get sharper: kernels shrink by this factor before drawing (kernel editing).
    n_kernels : int, optional
        How many kernels; default: one for every 8 pixels, which keeps fine detail.
    preset, iterations, seed, device, channel_axis, callback
        As for `napari_rsmoe.fit`.

    Returns
    -------
    numpy.ndarray
        Like the image, (round(H scale), round(W scale)); same type, range and axis order. To draw one fit at several
        sizes, use `fit` and `Model.render`.
    """
    if n_kernels is None:
        pixels, _ = prepare_image(image, channel_axis)
        n_kernels = max(1, pixels.shape[0] * pixels.shape[1] // PIXELS_PER_KERNEL)
    model = fit(
        image,
        n_kernels,
        preset=preset,
        iterations=iterations,
        seed=seed,
        device=device,
        channel_axis=channel_axis,
        callback=callback,
    )
    return model.render(scale=scale, sharpen=sharpen)
