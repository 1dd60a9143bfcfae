"""Read the machine code of the CUDA engine, as it was built: resources of each kernel, lengths of the inner loops.

Needs cuobjdump and nvdisasm, of the CUDA toolkit or from PyPI (nvidia-cuda-cuobjdump, nvidia-cuda-nvdisasm).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PIXELS_OF_A_LANE = 8  # kRows of tile_pack.h
TOOLS = os.pathsep.join(str(Path(folder) / "nvidia" / "cu13" / "bin") for folder in sys.path)  # where PyPI puts them


@dataclass(frozen=True)
class Resources:
    """What a kernel takes on an architecture; shared memory and stack in bytes."""

    kernel: str
    architecture: str
    registers: int
    shared: int
    stack: int


def library() -> Path | None:
    """The CUDA engine of this installation, None if it was built without."""
    import torch  # noqa: F401  (the engine finds torch's libraries when it has been imported)

    from napari_rsmoe import _C  # type: ignore[attr-defined]

    file = Path(_C.__file__).with_name("librsmoe_cuda.so")
    return file if file.is_file() else None


def environment() -> dict[str, str]:
    """The environment with the tools on the PATH."""
    return {**os.environ, "PATH": f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}"}


def has_tools() -> bool:
    """Whether the tools are there."""
    return all(shutil.which(name, path=environment()["PATH"]) for name in ("cuobjdump", "nvdisasm"))


def resources(file: Path) -> list[Resources]:
    """Of every kernel on every architecture in a library."""
    found, architecture, kernel = [], "", ""
    for line in run("cuobjdump", "-res-usage", str(file)).splitlines():
        if match := re.match(r"arch = sm_(\w+)", line):
            architecture = match[1]
        elif match := re.search(r"Function (\S+):", line):
            kernel = match[1]
        elif match := re.search(r"REG:(\d+) STACK:(\d+) SHARED:(\d+)", line):
            found.append(Resources(kernel, architecture, int(match[1]), int(match[3]), int(match[2])))
    return found


def cubins(file: Path, folder: Path) -> list[Path]:
    """Unpack the machine code of a library for all architectures, a file for each source and architecture."""
    run("cuobjdump", "-xelf", "all", str(file), folder=folder)
    return sorted(folder.glob("*.cubin"))


def instructions_per_evaluation(file: Path, architecture: str, kernel: str) -> tuple[float, float]:
    """Instructions of a kernel at a pixel, forward and backward, in the kernels whose name holds `kernel`.

    They are those of the two loops with 8 exponentials and no arithmetic in float64; the longer one is backward.
    """
    code: list[tuple[int, str]] = []
    name, lengths = "", []
    for line in run("cuobjdump", "-sass", "-arch", f"sm_{architecture}", str(file)).splitlines():
        if match := re.search(r"Function : (\S+)", line):
            name, code = match[1], []
        elif (match := re.match(r"\s+/\*([0-9a-f]{4,5})\*/\s+(.*?);", line)) and kernel in name:
            address, text = int(match[1], 16), match[2]
            code.append((address, text))
            back = re.search(r"\bBRA\b.*?(0x[0-9a-f]+)", text)
            if back and int(back[1], 16) < address:
                body = [t for a, t in code if a >= int(back[1], 16)]
                exponentials = sum("MUFU.EX2" in t for t in body)
                doubles = sum(bool(re.search(r"\bD(FMA|MUL|ADD)\b", t)) for t in body)
                if exponentials == PIXELS_OF_A_LANE and not doubles:
                    lengths.append(len(body))
    forward, backward, *_ = sorted(lengths)  # the loops around them have as many exponentials, and far more else
    return forward / PIXELS_OF_A_LANE, backward / PIXELS_OF_A_LANE


def run(*command: str, folder: Path | None = None) -> str:
    """Output of a command; raises with it if the command fails."""
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), cwd=folder)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{result.stdout}{result.stderr}")
    return result.stdout
