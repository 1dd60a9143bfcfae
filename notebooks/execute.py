"""``python -m notebooks.execute [PATH ...]``: run the tutorials from top to bottom and keep their outputs.

What is kept is what a reader without Jupyter needs: text and pictures. Times, live widgets and the name of this
machine's kernel are left out, so that running them again changes little.
"""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path
from typing import Any

import nbclient
import nbformat
from PIL import Image

FOLDER = Path(__file__).parent
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SECONDS_A_CELL = 300
LARGEST_PNG = 40_000  # bytes; what is larger is a photograph, and is kept as JPEG
WIDGET = "application/vnd.jupyter.widget-view+json"


def execute(path: Path) -> Any:
    """Run a notebook in a kernel of its own, and return it with tidy outputs; the file is not changed.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails, with its traceback.
    """
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(
        notebook,
        timeout=SECONDS_A_CELL,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        resources={"metadata": {"path": str(FOLDER)}},
    ).execute()
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        for output in cell.get("outputs", []):
            if "data" in output:
                output.data = _tidy(output.data)
    return notebook


def _tidy(data: dict[str, Any]) -> dict[str, Any]:
    """What is kept of an output: photographs as JPEG, and of live widgets their picture or a word."""
    if WIDGET in data and not {"image/png", "text/html"} & set(data):
        return {"text/plain": "(live widget)", "text/html": "<i>A live widget: run this cell to see it.</i>"}
    kept = {kind: content for kind, content in data.items() if kind != WIDGET}
    if len(png := base64.b64decode(kept.get("image/png", ""))) > LARGEST_PNG:
        jpeg = io.BytesIO()
        Image.open(io.BytesIO(png)).convert("RGB").save(jpeg, "JPEG", quality=88, subsampling=0, optimize=True)
        kept["image/jpeg"] = base64.b64encode(jpeg.getvalue()).decode()
        del kept["image/png"]
    return kept


def main(names: list[str]) -> None:
    """Run notebooks, by default all of them, and write them back."""
    for path in [Path(name) for name in names] or NOTEBOOKS:
        notebook = execute(path)
        nbformat.write(notebook, path)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
