"""Long work on a thread of its own, while the calling thread reports how far it is and can stop it."""

from __future__ import annotations

import contextvars
import ctypes
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ..endings import end_with_the_program
from ..errors import StoppedError
from ..progress import pausing
from .library import ops
from .threads import torch_alone

Result = TypeVar("Result")
Report = Callable[[float | None], bool]
"""Called with the share of the work that is done, 0 to 1, or None if it is not known. True asks to stop."""

INTERVAL = 0.1
"""Seconds between two reports. More make the reaction to a stop slower, fewer cost time."""
FIRST = 0.25
"""Seconds before the first report. Shorter work is not reported at all, and cannot be stopped."""
PATIENCE = 0.3
"""Seconds that stopped work is waited for. Longer operations of NumPy end on their own; nobody sees their results."""


SOON = 0.2
"""Seconds in which work that is asked to stop may still end with a result."""


class _Watch:
    """What the engine looks at and counts while it works for one thread; see ``csrc/threads.h``."""

    def __init__(self, tasks: int | None) -> None:
        self._numbers = (ctypes.c_int64 * 3)()
        self._tasks = tasks

    @property
    def address(self) -> int:
        return ctypes.addressof(self._numbers)

    @property
    def stopped(self) -> bool:
        return self._numbers[0] != 0

    def stop(self) -> None:
        self._numbers[0] = 1

    @property
    def share(self) -> float | None:
        return None if not self._tasks else min(1.0, self._numbers[1] / self._tasks)

    @contextmanager
    def over_this_thread(self) -> Iterator[None]:
        before = ops.watch(self.address)
        try:
            with pausing(lambda: self.stopped):
                yield
        finally:
            ops.watch(before)


def attended(function: Callable[[], Result], report: Report | None, tasks: int | None = None) -> Result:
    """Run a function on a thread of its own, report every `INTERVAL`, and leave it when the report asks to stop.

    The engine then ends within one tile, and work in Python at the next call of `pause`. The result is that of calling
    the function. It must not change anything that is used after a stop, as it may run on for a moment.

    Parameters
    ----------
    function : callable
        The work, without arguments.
    report : callable or None
        See `Report`. None: the function is simply called.
    tasks : int, optional
        Number of tasks that the engine will do in it, by which the share is known.

    Raises
    ------
    StoppedError
        If the report has asked to stop.

    Examples
    --------
    >>> attended(lambda: 6 * 7, lambda share: False)
    42
    """
    if report is None:
        return function()
    watch = _Watch(tasks)
    results: list[Result] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with watch.over_this_thread(), torch_alone():
                results.append(function())
        except BaseException as error:  # Raised again below, on the thread that waits.
            errors.append(error)

    context = contextvars.copy_context()  # Such as the memory budget.
    thread = threading.Thread(target=context.run, args=(work,), name="napari-rsmoe attended", daemon=True)
    end_with_the_program(thread, watch.stop)
    thread.start()
    wait = FIRST
    try:
        while True:
            thread.join(wait)
            wait = INTERVAL
            if not thread.is_alive():
                break
            if report(watch.share):
                raise StoppedError()
    except BaseException:
        watch.stop()
        thread.join(PATIENCE)
        raise
    if errors:
        raise errors[0]
    return results[0]


def attended_in_steps(
    function: Callable[[Callable[[float], bool]], Result], report: Callable[[float], bool] | None
) -> Result:
    """As `attended`, for work that says itself how far it is, and that can end early with a result.

    Parameters
    ----------
    function : callable
        The work. It calls its argument with the share that is done, 0 to 1, and soon returns a result if that returns
        True; after `SOON` it is left.
    report : callable or None
        Called with the share, first with 0. True asks to stop. None: the function is simply called.

    Raises
    ------
    StoppedError
        If the report has asked to stop, and the work has not returned soon.

    Examples
    --------
    >>> attended_in_steps(lambda step: "early" if step(0.5) else "whole", lambda share: True)
    'early'
    """
    if report is None:
        return function(lambda share: False)
    reached, asked = 0.0, time.monotonic() if report(0.0) else math.inf

    def step(share: float) -> bool:
        nonlocal reached
        reached = share
        return asked < math.inf

    def look(_share: float | None) -> bool:
        nonlocal asked
        if asked == math.inf and report(reached):
            asked = time.monotonic()
        return time.monotonic() - asked > SOON

    return attended(lambda: function(step), look)
