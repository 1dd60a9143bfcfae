"""Quick tasks on a thread, of which only the latest counts: what a slider or a drag asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...jobs import Outcome
from .thread import Task


class Latest:
    """Runs one task at a time; of those that come meanwhile, the last.

    Parameters
    ----------
    show : callable
        Gets the `Outcome` of each task that was run, on the thread that made this object.
    """

    def __init__(self, show: Callable[[Outcome], None]) -> None:
        self._show = show
        self._waiting: Callable[[], Any] | None = None
        self._task: Task | None = None
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a task runs or waits."""
        return self._task is not None

    def ask(self, task: Callable[[], Any]) -> None:
        """Run `task` as soon as the thread is free."""
        self._waiting = task
        if self._task is None:
            self._next()

    def close(self) -> None:
        """Forget what waits, and show nothing any more."""
        self._closed, self._waiting = True, None

    def _next(self) -> None:
        task, self._waiting = self._waiting, None
        if task is None or self._closed:
            self._task = None
            return

        self._task = Task(task, self._done)
        self._task.start()

    def _done(self, outcome: Outcome) -> None:
        if not self._closed:
            self._show(outcome)
        self._next()
