"""The common part of widgets with long jobs: image, settings, run, progress, preview, cancel, results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, Container, Label, ProgressBar, PushButton, create_widget
from napari.layers import Image
from napari.utils.notifications import notification_manager, show_error, show_info
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from ...progress import Callback
from ...ui.jobs import Job, Outcome, plain_text
from ...ui.kinds import Output, Parameter
from ..actions import ACTIONS, Result
from ..layers.adding import add_layers
from ..names import METADATA_KEY
from ..preferences import load_engine, preferences
from ..record import as_command_line, as_python, make_record
from ..source import Source, from_layer, plane_in_view
from ..workers.thread import Task
from .form import Form, row_of
from .memory import remember, remembered
from .preview import PreviewLayer

TICK = 50  # Milliseconds between two updates from the job.
REPLACE, ADD = "replace the last result", "add layers"
ALL_PLANES, ONE_PLANE = "all planes", "the plane in view"
SEPARATE = "each separately"


class JobWidget(Container):
    """A job on an image layer.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer with the layers.
    action : {"denoise", "fit", "upscale"}
        The job.
    parameters : sequence of Parameter
        Settings of the job; the device is set in napari's preferences.
    outputs : mapping of str to Output
        Options of the action that add layers, by their names.
    run_label : str
        Label of the button.
    hidden : sequence of str
        Parameters without a field in the form.
    """

    def __init__(
        self,
        viewer: Any,
        action: str,
        parameters: Sequence[Parameter],
        outputs: Mapping[str, Output],
        run_label: str,
        hidden: Sequence[str] = ("device",),
    ) -> None:
        self._viewer, self._action, self._parameters = viewer, action, parameters
        self._job: Job | None = None
        self._preview: PreviewLayer | None = None
        self._preview_due = 0.0
        self._closed = False
        self.result: Result | None = None
        self.layer = create_widget(annotation=Image, label="Image", options={"tooltip": "The image layer to process."})
        self.planes = ComboBox(choices=[ALL_PLANES, ONE_PLANE], label="Planes", tooltip="Planes to process.")
        self.channels = ComboBox(
            choices=[SEPARATE], label="Channels",
            tooltip="An axis whose entries are the channels of one image, which then share kernels.",
        )  # fmt: skip
        self.outputs = {
            name: CheckBox(value=each.shown, text=each.label, tooltip=each.help) for name, each in outputs.items()
        }
        self.again = ComboBox(choices=[REPLACE, ADD], label="Run again", tooltip="Replace the result or add layers.")
        self.previews = CheckBox(value=True, text="Live preview", tooltip="Show intermediate results.")
        self.form = Form(
            [p for p in parameters if p.name not in hidden],
            before=[self.layer, self.planes, self.channels],
            after=self.more_fields(),
            folded=[self.again, self.previews],
        )
        self.run = PushButton(text=run_label)
        self.cancel = PushButton(text="Cancel", enabled=False, tooltip="Stop, and keep what has been computed.")
        self.progress = ProgressBar(value=0, min=0, max=1000)
        self.status = Label(value=" ")
        self.copy_python = PushButton(text="Copy as Python", tooltip="Python code that does the same.")
        self.copy_command = PushButton(text="Copy as command line", tooltip="A shell command that does the same.")
        super().__init__(widgets=[self.form], labels=False)
        for row in (list(self.outputs.values()), [self.run, self.cancel]):
            if row:
                self.append(row_of(*row))
        self.append(row_of(self.progress))
        self.append(row_of(self.status))
        self.append(row_of(self.copy_python, self.copy_command))
        self._timer = QTimer(self.native)
        self._timer.setInterval(TICK)
        self._timer.timeout.connect(self._tick)
        self.run.changed.connect(self.start)
        self.cancel.changed.connect(self.stop)
        self.copy_python.changed.connect(lambda: self._copy(as_python, "Python"))
        self.copy_command.changed.connect(lambda: self._copy(as_command_line, "The command line"))
        self.layer.changed.connect(self._show_axes)
        self.native.destroyed.connect(self._on_destroyed)
        self._restore()
        self._show_axes()
        # Loading torch takes a second, so it is loaded before the first job.
        self._loading = Task(load_engine, lambda _: None)
        self._loading.start()

    # ------------------------------------------------------------------ overridden by the widgets

    def more_fields(self) -> list[Any]:
        """Further fields below the basic settings."""
        return []

    def given(self) -> dict[str, Any]:
        """The current settings. Raises ValueError if they are not accepted."""
        return self.form.get()

    def show_given(self, given: dict[str, Any]) -> None:
        """Show these settings."""
        self.form.set(given)

    def masked(self, source: Source) -> Source:
        """The image with its mask of excluded pixels."""
        return source

    def prepare(self, source: Source) -> Source:
        """The part of the image to process."""
        return source

    def shown_outputs(self) -> dict[str, bool]:
        """The additional layers to make."""
        return {name: bool(box.value) for name, box in self.outputs.items()}

    def on_progress(self, job: Job) -> None:
        """Called at every update from the job."""

    def on_result(self, result: Result, layers: list[Any]) -> None:
        """Called after the layers are added."""

    # ------------------------------------------------------------------ the job

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return self._job is not None

    def source(self) -> Source:
        """The chosen image. Raises ImageError, or ValueError if nothing is chosen."""
        layer = self.layer.value
        if layer is None:
            raise ValueError("There is no image layer; open an image first.")
        axis = None if self.channels.value in (SEPARATE, None) else int(str(self.channels.value).split()[1])
        source = self.masked(from_layer(layer, axis))
        if self.planes.value == ONE_PLANE and source.ndim > 2:
            source = source.plane_at(plane_in_view(layer, self._viewer.dims.point))
        return self.prepare(source)

    def start(self) -> None:
        """Start the job, unless one runs."""
        if self.busy:
            return
        try:
            source, given = self.source(), self.given()
        except (ValueError, RuntimeError) as error:
            show_error(str(error))
            return
        self._remember()
        show = self.shown_outputs()
        if self.previews.value:
            self._preview = PreviewLayer(self._viewer, source, self._action, replace=self.again.value == REPLACE)
        self._job = Job(partial(_run, self._action, source, given, show), self._finished, Task)
        self._preview_due = 0.0
        self._show_running(True)
        self.status.value = "Starting"
        self._timer.start()
        self._job.start()

    def stop(self) -> None:
        """Stop the job, and keep what has been computed."""
        if self._job is not None:
            self._job.cancel()
            self.cancel.enabled = False
            self.status.value = "Stopping"

    def _tick(self) -> None:
        job = self._job
        if job is None:
            return
        progress = job.progress
        if progress is not None and not job.cancelled:
            self.progress.value = round(1000 * progress.fraction)
            self.status.value = job.status
        preview = job.take_preview()
        if self._preview is not None and self._preview.layer is None:
            self._preview = None  # The user has deleted the preview layer, so there are no further previews.
        if preview is not None and self._preview is not None:
            self._preview.show(preview)
        self._preview_due -= TICK / 1000
        if self._preview is not None and self._preview_due <= 0:
            self._preview_due = preferences().preview_interval
            job.ask_for_preview()
        self.on_progress(job)

    def _finished(self, outcome: Outcome) -> None:
        job, self._job = self._job, None
        if self._closed:
            return
        self._timer.stop()
        preview, self._preview = self._preview, None
        self._show_running(False)
        if outcome.error is not None and preview is not None:
            preview.take_back()
        if outcome.error is not None:
            self.status.value = "Failed"
            text = plain_text(outcome.error)
            if text is None:
                error = outcome.error
                notification_manager.receive_error(type(error), error, error.__traceback__)
            else:
                show_error(text)
            return
        result, layers = outcome.result
        if job is not None:
            self.on_progress(job)
        shown = preview.layer if preview is not None else None
        added = add_layers(self._viewer, layers, replace=self.again.value == REPLACE, preview=shown)
        if shown is not None:
            shown.visible = True
        self.result = result
        self.progress.value = 1000 if not result.record["metrics"]["stopped"] else self.progress.value
        self.status.value = summary(result.record)
        metrics = result.record["metrics"]
        if metrics["planes_done"] < metrics["planes"]:
            show_info(f"Stopped after {metrics['planes_done']} of {metrics['planes']} planes; the others are zero.")
        main = [layer for layer in added if layer.metadata[METADATA_KEY]["role"] in ("image", "kernels")]
        self._viewer.layers.selection = {main[-1]}
        self.on_result(result, added)

    # ------------------------------------------------------------------ the rest of the window

    def _show_running(self, running: bool) -> None:
        self.run.enabled = not running
        self.cancel.enabled = running
        if running:
            self.progress.value = 0

    def _show_axes(self) -> None:
        layer = self.layer.value
        lead = max(0, layer.ndim - 2) if layer is not None else 0
        labels = layer.axis_labels if layer is not None else ()
        self.channels.choices = [SEPARATE, *(f"axis {k} ({labels[k]})" for k in range(lead))]
        self.planes.visible = self.channels.visible = lead > 0

    def _restore(self) -> None:
        kept = remembered(self._action)
        self.show_given(kept.get("parameters", {}))
        for name, value in kept.get("outputs", {}).items():
            if name in self.outputs:
                self.outputs[name].value = bool(value)
        if kept.get("again") in (REPLACE, ADD):
            self.again.value = kept["again"]

    def _remember(self) -> None:
        kept = {p.name for p in self._parameters if p.remembered}
        given = {name: value for name, value in self.given().items() if name in kept}
        remember(self._action, {"parameters": given, "outputs": self.shown_outputs(), "again": self.again.value})

    def _copy(self, write: Callable[[dict[str, Any]], str], what: str) -> None:
        try:
            given = {**self.given(), "device": preferences().device}
            text = write(make_record(self._action, self.source(), given))
        except ValueError as error:
            show_error(str(error))
            return
        QApplication.clipboard().setText(text)
        show_info(f"{what} is on the clipboard:\n{text}")

    def _on_destroyed(self) -> None:
        self._closed = True
        if self._job is not None:
            self._job.cancel()


def _run(action: str, source: Source, given: dict[str, Any], show: dict[str, bool], callback: Callback) -> Any:
    """Run the job and make the layers, on the thread of the job."""
    result = ACTIONS[action](source, given, callback, **show)
    return result, [output.layer() for output in result.outputs]


def summary(record: dict[str, Any]) -> str:
    """One line about the result."""
    metrics = record["metrics"]
    parts = ["Stopped" if metrics["stopped"] else "Done", f"{metrics['seconds']:.1f} s"]
    if "psnr" in metrics:
        parts.append(f"{metrics['psnr']:.2f} dB")
    if "noise" in metrics:
        parts.append(f"noise {metrics['noise']:.4g}")
    if "kernels" in metrics:
        parts.append(f"{metrics['kernels']} kernels")
    return ", ".join(parts)
