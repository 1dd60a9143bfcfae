"""Checks of the installation, with a remedy for each problem.

Nothing here imports Qt or napari. A broken torch or engine is reported and raises no exception.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

OK, NOTE, PROBLEM = "ok", "note", "problem"
LEVELS = ("base", "avx2", "avx512")
SMALL_MEMORY = 2.0  # GiB of free memory below which a note is given; a 4000 x 4000 colour image takes about one.


@dataclass(frozen=True)
class Check:
    """One finding.

    Parameters
    ----------
    name : str
        Subject of the check.
    value : str
        Result of the check.
    status : str
        ``"ok"``, ``"note"`` (works, but could be better), or ``"problem"``.
    remedy : str
        What to do, for anything but ``"ok"``; may be empty for a note.
    """

    name: str
    value: str
    status: str = OK
    remedy: str = ""


def report() -> list[Check]:
    """Run all checks.

    Returns
    -------
    list of Check
        The findings; each depends on earlier ones only.
    """
    checks = [
        _package("napari-rsmoe"),
        Check("python", f"{platform.python_version()} ({sys.executable})"),
        Check("system", f"{platform.system()} {platform.release()} {platform.machine()}"),
        _package("numpy"),
        _torch(),
        _optional("napari", "for the graphical interface: pip install 'napari-rsmoe[all]'"),
    ]
    if any(check.name == "torch" and check.status == PROBLEM for check in checks):
        return [*checks, _memory()]
    engine = _engine()
    checks.append(engine)
    if engine.status != PROBLEM:
        checks.append(_simd())
    return [*checks, _threads(), _memory(), _cuda(engine.status != PROBLEM)]


def text(checks: list[Check]) -> str:
    """Format findings as lines for the user, with each remedy below its finding."""
    width = max((len(check.name) for check in checks), default=0)
    marks = {OK: "ok  ", NOTE: "note", PROBLEM: "BAD "}
    lines = []
    for check in checks:
        lines.append(f"{marks[check.status]}  {check.name:{width}}  {check.value}")
        if check.remedy:
            lines.append(f"{'':{width + 8}}-> {check.remedy}")
    return "\n".join(lines)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _package(name: str) -> Check:
    found = _installed(name)
    if found is None:
        return Check(name, "not installed", PROBLEM, f"pip install {name}")
    return Check(name, found)


def _optional(name: str, remedy: str) -> Check:
    found = _installed(name)
    return Check(name, found) if found else Check(name, "not installed", NOTE, remedy)


def _torch() -> Check:
    try:
        import torch  # here: it may fail, which the report then says
    except Exception as error:  # A broken installation fails in many ways.
        return Check("torch", f"cannot be imported: {error}", PROBLEM, "pip install --force-reinstall torch")
    release = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if release < (2, 10):
        return Check("torch", torch.__version__, PROBLEM, "the engine needs 2.10 or newer: pip install -U torch")
    return Check("torch", torch.__version__)


def _engine() -> Check:
    remedy = "pip install --force-reinstall --no-deps napari-rsmoe; in a source tree: pip install -e ."
    try:
        import_module("napari_rsmoe.engine")
        library = import_module("napari_rsmoe._C")
    except Exception as error:
        return Check("engine", f"not loaded: {error}", PROBLEM, remedy)
    return Check("engine", f"loaded from {library.__file__}")


def _simd() -> Check:
    import torch  # here: it may fail, which the report then says

    from .. import engine  # here: it may fail, which the report then says

    name = "instruction set"
    # torch detects the processor itself.
    capability = torch.backends.cpu.get_cpu_capability().lower()
    best = capability if capability in LEVELS else LEVELS[0]
    override = os.environ.get("RSMOE_SIMD")
    try:
        level = engine.simd_level()
    except Exception as error:
        return Check(name, str(error), PROBLEM, f"unset RSMOE_SIMD, or set it to one of {', '.join(LEVELS)}")
    value = f"{level} in use, {best} available"
    if override:
        return Check(name, f"{value}, RSMOE_SIMD={override} is set", NOTE, "unset RSMOE_SIMD for full speed")
    return Check(name, value)


def _threads() -> Check:
    import torch  # here: it may fail, which the report then says

    used, cores = torch.get_num_threads(), os.cpu_count() or 1
    value = f"{used} of {cores} processor threads"
    if used < cores // 2:  # Half is usual: one thread per core with hyper-threading.
        return Check("threads", value, NOTE, "unset OMP_NUM_THREADS, or pass --threads, to use more")
    return Check("threads", value)


def _memory() -> Check:
    total, free = _memory_gib()
    if total is None:
        return Check("memory", "unknown on this system", NOTE)
    value = f"{total:.1f} GiB" + ("" if free is None else f", {free:.1f} GiB free")
    if (total if free is None else free) < SMALL_MEMORY:
        return Check("memory", value, NOTE, "close other programs before you work on large images")
    return Check("memory", value)


def _memory_gib() -> tuple[float | None, float | None]:
    """Total and free memory in GiB, or None if the system does not report it."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    except (AttributeError, OSError, ValueError):
        return None, None
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return total, None
    return total, kilobytes / 2**20


def _cuda(engine_loaded: bool) -> Check:
    import torch  # here: it may fail, which the report then says

    name, driver = "cuda", _driver()
    found = f"; driver: {driver}" if driver else ""
    if torch.version.cuda is None:
        remedy = "for the graphics card, install a CUDA build of torch: https://pytorch.org" if driver else ""
        return Check(name, f"not used: this torch is a build for the CPU{found}", NOTE, remedy)
    try:
        available = torch.cuda.is_available()
        device = torch.cuda.get_device_name() if available else ""
    except Exception as error:  # The driver may not match.
        available, device = False, str(error)
    if not available:
        value = f"torch has CUDA {torch.version.cuda} and finds no device; the CPU is used{found}. {device}".strip()
        remedy = "if there is a card, install NVIDIA's driver and see whether nvidia-smi finds it"
        if driver:
            remedy = f"update the driver, or install a torch for an older CUDA than {torch.version.cuda}"
        return Check(name, value, NOTE, remedy)
    if not engine_loaded or not _has_cuda_engine():
        value = f"{device} found, but this build of napari-rsmoe has no CUDA part; the CPU is used{_why_not_loaded()}"
        return Check(name, value, NOTE, "with nvcc on the PATH: pip install --no-binary napari-rsmoe napari-rsmoe")
    if problem := _cuda_problem():
        remedy = "update the driver and torch; please report it if it stays"
        return Check(name, f"{device} found, but it is not used: {problem}", PROBLEM, remedy)
    return Check(name, f"{device}, CUDA {torch.version.cuda}{found}")


def _driver() -> str:
    """The version of the NVIDIA driver, or an empty string."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    command = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "does not answer"
    lines = result.stdout.strip().splitlines()
    return lines[0] if result.returncode == 0 and lines else "does not answer"


def _has_cuda_engine() -> bool:
    from ..engine import devices  # here: it may fail, which the report then says

    return devices.has_cuda_engine()


def _why_not_loaded() -> str:
    from ..engine import library  # here: it may fail, which the report then says

    return f" ({library.WHY_NO_CUDA})" if library.WHY_NO_CUDA else ""


def _cuda_problem() -> str:
    from ..engine import devices  # here: it may fail, which the report then says

    return devices.why_not_cuda()
