"""A running job of a widget, with everything that shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...progress import Callback
from ...ui.jobs import Job, Outcome
from ..layers.sparing import Spared
from ..preferences import preferences
from ..workers.activity import ActivityBar
from ..workers.thread import Task
from .preview import PreviewLayer


class Run:
    """A job on a thread, with its preview layer and its bar in napari's activity dock.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer with the layers.
    title : str
        Title in the activity dock.
    function : callable
        The job; see `napari_rsmoe.ui.jobs.Job`.
    finished : callable
        Called with the `Outcome` on the thread of the window, unless the run was abandoned.
    preview : PreviewLayer, optional
        The layer that shows previews.
    """

    def __init__(
        self,
        viewer: Any,
        title: str,
        function: Callable[[Callback], Any],
        finished: Callable[[Outcome], None],
        preview: PreviewLayer | None = None,
    ) -> None:
        self.preview = preview
        self.job = Job(function, self._end, Task)
        self._bar = ActivityBar(title, self.job.cancel)
        self._finished = finished
        self._spared = Spared(viewer)
        self._preview_due = 0.0
        self._abandoned = self._ended = False

    def start(self) -> None:
        """Begin."""
        self._spared.begin()
        self.job.start()

    def tick(self, seconds: float) -> None:
        """Show what has changed; called every few `seconds`."""
        self._bar.show(self.job.progress)  # napari handles waiting events in it: the job may end here.
        if self._ended:
            return
        ready = self.job.take_preview()
        if self.preview is not None and self.preview.deleted:
            self.preview.take_back()
            self.preview = None  # The user does not want to see further previews.
        if ready is not None and self.preview is not None:
            self.preview.show(ready)
        self._preview_due -= seconds
        if self.preview is not None and self._preview_due <= 0:
            self._preview_due = preferences().preview_interval
            self.job.ask_for_preview()

    def abandon(self) -> None:
        """Stop the job, and remove everything that it has added to the window; its result is not used."""
        self._abandoned = True
        self.job.cancel()
        self._bar.close()
        if self.preview is not None:
            self.preview.take_back()
        self._spared.end()

    def _end(self, outcome: Outcome) -> None:
        self._ended = True
        self._bar.close()
        if not self._abandoned:
            self._finished(outcome)
        self._spared.end()
