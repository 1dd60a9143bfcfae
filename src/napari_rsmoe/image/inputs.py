"""The input of all functions: an image is checked and converted here, in one pass, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Mask
from ..errors import ImageError
from ..memory import WORTH_RELEASE, release
from ..notes import note
from ..progress import pause
from .defects import find_defects
from .denormals import denormals_as_zero
from .format import ChannelAxis, ImageFormat, channels_last, check_type, find_channels, refuse_mask
from .masks import EVERYTHING, Selection, at_size, checked_mask, fill_nearest, pixel_weight
from .other_arrays import unwrapped
from .value_range import compressed, signal_range


@dataclass(frozen=True)
class Inputs:
    """An image for the engine, with the weights of its pixels. Build one with `Inputs.of`.

    Attributes
    ----------
    pixels : ndarray of float32, shape (H, W, C)
        C-contiguous, in [0, 1]; a few extreme pixels may lie far beyond. Pixels that are left out have the value of the
        nearest pixel that counts, so they neither set the range of the image nor attract a kernel.
    layout : ImageFormat
        Type, range and axis order of the image, to which results are converted back.
    weight : ndarray of float32, shape (H, W), or None
        Weight of each pixel, 0 where it is left out; None where all pixels count the same.
    given : ndarray
        The image as the user gave it; a lazy one has been read.
    missing : ndarray of bool, shape (H, W), or None
        Pixels without data, which keep their value in every result; None: there are none.
    """

    pixels: Floats
    layout: ImageFormat
    weight: Floats | None
    given: np.ndarray
    missing: Mask | None = None

    @classmethod
    def of(
        cls,
        image: Any,
        channel_axis: ChannelAxis = "auto",
        selection: Selection = EVERYTHING,
        *,
        weight: Any = None,
        mask: Any = None,
        outside: Any = None,
        layout: ImageFormat | None = None,
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
        selection : Selection
            Which values count.
        weight : array-like, optional
            (Y, X) non-negative weights of the pixels; 0 leaves a pixel out, whose value may then be anything.
        mask : array-like, optional
            (Y, X) pixels to be left out: those where it is not 0.
        outside : array-like, optional
            (Y, X) pixels to be left out that keep their value in every result, as missing ones do: those where it is
            not 0.
        layout : ImageFormat, optional
            Format and range of the whole, if the image is a block of it. By default the range is that of the image.

        Raises
        ------
        ImageError
            If the image or the weights cannot be used, or no pixel is left.

        Warns
        -----
        ImageWarning
            If missing or defective pixels were found.

        Examples
        --------
        >>> inputs = Inputs.of([[10, 20, 30, 999]], weight=[[1, 1, 1, 0]])
        >>> inputs.pixels[..., 0].tolist(), inputs.layout.high, inputs.left_out.tolist()
        ([[0.0, 0.5, 1.0, 1.0]], 30.0, [[False, False, False, True]])
        """
        if isinstance(image, Inputs):
            return image
        opened = unwrapped(image)
        image, channel_axis = opened.array, opened.channel_axis(channel_axis)
        refuse_mask(image)
        given = np.asarray(image)
        check_type(given)
        axis = find_channels(given, channel_axis)
        values = channels_last(given, axis)
        pause()
        missing = selection.missing(values)
        pause()
        if outside is not None:
            kept = checked_mask(outside, values.shape[:2])
            missing = kept if missing is None else kept | missing
        left_out = selection.left_out(values, mask)
        weight = pixel_weight(values, weight, left_out if missing is None else left_out | missing)
        if weight is not None:
            values = fill_nearest(values, weight == 0)
        pause()
        _check_finite(values)
        values = denormals_as_zero(values)
        if selection.defects == "auto":
            weight, values = _without_defects(values, weight)
        pause()
        layout = _layout(values, axis, given.dtype.str) if layout is None else layout
        pause()
        pixels = layout.unit(values)
        if values.dtype.kind == "f":
            pixels = denormals_as_zero(pixels)
        inputs = cls(pixels, layout, weight, given, missing)
        release(WORTH_RELEASE)
        return inputs

    @property
    def extreme(self) -> bool:
        """Whether a few pixels lie far beyond the range of the others; see `value_range.signal_range`."""
        return self.layout.limits is not None

    def fitted(self) -> tuple[Floats, ImageFormat]:
        """Pixels (H, W, C) and their format for a fit, in which extreme pixels are compressed to their logarithm."""
        if not self.extreme:
            return self.pixels, self.layout
        return compressed(self.pixels), replace(self.layout, compressed=True)

    def with_pixels(self, pixels: Floats) -> Inputs:
        """The same image with other values (H, W, C) in the engine's range, such as those without noise.

        Pixels without data keep what they are filled with.
        """
        if self.missing is not None:
            pixels = np.where(self.missing[..., None], self.pixels, pixels)
        return replace(self, pixels=pixels)

    def with_missing(self, result: np.ndarray) -> np.ndarray:
        """A result in the format of the image, of any size, in which pixels without data have the value for them."""
        if self.missing is None:
            return result
        size = self.layout.channels_last(result).shape[:2]
        whole = at_size(channels_last(self.given, self.layout.channel_axis), size)
        kept = result.copy()
        np.copyto(kept, self.layout.place_channels(whole), where=self.missing_at(result), casting="unsafe")
        return kept

    def missing_at(self, result: np.ndarray) -> Mask:
        """Where a result in the format of the image, of any size, lies in pixels without data; its shape."""
        size = self.layout.channels_last(result).shape[:2]
        if self.missing is None:
            return np.zeros(result.shape, bool)
        where = np.broadcast_to(at_size(self.missing, size)[..., None], (*size, self.pixels.shape[2]))
        return self.layout.place_channels(where)

    @property
    def left_out(self) -> Mask:
        """Pixels (H, W) that do not count."""
        return np.zeros(self.pixels.shape[:2], bool) if self.weight is None else self.weight == 0


def _without_defects(values: NDArray[Any], weight: Floats | None) -> tuple[Floats | None, NDArray[Any]]:
    """Weights, and values (H, W, C), without hot and dead pixels; warns if there are any."""
    found = find_defects(values, None if weight is None else weight == 0)
    if not found.any():
        return weight, values
    y, x = np.argwhere(found)[0]
    count = int(found.sum())
    pixels = "1 hot or dead pixel is" if count == 1 else f"{count} hot or dead pixels are"
    note(
        f"{pixels} left out and replaced by the surroundings, the first at row {y}, column {x}; defects='keep' "
        "(--defects keep) keeps such pixels",
    )
    weights = np.where(found, np.float32(0), np.float32(1) if weight is None else weight)
    return weights, fill_nearest(values, weights == 0)


def _layout(values: NDArray[Any], axis: int | None, dtype: str) -> ImageFormat:
    """The format of an image with these values (H, W, C), of which the range of the signal is the unit."""
    lowest, highest = float(values.min()), float(values.max())
    low, high = signal_range(values)
    limits = None if (low, high) == (lowest, highest) else (lowest, highest)
    layout = ImageFormat(dtype, axis, low, high, limits)
    if not np.isfinite([layout.span, (lowest - low) / layout.span, (highest - low) / layout.span]).all():
        raise ImageError(f"The image's range from {lowest} to {highest} is too wide; divide it by a constant first.")
    return layout


def _check_finite(values: np.ndarray) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = int(values.size - np.isfinite(values).sum())
        raise ImageError(
            f"The image holds {bad} NaN or infinite values of {values.size}. Leave them out with ignore_nan=True "
            "(--ignore-nan), or by a mask; or replace them first, for example with numpy.nan_to_num(image, "
            "nan=numpy.nanmedian(image))."
        )
