"""The common part of widgets with long jobs: settings, run, progress, preview, cancel and result."""

from __future__ import annotations

import html
import math
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import ipywidgets
import numpy as np

from ..errors import StoppedError
from ..image.each_plane import PlaneResult, each_plane
from ..image.planes import Plane
from ..notes import Notes
from ..progress import Callback, PlaneProgress, Progress
from ..ui.calls import Subject, command_line, python_call
from ..ui.jobs import Job, Outcome, plain_text
from ..ui.kinds.parameter import Parameter
from ..ui.parameters.functions import PARAMETERS
from .code_box import Code, CodeBox
from .curve import curve_svg
from .form import Form
from .pace import Pace
from .pane import ImagePane
from .saved import Saved
from .source import Source

STATUS_INTERVAL = 0.2  # Seconds between two updates of the progress.
PREVIEW_INTERVAL = 0.5
PREVIEW_SHARE = 0.1  # Largest fraction of the time of a job that previews may take.


class ActionWidget(Saved, ipywidgets.HBox):
    """A job on an image: settings and progress beside a viewer pane. The job runs on a thread.

    Parameters
    ----------
    image : array-like
        (Y, X), (Y, X, C), or a stack of planes, which are processed one by one; see `axes`.
    axes : str, optional
        A letter for each axis of a stack, such as "TZYX" or "CYX": C are channels that share kernels, and all letters
        except Y, X and C are iterated over. By default Y and X come last, before colour if that has length 3 or 4.
    **given
        Parameters of the function that differ from its defaults.

    Attributes
    ----------
    result : Any
        Return value of the function, or a list of them for a stack; None before the first run.
    error : Exception or None
        The exception of the last run, which the widget shows too.
    notes : list of str
        What the last run found in the image that the user should know; the widget shows it too.
    pane : ImagePane
        The viewer pane.

    Raises
    ------
    ImageError, TypeError, ValueError
        If the axes do not match the image, or a parameter is unknown or not accepted.
    """

    action: ClassVar[str]
    run_label: ClassVar[str]
    title: ClassVar[str]  # Title of the result in the pane.
    _job: Job | None = None  # The last job; also where making the widget has failed, and Python closes it.

    def __init__(self, image: Any, *, axes: str | None = None, **given: Any) -> None:
        self._lock = threading.Lock()
        self._whole = self._source = Source(image, axes)
        self._region: tuple[slice, slice] | None = None  # Rows and columns of the whole image that jobs are run on.
        self._running = False
        self._ran: dict[str, Any] | None = None
        # Of the last run: numbers of the planes of its results, and sentences on what was found in the image.
        self.numbers: list[int] = []
        self.notes: list[str] = []
        self.result: Any = None
        self.error: BaseException | None = None
        self.form = Form(self.parameters(), given)
        self.pane = ImagePane(
            self._source, titles={"before": "image", "after": self.title}, labels=self._source.labels,
            pixel_size=self._source.pixel_size,
        )  # fmt: skip
        self.run_button = ipywidgets.Button(description=self.run_label, button_style="primary")
        self.cancel_button = ipywidgets.Button(
            description="Cancel", tooltip="Stop, and keep what has been computed", disabled=True
        )  # fmt: skip
        self.code_button = ipywidgets.Button(description="As Python", tooltip="Python code that does the same")
        self.command_button = ipywidgets.Button(
            description="As command line", tooltip="A shell command that does the same"
        )  # fmt: skip
        self.whole_button = ipywidgets.Button(
            description="Whole image", tooltip="Run the next job on the whole image again"
        )  # fmt: skip
        self.whole_button.layout.display = "none"
        self.progress = ipywidgets.FloatProgress(min=0, max=1)
        self.status = ipywidgets.Label("")
        self.curve = ipywidgets.HTML()
        self.message = ipywidgets.HTML()
        self.code_box = CodeBox()
        self.pane.saved = self.begin_saving()
        self.pane.changed = self.save_soon
        self._show_progress = Pace(self._update, STATUS_INTERVAL)
        self._preview_due = 0.0
        self.run_button.on_click(lambda _: self.start())
        self.cancel_button.on_click(lambda _: self.cancel())
        self.whole_button.on_click(lambda _: self.choose_region(None))
        self.code_button.on_click(lambda _: self._show_text(self.code))
        self.command_button.on_click(lambda _: self._show_text(self.command_line))
        buttons = ipywidgets.HBox([self.run_button, self.cancel_button, self.whole_button])
        texts = ipywidgets.HBox([self.code_button, self.command_button])
        self.controls = ipywidgets.VBox(
            [self.form, buttons, self.progress, self.status, self.curve, self.message, texts]
        )
        self.controls.add_class("rsmoe-controls")
        super().__init__([self.controls, self.pane, self.code_box])
        self.add_class("rsmoe-action")

    def __repr__(self) -> str:
        result = None if self.result is None else type(self.result).__name__
        return f"<{type(self).__name__} of an image of shape {tuple(self._source.image.shape)}, result: {result}>"

    # ------------------------------------------------------------------ what is saved

    def save_now(self) -> None:
        """Update the saved picture, but not with previews."""
        if not self._running:
            super().save_now()

    def saved_pictures(self) -> Mapping[str, np.ndarray]:
        """The pictures of the pane."""
        return self.pane.saved_pictures()

    def saved_rows(self) -> Mapping[str, str]:
        """What was run and how it ended, and what the result says of itself."""
        rows = {"run": self.status.value} if self.status.value else {}
        if self._ran is not None:
            rows["code"] = self.code().splitlines()[-1]
        single = self.result[0] if isinstance(self.result, list) and len(self.result) == 1 else self.result
        facts = getattr(single, "summary_rows", None)
        return {**rows, **(self.pane.saved_rows() if facts is None else facts())}

    # ------------------------------------------------------------------ for the widgets to fill in

    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters of the form."""
        return PARAMETERS[self.action]

    def compute(self, image: Any, given: dict[str, Any], **more: Any) -> Any:
        """The result of the job for an image, or for a plane of a stack."""
        raise NotImplementedError

    def worker(self, given: dict[str, Any]) -> Callable[[Plane, Callback], Any]:
        """The function that computes a plane, made for one run and called with the planes in order."""

        def work(plane: Plane, callback: Callback) -> Any:
            image = self._source.image if self._source.single else plane.image
            return self.compute(image, given, callback=callback, **self._source.channels())

        return work

    def pictures(self, result: Any) -> dict[str, Any]:
        """The contents of the pane for a result of `compute`: `after`, `uncertainty`, `models`."""
        raise NotImplementedError

    def summary(self, results: list[Any]) -> str:
        """A short description of the result."""
        raise NotImplementedError

    def joined(self, results: list[Any]) -> Any:
        """The result for the user, from the results of all planes."""
        return results[0] if self._source.single else results

    def subject(self) -> Subject:
        """The image, as Python code and as a file for the shell."""
        name, axes = self._source.name, self._source.axes
        note = f"save the image first, in Python: napari_rsmoe.write_image('image.tif', {name}, axes={axes!r})"
        shape, spacing = tuple(self._source.image.shape), self._source.planes.spacing
        return Subject(axes=axes, shape=shape, name=name, notes=(note,), spacing=spacing)

    # ------------------------------------------------------------------ the job

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return self._running

    def start(self) -> None:
        """Start a job, unless one runs. Returns at once; `wait` waits for the end."""
        if self.busy:
            return
        self.error = None
        try:
            given = self.form.values
        except ValueError as error:
            self._show_error(error)
            return
        drawn = self.pane.region_slices
        if drawn is not None:
            base = (0, 0) if self._region is None else (self._region[0].start, self._region[1].start)
            self.choose_region(tuple(slice(s.start + b, s.stop + b) for s, b in zip(drawn, base, strict=True)))
        self._started, self._preview_due = time.monotonic(), 0.0
        self._job = Job(partial(self._run, given), partial(self._finish, given))
        self.message.value = self.curve.value = ""
        self._running = True
        self._show_running(True)
        self._job.start()

    def choose_region(self, region: tuple[slice, ...] | None) -> None:
        """Run jobs on these rows and columns of the image only, such as those drawn in the pane; None: on all of it."""
        if self.busy:
            return
        self._region = None if region is None else (region[0], region[1])
        self._source = self._whole if self._region is None else self._whole.part(*self._region)
        self.whole_button.layout.display = "none" if self._region is None else ""
        self._ran = self.result = None
        self.status.value = self.message.value = self.curve.value = ""
        self.pane.show(before=self._source, after=(), uncertainty=(), models=())

    def cancel(self) -> None:
        """Stop the job, and keep what has been computed."""
        if self._job is None:
            return
        with self._lock:
            if not self._job.done:
                self.cancel_button.disabled = True
                self.status.value = "Stopping"
                self._job.cancel()

    def close(self) -> None:
        """Stop the job, and remove the widget from the notebook."""
        self.cancel()
        super().close()

    def wait(self, timeout: float | None = None) -> Any:
        """Wait for the end of the job and return the result. Raises the error of the job, or TimeoutError."""
        if self._job is not None:
            self._job.wait(timeout)
            if self._running:
                raise TimeoutError(f"The job still runs after {timeout:g} s; wait again, or cancel it.")
        if self.error is not None:
            raise self.error
        return self.result

    def code(self) -> Code:
        """Python code that repeats the run that made `result`, or before a run, that would run the job."""
        return Code(python_call(self.action, self._shown_settings(), self.subject()).strip())

    def command_line(self) -> Code:
        """The shell command that does the same; comments say what must be done before."""
        return Code(command_line(self.action, self._shown_settings(), self.subject()).strip())

    def _shown_settings(self) -> dict[str, Any]:
        return self.form.values if self._ran is None else self._ran

    def _run(self, given: dict[str, Any], callback: Callback) -> list[Any]:
        """Process the image plane by plane, on the thread of the job."""
        work, notes = self.worker(given), Notes()
        self.numbers = []

        def one(plane: Plane, report: Callback) -> PlaneResult[Any]:
            with notes.on(plane.label):
                done = work(plane, report)
            self.numbers.append(plane.number)
            self.pane.show(plane.number, **self.pictures(done))
            return PlaneResult([], done)

        with notes.on(""):
            results = each_plane(self._source.planes, one, callback=partial(self._report, callback)).values
        self.notes = notes.lines()
        return results

    def _report(self, callback: Callback, progress: Progress) -> bool:
        """Update progress and preview from the thread of the job, so that no updates queue up."""
        job = self._job
        assert job is not None
        began = time.monotonic()
        stop = bool(callback(progress))
        preview = job.take_preview()
        if preview is not None and isinstance(preview.progress, PlaneProgress):
            self.pane.show(preview.progress.number, after=self._source.plane_of(preview.image))
            cost = time.monotonic() - began
            self._preview_due = time.monotonic() + max(PREVIEW_INTERVAL, cost / PREVIEW_SHARE)
        if time.monotonic() >= self._preview_due:
            self._preview_due = math.inf  # No further preview until this one is drawn.
            job.ask_for_preview()
        self._show_progress()
        return stop

    def _update(self) -> None:
        job = self._job
        assert job is not None
        with self._lock:
            if job.progress is not None and not (job.cancelled or job.done):
                self.progress.value = job.progress.fraction
                self.status.value = job.status
                self.curve.value = curve_svg(list(job.history))

    def _finish(self, given: dict[str, Any], outcome: Outcome) -> None:
        job = self._job
        assert job is not None
        with self._lock:  # Progress updates end before the result is shown.
            self.curve.value = curve_svg(list(job.history))
        try:
            if outcome.error is not None:
                raise outcome.error
            self._ran, self.result = given, self.joined(outcome.result)
            self._show_end(outcome.result, cancelled=job.cancelled)
        except StoppedError as error:
            self.error = error
            self.status.value = str(error)
        except Exception as error:
            self._show_error(error)
        self._running = False
        self._show_running(False)
        self.save_now()

    def _show_end(self, results: list[Any], *, cancelled: bool) -> None:
        seconds, count = time.monotonic() - self._started, len(self._source)
        if not cancelled:
            self.progress.value = 1.0
        ended = "Stopped" if cancelled else "Done"
        planes = f" after {len(results)} of {count} planes" if len(results) < count else ""
        self.status.value = f"{ended}{planes}, {seconds:.1f} s, {self.summary(results)}"
        if self.notes:
            items = "".join(f"<li>{html.escape(text)}</li>" for text in self.notes)
            self.message.value = f'<ul class="rsmoe-notes">{items}</ul>'

    # ------------------------------------------------------------------ small things

    def _show_running(self, running: bool) -> None:
        self.run_button.disabled, self.cancel_button.disabled = running, not running
        if running:
            self.progress.value = 0.0
            self.status.value = "Starting"

    def _show_error(self, error: BaseException) -> None:
        self.error = error
        self.status.value = "Failed"
        text = plain_text(error)
        details = ""
        if text is None:
            text = f"{type(error).__name__}: {error}"
            trace = "".join(traceback.format_exception(error))
            details = f"<details><summary>Details</summary><pre>{html.escape(trace)}</pre></details>"
        self.message.value = f'<div class="rsmoe-error">{html.escape(text)}{details}</div>'

    def _show_text(self, write: Callable[[], str]) -> None:
        try:
            self.code_box.text = write()
        except ValueError as error:
            self._show_error(error)
