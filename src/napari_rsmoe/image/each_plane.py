"""The loop over the planes of an image, which processes each plane and assembles the results."""

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
