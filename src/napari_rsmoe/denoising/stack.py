"""Denoise the planes of a stack or film one after the other, each with the help of its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import checked_count
from ..errors import ImageError
from ..image.planes import CHANNEL_AXES, ArraySource, Plane, Planes
from ..progress import Callback, Parts
from .denoise import denoise
from .result import Denoised


@dataclass(frozen=True)
class DenoisedStack:
    """What `denoise_stack` returns.

    Attributes
    ----------
    image, std : ndarray
        As of `Denoised`, with the axes of the stack.
    noise : list of float
        Standard deviation of the noise of each plane, in units of the stack.
    """

    image: Any
    std: Any
    noise: list[float]


class Series:
    """The planes of a stack or film, to be denoised in their order.

    Parameters
    ----------
    planes : Planes
        The stack.
    settings : mapping
        Keywords of `napari_rsmoe.denoise`, the same for all planes.
    weight : array-like or None
        (Y, X) weights of the pixels of every plane, or with the axes of the stack, in its order, without channels; see
        `napari_rsmoe.denoise`.
    along : str or None
        Letter of the axis along which planes are neighbours. None: T, else Z, else the first that is looped over.
    warm_start : bool
        A plane begins with the kernels of the one before it. Kernel k of model h is then the same in all planes, moved
        and reshaped, so that it can be followed.
    average : int
        So many planes on either side are averaged with each, where they show the same.
    resume : path or None
        A folder that keeps the models of each plane in a folder of its own; see `napari_rsmoe.denoise`.
    read : callable
        Gives the pixels of a plane, (Y, X) or (Y, X, C).

    Raises
    ------
    ImageError, ValueError
        If an argument cannot be used.
    """

    def __init__(
        self,
        planes: Planes,
        settings: Mapping[str, Any],
        *,
        weight: Any = None,
        along: str | None = None,
        warm_start: bool = True,
        average: int = 0,
        resume: str | PathLike[str] | None = None,
        read: Callable[[Plane], NDArray[Any]] = attrgetter("image"),
    ) -> None:
        self.planes, self.settings, self.read = planes, settings, read
        self.weight = None if weight is None else np.asarray(weight)
        self.axis = planes.neighbour_axis(along)
        self.warm_start = warm_start
        self.average = checked_count(average, "average", smallest=0)
        self.resume = None if resume is None else Path(resume)
        self._before: dict[tuple[int, ...], Denoised] = {}  # by the place along the other axes

    def denoise(self, plane: Plane, callback: Callback | None = None) -> Denoised:
        """Denoise a plane; the one before it must have had its turn for a warm start."""
        pixels = self.read(plane)
        resume = self.resume
        if resume is not None and len(self.planes) > 1:
            resume.mkdir(exist_ok=True)
            resume = resume / f"plane_{plane.number:04d}"
        near: list[NDArray[Any]] = []
        key = tuple(i for k, i in enumerate(plane.index) if k != self.axis and isinstance(i, int))
        if self.axis is not None:
            for offset in range(1, self.average + 1):
                found = (self.planes.neighbour(plane, self.axis, step) for step in (-offset, offset))
                near += [self.read(each) for each in found if each is not None]
        result = denoise(
            pixels,
            **self.settings,
            weight=self._weight_of(plane),
            warm_start=self._before.get(key),
            neighbours=near,
            resume=resume,
            channel_axis=2 if pixels.ndim == 3 else None,
            callback=callback,
        )
        if self.warm_start:
            self._before[key] = result
        return result

    def _weight_of(self, plane: Plane) -> NDArray[Any] | None:
        if self.weight is None or self.weight.ndim == 2:
            return self.weight
        axes = "".join(letter for letter in self.planes.axes if letter not in CHANNEL_AXES)
        expected = tuple(self.planes.data.shape[self.planes.axes.index(letter)] for letter in axes)
        if self.weight.shape != expected:
            raise ImageError(
                f"weight has shape {self.weight.shape}; accepted are (Y, X), and {expected} for the axes {axes}."
            )
        own: NDArray[Any] = self.weight[tuple(plane.index[self.planes.axes.index(letter)] for letter in axes)]
        return own if axes.index("Y") < axes.index("X") else own.T

    def __iter__(self) -> Iterator[tuple[Plane, Denoised]]:
        """Each plane, and what became of it."""
        for plane in self.planes:
            yield plane, self.denoise(plane)


def denoise_stack(
    data: ArraySource,
    axes: str,
    *,
    independent_channels: bool = False,
    weight: Any = None,
    along: str | None = None,
    warm_start: bool = True,
    average: int = 0,
    resume: str | PathLike[str] | None = None,
    create: Callable[[tuple[int, ...], np.dtype[Any]], Any] = np.zeros,
    callback: Callback | None = None,
    **settings: Any,
) -> DenoisedStack:
    """Denoise a stack or a film, plane by plane.

    Parameters
    ----------
    data, axes, independent_channels
        As for `napari_rsmoe.image.planes.Planes`: an array, and a letter for each of its axes, such as "TZCYX".
    weight, along, warm_start, average, resume
        As for `Series`.
    create : callable, optional
        Called as ``create(shape, dtype)`` for the image, then for its error bar; returns what planes are written to,
        zero where a stop leaves planes undone.
    callback : callable, optional
        As for `napari_rsmoe.denoise`, with the progress over all planes.
    **settings
        Further keywords of `napari_rsmoe.denoise`.

    Returns
    -------
    DenoisedStack

    Raises
    ------
    ImageError, ValueError
        If the stack or a parameter cannot be used.
    """
    planes = Planes(data, axes, independent_channels=independent_channels)
    series = Series(planes, settings, weight=weight, along=along, warm_start=warm_start, average=average, resume=resume)
    parts = Parts(callback, len(planes))
    sinks: list[Any] = []
    noise = []
    for plane in planes:
        done = series.denoise(plane, parts.part(plane.number, plane.label))
        for number, pixels in enumerate((done.image, done.std)):
            if len(sinks) == number:
                sinks.append(create(planes.result_shape(pixels.shape[:2]), pixels.dtype))
            planes.store(sinks[number], plane, pixels)
        noise.append(done.noise)
        if parts.stopped:
            break
    return DenoisedStack(sinks[0], sinks[1], noise)
