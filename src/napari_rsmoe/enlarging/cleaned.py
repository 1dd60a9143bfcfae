"""An image that is to be enlarged or deconvolved, without its noise, in the engine's range."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..arrays import Floats
from ..denoising.denoise import denoise
from ..image.inputs import Inputs
from ..image.masks import fill_nearest
from ..noise.given import Noise
from ..notes import gathered
from ..progress import Callback


def cleaned(
    inputs: Inputs, noise: Noise, *, preset: str, seed: int, device: str, callback: Callback | None
) -> tuple[Floats, Floats, float]:
    """An image without its noise; arguments as for `napari_rsmoe.denoise`.

    Returns
    -------
    pixels : ndarray of float32, shape (H, W, C)
        The image without its noise in the engine's range; where it has no data, as nearby.
    std : ndarray, shape (H, W, C)
        Its error bar, in units of the image.
    sigma : float
        Standard deviation of the noise, in units of the image.
    """
    layout = inputs.layout
    single = layout.exact_type == np.float32
    # In single precision, values of other types would lose digits where they are far from 0, or be beyond its range.
    noisy = inputs if single else replace(inputs, layout=replace(layout, dtype="<f8"))
    dtype = "float32" if single else "same"
    with gathered():  # What is said there is about the result of another job.
        clean = denoise(noisy, noise=noise, preset=preset, dtype=dtype, seed=seed, device=device, callback=callback)
    pixels, std = (np.atleast_3d(layout.channels_last(each)) for each in (clean.image, clean.std))
    if inputs.missing is not None:
        pixels = fill_nearest(pixels, inputs.missing)
    return layout.unit(pixels), std, clean.noise
