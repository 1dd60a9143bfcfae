"""Draw the models of an enlargement again, at any sharpness, and the comparison with cubic interpolation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..image.format import to_type
from ..model.raster import output_size

if TYPE_CHECKING:
    from ..model.model import Model

PixelBox = tuple[int, int, int, int]


def draw(
    models: Sequence[Model],
    scale: float,
    sharpen: float,
    box: PixelBox | None = None,
    step: int = 1,
    *,
    device: str = "auto",
) -> np.ndarray:
    """Draw the mean of models.

    Parameters
    ----------
    models : sequence of Model
        Of one image.
    scale, sharpen : float
        As for `napari_rsmoe.upscale`.
    box : (y0, x0, y1, x1), optional
        Pixels of the result to draw, as in slices; default: all.
    step : int
        Pixels of the result along each axis for one that is drawn, rounded up; above 1 for a first impression.
    device : {"auto", "cpu", "cuda"}
        Where to compute, as for `napari_rsmoe.fit`.

    Returns
    -------
    numpy.ndarray
        In the type of the image.
    """
    height, width = models[0].shape
    rows, columns = output_size((height, width), scale)
    y0, x0, y1, x1 = box or (0, 0, rows, columns)
    tall, wide = -(-(y1 - y0) // step), -(-(x1 - x0) // step)
    y1, x1 = y0 + tall * step, x0 + wide * step
    region = (y0 * height / rows, x0 * width / columns, y1 * height / rows, x1 * width / columns)
    from ..fitting.upscale import draw_mean  # here, as it loads torch

    return draw_mean(models, region=region, shape=(tall, wide), sharpen=sharpen, device=device)


def cubic(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Cubic interpolation of (Y, X) or (Y, X, C) to `size`, kept in the range and the type of the image."""
    from skimage.transform import resize

    large = resize(image.astype(np.float64), size, order=3, mode="edge", anti_aliasing=False)
    return to_type(np.clip(large, image.min(), image.max()), image.dtype)


def resize_linear(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Linear interpolation of (Y, X) to `size` (height, width); integers are rounded."""
    if image.shape == tuple(size):
        return image
    from skimage.transform import resize

    return to_type(resize(image.astype(np.float64), tuple(size), order=1, mode="edge"), image.dtype)
