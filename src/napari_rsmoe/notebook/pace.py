"""Calls that come too fast are made later, once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Pace:
    """Calls a function at most once in a time, never twice at once.

    Parameters
    ----------
    function : callable
        Without arguments. A call that has to wait is made on another thread.
    seconds : float
        Between two calls.
    """

    def __init__(self, function: Callable[[], None], seconds: float) -> None:
        self._function, self._seconds = function, seconds
        self._next = 0.0
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()
        self._running = threading.RLock()

    def __call__(self) -> None:
        """Call the function, now or as soon as it is time."""
        with self._lock:
            if self._timer is not None:
                return
            wait = self._next - time.monotonic()
            if wait > 0:
                self._timer = threading.Timer(wait, self.now)
                self._timer.daemon = True
                self._timer.start()
                return
        self.now()

    def now(self) -> None:
        """Call the function now."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._next = time.monotonic() + self._seconds
        with self._running:
            self._function()
