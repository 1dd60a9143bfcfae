"""A task on a thread of its own, whose result is delivered on the thread of the window."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from qtpy.QtCore import QObject, Signal

from ...ui import jobs
from ...ui.jobs import Outcome


class _Bridge(QObject):
    done = Signal(object)


class Task(jobs.Task):
    """A `jobs.Task` that calls `done` on the thread that created the task, as long as Qt is running."""

    def __init__(
        self, function: Callable[[], Any], done: Callable[[Outcome], None], *, background: bool = False
    ) -> None:
        super().__init__(function, self._send, background=background)
        self._bridge = _Bridge()
        self._bridge.done.connect(done)

    def _send(self, outcome: Outcome) -> None:
        with suppress(RuntimeError):  # Qt has been shut down because the program ends.
            self._bridge.done.emit(outcome)
