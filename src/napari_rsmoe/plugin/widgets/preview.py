"""The layer that shows previews of a job."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer

from ...progress import PlaneProgress
from ...ui.jobs import Preview
from ..layers.adding import above_source, hide_source, show_in
from ..layers.outputs import Output, fitted_place, image_output
from ..layers.sparing import insert_aside
from ..source import Source, has_plane_at

MOST_SIDE = 2048
"""Longest side of what is shown, px. Of larger previews every second, third, … pixel is shown, as the window stands
still while napari takes an image: a tenth of a second for 16 megapixels."""

DRAWN_LATER = 40
"""Milliseconds from the insertion of the layer, which napari lays out as soon as it can, to the first preview on the
canvas. The window answers in between; with 0 both would be one turn of the event loop."""


class PreviewLayer:
    """A layer of its own for the previews of one job, directly above the source.

    The layer is added with the first preview: adding and removing layers takes a quarter of a second in napari, which a
    job that is stopped before need not take. It is hidden while another plane of a stack is in view. While it is
    visible, the source is hidden if the two would otherwise be summed.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer that gets the layer.
    source : Source
        Image of the job.
    """

    def __init__(self, viewer: Any, source: Source) -> None:
        self._viewer, self._source = viewer, source
        self._hidden: list[Any] = []
        self._layer: Any = None
        self._released = False

    @property
    def layer(self) -> Any:
        """The layer; None before the first preview, and after the user has deleted it."""
        return self._layer if self._layer is not None and self._layer in self._viewer.layers else None

    @property
    def deleted(self) -> bool:
        """Whether the user has deleted the layer."""
        return self._layer is not None and self.layer is None

    def _add(self, output: Output) -> None:
        viewer = self._viewer
        layer = output.layer()
        layer.visible = False
        self._layer = insert_aside(viewer, above_source(viewer, self._source.layer_id), layer)
        viewer.dims.events.point.connect(self._fit_view)

    def show(self, preview: Preview) -> None:
        """Show the preview of one plane."""
        progress = preview.progress
        if self._released or self.deleted or not isinstance(progress, PlaneProgress) or self._is_source(preview.image):
            return
        part = self._source.plane_at(progress.plane)
        image = shaped_preview(part, thinned(preview.image))
        output = image_output(part, image, f"{self._source.name} (preview)", "preview", {})
        if self._layer is None:
            self._add(output)
            QTimer.singleShot(DRAWN_LATER, self._fit_view)
            return
        if output.data.ndim == self._layer.data.ndim:
            show_in(self._layer, output.data, fitted_place(part, image.shape))
        self._fit_view()

    def _is_source(self, image: np.ndarray) -> bool:
        """Whether a preview shows the source itself, as long as there is nothing better."""
        data = self._source.data
        return isinstance(data, np.ndarray) and np.may_share_memory(image, data)

    def _fit_view(self, *_: Any) -> None:
        """Show the preview in the place of the source if its plane is in view, else the source itself."""
        layer = self.layer
        if layer is None:
            return
        here = has_plane_at(layer, self._viewer.dims.point)
        if here and not layer.visible:
            layer.visible = True
            self._hidden = hide_source(self._viewer, self._source.layer_id, layer)
        elif not here and layer.visible:
            layer.visible = False
            self._restore_source()

    def release(self) -> Any:
        """Show the source as before the job, and return the layer, or None after the user has deleted it.

        It now belongs to the caller: previews that come later are not shown in it.
        """
        if self._layer is not None:
            self._viewer.dims.events.point.disconnect(self._fit_view)
        self._restore_source()
        self._released = True
        layer, self._layer = self.layer, None
        return layer

    def take_back(self) -> None:
        """Remove the layer, and show the source as before."""
        with suppress(RuntimeError):  # The window is being closed.
            layer = self.release()
            if layer is not None:
                self._viewer.layers.remove(layer)

    def _restore_source(self) -> None:
        hidden, self._hidden = self._hidden, []
        for layer in hidden:
            layer.visible = True


def thinned(image: np.ndarray) -> np.ndarray:
    """Every pixel of an image (Y, X) or (Y, X, C) up to `MOST_SIDE`, or every second, third, … of a larger one."""
    step = -(-max(image.shape[:2]) // MOST_SIDE)
    return image[step // 2 :: step, step // 2 :: step] if step > 1 else image


def shaped_preview(part: Source, image: np.ndarray) -> np.ndarray:
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
