"""Jobs one after the other: each has all processors, and none waits for memory that another one holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from .background import BackgroundJob


def run_in_turn(jobs: Sequence[BackgroundJob]) -> None:
    """Start each job when the one before it has ended; jobs that are cancelled while they wait are left out."""
    waiting = deque(jobs)

    def go_on(_before: Any = None) -> None:
        while waiting:
            job = waiting.popleft()
            if job.job.cancelled:
                job.drop()
                continue
            job.future.add_done_callback(go_on)
            job.start()
            return

    go_on()
