"""JupyterLab in a real browser: what the user sees and does."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("jupyterlab", reason="install the test extra to drive JupyterLab")
pytest.importorskip("playwright", reason="install the test extra to drive a browser")
from jupyter_page import Lab, find_browser, pixels

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
MANY = """import numpy as np
from napari_rsmoe import Kernels, Model
from napari_rsmoe.notebook import ImagePane

rng, count, size = np.random.default_rng(1), 10_000, (1024, 1024)
axes = np.sort(rng.uniform(1, 12, (count, 2)))[:, ::-1]
angle, experts = rng.uniform(-1.5, 1.5, count), rng.uniform(0, 1, (count, 3))
kernels = Kernels(rng.uniform(0, 1024, (count, 2)), axes, angle, np.ones(count), experts)
model = Model.from_kernels(kernels, size)
ImagePane(after=[model.render()], models=[model], show_kernels=True)"""
FRAMES = """() => {
  window.gaps = [];
  let last = performance.now();
  const count = (now) => {
    window.gaps.push(now - last);
    last = now;
    requestAnimationFrame(count);
  };
  requestAnimationFrame(count);
}"""


def resized(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """As the pane shows it: pixels as squares, as they are large."""
    return np.asarray(Image.fromarray(image).resize((shape[1], shape[0]), Image.Resampling.NEAREST), float)


def difference(seen: np.ndarray, expected: np.ndarray, left: float, right: float) -> float:
    """Mean distance in a vertical strip, given in shares of the width, without labels and divider."""
    height, width = seen.shape[:2]
    part = np.s_[height // 8 : 3 * height // 8, int(left * width) : int(right * width)]
    return float(np.abs(seen[part].astype(float) - expected[part]).mean())


def test_fit_compare_kernels_and_cancel(lab: Lab, tmp_path: Path) -> None:
    from skimage import data

    page = lab.run("fit", CELLS)
    page.locator(".rsmoe-canvas").wait_for()
    image = data.chelsea()[60:180, 100:260]
    model = fit(image, 150, preset="fast")
    canvas, stage = page.locator(".rsmoe-canvas"), page.locator(".rsmoe-stage")
    status = page.locator(".rsmoe-controls > .widget-label")

    # fit
    page.get_by_role("button", name="Fit", exact=True).click()
    status.get_by_text("Done,").wait_for()
    assert re.fullmatch(r"Done, [\d.]+ s, \d\d\.\d\d dB in a range of 255, 150 kernels", status.inner_text())
    assert page.locator(".rsmoe-curve polyline").count() == 1
    page.locator(".rsmoe-right").get_by_text("fit").wait_for()
    page.get_by_role("button", name="Kernels").wait_for()
    time.sleep(0.5)  # the last picture is on its way
    first = pixels(canvas)
    before, after = resized(image, first.shape), resized(model.render(), first.shape)
    assert difference(first, before, 0.05, 0.45) < 3 < difference(first, after, 0.05, 0.45)
    assert difference(first, after, 0.55, 0.95) < 3 < difference(first, before, 0.55, 0.95)

    # the divider
    box = stage.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    assert abs(int(page.locator(".rsmoe-divider").get_attribute("aria-valuenow")) - 20) <= 1
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.rsmoe-divider').getAttribute('aria-valuenow') >= 21")
    moved = pixels(canvas)
    assert difference(moved, after, 0.25, 0.95) < 3 < difference(moved, before, 0.25, 0.95)
    assert difference(moved, before, 0.02, 0.17) < 3

    # the kernels
    kernels = page.get_by_role("button", name="Kernels")
    kernels.click()
    page.get_by_text("150 kernels", exact=True).wait_for()
    page.wait_for_function("document.querySelector('.rsmoe-stage').dataset.kernels > 100")
    with_kernels = pixels(canvas)
    assert (np.abs(with_kernels.astype(int) - moved) > 40).any(2).mean() > 0.02
    chosen = model.kernels()
    row = int(np.argmin(np.abs(chosen.center - (60, 110)).sum(1)))  # one that lies well inside
    y, x = (chosen.center[row] + 0.5) * box["width"] / 160
    canvas.hover(position={"x": x, "y": y})
    tip = page.locator(".rsmoe-tip")
    tip.get_by_text(re.compile(r"^kernel \d+\ncentre")).wait_for()
    lines = r"axes +[\d.]+ +[\d.]+ px\nangle +-?[\d.]+°\nweight +\S+\ncolour +\S+ +\S+ +\S+"
    assert re.search(lines, tip.inner_text())
    picture = page.screenshot()
    kernels.click()
    page.mouse.move(5, 5)
    time.sleep(0.3)
    assert np.abs(pixels(canvas).astype(int) - moved).mean() < 1

    # a second run, which is cancelled; meanwhile the kernel answers
    page.get_by_role("button", name="More settings").click()
    page.get_by_label("Steps").first.select_option("value")
    steps = page.get_by_role("spinbutton", name="Steps")
    steps.fill("200000")
    steps.press("Tab")
    page.get_by_role("button", name="Fit", exact=True).click()
    status.get_by_text(re.compile(r"fit, \d\d\.\d\d dB, \d+ (s|min) left")).wait_for()
    page.get_by_text("busy: False").click()
    page.locator(".jp-CodeCell").last.click()
    page.keyboard.press("Control+Enter")
    page.get_by_text("busy: True").wait_for()
    page.get_by_role("button", name="Cancel").click()
    status.get_by_text("Stopped,").wait_for()
    assert page.get_by_role("button", name="Fit", exact=True).is_enabled()

    folder = Path(os.environ.get("RSMOE_SCREENSHOTS", tmp_path))
    (folder / "notebook_test.png").write_bytes(picture)
    assert Image.open(folder / "notebook_test.png").size == (1400, 900)


def test_ten_thousand_kernels_do_not_stall_the_page(lab: Lab) -> None:
    page = lab.page
    sizes: list[int] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda content: sizes.append(len(content))))
    lab.run("many", [MANY])
    stage = page.locator(".rsmoe-stage[data-kernels='10000']")
    stage.wait_for()
    received = sum(sizes)  # the picture, also as it is saved, the kernels, the code of the pane, and what Jupyter says
    assert 3 * 1024 * 1024 < received < 4.3e6
    box = stage.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.evaluate(FRAMES)
    page.mouse.down()
    page.mouse.move(x + 100, y + 50, steps=30)
    page.mouse.up()
    for turn in range(20):
        page.mouse.wheel(0, -60 if turn < 15 else 60)
        page.wait_for_timeout(20)
    page.wait_for_function("Number(document.querySelector('.rsmoe-stage').dataset.kernels) < 10000")  # zoomed in
    gaps = np.array(page.evaluate("window.gaps"))
    print(f"received {received / 1e6:.2f} MB; frame: median {np.median(gaps):.0f} ms, longest {gaps.max():.0f} ms")
    assert gaps.max() < 1000
    assert sum(sizes) - received < received / 20  # Nothing is sent again but what Jupyter says of itself.
