"""A thread whose result comes back to the window's thread."""

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
    """As `jobs.Task`, but `done` is called on the thread that made the task, as long as there is a window."""

    def __init__(
        self, function: Callable[[], Any], done: Callable[[Outcome], None], *, background: bool = False
    ) -> None:
        super().__init__(function, self._send, background=background)
        self._bridge = _Bridge()
        self._bridge.done.connect(done)

    def _send(self, outcome: Outcome) -> None:
        with suppress(RuntimeError):  # Qt has gone, as the program ends
            self._bridge.done.emit(outcome)
