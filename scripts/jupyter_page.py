"""JupyterLab in a headless browser, to test the notebook widgets and to make pictures of them.

Needs `pip install 'napari-rsmoe[test]'` and Chromium (`apt-get install chromium`, or any Chrome on the PATH).
"""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60  # Seconds that a step may take on a busy machine.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "notebook-extension/tracker": {"windowingMode": "none"},  # Keeps cells outside of the view in the page.
}


def find_browser() -> str | None:
    """The path of Chromium or Chrome, or None."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """Write a notebook of code cells."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": kernel}, cells=[nbformat.v4.new_code_cell(cell) for cell in cells]
    )
    nbformat.write(notebook, path)


def shared_folder() -> Path:
    """The folder of the applications, the templates and the browser code of widgets of Jupyter.

    Jupyter itself looks only beside its own Python, which need not be the one that packages were installed for.
    """
    widgets = next(f for f in distribution("anywidget").files or () if f.match("labextensions/anywidget/package.json"))
    return Path(str(distribution("anywidget").locate_file(widgets))).resolve().parents[2]


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run JupyterLab, Notebook and Voilà on the notebooks of a folder, with their own settings; yield the address."""
    settings = folder / ".jupyter"
    for name, value in SETTINGS.items():
        path = settings / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value), "utf-8")
    others = {name: True for name in ("notebook", "voila") if find_spec(name) is not None}
    (settings / "config").mkdir()
    config = {"ServerApp": {"jpserver_extensions": others}}
    (settings / "config" / "jupyter_server_config.json").write_text(json.dumps(config), "utf-8")
    shared = shared_folder()
    environment = os.environ | {
        "JUPYTER_PATH": str(shared), "JUPYTERLAB_DIR": str(shared / "lab"), "IPYTHONDIR": str(settings / "ipython"),
        "JUPYTER_CONFIG_DIR": str(settings / "config"), "JUPYTER_DATA_DIR": str(settings / "data"),
        "JUPYTER_RUNTIME_DIR": str(settings / "runtime"), "JUPYTERLAB_SETTINGS_DIR": str(settings / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(settings / "workspaces"),
    }  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ("--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", f"--ServerApp.root_dir={folder}")
    quiet = (
        "--IdentityProvider.token=",
        "--ServerApp.password=",
        "--ServerApp.disable_check_xsrf=True",
    )
    with (settings / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options, *quiet], env=environment, stdout=log, stderr=log
        )
        try:
            address = f"http://127.0.0.1:{port}"
            end = time.monotonic() + PATIENCE
            while True:
                with suppress(OSError), urllib.request.urlopen(f"{address}/api"):
                    break
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"Jupyter did not start:\n{(settings / 'log').read_text('utf-8')}")
                time.sleep(0.1)
            yield address
        finally:
            process.terminate()
            process.wait(PATIENCE)


@contextmanager
def browser_page(width: int = 1280, height: int = 900, zoom: float = 1) -> Iterator[Page]:
    """Open an empty page of a headless browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), headless=True, args=list(FLAGS))
        page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=zoom)
        page.set_default_timeout(1000 * PATIENCE)
        yield page
        browser.close()


def run_all(page: Page, address: str, name: str) -> None:
    """Open a notebook in JupyterLab and run all cells."""
    page.goto(f"{address}/lab/tree/{name}?reset")
    page.get_by_text("| Idle").wait_for()  # The kernel has started.
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()


@dataclass(frozen=True)
class Lab:
    """A page of a browser, the address of a server, and the folder of its notebooks."""

    page: Page
    address: str
    folder: Path

    def run(self, name: str, cells: Sequence[str]) -> Page:
        """Write a notebook, open it in JupyterLab, run all cells, and return the page."""
        write_notebook(self.folder / f"{name}.ipynb", cells)
        run_all(self.page, self.address, f"{name}.ipynb")
        return self.page


def pixels(target: Any) -> Any:
    """A screenshot of an element or a page as an array (Y, X, 3) uint8."""
    return np.asarray(Image.open(io.BytesIO(target.screenshot())).convert("RGB"))
