"""Every tutorial runs from top to bottom, and is committed with the outputs of such a run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import notebooks
import pytest

LARGEST_FILE = 1_200_000  # bytes
PICTURES = {"image/png", "image/jpeg"}
OF_THIS_MACHINE = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|work|usr|Users|var)/|\bC:\\|0x[0-9a-f]{8}")

NOTEBOOKS = sorted(Path(notebooks.__file__).parent.glob("*.ipynb"))

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS[::-1], ids=lambda path: path.stem)
"""Tutorial 6 comes first: it looks at the largest memory that its process has ever taken."""


@pytest.fixture(scope="module", autouse=True)
def jupyter() -> ModuleType:
    """What runs notebooks; it is loaded here, as not every process of the tests needs it, which takes a second."""
    pytest.importorskip("nbclient", reason="install the test extra to run notebooks")
    from notebooks import execute

    return execute


@pytest.fixture(scope="module")
def kernel(jupyter: ModuleType) -> Iterator[Any]:
    """One kernel for all tutorials, each of which would load the same libraries for seconds."""
    with jupyter.shared_kernel() as kernel:
        yield kernel


def read(path: Path) -> Any:
    import nbformat

    return nbformat.read(path, as_version=4)


def test_the_tutorials_are_numbered() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{number}_" for number in range(1, 7)]


@each_notebook
def test_notebook_runs(path: Path, jupyter: ModuleType, kernel: Any) -> None:
    """No cell fails, the assertions in the cells among them, and the outputs are of the kinds that are committed."""
    fresh, committed = jupyter.execute(path, kernel), read(path)
    assert kinds(fresh) == kinds(committed), f"run `python -m notebooks.execute {path.name}`, look, and commit"
    assert_tidy(fresh)


@each_notebook
def test_notebook_is_committed_with_its_outputs(path: Path) -> None:
    notebook = read(path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))  # one run, in order
    assert any(PICTURES & set(output.get("data", {})) for output in outputs(notebook))
    assert any("assert " in cell.source for cell in code)
    assert path.stat().st_size < LARGEST_FILE
    assert "widgets" not in notebook.metadata  # no state of live widgets, which is large and soon stale
    assert_tidy(notebook)


def assert_tidy(notebook: Any) -> None:
    """Nothing in the outputs is a warning, tells of the machine, or needs a running kernel to be seen."""
    for output in outputs(notebook):
        assert output.get("name") != "stderr", output["text"]
        data = output.get("data", {})
        assert "application/vnd.jupyter.widget-view+json" not in data
        text = "".join(str(data.get(kind, "")) for kind in ("text/plain", "text/html")) + output.get("text", "")
        assert not OF_THIS_MACHINE.search(re.sub(r"data:image/[^\"')]*", "", text)), text


def outputs(notebook: Any) -> Iterator[Any]:
    """All outputs of all cells."""
    return (output for cell in notebook.cells for output in cell.get("outputs", []))


def kinds(notebook: Any) -> list[list[set[str]]]:
    """For each cell what kinds of output it has; how well a picture can be compressed does not matter."""
    return [
        [
            {"picture" if kind in PICTURES else kind for kind in output.get("data", [output.output_type])}
            for output in cell.outputs
        ]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
