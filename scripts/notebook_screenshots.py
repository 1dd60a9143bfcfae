"""Make the pictures of the notebook widgets in docs/images by using the widgets in JupyterLab.

``python scripts/notebook_screenshots.py [NAME ...]``
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_page import browser_page, run_all, server, write_notebook
from PIL import Image

FOLDER = Path(__file__).parents[1] / "docs" / "images"
COLOURS = 192  # Size of the palette of the PNG; fewer colours make smaller files.
MARGIN = 10  # Width in pixels of the margin around a cell.

NOISY = """import numpy as np
from skimage import data
from napari_rsmoe.notebook import DenoiseWidget

clean = data.chelsea()[20:276, 60:380]
noise = np.random.default_rng(0).normal(0, 20, clean.shape)
noisy = np.clip(clean + noise, 0, 255).astype(np.uint8)
DenoiseWidget(noisy, models=8)"""
FIT = """from skimage import data
from napari_rsmoe.notebook import FitWidget

FitWidget(data.chelsea()[20:276, 60:380], n_kernels=800, preset="best")"""
UPSCALE = """from skimage import data
from napari_rsmoe.notebook import SuperResolutionWidget

SuperResolutionWidget(data.astronaut()[60:140, 170:270], scale=6)"""
EXPLORE = """from skimage import data
import napari_rsmoe as rsmoe
from napari_rsmoe.notebook import KernelExplorer

image = data.chelsea()[20:276, 60:380]
explorer = KernelExplorer(rsmoe.fit(image, 600), image)
explorer"""
DEBLUR = """import numpy as np
from scipy.ndimage import gaussian_filter
from skimage import data
from napari_rsmoe.notebook import DeblurWidget

blurred = gaussian_filter(data.coins()[10:170, 150:350].astype(float), 2.5)
photons = np.random.default_rng(0).poisson(4 * blurred).astype(np.uint16)
DeblurWidget(photons, psf=2.5, noise=(1, 0, 0))"""
RESULT = """from skimage import data
import numpy as np
import napari_rsmoe as rsmoe

clean = data.chelsea()[20:276, 60:380]
noise = np.random.default_rng(0).normal(0, 20, clean.shape)
noisy = np.clip(clean + noise, 0, 255).astype(np.uint8)
rsmoe.denoise(noisy, models=8)"""


def press(page: Any, name: str, until: str = "Done,") -> None:
    """Press a button, and wait until the status matches `until`."""
    page.get_by_role("button", name=name, exact=True).click()
    page.locator(".rsmoe-controls > .widget-label").get_by_text(re.compile(until)).wait_for()


def denoise(page: Any) -> None:
    """The noisy and the denoised image, with the uncertainty."""
    press(page, "Denoise")
    page.get_by_role("button", name="Uncertainty").click()


def fit(page: Any) -> None:
    """A running fit."""
    press(page, "Fit", r"left$")
    page.wait_for_timeout(4000)


def upscale(page: Any) -> None:
    """The enlarged image beside the pixels."""
    press(page, "Upscale")


def deblur(page: Any) -> None:
    """The blurred image beside the sharper one."""
    press(page, "Deblur")


def explore(page: Any) -> None:
    """Small kernels only, with the tooltip of one of them."""
    page.locator(".rsmoe-stage[data-kernels]").wait_for()
    handle, bar = page.locator(".noUi-handle-upper"), page.locator(".noUi-base").first.bounding_box()
    handle.drag_to(page.locator(".noUi-base").first, target_position={"x": 0.6 * bar["width"], "y": 1}, force=True)
    page.get_by_text("of 600 kernels").wait_for()
    page.locator(".rsmoe-canvas").hover(position={"x": 158, "y": 131})


def result(page: Any) -> None:
    """The display of a result without a widget."""
    page.locator(".jp-OutputArea-output img").first.wait_for()


PICTURES: dict[str, tuple[str, Callable[[Any], None]]] = {
    "denoise": (NOISY, denoise), "fit": (FIT, fit), "upscale": (UPSCALE, upscale), "explore": (EXPLORE, explore),
    "deblur": (DEBLUR, deblur), "result": (RESULT, result),
}  # fmt: skip


def save(page: Any, name: str) -> None:
    """Save a picture of the cell and its output."""
    page.wait_for_timeout(1500)
    boxes = [page.locator(part).last.bounding_box() for part in (".jp-InputArea", ".jp-OutputArea-output")]
    x, y = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
    right, bottom = (max(box[a] + box[b] for box in boxes) for a, b in (("x", "width"), ("y", "height")))
    clip = {"x": x - MARGIN, "y": y - MARGIN, "width": right - x + 2 * MARGIN, "height": bottom - y + 2 * MARGIN}
    content = io.BytesIO()
    picture = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(content, "PNG", optimize=True)
    (FOLDER / f"notebook_{name}.png").write_bytes(content.getvalue())
    print(f"notebook_{name}.png: {picture.size}, {len(content.getvalue()) / 1024:.0f} KiB")


def main(*names: str) -> None:
    """Make the named pictures, or all."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as address:
        for name in names or PICTURES:
            cell, use = PICTURES[name]
            write_notebook(Path(folder) / f"{name}.ipynb", [cell])
            with browser_page(1180, 1000) as page:
                run_all(page, address, f"{name}.ipynb")
                page.locator(".jp-OutputArea-output").first.wait_for()
                page.add_style_tag(content=".jp-cell-toolbar, .jp-Collapser { display: none !important }")
                use(page)
                save(page, name)


if __name__ == "__main__":
    main(*sys.argv[1:])
