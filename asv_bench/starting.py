"""The first response: CPU seconds of whole processes, from the start to the end."""

from __future__ import annotations

import resource
import subprocess
import sys

REPEATS = 5
"""Runs of each process, of which the fastest counts: the first one fills the caches."""


def _cpu_seconds(*arguments: str) -> float:
    times = []
    for _ in range(REPEATS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


class Start:
    """Starting the program and importing the package."""

    timeout = 300.0

    def track_help(self) -> float:
        """`napari-rsmoe --help`."""
        return _cpu_seconds("-m", "napari_rsmoe", "--help")

    def track_import(self) -> float:
        """`import napari_rsmoe`, which loads no torch."""
        return _cpu_seconds("-c", "import napari_rsmoe")

    def track_engine(self) -> float:
        """The same with torch and the engine."""
        return _cpu_seconds("-c", "import napari_rsmoe.engine")

    for _track in (track_help, track_import, track_engine):
        _track.unit = "s"  # type: ignore[attr-defined]
    del _track
