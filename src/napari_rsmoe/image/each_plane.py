"""The one loop over the planes of an image: work on each, and put the results together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..progress import Callback, PlaneParts
from .opacity import Opacity, resized_opacity
from .planes import ArraySink, ArraySource, Plane, Planes

Value = TypeVar("Value")
Create = Callable[[int, tuple[int, ...], np.dtype[Any]], Any]
"""Called with the number of a result, its shape and its type; returns what its planes are written to."""


@dataclass(frozen=True)
class PlaneResult(Generic[Value]):
    """What became of one plane.

    Attributes
    ----------
    images : sequence of ndarray
        (Y, X) or (Y, X, C) each, without opacity; Y and X may differ from those of the plane, in the same way for all
        planes.
    value : Any
        Whatever else is to be kept.
    """

    images: Sequence[NDArray[Any]]
    value: Value


@dataclass(frozen=True)
class Planewise(Generic[Value]):
    """What became of the planes of an image.

    Attributes
    ----------
    images : list
        What `create` returned for each result, filled as far as the work went; the axes are those of the image.
    values : list
        The values of the planes that were worked on, in their order.
    stopped : bool
        Whether the callback has asked to stop.
    """

    images: list[Any]
    values: list[Value]
    stopped: bool


def each_plane(
    planes: Planes,
    work: Callable[[Plane, Callback], PlaneResult[Value]],
    *,
    opacity: Opacity | None = None,
    opaque: Sequence[bool] = (),
    create: Create | None = None,
    callback: Callback | None = None,
) -> Planewise[Value]:
    """Work on the planes of an image one by one, in their order, with one plane in memory at a time.

    Parameters
    ----------
    planes : Planes
        The image.
    work : callable
        Takes a plane, without its opacity, and a callback for the progress on it.
    opacity : Opacity, optional
        Of the image: it is kept out of the work and put back into the results. By default all channels are worked on.
    opaque : sequence of bool, optional
        For each result, whether it has the opacity of the image; zeros stand in its place if not. By default all have.
    create : callable, optional
        Called for each result when the first plane is finished; see `Create`. By default results are arrays, in which
        planes that are not reached are zero.
    callback : callable, optional
        Gets a `PlaneProgress` over all planes; if it returns True, the work ends after the plane that it is at.
    """
    opacity = opacity or Opacity(planes, present=False)
    create = create or (lambda number, shape, dtype: np.zeros(shape, dtype))
    parts = PlaneParts(callback, len(planes))
    sinks: list[ArraySink] = []
    kinds: list[tuple[tuple[int, int], np.dtype[Any]]] = []
    values: list[Value] = []
    for plane in planes:
        if opacity.is_all_of(plane):
            for number, (size, dtype) in enumerate(kinds):
                if not opaque or opaque[number]:
                    planes.store(sinks[number], plane, resized_opacity(plane.image, size, dtype))
                else:
                    planes.store(sinks[number], plane, np.zeros(size, dtype))
            continue
        done = work(opacity.removed(plane), parts.part(plane.number, plane.index))
        for number, image in enumerate(done.images):
            whole = opacity.restored(image, plane, opaque=not opaque or opaque[number])
            planes.check_result(whole)
            if number == len(sinks):
                kinds.append(((whole.shape[0], whole.shape[1]), whole.dtype))
                sinks.append(create(number, planes.result_shape(whole.shape[:2]), whole.dtype))
            planes.store(sinks[number], plane, whole)
        values.append(done.value)
        if parts.stopped:
            break
    return Planewise(sinks, values, parts.stopped)


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
        Called once, as ``create(shape, dtype)``, after the first plane is done; returns what the planes are
        written to. By default a numpy array; `napari_rsmoe.io.files.create_image` makes one that is a file.

    Returns
    -------
    ndarray
        What `create` returned, filled; the axes are those of `data`.

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
