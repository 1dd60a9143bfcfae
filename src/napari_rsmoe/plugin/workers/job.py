"""A job on a thread, which the window looks at now and then.

The thread never sends anything but its end: the window asks for the progress and, when it has shown the last one,
for a preview. So nothing queues up, and a cancel takes hold at the next report of the engine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import DeviceError, EngineError
from ...progress import Callback, Progress
from .thread import Outcome, Task

PLAIN_ERRORS = (ValueError, TypeError, DeviceError, EngineError, MemoryError, OSError)
"""What goes wrong through the image, the settings or the machine: the message is enough for the user."""


@dataclass(frozen=True)
class Preview:
    """An image on the way, and the progress it belongs to."""

    progress: Progress
    image: np.ndarray


class Job:
    """Runs ``function(callback)`` on a thread.

    Parameters
    ----------
    function : callable
        Takes a callback as the engine knows it and returns the result. When the callback says stop, it returns what
        it has.
    finished : callable
        Gets the `Outcome`, on the thread that made the job.
    """

    def __init__(self, function: Callable[[Callback], Any], finished: Callable[[Outcome], None]) -> None:
        self._preview_wanted = threading.Event()
        self._preview: Preview | None = None
        self._started = time.monotonic()
        self.progress: Progress | None = None
        self.done = False
        self.history: list[tuple[float, float]] = []  # (fraction, PSNR)
        self._task = Task(lambda: function(self._report), self._end, background=True)
        self._finished = finished

    def start(self) -> None:
        """Begin."""
        self._started = time.monotonic()
        self._task.start()

    def cancel(self) -> None:
        """Ask to stop; the job then ends with what it has."""
        self._task.stop.set()

    @property
    def cancelled(self) -> bool:
        """Whether it was asked to stop."""
        return self._task.stop.is_set()

    @property
    def seconds_left(self) -> float | None:
        """Estimate from the speed so far; None at the beginning."""
        progress = self.progress
        if progress is None or progress.fraction <= 0:
            return None
        return (time.monotonic() - self._started) * (1 - progress.fraction) / progress.fraction

    def ask_for_preview(self) -> None:
        """Have a preview made at the next report."""
        self._preview_wanted.set()

    def take_preview(self) -> Preview | None:
        """The preview that was asked for, once it is there."""
        preview, self._preview = self._preview, None
        return preview

    def _report(self, progress: Progress) -> bool:
        self.progress = progress
        if progress.psnr is not None and np.isfinite(progress.psnr):
            self.history.append((progress.fraction, progress.psnr))
        if self._preview_wanted.is_set() and not self.cancelled:
            self._preview_wanted.clear()
            self._preview = Preview(progress, progress.preview())
        return self.cancelled

    def _end(self, outcome: Outcome) -> None:
        self.done = True
        self._finished(outcome)


def plain_text(error: BaseException) -> str | None:
    """The message of an error that the user can do something about; None for a fault of the program."""
    if isinstance(error, MemoryError):
        return "There is not enough memory for this. Choose a part of the image, or fewer planes."
    if isinstance(error, PLAIN_ERRORS):
        return str(error)
    return None
