"""``python -m notebooks.execute [PATH ...]``: run the tutorials from top to bottom and keep their outputs.

What is kept is what a reader without Jupyter needs: text and pictures. Times, live widgets and the name of this
machine's kernel are left out, so that running them again changes little.
"""

from __future__ import annotations

import base64
import contextlib
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbclient
import nbformat
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.manager import KernelManager
from PIL import Image

FOLDER = Path(__file__).parent
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SECONDS_A_CELL = 300
LARGEST_PNG = 40_000  # bytes; what is larger is a photograph, and is kept as JPEG
CHANGING = ((r"<style>.*?</style>", ""), (r' class="rsmoe-saved-\w+"', ""), (r"(Done|Stopped), [\d.]+ s, ", r"\1, "))
WIDGET = "application/vnd.jupyter.widget-view+json"
FORGET = "%reset -f\nimport matplotlib.pyplot\nmatplotlib.pyplot.close('all')"


@contextlib.contextmanager
def shared_kernel() -> Iterator[KernelManager]:
    """A kernel in which several notebooks can run one after the other."""
    manager = KernelManager(kernel_name="python3")
    manager.client_factory = AsyncKernelClient
    manager.start_kernel(cwd=str(FOLDER))
    try:
        yield manager
    finally:
        manager.shutdown_kernel(now=True)


def execute(path: Path, kernel: KernelManager | None = None) -> Any:
    """Run a notebook, and return it with tidy outputs; the file is not changed.

    Parameters
    ----------
    path : Path
        The notebook.
    kernel : KernelManager, optional
        A running kernel, which forgets all names before; its libraries stay loaded. By default the notebook has a
        kernel of its own.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails, with its traceback.
    """
    notebook = nbformat.read(path, as_version=4)
    if kernel is not None:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(FORGET))
    nbclient.NotebookClient(
        notebook,
        timeout=SECONDS_A_CELL,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        km=kernel,
        resources={"metadata": {"path": str(FOLDER)}},
    ).execute()
    if kernel is not None:
        del notebook.cells[0]
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        if "outputs" in cell:
            # A live widget is followed by its saved picture, which is kept instead.
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
        for output in cell.get("outputs", []):
            if "data" in output:
                output.data = _tidy(output.data)
    return notebook


def _tidy(data: dict[str, Any]) -> dict[str, Any]:
    """What is kept of an output: photographs as JPEG, and no names or times that change with every run."""
    kept = dict(data)
    if "text/html" in kept:
        for changing, instead in CHANGING:
            kept["text/html"] = re.sub(changing, instead, kept["text/html"])
        if "data:image/" in kept["text/html"]:
            kept.pop("image/png", None)  # The same picture once more, for programs that show no HTML.
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
