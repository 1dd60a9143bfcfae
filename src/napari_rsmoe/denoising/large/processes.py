"""Workers of Dask that are processes of this machine; those that end are begun again."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any, Self

from ...errors import ImageError

EARLY = 60.0
"""Seconds after its beginning in which a process that ends may have failed to begin. Fewer take slow machines for
sound ones, more take lost workers for ones that cannot begin."""
MOST_EARLY = 20
"""Processes, for each worker, that may end so early one after the other. Above, something is wrong with all."""
PATIENCE = 5.0
"""Seconds that processes have to end by themselves."""
_QUIET = {"DASK_LOGGING__DISTRIBUTED": "critical"}
"""Environment in which Dask prints nothing but what ends a worker."""


def variables(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings of Dask as variables of the environment.

    Examples
    --------
    >>> variables({"distributed.admin.tick.interval": "1s"})
    {'DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL': '1s'}
    """
    return {"DASK_" + key.upper().replace(".", "__").replace("-", "_"): str(value) for key, value in settings.items()}


class Processes:
    """Worker processes, which run while the block lasts.

    Dask's own guard of a process gives up one that dies while it begins, and waits for it for ever.

    Parameters
    ----------
    address : str
        Address of the scheduler.
    count : int
        Number of workers.
    settings : mapping
        Settings of Dask.
    """

    def __init__(self, address: str, count: int, settings: Mapping[str, Any]) -> None:
        self._count = count
        self._command = [
            sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--nthreads", "1",
            "--memory-limit", "0", "--no-dashboard",
        ]  # fmt: skip
        self._environment = {**os.environ, **_QUIET, **variables(settings)}
        self._running: list[tuple[subprocess.Popen[bytes], float]] = []
        self._early = 0

    def refill(self) -> None:
        """Begin processes in place of those that have ended; an ImageError if none can begin."""
        now = time.monotonic()
        for process, began in self._running:
            if process.poll() is not None:
                self._early = self._early + 1 if now - began < EARLY else 0
        if self._early > MOST_EARLY * self._count:
            raise ImageError(
                f"worker processes end as soon as they begin; see what this says: {' '.join(self._command)}"
            )
        self._running = [each for each in self._running if each[0].poll() is None]
        while len(self._running) < self._count:
            process = subprocess.Popen(self._command, env=self._environment, stdin=subprocess.DEVNULL)
            self._running.append((process, now))

    def __enter__(self) -> Self:
        self.refill()
        return self

    def __exit__(self, *exception: object) -> None:
        for process, _ in self._running:
            process.terminate()
        for process, _ in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            process.kill()
            process.wait()
