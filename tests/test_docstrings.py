"""The examples in docstrings run."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import napari_rsmoe

ROOT = Path(napari_rsmoe.__file__).parent
MODULES = [
    ".".join(("napari_rsmoe", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in sorted(ROOT.rglob("*.py"))
    if ">>> " in path.read_text()
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What they write to files ends in a temporary folder."""
    monkeypatch.chdir(tmp_path)
    if "plots" in name:  # Without this line a window would be asked for where another test has used Qt before.
        pytest.importorskip("matplotlib.pyplot").switch_backend("agg")
    failed, _ = doctest.testmod(import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert not failed, capsys.readouterr().out
