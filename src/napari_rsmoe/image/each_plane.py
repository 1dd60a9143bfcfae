"""The loop over the planes of an image, which processes each plane and assembles the results."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import EmptyPlaneError, ImageError, StoppedError
from ..notes import note
from ..progress import Callback, PlaneParts
from .format import to_type
from .opacity import Opacity, resized_opacity
from .planes import ArraySink, ArraySource, Plane, Planes

Value = TypeVar("Value")
Create = Callable[[int, tuple[int, ...], np.dtype[Any]], Any]
"""Called with the number, shape and data type of a result; returns the sink for its planes."""


@dataclass(frozen=True)
class PlaneResult(Generic[Value]):
    """The result for one plane.

    Attributes
    ----------
    images : sequence of ndarray
        (Y, X) or (Y, X, C) each, without opacity; Y and X may differ from those of the plane, in the same way for all
        planes.
    value : Any
        Any other result to be kept.
    """

    images: Sequence[NDArray[Any]]
    value: Value


@dataclass(frozen=True)
class Planewise(Generic[Value]):
    """The results for the planes of an image.

    Attributes
    ----------
    images : list
        The sinks from `create`, filled for the processed planes; their axes are those of the image.
    values : list
        The values of the processed planes, in order.
    stopped : bool
        Whether the callback has asked to stop.
    empty : list of Plane
        Planes in which no pixel counts; results have them as they are, or zeros in their place.
    """

    images: list[Any]
    values: list[Value]
    stopped: bool
    empty: Sequence[Plane] = ()


def each_plane(
    planes: Planes,
    work: Callable[[Plane, Callback], PlaneResult[Value]],
    *,
    opacity: Opacity | None = None,
    opaque: Sequence[bool] = (),
    create: Create | None = None,
    callback: Callback | None = None,
) -> Planewise[Value]:
    """Process the planes of an image one by one, in order, with one plane in memory at a time.

    Parameters
    ----------
    planes : Planes
        The image.
    work : callable
        Takes a plane, without its opacity, and a callback for the progress on it.
    opacity : Opacity, optional
        Opacity of the image, which is not processed but copied to the results. By default all channels are processed.
    opaque : sequence of bool, optional
        For each result, whether it has the opacity of the image instead of zeros. By default all have.
    create : callable, optional
        Called for each result when the first plane is finished; see `Create`. By default results are arrays, in which
        planes that are not processed are zero.
    callback : callable, optional
        Called with a `PlaneProgress` over all planes; if it returns True, the work ends after the current plane.
    """
    opacity = opacity or Opacity(planes, present=False)
    results = _Results(planes, opacity, opaque, create or (lambda number, shape, dtype: np.zeros(shape, dtype)))
    parts = PlaneParts(callback, len(planes))
    values: list[Value] = []
    empty: list[Plane] = []
    for plane in planes:
        if opacity.is_all_of(plane):
            results.keep(plane)
            continue
        try:
            done = work(opacity.removed(plane), parts.part(plane.number, plane.index))
        except EmptyPlaneError as error:
            if len(planes) == 1:
                raise
            note(f"{plane.label} is kept as it is: {str(error).rstrip('.')}")
            results.keep(plane, blank=math.nan)
            empty.append(replace(plane, image=plane.image[:0]))
            continue
        except ImageError as error:
            if not plane.label:
                raise
            raise type(error)(f"{plane.label}: {error}") from error
        except StoppedError:
            if not values:
                raise  # There is nothing to keep.
            parts.stopped = True
            break
        results.add(plane, done.images)
        values.append(done.value)
        if parts.stopped:
            break
    if empty and not values:
        raise EmptyPlaneError("No pixel of any plane is left to work on.")
    return Planewise(results.sinks, values, parts.stopped, empty)


class _Results:
    """The sinks of the results, which are made when the first plane is finished.

    Parameters
    ----------
    planes, opacity, opaque, create
        As for `each_plane`.
    """

    def __init__(self, planes: Planes, opacity: Opacity, opaque: Sequence[bool], create: Create) -> None:
        self.sinks: list[ArraySink] = []
        self._planes, self._opacity, self._opaque, self._create = planes, opacity, opaque, create
        self._kinds: list[tuple[tuple[int, int], np.dtype[Any]]] = []
        self._waiting: list[tuple[Plane, float]] = []

    def add(self, plane: Plane, images: Sequence[NDArray[Any]]) -> None:
        """Store the results for a plane; integers of another type than those of the first plane are rounded."""
        for number, image in enumerate(images):
            whole = self._opacity.restored(image, plane, opaque=self._is_opaque(number))
            self._planes.check_result(whole)
            if number == len(self.sinks):
                self._kinds.append(((whole.shape[0], whole.shape[1]), whole.dtype))
                self.sinks.append(self._create(number, self._planes.result_shape(whole.shape[:2]), whole.dtype))
            kind = self._kinds[number][1]
            self._planes.store(self.sinks[number], plane, whole if whole.dtype == kind else to_type(whole, kind))
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            self.keep(*each)

    def keep(self, plane: Plane, blank: float = 0.0) -> None:
        """Store a plane as it is, resized if the others are; in its place `blank` where results have no opacity."""
        if not self.sinks:
            self._waiting.append((plane, blank))
        for number, (size, dtype) in enumerate(self._kinds):
            if self._is_opaque(number):
                self._planes.store(self.sinks[number], plane, resized_opacity(plane.image, size, dtype))
            else:
                value = blank if dtype.kind == "f" else 0
                self._planes.store(self.sinks[number], plane, np.full((*size, *plane.image.shape[2:]), value, dtype))

    def _is_opaque(self, number: int) -> bool:
        return not self._opaque or self._opaque[number]


def map_planes(
    function: Callable[[NDArray[Any]], NDArray[Any]],
    data: ArraySource,
    axes: str,
    *,
    independent_channels: bool = False,
    create: Callable[[tuple[int, ...], np.dtype[Any]], Any] = np.empty,
) -> Any:
    """Apply `function` to every plane of `data`.

    Parameters
    ----------
    function : callable
        Takes (Y, X) or (Y, X, C) and returns the same kind of array; its Y and X may have another length, the
        same for all planes. Its dtype is that of the whole result.
    data, axes, independent_channels
        As for `Planes`.
    create : callable, optional
        Called once, as ``create(shape, dtype)``, after the first plane is finished; returns the sink for the planes. By
        default a numpy array; `napari_rsmoe.create_image` writes to a file.

    Returns
    -------
    ndarray
        The array or sink from `create`, with the axes of `data`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import map_planes
    >>> stack = np.zeros((3, 8, 9), np.uint8)
    >>> map_planes(lambda plane: plane[::2, ::2], stack, "ZYX").shape
    (3, 4, 5)
    """
    planes = Planes(data, axes, independent_channels=independent_channels)
    done = each_plane(
        planes,
        lambda plane, _: PlaneResult([function(plane.image)], None),
        create=lambda number, shape, dtype: create(shape, dtype),
    )
    return done.images[0]
