"""Denoise the planes of a stack or film one after the other, each with the help of its neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..door import door
from ..image.each_plane import PlaneResult, each_plane
from ..image.opacity import Opacity
from ..image.pixelwise import ALL, Pixelwise
from ..image.planes import ArraySource, Plane, Planes
from ..io.units import distances
from ..progress import Callback
from ..renamed import accept_earlier_keywords
from .checkpoint import folder_of_checkpoints
from .memory import check_stack
from .result import Denoised
from .succession import Succession
from .surroundings import Seen


@dataclass(frozen=True, repr=False)
class DenoisedStack:
    """What `denoise_stack` returns.

    Attributes
    ----------
    image, std : ndarray
        As of `Denoised`, with the axes of the stack.
    noise : list of float
        Standard deviation of the noise of each plane, in units of the stack; NaN for planes in which no pixel counts.
        Such planes are kept as they are, with NaN as error bar.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import denoise_stack
    >>> film = np.random.default_rng(0).normal(10, 1, (2, 24, 32))
    >>> result = denoise_stack(film, "TYX", noise=1.0, models=2, preset="fast")
    >>> result
    <Denoised stack of shape (2, 24, 32): noise 1>
    >>> np.round(result.noise, 3).tolist(), result.std.shape
    ([1.0, 1.0], (2, 24, 32))
    """

    image: Any
    std: Any
    noise: list[float]

    def __repr__(self) -> str:
        ends = sorted({f"{min(self.noise):.4g}", f"{max(self.noise):.4g}"}, key=float) if self.noise else ["unknown"]
        return f"<Denoised stack of shape {tuple(self.image.shape)}: noise {' to '.join(ends)}>"


class Series:
    """The planes of a stack or film, to be denoised in their order.

    Parameters
    ----------
    planes : Planes
        The stack.
    settings : mapping
        Keywords of `napari_rsmoe.denoise`, the same for all planes.
    weight, mask : array-like or None
        (Y, X) weights of the pixels of every plane, and pixels to be left out of every plane; or with the axes of the
        stack, in its order, without channels. See `napari_rsmoe.denoise`.
    along : str or None
        Letter of the axis along which planes are neighbours. None: T, else Z, else the first that is iterated over.
    warm_start : bool
        Each plane begins with the kernels of the plane before it, moved along with what they show. Kernel k of model h
        is then the same in all planes, moved and reshaped, so that it can be followed.
    average : int or "auto"
        Number of planes on either side that help each plane: along the motion between them they are averaged with it,
        where they show the same. "auto": 1 with the preset "fast", 2 with "balanced", 3 with "best".
    checkpoint : path or None
        A folder in which the models of each plane are kept, in a folder for each; see `napari_rsmoe.denoise`.
    opacity : Opacity, optional
        Of the stack: it is kept out of the work. By default all channels are denoised.

    Raises
    ------
    ImageError, ValueError
        If an argument cannot be used.
    """

    @accept_earlier_keywords
    def __init__(
        self,
        planes: Planes,
        settings: Mapping[str, Any],
        *,
        weight: Any = None,
        mask: Any = None,
        along: str | None = None,
        warm_start: bool = True,
        average: int | str = "auto",
        checkpoint: str | PathLike[str] | None = None,
        opacity: Opacity | None = None,
    ) -> None:
        self.planes = planes
        self.opacity = opacity or Opacity(planes, present=False)
        self.weight = None if weight is None else np.asarray(weight)
        self.mask = None if mask is None else np.asarray(mask)
        self.axis = planes.neighbour_axis(along)
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        depth = self.axis is not None and planes.axes[self.axis] == "Z"
        step = planes.depth_step(self.axis)
        self._succession = Succession(settings, average, warm_start, depth=depth, step=step)

    def denoise(self, plane: Plane, callback: Callback | None = None) -> Denoised:
        """Denoise a plane, given without its opacity; for a warm start the plane before it must have been denoised."""
        place = tuple(i for k, i in enumerate(plane.index) if k != self.axis and isinstance(i, int))
        return self._succession.denoise(
            plane.number,
            self._seen(plane),
            self._neighbours(plane),
            place=place,
            checkpoint=self._folder(plane),
            callback=callback,
        )

    def _folder(self, plane: Plane) -> Path | None:
        """Where the models of a plane are kept."""
        if self.checkpoint is None or len(self.planes) == 1:
            return self.checkpoint
        return folder_of_checkpoints(self.checkpoint, r"plane_\d{4,}") / f"plane_{plane.number:04d}"

    def _neighbours(self, plane: Plane) -> Iterator[tuple[int, int, Callable[[], Seen]]]:
        """Number, offset and pixels of the planes that help a plane, the nearest first."""
        if self.axis is None:
            return
        numbers = partial(self.planes.neighbour_number, plane, self.axis)
        for offset in self._succession.offsets(lambda place: numbers(place) is not None):
            number = numbers(offset)
            if number is not None:
                yield number, offset, partial(self._other, number)

    def _other(self, number: int) -> Seen:
        return self._seen(self.opacity.removed(self.planes[number]))

    def _seen(self, plane: Plane) -> Seen:
        """A plane, given without its opacity, with its weights and its mask."""
        weight, mask = (self._plane_of(name, getattr(self, name), plane) for name in ("weight", "mask"))
        return Seen(plane.image, weight, mask)

    def _plane_of(self, name: str, values: NDArray[Any] | None, plane: Plane) -> NDArray[Any] | None:
        """The part of the weights or the mask that belongs to a plane."""
        if values is None or values.ndim == 2:
            return values
        own: NDArray[Any] = Pixelwise(name, values, self.planes).part(plane.number, ALL)
        return own

    def __iter__(self) -> Iterator[tuple[Plane, Denoised]]:
        """Each plane, and what became of it."""
        for plane in self.planes:
            if not self.opacity.is_all_of(plane):
                yield plane, self.denoise(self.opacity.removed(plane))


@accept_earlier_keywords
@door
def denoise_stack(
    data: ArraySource,
    axes: str,
    *,
    independent_channels: bool = False,
    spacing: Mapping[str, Any] | None = None,
    weight: Any = None,
    mask: Any = None,
    along: str | None = None,
    warm_start: bool = True,
    average: int | str = "auto",
    checkpoint: str | PathLike[str] | None = None,
    create: Callable[[tuple[int, ...], np.dtype[Any]], Any] = np.zeros,
    callback: Callback | None = None,
    **settings: Any,
) -> DenoisedStack:
    """Denoise a stack or a film, plane by plane.

    Neighbouring planes are averaged with each plane along the motion between them, which is measured by phase
    correlation [1]_ and then in windows [2]_. Each plane is then denoised as by `napari_rsmoe.denoise` [3]_. Along Z,
    where structure changes from plane to plane, groups of similar patches reach into the neighbours besides.

    Parameters
    ----------
    data, axes, independent_channels
        As for `napari_rsmoe.Planes`: an array, and a letter for each of its axes, such as "TZCYX".
    spacing : mapping, optional
        Distance of pixels along Z, Y and X by letter, as numbers in one unit, or as `PixelSize` such as the
        `pixel_size` of an image that was read. It says how many planes along Z are near enough to help.
    weight, mask, along, warm_start, average, checkpoint
        As for `Series`.
    create : callable, optional
        Called as ``create(shape, dtype)`` for the image, then for its error bar; returns what planes are written to.
        It should be zero where a stop leaves planes undone. By default a numpy array.
    callback : callable, optional
        As for `napari_rsmoe.denoise`; the progress is over all planes.
    **settings
        Further keywords of `napari_rsmoe.denoise`.

    Returns
    -------
    DenoisedStack

    Raises
    ------
    ImageError, ValueError
        If the stack or a parameter cannot be used.

    References
    ----------
    .. [1] C. Kuglin, D. Hines. The phase correlation image alignment method. IEEE Conference on Cybernetics and
       Society, 1975.
    .. [2] B. Lucas, T. Kanade. An iterative image registration technique with an application to stereo vision.
       International Joint Conference on Artificial Intelligence, 1981.
    .. [3] M. Lebrun, A. Buades, J.-M. Morel. A nonlocal Bayesian image denoising algorithm. SIAM Journal on Imaging
       Sciences 6, 2013. :doi:`10.1137/120874989`

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import denoise_stack
    >>> film = np.random.default_rng(0).poisson(50, (2, 24, 32)).astype(np.uint16)
    >>> result = denoise_stack(film, "TYX", models=2, preset="fast")
    >>> result.image.shape, result.image.dtype.name, len(result.noise)
    ((2, 24, 32), 'uint16', 2)
    """
    planes = Planes(data, axes, independent_channels=independent_channels, spacing=distances(spacing))
    if create is np.zeros:
        check_stack(planes.data.shape, planes.data.dtype)
    series = Series(
        planes,
        settings,
        weight=weight,
        mask=mask,
        along=along,
        warm_start=warm_start,
        average=average,
        checkpoint=checkpoint,
    )

    def work(plane: Plane, report: Callback) -> PlaneResult[tuple[int, float]]:
        result = series.denoise(plane, report)
        return PlaneResult([result.image, result.std], (plane.number, result.noise))

    done = each_plane(
        planes,
        work,
        opaque=(True, False),
        create=lambda number, shape, dtype: create(shape, dtype),
        callback=callback,
    )
    image, std = done.images
    levels = sorted([*done.values, *((plane.number, math.nan) for plane in done.empty)])
    return DenoisedStack(image, std, [level for _, level in levels])
