"""The layer that shows previews of a job, and later its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...progress import PlaneProgress
from ...ui.jobs import Preview
from ..layers.adding import earlier, show_in
from ..layers.outputs import Output, fitted_place
from ..names import METADATA_KEY
from ..record import make_record
from ..source import Place, Source


@dataclass(frozen=True)
class _Before:
    """The contents of the layer of an earlier result."""

    data: Any
    place: Place
    name: str


class PreviewLayer:
    """A layer for previews: that of the earlier result if it is to be replaced, else a new one.

    The layer is added before the job starts, because adding and removing layers is slow in napari.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer that gets the layer.
    source : Source
        Image of the job.
    action : str
        Name of the job.
    replace : bool
        Whether to use the layer of an earlier result.
    """

    def __init__(self, viewer: Any, source: Source, action: str, *, replace: bool) -> None:
        self._viewer, self._source = viewer, source
        record = {**make_record(action, source, {}), "role": "image"}
        self._layer = earlier(viewer, record) if replace else None
        self._before: _Before | None = None
        self._shown = False
        if self._layer is not None:
            old = self._layer
            place = Place(old.scale, old.translate, old.rotate, old.shear, old.affine, old.units, old.axis_labels)
            self._before = _Before(old.data, place, str(old.name))
        else:
            index = [0] * (source.ndim - 2) + [slice(None), slice(None)]
            part = source.plane_at(index)
            ready = isinstance(part.data, np.ndarray)  # A lazy array would have to be computed here.
            first = part.data.copy() if ready else np.zeros(part.data.shape, part.data.dtype)
            self._layer = viewer.add_layer(_output(source, part, first).layer())
            self._layer.visible = ready

    @property
    def layer(self) -> Any:
        """The layer, or None after the user has deleted it."""
        return self._layer if self._layer in self._viewer.layers else None

    def show(self, preview: Preview) -> None:
        """Show the preview of one plane."""
        layer, progress = self.layer, preview.progress
        if layer is None or not isinstance(progress, PlaneProgress):
            return
        part = self._source.plane_at(progress.plane)
        output = _output(self._source, part, _shaped(part, preview.image))
        if output.data.ndim != layer.data.ndim:
            return
        show_in(layer, output.data, fitted_place(part, output.data.shape))
        if not self._shown:
            self._shown = True
            if layer.name != output.options["name"]:
                layer.name = output.options["name"]
            if not layer.visible:
                layer.visible = True

    def take_back(self) -> None:
        """Restore the contents of the layer after a failed job."""
        layer = self.layer
        if layer is None:
            return
        if self._before is None:
            self._viewer.layers.remove(layer)
        else:
            show_in(layer, self._before.data, self._before.place)
            layer.name = self._before.name


def _output(source: Source, part: Source, data: np.ndarray) -> Output:
    place = fitted_place(part, data.shape)
    options = {
        "name": f"{source.name} (preview)", "rgb": source.rgb, **place.options(), **source.look,
        "metadata": {METADATA_KEY: {"role": "preview"}},
    }  # fmt: skip
    return Output("image", data, "preview", options)


def _shaped(part: Source, image: np.ndarray) -> np.ndarray:
    """A preview (Y, X) or (Y, X, C) with the axes of the source, and with its opacity."""
    if part.has_alpha:
        image = np.concatenate([image, np.full((*image.shape[:2], 1), _opaque(image), image.dtype)], 2)
    shape = list(part.data.shape)
    if part.channel_axis is not None:
        channels = np.moveaxis(image, 2, 0) if image.ndim == 3 else image[None]
        shape[part.ndim - 2 : part.ndim] = channels.shape[1:]
        return np.ascontiguousarray(channels).reshape(shape)
    shape[part.ndim - 2 : part.ndim] = image.shape[:2]
    return image.reshape(shape)


def _opaque(image: np.ndarray) -> float:
    return float(np.iinfo(image.dtype).max) if image.dtype.kind in "iu" else 1.0
