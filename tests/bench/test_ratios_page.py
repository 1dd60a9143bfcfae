"""The section about ratios to other methods shows the figures of several processors side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import page, ratios_page


def test_two_processors_are_shown_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = json.loads((page.RESULTS / "ratios.json").read_text("utf-8"))
    names = [kept["machine"]["processor"], "Another"]
    (tmp_path / "ratios.json").write_text(json.dumps(kept), "utf-8")
    kept["machine"]["processor"] = names[1]
    (tmp_path / "ratios-another.json").write_text(json.dumps(kept), "utf-8")
    for module in (page, ratios_page):
        monkeypatch.setattr(module, "RESULTS", tmp_path)
    lines = "\n".join(ratios_page.ratios()).splitlines()
    assert [line for line in lines if line.startswith("### ")] == [f"### {name}" for name in names]
    first = next(k for k, line in enumerate(lines) if line.startswith("| 12 colour"))
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[first : first + 4]]
    assert [row[1:3] for row in cells] == [[name, simd] for name in names for simd in ("avx512", "avx2")]
    assert cells[0][3:] == cells[2][3:]


def test_without_figures_there_is_no_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratios_page, "RESULTS", tmp_path)
    assert ratios_page.ratios() == []
