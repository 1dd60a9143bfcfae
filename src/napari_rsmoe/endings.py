"""Threads that must not outlive the interpreter, in which the engine would crash: stopped and awaited at its end."""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections.abc import Callable

PATIENCE = 1.3
"""Seconds to wait for all threads together when the program ends. A window then closes within 2 seconds; a step that
takes longer is left to the operating system."""

_threads: weakref.WeakKeyDictionary[threading.Thread, Callable[[], None]] = weakref.WeakKeyDictionary()


def end_with_the_program(thread: threading.Thread, stop: Callable[[], None]) -> None:
    """Stop and await a thread when the program ends.

    Parameters
    ----------
    thread : Thread
        A daemon thread.
    stop : callable
        Asks its work to end soon. It must not refer to the thread, which would then never be forgotten.
    """
    _threads[thread] = stop


@atexit.register
def end_all() -> None:
    """Stop all threads and wait for them."""
    running = [(thread, stop) for thread, stop in list(_threads.items()) if thread.is_alive()]
    for _, stop in running:
        stop()
    end = time.monotonic() + PATIENCE
    for thread, _ in running:
        thread.join(max(0.0, end - time.monotonic()))
