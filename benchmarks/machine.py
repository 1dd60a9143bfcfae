"""Where the test images are, and where the results go."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from napari_rsmoe.bench.machine import facts as facts

REPOSITORY = Path(__file__).parents[1]


def data_folder(name: str) -> Path:
    """A folder of test images below RSMOE_DATA (default ../shared/data beside the repository)."""
    folder = Path(os.environ.get("RSMOE_DATA", REPOSITORY.parent / "shared" / "data")) / name
    if not folder.is_dir():
        raise SystemExit(f"There is no folder {folder}; set RSMOE_DATA or name a folder of images.")
    return folder


def write(path: Path, results: Any) -> None:
    """Write results with the machine's facts as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": facts(), "results": results}, indent=1) + "\n", "utf-8")
    print(f"wrote {path}")
