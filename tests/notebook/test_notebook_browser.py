"""JupyterLab in a real browser: what the user sees and does."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("jupyterlab", reason="install the test extra to drive JupyterLab")
pytest.importorskip("playwright", reason="install the test extra to drive a browser")
from jupyter_page import browser_page, find_browser, pixels, run_all, server, write_notebook

from napari_rsmoe import fit

pytestmark = pytest.mark.skipif(find_browser() is None, reason="no Chromium found: apt-get install chromium")

CELLS = [
    "from skimage import data\n"
    "from napari_rsmoe.notebook import FitWidget\n"
    "image = data.chelsea()[60:180, 100:260]\n"
    'widget = FitWidget(image, n_kernels=150, preset="fast")\n'
    "widget",
    'print("busy:", widget.busy)',
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """JupyterLab with the notebook open, all of it run."""
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "fit.ipynb", CELLS)
    with server(folder) as address, browser_page() as page:
        run_all(page, address, "fit.ipynb")
        page.locator(".rsmoe-canvas").wait_for()
        yield page
        page.screenshot(path=folder / "end.png")  # for whoever asks why a step was not reached


def resized(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """As the pane shows it: pixels as squares, as they are large."""
    return np.asarray(Image.fromarray(image).resize((shape[1], shape[0]), Image.Resampling.NEAREST), float)


def difference(seen: np.ndarray, expected: np.ndarray, left: float, right: float) -> float:
    """Mean distance in a vertical strip, given in shares of the width, without labels and divider."""
    height, width = seen.shape[:2]
    part = np.s_[height // 8 : 3 * height // 8, int(left * width) : int(right * width)]
    return float(np.abs(seen[part].astype(float) - expected[part]).mean())


def test_fit_compare_kernels_and_cancel(lab: Any, tmp_path: Path) -> None:
    from skimage import data

    image = data.chelsea()[60:180, 100:260]
    model = fit(image, 150, preset="fast")
    canvas, stage = lab.locator(".rsmoe-canvas"), lab.locator(".rsmoe-stage")
    status = lab.locator(".rsmoe-controls > .widget-label")

    # fit
    lab.get_by_role("button", name="Fit", exact=True).click()
    status.get_by_text("Done,").wait_for()
    assert re.fullmatch(r"Done, [\d.]+ s, \d\d\.\d\d dB, 150 kernels", status.inner_text())
    assert lab.locator(".rsmoe-curve polyline").count() == 1
    lab.locator(".rsmoe-right").get_by_text("fit").wait_for()
    lab.get_by_role("button", name="Kernels").wait_for()
    time.sleep(0.5)  # the last picture is on its way
    first = pixels(canvas)
    before, after = resized(image, first.shape), resized(model.render(), first.shape)
    assert difference(first, before, 0.05, 0.45) < 3 < difference(first, after, 0.05, 0.45)
    assert difference(first, after, 0.55, 0.95) < 3 < difference(first, before, 0.55, 0.95)

    # the divider
    box = stage.bounding_box()
    lab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    lab.mouse.down()
    lab.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + box["height"] / 2, steps=5)
    lab.mouse.up()
    assert abs(int(lab.locator(".rsmoe-divider").get_attribute("aria-valuenow")) - 20) <= 1
    moved = pixels(canvas)
    assert difference(moved, after, 0.25, 0.95) < 3 < difference(moved, before, 0.25, 0.95)
    assert difference(moved, before, 0.02, 0.17) < 3

    # the kernels
    kernels = lab.get_by_role("button", name="Kernels")
    kernels.click()
    lab.get_by_text("150 kernels", exact=True).wait_for()
    lab.wait_for_function("document.querySelector('.rsmoe-stage').dataset.kernels > 100")
    with_kernels = pixels(canvas)
    assert (np.abs(with_kernels.astype(int) - moved) > 40).any(2).mean() > 0.02
    chosen = model.kernels()
    row = int(np.argmin(np.abs(chosen.center - (60, 110)).sum(1)))  # one that lies well inside
    y, x = (chosen.center[row] + 0.5) * box["width"] / 160
    canvas.hover(position={"x": x, "y": y})
    tip = lab.locator(".rsmoe-tip")
    tip.get_by_text(re.compile(r"^kernel \d+\ncentre")).wait_for()
    lines = r"axes +[\d.]+ +[\d.]+ px\nangle +-?[\d.]+°\nweight +\S+\ncolour +\S+ +\S+ +\S+"
    assert re.search(lines, tip.inner_text())
    picture = lab.screenshot()
    kernels.click()
    lab.mouse.move(5, 5)
    time.sleep(0.3)
    assert np.abs(pixels(canvas).astype(int) - moved).mean() < 1

    # a second run, which is cancelled; meanwhile the kernel answers
    lab.get_by_role("button", name="More settings").click()
    steps = lab.locator(".rsmoe-field").filter(has_text="Steps")
    steps.locator("input[type=checkbox]").uncheck()
    steps.locator("input[type=number]").fill("200000")
    steps.locator("input[type=number]").press("Tab")
    lab.get_by_role("button", name="Fit", exact=True).click()
    status.get_by_text(re.compile(r"fit, \d\d\.\d\d dB, \d+ (s|min) left")).wait_for()
    lab.get_by_text("busy: False").click()
    lab.locator(".jp-CodeCell").last.click()
    lab.keyboard.press("Control+Enter")
    lab.get_by_text("busy: True").wait_for()
    lab.get_by_role("button", name="Cancel").click()
    status.get_by_text("Stopped,").wait_for()
    assert lab.get_by_role("button", name="Fit", exact=True).is_enabled()

    folder = Path(os.environ.get("RSMOE_SCREENSHOTS", tmp_path))
    (folder / "notebook_test.png").write_bytes(picture)
    assert Image.open(folder / "notebook_test.png").size == (1280, 900)
