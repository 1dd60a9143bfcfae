"""New layers as plain values, which are computed on a thread and added to the viewer in the thread of the window."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...image.each_plane import PlaneResult, each_plane
from ...image.planes import Plane, Planes
from ...progress import Callback
from ..names import METADATA_KEY
from ..place import Place
from ..source import Source


@dataclass(frozen=True)
class Output:
    """The description of a new layer.

    Attributes
    ----------
    kind : {"image", "shapes", "surface"}
        Type of the layer.
    data : Any
        Data as the napari layer takes it.
    role : str
        Role among the results of the job; a repeated job replaces the layer of the same role.
    options : dict
        Keywords of the layer, including its name and metadata.
    """

    kind: str
    data: Any
    role: str
    options: dict[str, Any]

    def layer(self) -> Any:
        """Make the napari layer, on any thread."""
        # Imported here, as results are made without a window too.
        from napari.layers import Layer

        return Layer.create(self.data, self.options, self.kind)

    def as_tuple(self) -> tuple[Any, dict[str, Any], str]:
        """The layer as a tuple, as napari's readers and commands return it."""
        return self.data, self.options, self.kind


def metadata(record: Mapping[str, Any], role: str) -> dict[str, Any]:
    """The metadata of a result layer."""
    return {METADATA_KEY: {**record, "role": role}}


def image_output(source: Source, data: np.ndarray, name: str, role: str, record: Mapping[str, Any]) -> Output:
    """An image layer with the appearance of its source that covers the same area, at any size.

    Entries between chosen planes or channels that do not lie at equal distances are 0.
    """
    return Output("image", source.spread_out(data), role, image_options(source, data.shape, name, role, record))


def image_options(
    source: Source, shape: tuple[int, ...], name: str, role: str, record: Mapping[str, Any]
) -> dict[str, Any]:
    """Keywords of an image layer of this shape with the appearance of its source that covers the same area."""
    place = fitted_place(source, shape)
    return {"name": name, "rgb": source.rgb, **place.options(), **source.look, "metadata": metadata(record, role)}


def fitted_place(source: Source, shape: tuple[int, ...]) -> Place:
    """The transform of an image of `shape` that covers exactly the area of the source."""
    sizes = shape[: source.ndim]
    factors = [new / old for new, old in zip(sizes, source.data.shape, strict=False)]
    return source.place.part([0.0] * source.ndim, factors)


def std_output(source: Source, std: np.ndarray, record: Mapping[str, Any]) -> Output | None:
    """A hidden layer with the standard deviation of the error; None if it is not known anywhere.

    For RGB it is the root mean square over colours without opacity. NaN stands where it is not known, as in planes that
    were not finished or not chosen.
    """
    if not np.isfinite(std).any():
        return None
    values = _channels_joined(source, np.square(std.astype(np.float32)))
    place, values = fitted_place(source, values.shape), source.spread_out(np.sqrt(values), math.nan)
    options = {
        "name": f"{source.name} uncertainty", **place.options(), "colormap": "inferno",
        "contrast_limits": (0.0, _high(values)), "visible": False, "metadata": metadata(record, "std"),
    }  # fmt: skip
    return Output("image", values, "std", options)


def residual_output(
    source: Source, result: np.ndarray, record: Mapping[str, Any], finished: Container[int] | None = None
) -> Output:
    """A hidden layer with the residual, source minus result; for RGB, the mean over colours.

    It is NaN in planes whose numbers are not among `finished`, None: all are, and between chosen ones.
    """
    planes, results = source.planes(), Planes(result, source.axes)

    def work(plane: Plane, _: Callback) -> PlaneResult[None]:
        difference = plane.image.astype(np.float32) - results[plane.number].image.astype(np.float32)
        if finished is not None and plane.number not in finished:
            difference = np.full_like(difference, np.nan)
        return PlaneResult([difference], None)

    (values,) = each_plane(planes, work).images
    values = source.spread_out(_channels_joined(source, values), math.nan)
    limit = _high(np.abs(values))
    options = {
        "name": f"{source.name} residual", **source.place.options(), "colormap": "RdBu",
        "contrast_limits": (-limit, limit), "visible": False, "metadata": metadata(record, "residual"),
    }  # fmt: skip
    return Output("image", values, "residual", options)


def _channels_joined(source: Source, values: np.ndarray) -> np.ndarray:
    if not source.rgb:
        return values
    joined: np.ndarray = values[..., :3].mean(axis=-1, dtype=np.float32)
    return joined


def _high(values: np.ndarray) -> float:
    """An upper contrast limit above 0 that few finite pixels exceed."""
    sample = values.ravel()[:: max(1, values.size // 1_000_000)]
    sample = sample[np.isfinite(sample)] if np.isfinite(sample).any() else np.zeros(1)
    return max(float(np.percentile(sample, 99.5)), float(np.finfo(np.float32).tiny) * 1e10)
