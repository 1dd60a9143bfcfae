"""The input of all functions: an image is checked and converted here, in one pass, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Floats, Mask
from ..errors import ImageError
from .format import ChannelAxis, ImageFormat, channels_last, check_type, find_channels, refuse_mask
from .masks import fill_nearest, pixel_weight


@dataclass(frozen=True)
class Inputs:
    """An image for the engine, with the weights of its pixels. Build one with `Inputs.of`.

    Attributes
    ----------
    pixels : ndarray of float32, shape (H, W, C)
        C-contiguous, in [0, 1]. Pixels that are left out have the value of the nearest pixel that counts, so they
        neither set the range of the image nor attract a kernel.
    layout : ImageFormat
        Type, range and axis order of the image, to which results are converted back.
    weight : ndarray of float32, shape (H, W), or None
        Weight of each pixel, 0 where it is left out; None where all pixels count the same.
    given : ndarray
        The image as the user gave it; a lazy one has been read.
    """

    pixels: Floats
    layout: ImageFormat
    weight: Floats | None
    given: np.ndarray

    @classmethod
    def of(
        cls,
        image: Any,
        channel_axis: ChannelAxis = "auto",
        weight: Any = None,
        *,
        mask: Any = None,
        ignore_nan: bool = False,
        saturation: float | None = None,
    ) -> Inputs:
        """Check an image and convert it for the engine.

        Parameters
        ----------
        image : array-like or Inputs
            (Y, X) or (Y, X, C) in any order of axes that `channel_axis` names; integers of any size, float16 to
            float64, any byte or memory order; dask and other lazy arrays are read once. Values that count must be
            finite. `Inputs` have been checked before and are returned as they are, whatever the other arguments.
        channel_axis : int, None or "auto"
            "auto": a 3-D array whose last axis is 3 or 4 long has its channels there, a 2-D array has none; any other
            array is refused with the ways out.
        weight : array-like, optional
            (Y, X) non-negative weights of the pixels; 0 leaves a pixel out, whose value may then be anything.
        mask : array-like, optional
            (Y, X) pixels to be left out: those where it is not 0.
        ignore_nan : bool
            Leave out pixels that are NaN or infinite in any channel.
        saturation : float, optional
            Leave out pixels that have at least this value in any channel, in units of the image.

        Raises
        ------
        ImageError
            If the image or the weights cannot be used, or no pixel is left.
        ValueError
            If the saturation is no number.

        Examples
        --------
        >>> inputs = Inputs.of([[10, 20, 30, 999]], weight=[[1, 1, 1, 0]])
        >>> inputs.pixels[..., 0].tolist(), inputs.layout.high, inputs.left_out.tolist()
        ([[0.0, 0.5, 1.0, 1.0]], 30.0, [[False, False, False, True]])
        """
        if isinstance(image, Inputs):
            return image
        refuse_mask(image)
        given = np.asarray(image)
        check_type(given)
        axis = find_channels(given, channel_axis)
        values = channels_last(given, axis)
        weight = pixel_weight(values, weight, mask=mask, ignore_nan=ignore_nan, saturation=saturation)
        if weight is not None:
            values = fill_nearest(values, weight == 0)
        _check_finite(values)
        low, high = float(values.min()), float(values.max())
        layout = ImageFormat(given.dtype.str, axis, low, high)
        if not np.isfinite(layout.span):
            raise ImageError(f"The image's range from {low} to {high} is too wide; divide it by a constant first.")
        return cls(layout.unit(values), layout, weight, given)

    @property
    def left_out(self) -> Mask:
        """Pixels (H, W) that do not count."""
        return np.zeros(self.pixels.shape[:2], bool) if self.weight is None else self.weight == 0


def _check_finite(values: np.ndarray) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = int(values.size - np.isfinite(values).sum())
        raise ImageError(
            f"The image holds {bad} NaN or infinite values of {values.size}. `denoise` leaves them out with "
            "ignore_nan=True (--ignore-nan), all jobs where weight is 0; or replace them first, for example with "
            "numpy.nan_to_num(image, nan=numpy.nanmedian(image))."
        )
