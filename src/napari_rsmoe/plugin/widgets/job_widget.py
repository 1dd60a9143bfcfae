"""The common part of widgets with long jobs: image, settings, run, progress, preview, cancel, results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, PushButton
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QApplication

from ...progress import Callback
from ...renamed import current_outputs
from ...ui.kinds.parameter import Parameter
from ...ui.kinds.texts import Output
from ...ui.parameters.denoising import STACK
from ...ui.wording import in_form_words
from ..actions import ACTIONS, Result
from ..copying import ready_to_copy
from ..inside import inside_only
from ..layers.adding import add_layers
from ..notes import in_sentences, notes, summary
from ..preferences import preferences
from ..record import as_command_line, as_python, make_record
from ..source import Source, from_layer
from .form import Form, row_of
from .layer_choice import LayerChoice
from .memory import remember, remembered
from .part import Part
from .preview import PreviewLayer
from .run import Run
from .selected import SelectedLayers
from .trying import Trying
from .working import FULL, WorkingWidget

REPLACE, ADD = "replace the last result", "add layers"
SEPARATE = "each separately"
FOR_STACKS = tuple(p.name for p in STACK if p.name != "checkpoint")
"""Parameters that mean something only for an image of several planes."""


class JobWidget(WorkingWidget):
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
    outputs : sequence of Output
        Further results of the job, each with a box that adds its layer.
    run_label : str
        Label of the button.
    hidden : sequence of str
        Parameters without a field in the form.
    """

    stopping = "Stopping: what has been computed is being put together"

    def __init__(
        self,
        viewer: Any,
        action: str,
        parameters: Sequence[Parameter],
        outputs: Sequence[Output],
        run_label: str,
        hidden: Sequence[str] = ("device",),
    ) -> None:
        self._action, self._parameters, self._hidden = action, parameters, hidden
        self.result: Result | None = None
        self.layer = LayerChoice(
            viewer, "Image", label="Image",
            tooltip="The image layer to process: the one that is selected in the list of layers, until you choose one.",
        )  # fmt: skip
        self.part = Part(viewer)
        self.outputs = {each.name: CheckBox(value=each.shown, text=each.label, tooltip=each.help) for each in outputs}
        self.trying = Trying(viewer, self, action)
        self.selected = SelectedLayers(viewer, self)
        super().__init__(
            viewer, run_label,
            "Stop, and keep what has been computed. Pressed once more: stop at once, and keep nothing.",
        )  # fmt: skip
        self.copy_python.changed.connect(lambda: self._copy(as_python, "Python"))
        self.copy_command.changed.connect(lambda: self._copy(as_command_line, "The command line"))
        self.layer.changed.connect(self._show_axes)
        self._restore()
        self._show_axes()

    def rows(self) -> list[Any]:
        """The form with the settings, and the buttons below."""
        self.channels = ComboBox(
            choices=self._channel_choices, label="Channels",
            tooltip="An axis whose entries are the channels of one image, which then share kernels.",
        )  # fmt: skip
        self.again = ComboBox(
            choices=[REPLACE, ADD], label="Run again",
            tooltip="Replace the last result of the same part of the image when the new one is done, or add layers.",
        )  # fmt: skip
        self.previews = CheckBox(value=True, text="Live preview", tooltip="Show intermediate results.")
        self.form = Form(
            [p for p in self._parameters if p.name not in self._hidden],
            before=[self.layer, self.part.region, self.part.shapes, self.part.planes, self.part.entries, self.channels],
            after=self.more_fields(),
            folded=[self.again, self.previews],
        )
        self.actions = row_of(self.trying.crop, self.trying.compare)
        self.copy_python = PushButton(text="Copy as Python", tooltip="Python code that does the same.")
        self.copy_command = PushButton(text="Copy as command line", tooltip="A shell command that does the same.")
        outputs = [row_of(*self.outputs.values())] if self.outputs else []
        lines = [[self.run, self.cancel], [self.selected.button], [self.progress], [self.status]]
        lines += [[self.copy_python, self.copy_command]]
        return [self.form, *outputs, self.actions, *(row_of(*line) for line in lines)]

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

    def on_result(self, result: Result, layers: list[Any]) -> None:
        """Called after the layers are added."""

    # ------------------------------------------------------------------ the job

    def source(self, layer: Any = None) -> Source:
        """The chosen image, or another layer. Raises ImageError, or ValueError if nothing is chosen."""
        layer = self.layer.value if layer is None else layer
        if layer is None:
            raise ValueError("There is no image layer; open an image first.")
        axis = None if self.channels.value in (SEPARATE, None) else int(self.channels.value)
        source = self.masked(from_layer(layer, axis))
        return self.part.of(source, layer)

    def asked(self, layer: Any = None) -> tuple[Source, dict[str, Any]]:
        """What is processed and with which settings: of a turned or round shape only what lies inside counts.

        Raises what `source` and `given` raise.
        """
        return inside_only(self.source(layer), self.given())

    def start(self) -> None:
        """Start the job on the chosen image, unless a job runs."""
        if not self.ready:
            return
        try:
            source, given = self.asked()
        except (ValueError, RuntimeError) as error:
            self.refuse(str(error))
            return
        self._remember()
        self.start_on(source, given)

    def start_on(self, source: Source, given: dict[str, Any]) -> None:
        """Start the job on an image, or on a part of one, with these settings, unless a job runs."""
        if not self.ready:
            return
        self.trying.close()
        function = partial(_work, self._action, source, given, self.shown_outputs())
        preview = PreviewLayer(self._viewer, source) if self.previews.value else None
        self.begin(f"{self.run.text}: {source.name}", function, preview)

    def stop(self) -> None:
        """Stop the job, as `WorkingWidget.stop` says, and leave out the layers that wait."""
        self.selected.clear()
        super().stop()

    def on_close(self) -> None:
        """Stop the job and the trials, and leave nothing of them in the window."""
        self.trying.close()
        self.selected.clear()
        super().on_close()

    def on_end(self) -> None:
        """Start the job on the next of the selected layers."""
        self.selected.go_on()

    def more_status(self) -> str:
        """How many layers wait."""
        return self.selected.words

    def settings_shown(self) -> Sequence[Parameter]:
        """Parameters of the form."""
        return self._parameters

    def take(self, run: Run, result: Any) -> None:
        """Add the results of a job to the viewer."""
        found, layers = result
        self.on_progress(run.job)
        preview = None if run.preview is None else run.preview.release()
        added = add_layers(self._viewer, layers, replace=self.again.value == REPLACE, preview=preview)
        self.result = found
        self.progress.value = FULL if not found.record["metrics"]["stopped"] else self.progress.value
        said = [in_form_words(note, self._parameters) for note in notes(found.record)]
        self.status.value = in_sentences([summary(found.record), *said])
        self.on_result(found, added)

    def show_running(self, running: bool) -> None:
        """Offer what can be done while a job runs, or while none does."""
        super().show_running(running)
        self.selected.button.enabled = not running

    # ------------------------------------------------------------------ the rest of the window

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
        for name, value in current_outputs(kept.get("outputs", {})).items():
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
            source, given = self.asked()
            given["device"] = preferences().device
            text = write(ready_to_copy(make_record(self._action, source, given)))
        except (ValueError, OSError) as error:
            self.refuse(str(error))
            return
        QApplication.clipboard().setText(text)
        show_info(f"{what} is on the clipboard:\n{text}")


def _work(action: str, source: Source, given: dict[str, Any], show: dict[str, bool], callback: Callback) -> Any:
    """Run the job and make the layers, on the thread of the job."""
    result = ACTIONS[action](source, given, callback, **show)
    return result, [output.layer() for output in result.outputs]
