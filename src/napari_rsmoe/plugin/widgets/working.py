"""The life of a long job in a widget: start, progress, cancellation, end, and a window that is closed meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from magicgui.widgets import Label, ProgressBar, PushButton
from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QSizePolicy

from ...errors import StoppedError
from ...progress import Callback, pause
from ...ui.jobs import Job, Outcome
from ...ui.kinds.parameter import Parameter
from ...ui.wording import in_form_words
from ..preferences import load_engine
from ..workers.problems import show_problem
from ..workers.thread import Task
from .docked import DockedWidget
from .preview import PreviewLayer
from .run import Run

CANCEL, DISCARD = "Cancel", "Discard"
"""Text of the button that stops a job, and of the same button while the job is being stopped."""
LOADING = 20
"""Milliseconds between two looks whether everything is loaded that a job needs."""
FULL = 1000
"""Steps of the progress bar."""


class WorkingWidget(DockedWidget):
    """A widget that runs one long job at a time.

    A widget implements `rows` and `take`, and calls `begin` from its `start`.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer with the layers.
    run_label : str
        Label of the button that starts the job.
    cancel_help : str
        Tooltip of the button that stops it.
    """

    interval: ClassVar[int] = 50
    """Milliseconds between two updates from the job."""
    discards: ClassVar[bool] = True
    """Whether a job that is being stopped can be given up at once, by the same button."""
    stopping: ClassVar[str] = "Stopping"
    """What is shown while the job is being stopped."""

    def __init__(self, viewer: Any, run_label: str, cancel_help: str) -> None:
        self._viewer = viewer
        self._run: Run | None = None
        self._ending: list[Run] = []
        self.run = PushButton(text=run_label)
        self.cancel = PushButton(text=CANCEL, enabled=False, tooltip=cancel_help)
        self.progress = ProgressBar(value=0, min=0, max=FULL)
        self.status = Label(value=" ")
        super().__init__(viewer, self.rows())
        self.status.native.setWordWrap(True)
        self.status.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._timer = QTimer(self.native)
        self._timer.setInterval(self.interval)
        self._timer.timeout.connect(self._tick)
        self.run.changed.connect(self.start)
        self.cancel.changed.connect(self.stop)
        self.native.destroyed.connect(self.on_close)
        # Loading torch takes a second, so it is loaded before the first job.
        self._loading = Task(self.load, lambda _: None)
        self._loading.start()

    # ------------------------------------------------------------------ overridden by the widgets

    def rows(self) -> Sequence[Any]:
        """Make the fields, and return the rows of the widget from top to bottom; called once."""
        raise NotImplementedError

    @staticmethod
    def load() -> None:
        """Load what the first job needs; called on a thread."""
        load_engine()

    def start(self) -> None:
        """Start the job, unless one runs."""
        raise NotImplementedError

    def take(self, run: Run, result: Any) -> None:
        """Show the result of a job."""
        raise NotImplementedError

    def settings_shown(self) -> Sequence[Parameter]:
        """Parameters whose labels replace their names in messages."""
        return ()

    def more_status(self) -> str:
        """What follows the state of the job in the status line."""
        return ""

    def on_progress(self, job: Job) -> None:
        """Called at every update from the job."""

    def on_end(self) -> None:
        """Called when a job has ended, with a result or an error, and the widget is free for the next one."""

    # ------------------------------------------------------------------ the job

    @property
    def busy(self) -> bool:
        """Whether a job runs, or what a stopped one has computed is being put together."""
        return self._run is not None or bool(self._ending)

    @property
    def ready(self) -> bool:
        """Whether a job can be started: none runs but for those that are being stopped."""
        return self._run is None or (self.discards and self._run.job.cancelled)

    def begin(self, title: str, function: Callable[[Callback], Any], preview: PreviewLayer | None = None) -> None:
        """Run a job.

        Parameters
        ----------
        title : str
            Title in napari's activity dock.
        function : callable
            The job; see `napari_rsmoe.ui.jobs.Job`.
        preview : PreviewLayer, optional
            The layer that shows previews.
        """
        if self._run is not None:
            self._ending.append(self._run)  # Its layers come when they are ready.
        work = self._when_loaded(function)
        run = Run(self._viewer, title, work, lambda outcome: self._finished(run, outcome), preview)
        self._run = run
        self.show_running(True)
        self.status.value = "Starting"
        self._timer.start()
        run.start()

    def _when_loaded(self, function: Callable[[Callback], Any]) -> Callable[[Callback], Any]:
        """The same job, which waits for what it needs to be loaded, and can be cancelled meanwhile."""

        def work(callback: Callback) -> Any:
            while self._loading.running:
                pause()
                self._loading.wait(LOADING / 1000)
            return function(callback)

        return work

    def stop(self) -> None:
        """Stop the job, and keep what has been computed; if it is being stopped already, keep nothing.

        A job that has not reported anything yet has computed nothing, so it need not be waited for.
        """
        run = self._run
        if run is None:
            return
        begun = run.job.progress is not None
        if not run.job.cancelled and (begun or not self.discards):
            run.job.cancel()
            self._show_stopping()
        elif self.discards:
            self._abandon()
            self._timer.stop()
            self.show_running(False)
            self.status.value = "Stopped. Nothing is kept." if begun else str(StoppedError())
            self.on_end()

    def on_close(self) -> None:
        """Stop the job, and leave nothing of it in the window."""
        self._abandon()

    def tell(self, error: BaseException) -> None:
        """Show an error: in words if the user can act on it, else with its traceback."""
        show_problem(error, self.refuse)

    def refuse(self, text: str) -> None:
        """Show a message, in the words of the form."""
        show_error(in_form_words(text, self.settings_shown()))

    def show_running(self, running: bool) -> None:
        """Offer what can be done while a job runs, or while none does."""
        self.run.enabled, self.cancel.enabled = not running, running
        self.cancel.text = CANCEL
        if running:
            self.progress.value = 0

    def _abandon(self) -> None:
        runs, self._run, self._ending = [*self._ending, self._run], None, []
        for run in runs:
            if run is not None:
                run.abandon()

    def _show_stopping(self) -> None:
        if self.discards:
            self.cancel.text = DISCARD
            self.run.enabled = True  # Nobody need wait until the layers are made.
        else:
            self.cancel.enabled = False
        self.status.value = self.stopping

    def _tick(self) -> None:
        run = self._run
        if run is None:
            return
        job = run.job
        if job.cancelled:
            self._show_stopping()
        elif job.progress is not None:
            self.progress.value = round(FULL * job.progress.fraction)
            self.status.value = job.status + self.more_status()
        self.on_progress(job)
        run.tick(self.interval / 1000)

    def _finished(self, run: Run, outcome: Outcome) -> None:
        if run in self._ending:
            self._ending.remove(run)
        elif run is self._run:
            self._run = None
            self._timer.stop()
            self.show_running(False)
        else:
            return
        if outcome.error is None:
            self.take(run, outcome.result)
        else:
            self._fail(run, outcome.error)
        if self._run is None:
            self.on_end()

    def _fail(self, run: Run, error: BaseException) -> None:
        if run.preview is not None:
            run.preview.take_back()
        if isinstance(error, StoppedError):
            self.status.value = str(error)
            return
        self.status.value = "Failed"
        self.tell(error)
