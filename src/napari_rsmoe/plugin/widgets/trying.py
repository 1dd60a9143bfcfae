"""The buttons that try settings on small parts of an image, before the whole is computed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from magicgui.widgets import PushButton

from ...errors import StoppedError
from ...progress import Callback
from ...ui.jobs import Job, Outcome, duration
from ..layers.adding import above_source, show_in
from ..layers.outputs import Output, fitted_place, image_output
from ..layers.sparing import Spared, insert_aside
from ..layers.types import type_name
from ..source import Source, plane_in_view
from ..trials import Setting, Trial, crops_of, pixels_of, tried
from ..workers.thread import Task
from .preview import shaped_preview
from .regions import box_in_view

if TYPE_CHECKING:
    from .job_widget import JobWidget
    from .trials import TrialsDialog

SIDE = 256
"""Side in pixels of the crop that is previewed. A larger one shows more and takes longer."""


class Trying:
    """The buttons "Preview a crop" and "Try settings".

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer with the layers.
    widget : JobWidget
        The widget whose settings are tried.
    action : str
        Its job.
    """

    def __init__(self, viewer: Any, widget: JobWidget, action: str) -> None:
        self._viewer, self._widget, self._action = viewer, widget, action
        self.crop = PushButton(
            text="Preview a crop",
            tooltip=f"The result of {SIDE} x {SIDE} pixels in the middle of the view, as a layer above the image.",
        )  # fmt: skip
        self.compare = PushButton(
            text="Try settings…",
            tooltip="Three small parts of the image with all presets side by side, and the time that the whole takes.",
        )  # fmt: skip
        self.dialog: TrialsDialog | None = None
        self.layer: Any = None
        self._spared = Spared(viewer)
        self.job: Job | None = None
        self.crop.changed.connect(self.preview)
        self.compare.changed.connect(self.open)

    def preview(self) -> None:
        """Show the result of a small part of what is in view."""
        chosen = self._chosen()
        if chosen is None or self.job is not None:
            return
        source, plane, centre, given = chosen
        part = crops_of(plane, centre, SIDE)[0]

        def work(callback: Callback) -> tuple[Trial, Source]:
            (trial,) = tried(self._action, source, given, [part], [Setting("")], callback)
            return trial, part

        self.job = Job(work, self._show, Task)
        self.crop.enabled = False
        self._widget.status.value = "Previewing a crop"
        self.job.start()

    def open(self) -> None:
        """Open the window in which settings are compared."""
        from .trials import TrialsDialog  # here, to save start-up time: it needs a library of pictures

        chosen = self._chosen()
        if chosen is None:
            return
        source, plane, centre, given = chosen
        self.close()
        window = self._widget.native.window()
        self.dialog = TrialsDialog(window, self._action, source, plane, centre, given, self._widget.form.set)
        self.dialog.destroyed.connect(self._forget)
        self.dialog.show()

    def close(self) -> None:
        """Stop all trials, and remove the layer of the crop."""
        dialog, self.dialog = self.dialog, None
        if dialog is not None:
            dialog.close()
        job, self.job = self.job, None
        if job is not None:
            job.cancel()
        self.crop.enabled = True
        layer, self.layer = self.layer, None
        with suppress(RuntimeError):  # The window is being closed.
            if layer is not None and layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._spared.end()

    def _forget(self) -> None:
        self.dialog = None

    def _chosen(self) -> tuple[Source, Source, tuple[int, int], dict[str, Any]] | None:
        """What would be processed, the plane of it in view, the place in view, and the settings."""
        try:
            source, given = self._widget.asked()
        except (ValueError, RuntimeError) as error:
            self._widget.refuse(str(error))
            return None
        layer = self._widget.layer.value
        index = self._place_in(source, layer)
        y0, x0, y1, x1 = box_in_view(layer)
        first = source.place.to_pixels(layer.data_to_world([*plane_in_view(layer, self._viewer.dims.point), y0, x0]))
        last = source.place.to_pixels(layer.data_to_world([*plane_in_view(layer, self._viewer.dims.point), y1, x1]))
        centre = (round((first[-2] + last[-2]) / 2), round((first[-1] + last[-1]) / 2))
        return source, source.plane_at(index), centre, given

    def _place_in(self, source: Source, layer: Any) -> list[int | slice]:
        """The index of the plane of the source that is in view, or the nearest one."""
        point = [*plane_in_view(layer, self._viewer.dims.point), 0, 0]
        where = source.place.to_pixels(layer.data_to_world(point))
        return [*source.nearest(where[:-2].tolist()), slice(None), slice(None)]

    def _show(self, outcome: Outcome) -> None:
        job, self.job = self.job, None
        self.crop.enabled = True
        if job is None:
            return  # Closed meanwhile.
        if outcome.error is not None:
            self._widget.status.value = " " if isinstance(outcome.error, StoppedError) else "Failed"
            if not isinstance(outcome.error, StoppedError):
                self._widget.tell(outcome.error)
            return
        trial, part = outcome.result
        output = image_output(part, shaped_preview(part, trial.image), f"{part.name} (crop)", "trial", {})
        height, width = pixels_of(part).image.shape[:2]
        if self.layer is not None and self.layer in self._viewer.layers and _alike(self.layer, output):
            show_in(self.layer, output.data, fitted_place(part, output.data.shape))
        else:
            self._spared.begin()
            self.layer = insert_aside(self._viewer, above_source(self._viewer, part.layer_id), output.layer())
        whole = duration(trial.seconds)
        self._widget.status.value = f"Preview of {height} x {width} pixels. The whole takes about {whole}."


def _alike(layer: Any, output: Output) -> bool:
    return type_name(layer) == "Image" and layer.ndim == output.data.ndim - output.options["rgb"] and (
        bool(layer.rgb) == output.options["rgb"]
    )  # fmt: skip
