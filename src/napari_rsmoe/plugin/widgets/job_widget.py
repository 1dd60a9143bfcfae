"""The common part of widgets with long jobs: image, settings, run, progress, preview, cancel, results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, Label, ProgressBar, PushButton
from napari.utils.notifications import notification_manager, show_error, show_info
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QSizePolicy

from ...errors import StoppedError
from ...progress import Callback
from ...ui.jobs import Job, Outcome, plain_text
from ...ui.kinds import Output, Parameter
from ...ui.parameters import STACK
from ...ui.wording import in_form_words
from ..actions import ACTIONS, Result
from ..copying import ready_to_copy
from ..layers.adding import add_layers
from ..names import METADATA_KEY
from ..notes import notes, summary
from ..preferences import load_engine, preferences
from ..record import as_command_line, as_python, make_record
from ..source import Source, from_layer
from ..workers.thread import Task
from .docked import DockedWidget
from .form import Form, row_of
from .layer_choice import LayerChoice
from .memory import remember, remembered
from .part import Part
from .run import Run
from .selected import SelectedLayers
from .trying import Trying

TICK = 50  # Milliseconds between two updates from the job.
REPLACE, ADD = "replace the last result", "add layers"
SEPARATE = "each separately"
CANCEL, DISCARD = "Cancel", "Discard"
"""Text of the button that stops a job, and of the same button while the job is being stopped."""
FOR_STACKS = tuple(p.name for p in STACK if p.name != "checkpoint")
"""Parameters that mean something only for an image of several planes."""


class JobWidget(DockedWidget):
    """A job on an image layer.

    Modules that act on a part of the data append their buttons to `actions` and call `start_on`.

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
        self._run: Run | None = None
        self.result: Result | None = None
        self.layer = LayerChoice(
            viewer, "Image", label="Image",
            tooltip="The image layer to process: the one that is selected in the list of layers, until you choose one.",
        )  # fmt: skip
        self.part = Part(viewer)
        self.channels = ComboBox(
            choices=self._channel_choices, label="Channels",
            tooltip="An axis whose entries are the channels of one image, which then share kernels.",
        )  # fmt: skip
        self.outputs = {
            name: CheckBox(value=each.shown, text=each.label, tooltip=each.help) for name, each in outputs.items()
        }
        self.again = ComboBox(
            choices=[REPLACE, ADD], label="Run again",
            tooltip="Replace the last result of the same part of the image when the new one is done, or add layers.",
        )  # fmt: skip
        self.previews = CheckBox(value=True, text="Live preview", tooltip="Show intermediate results.")
        self.form = Form(
            [p for p in parameters if p.name not in hidden],
            before=[self.layer, self.part.region, self.part.shapes, self.part.planes, self.part.entries, self.channels],
            after=self.more_fields(),
            folded=[self.again, self.previews],
        )
        self.trying = Trying(viewer, self, action)
        self.selected = SelectedLayers(viewer, self)
        self.actions = row_of(self.trying.crop, self.trying.compare)
        self.run = PushButton(text=run_label)
        self.cancel = PushButton(
            text=CANCEL, enabled=False,
            tooltip="Stop, and keep what has been computed. Pressed once more: stop at once, and keep nothing.",
        )  # fmt: skip
        self.progress = ProgressBar(value=0, min=0, max=1000)
        self.status = Label(value=" ")
        self.copy_python = PushButton(text="Copy as Python", tooltip="Python code that does the same.")
        self.copy_command = PushButton(text="Copy as command line", tooltip="A shell command that does the same.")
        rows = [list(self.outputs.values()), [self.run, self.cancel], [self.selected.button]]
        rows += [[self.progress], [self.status], [self.copy_python, self.copy_command]]
        rows = [row_of(*row) for row in rows if row]
        rows.insert(1 if self.outputs else 0, self.actions)
        super().__init__([self.form, *rows])
        self._listen()
        self._restore()
        self._show_axes()
        # Loading torch takes a second, so it is loaded before the first job.
        self._loading = Task(load_engine, lambda _: None)
        self._loading.start()

    def _listen(self) -> None:
        self.status.native.setWordWrap(True)
        self.status.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._timer = QTimer(self.native)
        self._timer.setInterval(TICK)
        self._timer.timeout.connect(self._tick)
        self.run.changed.connect(self.start)
        self.cancel.changed.connect(self.stop)
        self.copy_python.changed.connect(lambda: self._copy(as_python, "Python"))
        self.copy_command.changed.connect(lambda: self._copy(as_command_line, "The command line"))
        self.layer.changed.connect(self._show_axes)
        self.native.destroyed.connect(self.on_close)

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
        return self._run is not None

    def source(self, layer: Any = None) -> Source:
        """The chosen image, or another layer. Raises ImageError, or ValueError if nothing is chosen."""
        layer = self.layer.value if layer is None else layer
        if layer is None:
            raise ValueError("There is no image layer; open an image first.")
        axis = None if self.channels.value in (SEPARATE, None) else int(self.channels.value)
        source = self.masked(from_layer(layer, axis))
        return self.part.of(source, layer)

    def start(self) -> None:
        """Start the job on the chosen image, unless a job runs."""
        if self.busy:
            return
        try:
            source, given = self.source(), self.given()
        except (ValueError, RuntimeError) as error:
            self.refuse(str(error))
            return
        self._remember()
        self.start_on(source, given)

    def start_on(self, source: Source, given: dict[str, Any]) -> None:
        """Start the job on an image, or on a part of one, with these settings, unless a job runs."""
        if self.busy:
            return
        self.trying.close()
        function = partial(_work, self._action, source, given, self.shown_outputs())
        title = f"{self.run.text}: {source.name}"
        self._run = Run(self._viewer, title, source, function, self._finished, previews=bool(self.previews.value))
        self._show_running(True)
        self.status.value = "Starting"
        self._timer.start()
        self._run.start()

    def stop(self) -> None:
        """Stop the job, and keep what has been computed; if it is being stopped already, keep nothing."""
        self.selected.clear()
        run = self._run
        if run is None:
            return
        if not run.job.cancelled:
            run.job.cancel()
            self._show_stopping()
            return
        self._run = None
        self._timer.stop()
        run.abandon()
        self._show_running(False)
        self.status.value = "Stopped. Nothing is kept."

    def on_close(self) -> None:
        """Stop the job, and leave nothing of it in the window."""
        self.trying.close()
        self.selected.clear()
        run, self._run = self._run, None
        if run is not None:
            run.abandon()

    def _tick(self) -> None:
        run = self._run
        if run is None:
            return
        job = run.job
        if job.cancelled:
            self._show_stopping()
        elif job.progress is not None:
            self.progress.value = round(1000 * job.progress.fraction)
            self.status.value = job.status + self.selected.words
        run.tick(TICK / 1000)
        self.on_progress(job)

    def _finished(self, outcome: Outcome) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        self._timer.stop()
        self._show_running(False)
        self._take(run, outcome)
        self.selected.go_on()

    def _take(self, run: Run, outcome: Outcome) -> None:
        """Add the results of a job to the viewer, or show its error."""
        if outcome.error is not None:
            if run.preview is not None:
                run.preview.take_back()
            if isinstance(outcome.error, StoppedError):
                self.status.value = str(outcome.error)
                return
            self.status.value = "Failed"
            self.tell(outcome.error)
            return
        result, layers = outcome.result
        self.on_progress(run.job)
        preview = None if run.preview is None else run.preview.release()
        added = add_layers(self._viewer, layers, replace=self.again.value == REPLACE, preview=preview)
        self.result = result
        self.progress.value = 1000 if not result.record["metrics"]["stopped"] else self.progress.value
        said = [in_form_words(note, self._parameters) for note in notes(result.record)]
        self.status.value = ". ".join([summary(result.record), *said])
        main = [layer for layer in added if layer.metadata[METADATA_KEY]["role"] in ("image", "kernels")]
        self._viewer.layers.selection.active = main[-1]
        self.on_result(result, added)

    def tell(self, error: BaseException) -> None:
        """Show an error: in words if the user can act on it, else with its traceback."""
        text = plain_text(error)
        if text is None:
            notification_manager.receive_error(type(error), error, error.__traceback__)
        else:
            self.refuse(text)

    def refuse(self, text: str) -> None:
        """Show a message, in the words of the form."""
        show_error(in_form_words(text, self._parameters))

    # ------------------------------------------------------------------ the rest of the window

    def _show_stopping(self) -> None:
        self.cancel.text = DISCARD
        self.status.value = "Stopping: what has been computed is being put together"

    def _show_running(self, running: bool) -> None:
        self.run.enabled = self.selected.button.enabled = not running
        self.cancel.enabled = running
        self.cancel.text = CANCEL
        if running:
            self.progress.value = 0

    def _lead(self) -> int:
        """Number of axes before Y and X."""
        layer = self.layer.value
        return 0 if layer is None else max(0, layer.ndim - 2)

    def _channel_choices(self, _widget: Any = None) -> list[tuple[str, Any]]:
        """What Channels offers: the axes with their names and lengths, such as "C, 3 entries"."""
        axes = [
            (f"{name}, {length} {'entry' if length == 1 else 'entries'}", axis)
            for axis, (name, length) in enumerate(self._axes())
        ]
        return [(SEPARATE, SEPARATE), *axes]

    def _axes(self) -> list[tuple[str, int]]:
        """Names and lengths of the axes before Y and X."""
        layer = self.layer.value
        if layer is None:
            return []
        lengths = (layer.data[0] if layer.multiscale else layer.data).shape
        labels = [str(label) for label in layer.axis_labels]
        # napari's own names count from the last axis.
        names = [f"axis {k}" if label.startswith("axis -") or not label else label for k, label in enumerate(labels)]
        return list(zip(names, lengths, strict=False))[: self._lead()]

    def _show_axes(self) -> None:
        stack = self._lead() > 0
        self.channels.reset_choices()
        self.part.show_axes(self._axes())
        self.channels.visible = stack
        self.form.offer(FOR_STACKS, stack)

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
            text = write(ready_to_copy(make_record(self._action, self.source(), given)))
        except (ValueError, OSError) as error:
            self.refuse(str(error))
            return
        QApplication.clipboard().setText(text)
        show_info(f"{what} is on the clipboard:\n{text}")


def _work(action: str, source: Source, given: dict[str, Any], show: dict[str, bool], callback: Callback) -> Any:
    """Run the job and make the layers, on the thread of the job."""
    result = ACTIONS[action](source, given, callback, **show)
    return result, [output.layer() for output in result.outputs]
