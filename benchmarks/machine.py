"""What a figure was measured on, and where the results go."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from napari_rsmoe import __version__, engine

REPOSITORY = Path(__file__).parents[1]


def facts() -> dict[str, Any]:
    """Processor, threads, instruction set, versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "simd": engine.simd_level(),
        "load": round(os.getloadavg()[0], 2),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "napari-rsmoe": __version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        fields = dict(line.split(":", 1) for line in cpuinfo.read_text().split("\n\n")[0].splitlines() if ":" in line)
        named = {key.strip(): value.strip() for key, value in fields.items()}
        return f"{named.get('model name', platform.processor())} (family {named.get('cpu family', '?')})"
    return platform.processor()


def data_folder(name: str) -> Path:
    """A folder of test images below RSMOE_DATA (default ../shared/data beside the repository)."""
    folder = Path(os.environ.get("RSMOE_DATA", REPOSITORY.parent / "shared" / "data")) / name
    if not folder.is_dir():
        raise SystemExit(f"There is no folder {folder}; set RSMOE_DATA or name a folder of images.")
    return folder


def write(path: Path, results: Any) -> None:
    """Write results with the machine's facts as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": facts(), "results": results}, indent=1) + "\n")
    print(f"wrote {path}")
