"""The end of a process: threads that would crash in the engine are stopped and awaited, and little is taken apart."""

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


_before_python_ends: list[Callable[[], object]] = []


def before_python_ends(function: Callable[[], object]) -> None:
    """Call a function when Python takes apart what is loaded; not where the program leaves at once, see `leave`."""
    _before_python_ends.append(function)
    atexit.register(function)


# Registered first, so that it is called after `end_all`.
@before_python_ends
def _collect_once() -> None:
    """Keep Python from looking for garbage several times while it ends: with torch and napari that takes a second."""
    gc.collect()
    gc.freeze()


@atexit.register
def end_all() -> None:
    """Stop all threads and wait for them."""
    running = [(thread, stop) for thread, stop in list(_threads.items()) if thread.is_alive()]
    for _, stop in running:
        stop()
    end = time.monotonic() + PATIENCE
    for thread, _ in running:
        thread.join(max(0.0, end - time.monotonic()))
    if any(thread.is_alive() for thread, _ in running):
        _let_threads_sleep()


def leave(code: int, *, wait: bool = True) -> None:
    """End the process as Python does, but without taking apart what is loaded, which with torch takes a quarter second.

    Threads that are not daemons are awaited, what was registered with `atexit` is called, and output is written. Only
    for a program that owns its process. It returns where the usual end has more to do: output that cannot be written is
    an error, and a profiler or a debugger that watches the program has its own last words.

    Parameters
    ----------
    code : int
        The exit code.
    wait : bool
        False: end in any case, and beside threads that still compute. Python would end such a thread where it returns
        from C++, which aborts the process.
    """
    if wait and (_watched() or not _flushed()):
        return
    try:
        if wait:
            threading._shutdown()  # type: ignore[attr-defined]  # As Python does; there is no public name.
        for function in _before_python_ends if wait else [*_before_python_ends, end_all]:
            atexit.unregister(function)
        atexit._run_exitfuncs()
        _flushed()
    finally:
        os._exit(code)


def _watched() -> bool:
    """Whether a profiler, a debugger or a measurement of coverage is at work."""
    monitoring = getattr(sys, "monitoring", None)  # Of Python 3.12.
    tools = () if monitoring is None else (monitoring.get_tool(number) for number in range(6))
    return bool(sys.gettrace() or sys.getprofile() or any(tools))


def _flushed() -> bool:
    """Write what standard output and standard error still hold; whether that was possible."""
    written = True
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):  # There may be no reader any more.
            written = False
    return written


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
