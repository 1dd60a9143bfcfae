"""Interpolation by Pillow: nearest neighbour, bicubic, Lanczos; sharpened by unsharp masking."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from ...image.format import to_type
from .enlarger import Enlarge

FILTERS = {
    "nearest neighbour": Image.Resampling.NEAREST,
    "bicubic": Image.Resampling.BICUBIC,
    "Lanczos": Image.Resampling.LANCZOS,
}


def enlarge(name: str) -> Enlarge:
    """Interpolate with a filter of `FILTERS`; data type and range are kept."""

    def run(image: np.ndarray, scale: int, sharpen: float, seed: int) -> np.ndarray:
        size = (image.shape[1] * scale, image.shape[0] * scale)
        channels = np.moveaxis(np.atleast_3d(image).astype(np.float32), -1, 0)
        planes = [np.asarray(Image.fromarray(plane).resize(size, FILTERS[name])) for plane in channels]
        large = np.stack(planes, axis=-1)
        if sharpen > 1:
            large += (sharpen - 1) * (large - gaussian_filter(large, (scale, scale, 0)))
        return to_type(large[..., 0] if image.ndim == 2 else large, image.dtype)

    return run
