"""The Files widget: a folder or a Zarr in, a folder of results out, one file after the other."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import CheckBox, ComboBox, FileEdit, Label, LineEdit, ProgressBar, PushButton
from napari.layers import Layer
from napari.utils.notifications import notification_manager, show_error, show_info
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QSizePolicy

from ...batch.files import Files
from ...batch.jobs import FILE_JOBS, FileJob
from ...batch.pairs import Target, pair_up
from ...batch.queue import FAILED, REPORT_NAME, Queue
from ...errors import ImageError
from ...memory import limited
from ...progress import Callback
from ...ui.jobs import Job, Outcome, plain_text
from ...ui.parameters import AXES, CHECKPOINT, INDEPENDENT_CHANNELS, MEMORY, OVERWRITE
from ...ui.wording import in_form_words
from ..image_files import read
from ..preferences import load_engine, preferences, use_threads
from ..workers.activity import ActivityBar
from ..workers.thread import Task
from .docked import DockedWidget
from .file_table import FileTable
from .form import Form, column_of, row_of
from .memory import remember, remembered

TICK = 100
"""Milliseconds between two updates of the table."""
FORMATS = {"OME-TIFF": "ome.tif", "OME-Zarr": "ome.zarr", "as each input": None}
FOLDERS = {"std": "uncertainty", "residual": "residual", "model": "models", "bicubic": "bicubic"}
"""Folders of the further outputs, inside that of the results."""


class FilesWidget(DockedWidget):
    """Denoise, fit or enlarge image files, with the settings of the other widgets."""

    def __init__(self, napari_viewer: Any) -> None:
        self._viewer = napari_viewer
        self.queue: Queue | None = None
        self._key: Any = None
        self._job: Job | None = None
        self._bar: ActivityBar | None = None
        self._own_folder = ""
        self._make_fields()
        rows = [
            self.fields, *self.forms.values(), *self.further.values(), row_of(self.run, self.cancel),
            row_of(self.progress), row_of(self.status),
        ]  # fmt: skip
        super().__init__(rows)
        self.table = FileTable(self._open)
        self.append_native(self.table)
        self._listen()
        self._restore()
        self._show_action()
        self._loading = Task(load_engine, lambda _: None)
        self._loading.start()

    def _make_fields(self) -> None:
        self.action = ComboBox(
            choices=[(job.label, name) for name, job in FILE_JOBS.items()], label="Job",
            tooltip="What is done to each image.",
        )  # fmt: skip
        folder: Any = FileDialogMode.EXISTING_DIRECTORY
        self.source = FileEdit(
            mode=folder, label="Folder or Zarr",
            tooltip="A folder, whose images are processed one by one, or one Zarr. The path of a file may be typed.",
        )  # fmt: skip
        self.names = LineEdit(value="*", label="Names", tooltip="Which images of the folder, such as *_c1*.tif.")
        self.target = FileEdit(mode=folder, label="Results in", tooltip="Folder of the results, which is created.")
        self.format = ComboBox(choices=list(FORMATS), label="Format", tooltip="Format of the results.")
        self.axes = LineEdit(value="", label=AXES.label, tooltip=AXES.help)
        self.separate = CheckBox(text=INDEPENDENT_CHANNELS.label, tooltip=INDEPENDENT_CHANNELS.help)
        self.overwrite = CheckBox(text=OVERWRITE.label, tooltip="Replace files that are not results of this job.")
        self.again = CheckBox(
            text="Process finished files again",
            tooltip="By default files that were finished with the same settings, and not changed since, are left out.",
        )  # fmt: skip
        self.fields = column_of(
            self.action, self.source, self.names, self.target, self.format, self.axes, self.separate, self.overwrite,
            self.again,
        )  # fmt: skip
        hidden = ("device", CHECKPOINT.name)
        self.forms = {
            name: Form([p for p in job.parameters if p.name not in hidden]) for name, job in FILE_JOBS.items()
        }
        self.outputs = {
            name: {each.name: CheckBox(text=each.label, tooltip=each.help) for each in job.outputs}
            for name, job in FILE_JOBS.items()
        }
        self.further = {name: row_of(*boxes.values()) for name, boxes in self.outputs.items()}
        self.run = PushButton(text="Run")
        self.cancel = PushButton(
            text="Cancel", enabled=False,
            tooltip="Stop. Finished files stay; the next run goes on with the others, also with what is unfinished.",
        )  # fmt: skip
        self.progress = ProgressBar(value=0, min=0, max=1000)
        self.status = Label(value=" ")

    def _listen(self) -> None:
        self.status.native.setWordWrap(True)
        self.status.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._timer = QTimer(self.native)
        self._timer.setInterval(TICK)
        self._timer.timeout.connect(self._tick)
        self.action.changed.connect(self._show_action)
        self.source.changed.connect(self._propose_folder)
        self.run.changed.connect(self.start)
        self.cancel.changed.connect(self.stop)
        self.native.destroyed.connect(self.on_close)

    # ------------------------------------------------------------------ the queue

    @property
    def busy(self) -> bool:
        """Whether files are being processed."""
        return self._job is not None

    def start(self) -> None:
        """Process the files that are not finished yet."""
        if self.busy:
            return
        try:
            queue, given = self._prepared()
        except (ValueError, OSError, RuntimeError) as error:
            self._refuse(str(error))
            return
        self.queue = queue
        self._remember(given)
        self.table.show_entries(queue.entries)
        if not queue.open:
            self._show_end()
            return
        self._job = Job(partial(_work, queue, preferences().threads, given.get(MEMORY.name)), self._finished, Task)
        self._bar = ActivityBar(f"{self._file_job.label}: {len(queue.open)} files", self._job.cancel)
        self.run.enabled, self.cancel.enabled = False, True
        self.status.value = "Starting"
        self._timer.start()
        self._job.start()

    def stop(self) -> None:
        """Stop; the next run goes on where this one ended."""
        if self._job is not None:
            self._job.cancel()
            self.cancel.enabled = False
            self.status.value = "Stopping"

    def on_close(self) -> None:
        """Stop; what is finished stays."""
        job, self._job = self._job, None
        if job is not None:
            job.cancel()
        if self._bar is not None:
            self._bar.close()

    def _prepared(self) -> tuple[Queue, dict[str, Any]]:
        """The queue of the files, and the settings. Raises ValueError or OSError if something is not accepted."""
        action, job = self.action.value, self._file_job
        source, target = (
            self._path(self.source, "Choose a folder or a Zarr."),
            self._path(self.target, "Choose Results in."),
        )
        given = {**self.forms[action].get(), "device": preferences().device}
        suffix = FORMATS[self.format.value]
        files = Files(
            axes=self.axes.value.strip() or None, independent_channels=bool(self.separate.value), format=suffix,
            overwrite=bool(self.overwrite.value),
        )  # fmt: skip
        chosen = [each for each in job.outputs if self.outputs[action][each.name].value]
        # Images have the format of the results.
        further = [
            Target(
                each.flag, f"{target / FOLDERS[each.name]}/", each.suffix if each.name == "model" else None, each.dtype
            )
            for each in chosen
        ]
        target.mkdir(parents=True, exist_ok=True)
        pairs = pair_up(
            action, source, [Target("Results in", f"{target}/"), *further], suffix, overwrite=files.overwrite,
            names=self.names.value.strip() or "*",
        )  # fmt: skip
        settings = {"job": action, **{k: v for k, v in given.items() if k not in ("device", MEMORY.name)}}
        settings |= {"axes": files.axes, "separate": files.independent_channels, "further": [t.name for t in further]}
        queue = Queue(pairs, job.work(given, files, further), settings, target)
        if self.again.value:
            queue.forget()
        return queue, given

    def _path(self, field: FileEdit, otherwise: str) -> Path:
        text = field.line_edit.value.strip()
        if not text:
            raise ValueError(otherwise)
        return Path(text).expanduser()

    def _tick(self) -> None:
        job = self._job
        if job is None or self.queue is None:
            return
        self.table.update_entries(self.queue.entries)
        if job.progress is not None and not job.cancelled:
            self.progress.value = round(1000 * job.progress.fraction)
            self.status.value = job.status
        elif job.cancelled:
            self.cancel.enabled = False
            self.status.value = "Stopping"
        if self._bar is not None:
            self._bar.show(job.progress)  # At last: napari handles waiting events in it, and the job may end here.

    def _finished(self, outcome: Outcome) -> None:
        job, self._job = self._job, None
        if job is None:
            return
        self._timer.stop()
        if self._bar is not None:
            self._bar.close()
        self.run.enabled, self.cancel.enabled = True, False
        if outcome.error is not None:
            text = plain_text(outcome.error)
            if text is None:
                notification_manager.receive_error(type(outcome.error), outcome.error, outcome.error.__traceback__)
            else:
                self._refuse(text)
        self._show_end()

    def _show_end(self) -> None:
        queue = self.queue
        if queue is None:
            return
        self.table.update_entries(queue.entries)
        failed = sum(entry.state == FAILED for entry in queue.entries)
        left = len(queue.open) - failed
        parts = [f"{len(queue.entries) - len(queue.open)} of {len(queue.entries)} files are finished"]
        parts += [f"{failed} failed"] if failed else []
        parts += [f"{left} are left for the next run"] if left else []
        self.status.value = f"{', '.join(parts)}. Report: {queue.folder / REPORT_NAME}"
        self.run.text = "Resume" if queue.open else "Run"
        self.progress.value = 0 if queue.open else 1000

    def _open(self, row: int) -> None:
        """Show the result of a file in the viewer."""
        if self.queue is None or self.queue.entries[row].open:
            show_info("This file is not finished yet.")
            return
        target = self.queue.entries[row].pair.target
        try:
            for each in read(str(target)):
                self._viewer.add_layer(Layer.create(*each))
        except (ImageError, OSError) as error:
            show_error(str(error))

    # ------------------------------------------------------------------ the rest of the window

    @property
    def _file_job(self) -> FileJob:
        return FILE_JOBS[self.action.value]

    def _show_action(self) -> None:
        for name, form in self.forms.items():
            form.visible = self.further[name].visible = name == self.action.value
        self._propose_folder()

    def _propose_folder(self, *_: Any) -> None:
        """Name a folder for the results beside the input, unless the user has named one."""
        text = self.source.line_edit.value.strip()
        if not text or self.target.line_edit.value.strip() not in ("", ".", self._own_folder):
            return
        path = Path(text)
        self._own_folder = str(path.parent / f"{path.name.split('.')[0]}_{self._file_job.ending}")
        self.target.line_edit.value = self._own_folder

    def _restore(self) -> None:
        for name, form in self.forms.items():
            form.set(remembered(name).get("parameters", {}))
        self.source.line_edit.value = self.target.line_edit.value = ""
        kept = remembered("files")
        if kept.get("action") in FILE_JOBS:
            self.action.value = kept["action"]
        if kept.get("format") in FORMATS:
            self.format.value = kept["format"]

    def _remember(self, given: dict[str, Any]) -> None:
        action = self.action.value
        kept = {p.name for p in self._file_job.parameters if p.remembered}
        remember(action, {**remembered(action), "parameters": {k: v for k, v in given.items() if k in kept}})
        remember("files", {"action": action, "format": self.format.value})

    def _refuse(self, text: str) -> None:
        show_error(in_form_words(text, self._file_job.parameters))


def _work(queue: Queue, threads: int, memory: Any, callback: Callback) -> bool:
    """Process the queue, on the thread of the job."""
    use_threads(threads)
    with limited(memory):
        return queue.run(callback)
