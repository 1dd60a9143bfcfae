"""The documentation site is built without a warning, and holds what it promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import napari_rsmoe

pytest.importorskip("myst_nb", reason="the documentation tools are not installed (pip install '.[docs]')")
ROOT = Path(__file__).parents[2]


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", tmp_path / "trees"]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    result = subprocess.run(
        [*command, ROOT / "docs", tmp_path / "site"], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    reference = (tmp_path / "site" / "api.html").read_text("utf-8")
    names = [name for name in napari_rsmoe.__all__ if name != "__version__"]
    assert [name for name in names if f"napari_rsmoe.{name}" not in reference] == []
    tutorial = (tmp_path / "site" / "tutorials" / "1_quick_start.html").read_text("utf-8")
    assert tutorial.count("<img") > 3
