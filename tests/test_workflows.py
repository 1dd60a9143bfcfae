"""The files for GitHub: they fit its schemas, and run only what is pinned by hash."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
GITHUB = Path(__file__).parents[1] / ".github"


@pytest.mark.parametrize(
    ("schema", "files"), [("github-workflows", "workflows/*.yml"), ("dependabot", "dependabot.yml")], ids=str
)
def test_files_fit_their_schemas(schema: str, files: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *GITHUB.glob(files)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_actions_are_pinned_by_hash() -> None:
    used = [
        line.split("uses:")[1].strip()
        for path in GITHUB.glob("workflows/*.yml")
        for line in path.read_text("utf-8").splitlines()
        if "uses:" in line
    ]
    foreign = [action for action in used if not action.startswith("./")]
    assert len(foreign) > 5
    assert [action for action in foreign if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*", action)] == []
