"""The opacity (alpha) of an image, which is removed before its planes are processed and restored in the results."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .format import to_type
from .planes import Plane, Planes


class Opacity:
    """The channels of an image that are opacity.

    Opacity is not a measurement. As an additional channel it would, for example, lower the noise estimate.

    Parameters
    ----------
    planes : Planes
        The image.
    present : bool
        Whether the image has opacity: the last colour sample, along S, or where there is no such axis the last channel.
    """

    def __init__(self, planes: Planes, *, present: bool) -> None:
        axis = next((planes.axes.index(letter) for letter in "SC" if letter in planes.axes), None)
        # If channels are processed one by one: their axis, and the last channel.
        self._last: tuple[int, int] | None = None
        # If channels are processed together: which of them are opacity.
        self._channels: NDArray[np.bool_] | None = None
        if not present or axis is None:
            return
        last = planes.data.shape[axis] - 1
        if axis in planes.looped:
            self._last = (axis, last)
        else:
            lengths = [planes.data.shape[k] for k in planes.channels]
            number = np.indices(lengths)[planes.channels.index(axis)]
            self._channels = number.ravel() == last

    def is_all_of(self, plane: Plane) -> bool:
        """Whether `plane` is the opacity itself, which is possible if channels are processed one by one."""
        return self._last is not None and plane.index[self._last[0]] == self._last[1]

    def removed(self, plane: Plane) -> Plane:
        """`plane` without opacity, and without a channel axis if one channel is left."""
        if self._channels is None:
            return plane
        colours = plane.image[..., ~self._channels]
        return replace(plane, image=colours[..., 0] if colours.shape[2] == 1 else colours)

    def restored(self, result: NDArray[Any], plane: Plane, *, opaque: bool = True) -> NDArray[Any]:
        """A result for a plane, of any size, with the opacity of the plane; with zeros in its place if not `opaque`."""
        if self._channels is None:
            return result
        size = (result.shape[0], result.shape[1])
        whole = np.zeros((*size, len(self._channels)), result.dtype)
        whole[..., ~self._channels] = result[..., None] if result.ndim == 2 else result
        if opaque:
            for number in np.flatnonzero(self._channels):
                whole[..., number] = resized_opacity(plane.image[..., number], size, result.dtype)
        return whole


def resized_opacity(opacity: NDArray[Any], size: tuple[int, int], dtype: Any) -> NDArray[Any]:
    """Resize an opacity (Y, X), or (Y, X, C), by linear interpolation, and convert its type; integers are rounded."""
    if opacity.shape[:2] == size:
        return opacity.astype(dtype)
    from scipy import ndimage  # here, as it takes a while to start, and few images need it

    factors = [*(new / old for new, old in zip(size, opacity.shape[:2], strict=True)), *[1.0] * (opacity.ndim - 2)]
    smooth = ndimage.zoom(opacity.astype(np.float64), factors, order=1, mode="nearest", grid_mode=True)
    return to_type(smooth, dtype)
