"""Threads that must not outlive the interpreter, in which the engine would crash: stopped and awaited at its end."""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress

PATIENCE = 1.3
"""Seconds to wait for all threads together when the program ends. A window then closes within 2 seconds; a step that
takes longer is left to the operating system."""

HANGING = 5
"""Seconds after which the program is ended by force, should it hang at its end beside a thread that goes on."""

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
    """Stop all threads and wait for them, and let Python end soon."""
    running = [(thread, stop) for thread, stop in list(_threads.items()) if thread.is_alive()]
    for _, stop in running:
        stop()
    end = time.monotonic() + PATIENCE
    for thread, _ in running:
        thread.join(max(0.0, end - time.monotonic()))
    if any(thread.is_alive() for thread, _ in running):
        _let_threads_sleep()
    # Python looks for garbage several times while it ends; of all that torch and napari load that takes a second.
    gc.collect()
    gc.freeze()


def _let_threads_sleep() -> None:
    """Let threads that return to Python after its end sleep until the program is gone.

    Python before 3.14 ends them inside the C++ function that they come from. Where that allows no exception, C++ would
    abort the whole program.
    """
    if os.name != "posix" or sys.version_info >= (3, 14):
        return
    with suppress(OSError, AttributeError, ValueError):
        cxx = ctypes.CDLL("libc++.1.dylib" if sys.platform == "darwin" else "libstdc++.so.6")
        cxx._ZSt13set_terminatePFvvE(ctypes.cast(ctypes.CDLL(None).pause, ctypes.c_void_p))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(HANGING)
