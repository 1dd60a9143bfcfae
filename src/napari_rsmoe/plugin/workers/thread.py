"""A thread whose result comes back to the window's thread, and which never outlives the program."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QObject, Signal

NICENESS = 5
PATIENCE = 20  # seconds to wait for a thread when the program ends


@dataclass(frozen=True)
class Outcome:
    """How a task ended: with a result or with an error."""

    result: Any = None
    error: BaseException | None = None


class _Bridge(QObject):
    done = Signal(object)


class Task:
    """Runs a function once on a thread.

    Parameters
    ----------
    function : callable
        Without arguments.
    done : callable
        Gets the `Outcome`, on the thread that made the task, as long as there is a window.
    background : bool
        A long one, that lets the window's thread go first.
    """

    def __init__(
        self, function: Callable[[], Any], done: Callable[[Outcome], None], *, background: bool = False
    ) -> None:
        self.stop = threading.Event()
        """Set when the function should come to an end."""
        self._function, self._background = function, background
        self._bridge = _Bridge()
        self._bridge.done.connect(done)
        self._thread = threading.Thread(target=self._run, name="napari-rsmoe", daemon=True)

    def start(self) -> None:
        """Begin."""
        _running.add(self)
        self._thread.start()

    def _run(self) -> None:
        if self._background:
            _step_back()
        try:
            outcome = Outcome(self._function())
        except Exception as error:
            outcome = Outcome(error=error)
        with suppress(RuntimeError):  # Qt has gone, as the program ends
            self._bridge.done.emit(outcome)

    def wait(self) -> None:
        """Wait for the thread, if it runs."""
        if self._thread.is_alive():
            self._thread.join(PATIENCE)


def _step_back() -> None:
    """Let the window's thread go first where processors are scarce; torch's threads inherit it. Linux only."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


_running: weakref.WeakSet[Task] = weakref.WeakSet()


@atexit.register
def end_all() -> None:
    """Stop what runs, and wait for it: a thread in the engine must not see the interpreter go."""
    tasks = list(_running)
    for task in tasks:
        task.stop.set()
    for task in tasks:
        task.wait()
