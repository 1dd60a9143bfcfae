"""The files for GitHub: they fit its schemas, run only what is pinned by hash, and build the wheels that are meant."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"


def run(tool: str, *arguments: str | Path) -> str:
    """What a tool prints; it must accept what it is given."""
    program = shutil.which(tool, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if program is None:
        pytest.skip(f"{tool} is not installed")
    result = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize(
    ("schema", "files"), [("github-workflows", "workflows/*.yml"), ("dependabot", "dependabot.yml")], ids=str
)
def test_files_fit_their_schemas(schema: str, files: str) -> None:
    tool = pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    names = [str(path) for path in GITHUB.glob(files)]
    result = CliRunner().invoke(tool.main, ["--builtin-schema", f"vendor.{schema}", *names])
    assert result.exit_code == 0, result.output


def test_zizmor_finds_no_way_in() -> None:
    """Such as permissions that are too wide, or text of strangers that a shell would run."""
    run("zizmor", "--offline", "--min-severity", "medium", GITHUB)


@pytest.mark.parametrize(
    ("platform", "machines", "wheels"),
    [
        ("linux", "i686,x86_64,aarch64", {"manylinux_x86_64", "manylinux_aarch64"}),
        ("macos", "x86_64,arm64", {"macosx_x86_64", "macosx_arm64"}),
        ("windows", "x86,AMD64,ARM64", {"win_amd64"}),
    ],
)
def test_one_wheel_is_built_for_each_system(platform: str, machines: str, wheels: set[str]) -> None:
    """As cibuildwheel reads the configuration: no 32 bits, no musl, and one wheel for all Pythons."""
    said = run("cibuildwheel", "--platform", platform, "--archs", machines, "--print-build-identifiers", ".")
    assert set(said.split()) == {f"cp311-{wheel}" for wheel in wheels}


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
