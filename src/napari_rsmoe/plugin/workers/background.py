"""A job without a widget, with its progress bar and cancel button in napari's activity dock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from napari.utils.notifications import show_info
from qtpy.QtCore import QTimer

from ...errors import StoppedError
from ...ui.jobs import Job, Outcome
from ..actions import Result
from ..layers.adding import add_layers
from .activity import ActivityBar
from .problems import show_problem
from .thread import Task

INTERVAL = 100  # Milliseconds between two updates of the progress bar.


class BackgroundJob:
    """Runs ``function(callback=...)`` on a thread and adds the layers of its `Result` to the viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer that gets the layers.
    title : str
        Title in the activity dock.
    function : callable
        Returns a `Result`.
    """

    def __init__(self, viewer: Any, title: str, function: Callable[..., Result]) -> None:
        self._viewer = viewer
        self.done = False
        self.future: Future[list[Any]] = _Promise(self)
        self.job = Job(lambda callback: _with_layers(function(callback=callback)), self._finished, Task)
        self._bar = ActivityBar(title, self.job.cancel)
        self._timer = QTimer()
        self._timer.setInterval(INTERVAL)
        self._timer.timeout.connect(lambda: self._bar.show(self.job.progress))

    def start(self) -> None:
        """Start the job."""
        self._timer.start()
        self.job.start()

    def drop(self) -> None:
        """Leave the job out, which has not been started."""
        self.done = True
        self._bar.close()
        self.future.set_exception(StoppedError())

    def _finished(self, outcome: Outcome) -> None:
        self.done = True
        self._timer.stop()
        self._bar.close()
        error = outcome.error
        if error is not None:
            self.future.set_exception(error)
            show_problem(error)
            return
        result, layers = outcome.result
        try:
            added = add_layers(self._viewer, layers, replace=False)
        except Exception as problem:  # The window may be gone.
            self.future.set_exception(problem)
            raise
        self.future.set_result(added)
        if result.record["metrics"]["stopped"]:
            show_info("Stopped. The part that was finished is kept.")


class _Promise(Future[list[Any]]):
    """The layers that a job will have added to the viewer; to cancel it stops the job, which keeps what it has."""

    def __init__(self, background: BackgroundJob) -> None:
        super().__init__()
        self._background = background
        self.set_running_or_notify_cancel()

    def cancel(self) -> bool:
        """Stop the job. Returns False, as there will still be a result."""
        self._background.job.cancel()
        return False


def _with_layers(result: Result) -> tuple[Result, list[Any]]:
    return result, [output.layer() for output in result.outputs]
