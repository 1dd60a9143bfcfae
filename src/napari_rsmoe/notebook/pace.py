"""Limit the rate of calls: calls that come too fast are delayed and merged into one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Pace:
    """Calls a function at most once per interval, and never concurrently.

    Parameters
    ----------
    function : callable
        Function without arguments. A delayed call is made on another thread.
    seconds : float
        Interval between two calls.
    """

    def __init__(self, function: Callable[[], None], seconds: float) -> None:
        self._function, self._seconds = function, seconds
        self._next = 0.0
        self._timer: threading.Timer | None = None
        self._running = self._again = False
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """Call the function now, or when the interval is over."""
        with self._lock:
            if self._timer is not None:
                return  # A delayed call is pending.
            if self._running:
                self._again = True
                return
            wait = self._next - time.monotonic()
            if wait > 0:
                self._call_in(wait)
                return
            self._running = True
        self._run()

    def _call_in(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._late)
        self._timer.daemon = True
        self._timer.start()

    def _late(self) -> None:
        with self._lock:
            self._timer, self._running = None, True
        self._run()

    def _run(self) -> None:
        try:
            self._function()
        finally:
            with self._lock:
                self._running = False
                self._next = time.monotonic() + self._seconds
                if self._again:
                    self._again = False
                    self._call_in(self._seconds)
