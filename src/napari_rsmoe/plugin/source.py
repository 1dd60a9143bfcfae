"""An image layer as input of a job: its pixels, axes and transform, without napari objects."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import ImageError
from ..image.planes import Planes
from ..io.units import PixelSize, canonical_unit, spacing_of
from .place import Place

LOOK = ("blending", "interpolation2d", "interpolation3d", "rendering")
"""Names of what the appearance of a layer consists of, besides colours and opacity."""


@dataclass(frozen=True)
class Spread:
    """A layer that shows a point spread function, or beads that it is measured from.

    Attributes
    ----------
    values : array-like
        (Y, X) pixels.
    name : str
        Name of the layer.
    path : str
        The file of the layer; empty if it has none.
    beads : bool
        Whether it shows beads.
    """

    values: Any
    name: str
    path: str = ""
    beads: bool = False


@dataclass(frozen=True)
class Source:
    """The input image of a job.

    Attributes
    ----------
    data : array-like
        All pixels at full resolution; a lazy array stays lazy.
    rgb : bool
        Whether the last axis is colour.
    name : str
        Name of the layer.
    place : Place
        Transform of the layer.
    channel_axis : int or None
        An axis besides colour whose entries are channels that share kernels.
    layer_id : str
        Distinguishes layers with the same name.
    path : str
        The file of the layer; empty if it is unknown, or if the layer holds only a part of the file.
    look : dict
        Appearance of the layer: keywords for a new image layer with the same kind of values.
    mask : array-like or None
        (Y, X), or with all axes of `data` except colour and channels; pixels that are not 0 are excluded.
    part : str
        What was taken of the layer, as Python's index without brackets; empty for all.
    multiscale : bool
        Whether the layer holds a pyramid, of which `data` is the finest level.
    mask_name, mask_part : str
        The layer that `mask` is of, and what was taken of it, as `part`.
    mask_path : str
        The file of that layer; empty if it has none.
    outside : ndarray of bool or None
        (Y, X) pixels outside of a shape that is turned or round; None: there are none.
    outside_name : str
        The layer of that shape.
    spread : Spread or None
        The point spread function for `deblur`; None: it is given as numbers, or not needed.
    positions : tuple of (tuple of int or None)
        For each axis before Y and X, where its entries lie on the axis of `place`; None, and where the tuple ends: one
        after the other.
    """

    data: Any
    rgb: bool
    name: str
    place: Place
    channel_axis: int | None = None
    layer_id: str = ""
    path: str = ""
    look: dict[str, Any] = field(default_factory=dict)
    mask: Any = None
    part: str = ""
    multiscale: bool = False
    mask_name: str = ""
    mask_part: str = ""
    mask_path: str = ""
    outside: Any = None
    outside_name: str = ""
    spread: Spread | None = None
    positions: tuple[tuple[int, ...] | None, ...] = ()

    def inside_only(self) -> Source:
        """The same with the pixels outside of the shape among those that are left out."""
        if self.outside is None:
            return self
        mask = self.outside if self.mask is None else (np.asarray(self.mask) != 0) | self.outside
        name = self.outside_name if self.mask is None else f"{self.mask_name} and {self.outside_name}"
        return replace(self, mask=mask, mask_name=name, mask_path="", outside=None)

    @property
    def ndim(self) -> int:
        """Number of axes without colour."""
        return len(self.data.shape) - self.rgb

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return int(self.data.shape[self.ndim - 2]), int(self.data.shape[self.ndim - 1])

    @property
    def has_alpha(self) -> bool:
        """Whether the last colour is opacity, which is not processed."""
        return self.rgb and self.data.shape[-1] == 4

    @property
    def axes(self) -> str:
        """A letter for each axis of `data`, as for `napari_rsmoe.Planes`."""
        letters = ["S"] if self.rgb else []
        letters = ["Y", "X", *letters]
        free = [letter for letter in "ZTQPRUVWABDEFGHIJKLMNO" if letter not in letters]
        for axis in reversed(range(self.ndim - 2)):
            label = self.place.axis_labels[axis].upper()[:1]
            if axis == self.channel_axis:
                letter = "C"
            elif label in string.ascii_uppercase and label not in (*letters, "C", "S", "Y", "X", ""):
                letter = label
            else:
                letter = next(each for each in free if each not in letters)
            letters.insert(0, letter)
        return "".join(letters)

    @property
    def spacing(self) -> dict[str, float]:
        """Distances of pixels along axes of space, as for `napari_rsmoe.Planes`.

        Empty where they are not known: a layer without a unit that nobody has scaled, or planes at uneven distances.
        """
        uneven = {letter for letter, at in zip(self.axes, self.positions, strict=False) if at is not None}
        scale, units = np.abs(self.place.scale), map(canonical_unit, self.place.units)
        sizes = {
            letter: PixelSize(float(size), unit)
            for letter, size, unit in zip(self.axes, scale, units, strict=False)
            if letter in "ZYX"
        }
        nothing = all(size == PixelSize(1.0, None) for size in sizes.values())
        return {} if nothing or uneven & set(sizes) else spacing_of(sizes)

    def planes(self) -> Planes:
        """The planes to be processed."""
        return Planes(self.data, self.axes, spacing=self.spacing)

    def lead(self, index: Sequence[int | slice]) -> tuple[int, ...]:
        """The index of the plane at `index` along the axes before Y and X, with 0 for axes of joined channels."""
        return tuple(i if isinstance(i, int) else 0 for i in list(index)[: self.ndim - 2])

    def placed(self, index: Sequence[int | slice]) -> tuple[int | slice, ...]:
        """The index, in a layer with the axes of `place`, of the plane that has this index in `data`."""
        return tuple(i if isinstance(i, slice) else self._position(axis, int(i)) for axis, i in enumerate(index))

    def nearest(self, lead: Sequence[float]) -> tuple[int, ...]:
        """The entries of `data` that lie nearest to a place on the axes of `place` before Y and X."""
        lengths = self.data.shape
        return tuple(
            min(range(n), key=lambda i, axis=axis, where=where: abs(self._position(axis, i) - where))  # type: ignore[misc]
            for axis, (where, n) in enumerate(zip(lead, lengths, strict=False))
        )

    def spread_out(self, values: np.ndarray, blank: float = 0) -> np.ndarray:
        """Values with the axes of the source, with `blank` in the entries between those that were chosen."""
        for axis, at in enumerate(self.positions):
            if at is not None:
                shape = [*values.shape[:axis], at[-1] + 1, *values.shape[axis + 1 :]]
                wide = np.full(shape, blank, values.dtype) if blank else np.zeros(shape, values.dtype)
                wide[(slice(None),) * axis + (list(at),)] = values
                values = wide
        return values

    def _position(self, axis: int, entry: int) -> int:
        at = self.positions[axis] if axis < len(self.positions) else None
        return entry if at is None else at[entry]

    def plane_at(self, index: Sequence[int | slice]) -> Source:
        """The plane at `index` along the axes before Y and X, which keep length one; all channels are kept."""
        where: list[slice | list[int]] = []
        for axis, i in enumerate(list(index)[: self.ndim - 2]):
            if axis == self.channel_axis or isinstance(i, slice):
                where.append(slice(None))
            else:
                where.append(slice(int(i), int(i) + 1))
        return self.entries(where)

    def entries(self, where: Sequence[slice | list[int]]) -> Source:
        """The part with these entries of the axes before Y and X: slices, or numbers in ascending order.

        Raises
        ------
        ImageError
            If channels that share kernels do not lie at equal distances.
        """
        lengths = self.data.shape
        parts = [_as_slice(part, n) for part, n in zip(where, lengths, strict=False)]
        whole: list[slice | list[int]] = [*parts, slice(None), slice(None)]
        lists = [axis for axis, part in enumerate(parts) if isinstance(part, list)]
        if self.channel_axis in lists:
            raise ImageError("Channels that share kernels must lie at equal distances, such as 0-2 or 0, 2.")
        source = self._cut([slice(None) if axis in lists else part for axis, part in enumerate(whole)])
        for axis in lists:  # One after the other, as NumPy would take several of them together.
            source = source._cut([part if k == axis else slice(None) for k, part in enumerate(whole)])
        return source

    def crop(self, y0: int, x0: int, y1: int, x1: int) -> Source:
        """The part of all planes within these edges, as in slices, clipped to the image.

        Raises
        ------
        ImageError
            If the part is empty.
        """
        height, width = self.size
        y0, x0, y1, x1 = max(0, y0), max(0, x0), min(height, y1), min(width, x1)
        if y1 <= y0 or x1 <= x0:
            raise ImageError(f"The region lies outside of {self.name!r}; move it onto the image.")
        if (y0, x0, y1, x1) == (0, 0, height, width):
            return self
        where = [slice(None)] * (self.ndim - 2) + [slice(y0, y1), slice(x0, x1)]
        return self._cut(where)

    def _cut(self, where: Sequence[slice | list[int]]) -> Source:
        index = tuple(where)
        if all(part == slice(None) for part in index):
            return self
        kept = [
            np.array([self._position(axis, i) for i in range(n)])[part]
            for axis, (part, n) in enumerate(zip(index[:-2], self.data.shape, strict=False))
        ]
        first = [int(at[0]) if len(at) else 0 for at in kept] + [
            part.start or 0 for part in index[-2:] if isinstance(part, slice)
        ]
        step = [int(np.gcd.reduce(np.diff(at))) or 1 for at in kept] + [1, 1]
        positions = [tuple(int(i) for i in (at - at[:1]) // each) for at, each in zip(kept, step, strict=False)]
        mask, mask_part = self.mask, self.mask_part
        if mask is not None:
            own = tuple(part for axis, part in enumerate(index[: self.ndim]) if axis != self.channel_axis)
            own = own[-2:] if mask.ndim == 2 else own
            mask, mask_part = mask[own], _joined(mask_part, own)
        return replace(
            self, data=_lazy(self.data)[index], place=self.place.strided(first, step), mask=mask,
            part=_joined(self.part, index), mask_part=mask_part,
            positions=tuple(None if at == tuple(range(len(at))) else at for at in positions),
        )  # fmt: skip


def _as_slice(part: slice | list[int], length: int) -> slice | list[int]:
    """Entries of an axis as a slice where they lie at equal distances."""
    if isinstance(part, list):
        step = part[1] - part[0] if len(part) > 1 else 1
        if part != list(range(part[0], part[-1] + 1, step)):
            return part
        part = slice(part[0], part[-1] + 1, step)
    return slice(None) if part.indices(length) == (0, length, 1) else part


def _lazy(data: Any) -> Any:
    """An array of which parts can be taken without reading them, as far as it is not in memory."""
    if isinstance(data, np.ndarray) or hasattr(data, "dask"):
        return data
    import dask.array  # Imported here to save start-up time; it comes with napari.

    return dask.array.from_array(data, asarray=False)


def _joined(part: str, index: tuple[slice | list[int], ...]) -> str:
    """The text of an index into what the text `part` took already; empty if that is all."""
    if all(each == slice(None) for each in index):
        return part
    text = ", ".join(_written(each) for each in index)
    return f"{part}][{text}" if part else text


def _written(part: slice | list[int]) -> str:
    """A part of an index as Python writes it."""
    if isinstance(part, list):
        return str(part)
    ends = ":" if part == slice(None) else f"{part.start}:{part.stop}"
    return ends if part.step in (None, 1) else f"{ends}:{part.step}"


def from_layer(layer: Any, channel_axis: int | None = None) -> Source:
    """Describe an image layer.

    Parameters
    ----------
    layer : napari.layers.Image
        Of any number of axes, with or without colour, multiscale or dask.
    channel_axis : int, optional
        An axis before Y and X whose entries are channels that share kernels.

    Raises
    ------
    ImageError
        If the layer is not an image, or the axis cannot hold channels.
    """
    kind = type(layer).__name__ if not hasattr(layer, "__wrapped__") else type(layer.__wrapped__).__name__
    if kind != "Image":
        raise ImageError(f"{getattr(layer, 'name', layer)!r} is a layer of type {kind}; choose an image layer.")
    data = layer.data[0] if layer.multiscale else layer.data
    ndim = len(data.shape) - bool(layer.rgb)
    if channel_axis is not None and not 0 <= channel_axis < ndim - 2:
        raise ImageError(f"Axis {channel_axis} of {layer.name!r} cannot hold channels; its last two are Y and X.")
    place = Place(
        np.asarray(layer.scale, float), np.asarray(layer.translate, float), np.asarray(layer.rotate, float),
        np.asarray(layer.shear, float), np.asarray(layer.affine, float),
        tuple(str(unit) for unit in layer.units), tuple(layer.axis_labels),
    )  # fmt: skip
    look: dict[str, Any] = {name: str(getattr(layer, name)) for name in LOOK} | {"opacity": float(layer.opacity)}
    if not layer.rgb:
        colours = layer.colormap  # Not its name: users make colormaps of their own.
        look |= {"colormap": getattr(colours, "__wrapped__", colours), "gamma": float(layer.gamma)}
        look |= {"contrast_limits": tuple(layer.contrast_limits)}
    return Source(
        data=data, rgb=bool(layer.rgb), name=str(layer.name), place=place, channel_axis=channel_axis,
        layer_id=str(getattr(layer, "unique_id", "")), path=str(layer.source.path or ""), look=look,
        multiscale=bool(layer.multiscale),
    )  # fmt: skip


def plane_in_view(layer: Any, point: Sequence[float]) -> tuple[int, ...]:
    """The index along the axes before Y and X of the plane that is in view at the slider position `point`."""
    where = layer.world_to_data(np.asarray(point, float)[-layer.ndim :])
    lengths = (layer.data[0] if layer.multiscale else layer.data).shape
    return tuple(int(np.clip(round(w), 0, n - 1)) for w, n in zip(where[:-2], lengths, strict=False))


def has_plane_at(layer: Any, point: Sequence[float]) -> bool:
    """Whether a layer shows something at this position of the sliders."""
    lead = np.asarray(layer.world_to_data(np.asarray(point, float)[-layer.ndim :]), float)[:-2]
    lengths = (layer.data[0] if layer.multiscale else layer.data).shape
    return all(-0.5 <= where <= n - 0.5 for where, n in zip(lead, lengths, strict=False))
