"""Long jobs on a thread, for every user interface: progress, remaining time, previews on demand, cancel.

The thread sends only its end. A user interface polls the progress and, after it has shown a preview, requests the next
one. Updates therefore never queue up, and a cancellation takes effect at the next report of the engine.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..endings import PATIENCE, end_with_the_program
from ..errors import DeviceError, EngineError, StoppedError
from ..memory import memory_error
from ..progress import Callback, Progress, pausing

NICENESS = 5
SLOWEST_FASTEST = (10.0, 0.2)  # Bounds of the pace that is kept for later jobs, as a factor of the expected time.
UNSURE = 1.0
"""Seconds of expected work by which the pace of the jobs before is trusted. After that its own pace counts more."""
PLAIN_ERRORS = (ValueError, TypeError, DeviceError, EngineError, StoppedError, MemoryError, OSError)
"""Errors caused by the image, the settings or the machine, whose message suffices for the user."""


@dataclass(frozen=True)
class Outcome:
    """How a task ended: with a result or with an error."""

    result: Any = None
    error: BaseException | None = None


class Task:
    """Runs a function once on a thread, which never outlives the program.

    Parameters
    ----------
    function : callable
        Function without arguments.
    done : callable
        Called with the `Outcome` on the thread of the function.
    background : bool
        Whether the task is long and should run at lower priority than other threads.
    """

    def __init__(
        self, function: Callable[[], Any], done: Callable[[Outcome], None], *, background: bool = False
    ) -> None:
        self.stop = threading.Event()
        """Set to request the end of the function."""
        self._function, self._done, self._background = function, done, background
        self._thread = threading.Thread(target=self._run, name="napari-rsmoe", daemon=True)

    def start(self) -> None:
        """Begin."""
        end_with_the_program(self._thread, self.stop.set)
        self._thread.start()

    def _run(self) -> None:
        if self._background:
            _step_back()
        try:
            outcome = Outcome(self._function())
        except Exception as error:
            outcome = Outcome(error=error)
        self._done(outcome)

    @property
    def running(self) -> bool:
        """Whether the function has been started and has not ended."""
        return self._thread.is_alive()

    def wait(self, seconds: float | None = PATIENCE) -> None:
        """Wait for the thread if it runs, at most `seconds`, or without limit for None."""
        if self._thread.is_alive():
            self._thread.join(seconds)


@dataclass(frozen=True)
class Preview:
    """An intermediate image, and its progress."""

    progress: Progress
    image: np.ndarray


class _Pace:
    """How long jobs take on this machine, now, relative to what is expected of an idle one that was measured."""

    def __init__(self) -> None:
        self.value = 1.0

    def learn(self, pace: float) -> None:
        """Take what the last job showed, within bounds that one odd job cannot leave."""
        self.value = min(max(pace, SLOWEST_FASTEST[1]), SLOWEST_FASTEST[0])


_pace = _Pace()


class Job:
    """Runs ``function(callback)`` on a thread.

    Parameters
    ----------
    function : callable
        Takes a progress callback and returns the result. If the callback returns True, it returns the result so far.
    finished : callable
        Called with the `Outcome`, on the thread that `task` determines.
    task : type
        `Task`, or a subclass of a user interface that calls `finished` on its own thread.
    """

    def __init__(
        self,
        function: Callable[[Callback], Any],
        finished: Callable[[Outcome], None],
        task: Callable[..., Task] = Task,
    ) -> None:
        self._preview_wanted = threading.Event()
        self._preview: Preview | None = None
        self._started = time.monotonic()
        self._first = (0.0, 0.0)  # Time and fraction of the first report.
        self._before = 0.0  # Fraction that was done before this job began.
        self._working_since = self._started
        self.progress: Progress | None = None
        self.done = False
        self.history: list[tuple[float, float]] = []  # (fraction, PSNR)
        self._task = task(lambda: self._work(function), self._end, background=True)
        self._finished = finished

    def start(self) -> None:
        """Begin."""
        self._started = time.monotonic()
        self._task.start()

    def cancel(self) -> None:
        """Request the end of the job, which then returns the result so far."""
        self._task.stop.set()

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the end of the function, at most `seconds`, or without limit for None."""
        self._task.wait(seconds)

    @property
    def cancelled(self) -> bool:
        """Whether the job was cancelled."""
        return self._task.stop.is_set()

    @property
    def seconds_left(self) -> float | None:
        """The remaining time; None before the first report.

        It is the expected time of the stages that are left, corrected by the pace of the stages so far and of earlier
        jobs. What an earlier run had done already when this one took it up says nothing about the pace. Where no times
        are expected it follows from the progress since the first report.
        """
        progress, now = self.progress, time.monotonic()
        if progress is None:
            return None
        if progress.seconds is not None:
            done = (progress.fraction - self._before) * progress.seconds
            pace = (now - self._working_since + UNSURE * _pace.value) / (done + UNSURE)
            return (1 - progress.fraction) * progress.seconds * pace
        moved = progress.fraction - self._first[1]
        if moved <= 0:
            return None
        return (now - self._first[0]) * (1 - progress.fraction) / moved

    @property
    def status(self) -> str:
        """The state of the job in one line."""
        progress, left = self.progress, self.seconds_left
        if progress is None:
            return "Starting"
        quality = f", {progress.psnr:.2f} dB" if progress.psnr is not None and np.isfinite(progress.psnr) else ""
        eta = f", {duration(left)} left" if left is not None else ""
        return f"{progress.stage}{quality}{eta}"

    def ask_for_preview(self) -> None:
        """Request a preview at the next report."""
        self._preview_wanted.set()

    def take_preview(self) -> Preview | None:
        """Take the requested preview, or None if it is not ready."""
        preview, self._preview = self._preview, None
        return preview

    def _work(self, function: Callable[[Callback], Any]) -> Any:
        with pausing(lambda: self.cancelled and self.progress is None):  # Later a report returns what there is.
            return function(self._report)

    def _report(self, progress: Progress) -> bool:
        if self.progress is None:
            self._first = (time.monotonic(), progress.fraction)
            self._before = progress.fraction if progress.resumed else 0.0
        elif progress.seconds is None and self.progress.seconds is not None:
            progress = replace(progress, seconds=self.progress.seconds)  # A stage that is not planned for.
        if progress.fraction <= self._before:
            self._working_since = time.monotonic()  # What came before is no part of the expected time.
        self.progress = progress
        if progress.psnr is not None and np.isfinite(progress.psnr):
            self.history.append((progress.fraction, progress.psnr))
        if self._preview_wanted.is_set() and not self.cancelled:
            self._preview_wanted.clear()
            # Imported here to save start-up time: torch takes seconds.
            from ..engine.attention import attended

            with suppress(StoppedError):  # Drawing is left too when the job is cancelled.
                image = attended(progress.preview, lambda share: self.cancelled)
                self._preview = Preview(progress, image)
        return self.cancelled

    def _end(self, outcome: Outcome) -> None:
        self.done = True
        progress = self.progress
        if outcome.error is None and not self.cancelled and progress is not None and progress.seconds:
            _pace.learn((time.monotonic() - self._working_since) / progress.seconds)
        self._finished(outcome)


class Latest:
    """Short tasks on a thread, such as those of a slider: one at a time, and of the waiting ones only the last.

    Parameters
    ----------
    show : callable
        Called with the `Outcome` of each task that was run, on the thread that `task` determines.
    task : type
        See `Job`.
    """

    def __init__(self, show: Callable[[Outcome], None], task: Callable[..., Task] = Task) -> None:
        self._show, self._make_task = show, task
        self._waiting: Callable[[], Any] | None = None
        self._task: Task | None = None
        self._closed = False
        self._lock = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether a task runs or waits."""
        return self._task is not None

    def ask(self, task: Callable[[], Any]) -> None:
        """Run `task` as soon as the thread is free."""
        with self._lock:
            self._waiting = task
            ready = self._next() if self._task is None else None
        if ready is not None:
            ready.start()

    def close(self) -> None:
        """Discard the waiting task, and show no further results."""
        with self._lock:
            self._closed, self._waiting = True, None

    def _next(self) -> Task | None:
        task, self._waiting = self._waiting, None
        self._task = None if task is None or self._closed else self._make_task(task, self._done)
        return self._task

    def _done(self, outcome: Outcome) -> None:
        if not self._closed:
            self._show(outcome)
        with self._lock:
            ready = self._next()
        if ready is not None:
            ready.start()


def plain_text(error: BaseException) -> str | None:
    """The message of an error that the user can act on; None for a fault of the program."""
    error = memory_error(error) or error
    if isinstance(error, PLAIN_ERRORS):
        return str(error)
    return None


def duration(seconds: float) -> str:
    """A readable duration."""
    whole = max(1, round(seconds))
    return f"{whole} s" if whole < 90 else f"{round(whole / 60)} min"


def _step_back() -> None:
    """Lower the priority of this thread, which torch's threads inherit. Linux only."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
