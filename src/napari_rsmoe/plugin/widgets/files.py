"""The Files widget: a folder or a Zarr in, a folder of results out, one file after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import CheckBox, ComboBox, FileEdit, LineEdit
from napari.layers import Layer
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QTimer

from ...batch.files import Files
from ...batch.jobs import FILE_JOBS, FileJob
from ...batch.pairs import Target
from ...batch.queue import FAILED, REPORT_NAME, Entry, Queue, kept_queue
from ...errors import ImageError
from ...memory import limited
from ...progress import Callback
from ...ui.jobs import Job
from ...ui.kinds.parameter import Parameter
from ...ui.parameters.common import CHECKPOINT, MEMORY
from ...ui.parameters.files import AXES, INDEPENDENT_CHANNELS, OVERWRITE
from ..image_files import read
from ..preferences import load_batch, preferences, use_threads
from .file_table import FileTable
from .form import Form, column_of, row_of
from .memory import remember, remembered
from .queued import FILES, Inputs
from .run import Run
from .working import FULL, WorkingWidget

FORMATS = {"OME-TIFF": "ome.tif", "OME-Zarr": "ome.zarr", "as each input": None}
FOLDERS = {"std": "uncertainty", "residual": "residual", "model": "models", "bicubic": "bicubic"}
"""Folders of the further outputs, inside that of the results."""


class FilesWidget(WorkingWidget):
    """Denoise, fit or enlarge image files, with the settings of the other widgets."""

    interval = 100
    discards = False

    def __init__(self, napari_viewer: Any) -> None:
        self.queue: Queue | None = None
        self._own_folder = ""
        self._entries: list[Entry] = []
        super().__init__(
            napari_viewer, "Run",
            "Stop. Finished files stay; the next run goes on with the others, also with what is unfinished.",
        )  # fmt: skip
        self.table = FileTable(self._open)
        self.append_native(self.table)
        self.action.changed.connect(self._show_action)
        self.source.changed.connect(self._propose_folder)
        self.target.changed.connect(self._show_kept)
        self._show_action()
        self._restore()

    def rows(self) -> list[Any]:
        """The fields, the form of each job, and the buttons below."""
        self._make_fields()
        lines = [[self.run, self.cancel], [self.progress], [self.status]]
        return [self.fields, *self.forms.values(), *self.further.values(), *(row_of(*line) for line in lines)]

    def _make_fields(self) -> None:
        self.action = ComboBox(
            choices=[(job.label, name) for name, job in FILE_JOBS.items()], label="Job",
            tooltip="What is done to each image.",
        )  # fmt: skip
        self.inputs = Inputs(self._viewer)
        self.source, self.names = self.inputs.source, self.inputs.names
        self.target = FileEdit(
            mode=FileDialogMode.EXISTING_DIRECTORY, label="Results in",
            tooltip="Folder of the results, which is created. The queue is kept in it: choose the folder of an "
            "unfinished one to go on with it, also in another session.",
        )  # fmt: skip
        self.format = ComboBox(choices=list(FORMATS), label="Format", tooltip="Format of the results.")
        self.axes = LineEdit(value="", label=AXES.label, tooltip=AXES.help)
        self.separate = CheckBox(text=INDEPENDENT_CHANNELS.label, tooltip=INDEPENDENT_CHANNELS.help)
        self.overwrite = CheckBox(text=OVERWRITE.label, tooltip="Replace files that are not results of this job.")
        self.again = CheckBox(
            text="Process finished files again",
            tooltip="By default files that were finished with the same settings, and not changed since, are left out.",
        )  # fmt: skip
        self.fields = column_of(
            self.action, self.inputs.images, self.source, self.names, self.target, self.format, self.axes,
            self.separate, self.inputs.mask, self.overwrite, self.again,
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

    @staticmethod
    def load() -> None:
        """Load what jobs on files need too."""
        load_batch()

    # ------------------------------------------------------------------ the queue

    def start(self) -> None:
        """Process the files that are not finished yet."""
        if not self.ready:
            return
        try:
            queue, given = self._prepared()
        except (ValueError, OSError, RuntimeError) as error:
            self.refuse(str(error))
            return
        self.queue = queue
        self._remember(given)
        queue.keep(self._asked(given))
        self._show_entries(queue.entries)
        if not queue.open:
            self._show_end()
            return
        work = partial(_work, queue, preferences().threads, given.get(MEMORY.name))
        self.begin(f"{self._file_job.label}: {len(queue.open)} files", work)

    def _prepared(self) -> tuple[Queue, dict[str, Any]]:
        """The queue of the files, and the settings. Raises ValueError or OSError if something is not accepted."""
        action, job = self.action.value, self._file_job
        text = self.target.line_edit.value.strip()
        if self.inputs.images.value == FILES and not self.source.line_edit.value.strip():
            raise ValueError("Choose a folder or a Zarr.")
        if not text:
            raise ValueError("Choose Results in.")
        target = Path(text).expanduser()
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
        targets = [Target("Results in", f"{target}/"), *further]
        queued = self.inputs.queued(action, targets, suffix, overwrite=files.overwrite)
        files = replace(files, opened=queued.opened)
        settings = {"job": action, **{k: v for k, v in given.items() if k not in ("device", MEMORY.name)}}
        settings |= {"axes": files.axes, "separate": files.independent_channels, "further": [t.name for t in further]}
        settings |= {} if queued.mask is None else {"mask": str(queued.mask)}
        queue = Queue(queued.pairs, job.work(given, files, further, queued.mask), settings, target)
        if self.again.value:
            queue.forget()
        return queue, given

    def _asked(self, given: dict[str, Any]) -> dict[str, Any]:
        """What the fields say, in values that JSON can hold."""
        action = self.action.value
        kept = {p.name for p in self._file_job.parameters if p.remembered}
        return {
            "action": action, "images": self.inputs.images.value, "source": self.source.line_edit.value,
            "names": self.names.value, "format": self.format.value, "axes": self.axes.value,
            "separate": bool(self.separate.value),
            "outputs": {name: bool(box.value) for name, box in self.outputs[action].items()},
            "parameters": {name: value for name, value in given.items() if name in kept},
        }  # fmt: skip

    def _show_kept(self, *_: Any) -> None:
        """Show the queue that an earlier session has left unfinished in the folder of the results, to go on with it."""
        text = self.target.line_edit.value.strip()
        kept = kept_queue(Path(text).expanduser()) if text and self.ready and self.queue is None else None
        if kept is None or not any(entry.open for entry in kept[1]):
            return
        asked, entries = kept
        here = self.source.line_edit.value.strip()
        if asked.get("action") not in FILE_JOBS or here not in ("", ".", asked.get("source")):
            return  # The user has begun something else.
        self.action.value = asked["action"]
        self.forms[asked["action"]].set(asked.get("parameters", {}))
        for name, box in self.outputs[asked["action"]].items():
            box.value = bool(asked.get("outputs", {}).get(name, box.value))
        self._own_folder = ""
        for field, name in ((self.inputs.images, "images"), (self.format, "format")):
            if asked.get(name) in field.choices:
                field.value = asked[name]
        self.source.line_edit.value, self.names.value = asked.get("source", ""), asked.get("names", "*")
        self.axes.value, self.separate.value = asked.get("axes", ""), bool(asked.get("separate"))
        self.target.line_edit.value = text
        self._show_entries(entries)
        left = sum(entry.open for entry in entries)
        self.status.value = (
            f"{left} of {len(entries)} files of an earlier queue are not finished; Resume goes on with it."
        )
        self.run.text = "Resume"

    def _show_entries(self, entries: list[Entry]) -> None:
        self._entries = entries
        self.table.show_entries(entries)

    def show_running(self, running: bool) -> None:
        """Offer what can be done; while a queue runs its table is in view, below a form that is higher than laptops."""
        super().show_running(running)
        if running:
            QTimer.singleShot(0, lambda: self.native.ensureWidgetVisible(self.table))

    def on_progress(self, job: Job) -> None:
        """Show the state of each file."""
        if self.queue is not None:
            self.table.update_entries(self.queue.entries)

    def on_end(self) -> None:
        """Count what is finished, what failed and what is left."""
        self._show_end()

    def take(self, run: Run, result: Any) -> None:
        """The results are files, which are there already."""

    def settings_shown(self) -> Sequence[Parameter]:
        """Parameters of the chosen job, and those about files."""
        return (*self._file_job.parameters, AXES, INDEPENDENT_CHANNELS, OVERWRITE)

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
        self.progress.value = round(FULL * (1 - len(queue.open) / max(1, len(queue.entries))))

    def _open(self, row: int) -> None:
        """Show the result of a file in the viewer."""
        if row >= len(self._entries) or self._entries[row].open:
            show_info("This file is not finished yet.")
            return
        target = self._entries[row].pair.target
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
        self.inputs.show()
        self._propose_folder()

    def _propose_folder(self, *_: Any) -> None:
        """Name a folder for the results beside the input, unless the user has named one."""
        if self.inputs.images.value != FILES:
            return
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
        folder = str(kept.get("target", ""))
        found = kept_queue(Path(folder)) if folder else None
        if found is not None and any(entry.open for entry in found[1]):
            self.target.line_edit.value = folder
            self._show_kept()

    def _remember(self, given: dict[str, Any]) -> None:
        action = self.action.value
        kept = {p.name for p in self._file_job.parameters if p.remembered}
        remember(action, {**remembered(action), "parameters": {k: v for k, v in given.items() if k in kept}})
        target = str(Path(self.target.line_edit.value.strip()).expanduser().absolute())
        remember("files", {"action": action, "format": self.format.value, "target": target})


def _work(queue: Queue, threads: int, memory: Any, callback: Callback) -> bool:
    """Process the queue, on the thread of the job."""
    use_threads(threads)
    with limited(memory):
        return queue.run(callback)
