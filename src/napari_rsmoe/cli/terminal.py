"""What the program shares with the terminal: streams that file names cannot steer, and signals that stop it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from ..plain_text import plain_text

STOPPING = (
    b"\nStopping: unfinished files are being removed. Once more ends the program at once; the next run removes them.\n"
)
SIGNALED = 128  # Exit codes of programs that a signal ended begin here, by convention.


class SafeStream:
    """A text stream that replaces control characters but line ends and tabs, and what its encoding lacks.

    Parameters
    ----------
    stream : text stream
        Standard output or standard error. What it can do besides writing stays.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> Any:
        """Write text."""
        return self._stream.write(plain_text(text, keep="\n\r\t"))

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def safe_output() -> Iterator[None]:
    """Replace standard output and standard error by safe streams."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is not None:
            setattr(sys, name, SafeStream(getattr(sys, name)))
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if isinstance(stream, SafeStream):
                setattr(sys, name, stream._stream)


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Stop at Ctrl-C, SIGTERM and SIGHUP such that temporary files are removed.

    The first signal raises KeyboardInterrupt, or SystemExit with the usual exit code. The second is answered with a
    message, so that it interrupts neither the removal nor the end of the program. The third ends the program at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread may handle signals.
        return
    received = 0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal received
        received += 1
        if received == 1:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(SIGNALED + number)
        if received == 2:
            with contextlib.suppress(OSError):
                os.write(2, STOPPING)
            return
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # The last one is Ctrl-Break of Windows.
    known = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # A signal that is ignored, for example by nohup, stays so.
    before = {number: signal.getsignal(number) for number in known if signal.getsignal(number) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        if not received:
            for number, handler in before.items():
                signal.signal(number, handler)
