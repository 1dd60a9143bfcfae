"""Make the pictures of the napari plugin in docs/images by using the plugin: a tour of its widgets.

``scripts/with_display.sh python scripts/screenshots.py [NAME ...]``; each picture is made in a new process. A name may
end in ``_light``, ``_wide`` (1920x1080 instead of 1280x720), or both: ``denoise_light_wide``.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.settings import get_settings
from PIL import Image
from qtpy.QtCore import QSettings
from qtpy.QtWidgets import QApplication

from napari_rsmoe.plugin import samples

FOLDER = Path(__file__).parents[1] / "docs" / "images"
SIZES = {False: (1280, 720), True: (1920, 1080)}
COLOURS = 192  # Size of the palette of the PNG; fewer colours make smaller files.


def live(seconds: float = 0.0, until: Callable[[], bool] | None = None) -> None:
    """Process the events of the window for some seconds, or until a condition holds."""
    end = time.monotonic() + (seconds if until is None else 600)
    while time.monotonic() < end and not (until is not None and until()):
        QApplication.processEvents()
        time.sleep(0.01)
    if until is not None and not until():
        raise SystemExit("The condition did not hold within ten minutes.")


def save(viewer: Any, name: str) -> None:
    """Save a picture of the whole window."""
    viewer.status = ""
    live(0.8)
    picture = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)[..., :3])
    content = io.BytesIO()
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(content, "PNG", optimize=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"napari_{name}.png").write_bytes(content.getvalue())
    print(f"napari_{name}.png: {len(content.getvalue()) / 1024:.0f} KiB")


def opened(viewer: Any, name: str, **given: Any) -> Any:
    """Open a widget with the default settings, except for the given ones."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-rsmoe", name)
    if hasattr(widget, "form"):
        widget.form.reset()
        widget.form.set(given)
    return widget


def run(widget: Any) -> None:
    """Press the button, and wait until the job is finished."""
    widget.start()
    live(until=lambda: not widget.busy)


def add(viewer: Any, sample: list[Any]) -> None:
    """Add sample data to the viewer."""
    for data, options, _ in sample:
        viewer.add_image(data, **options)


def denoise(viewer: Any) -> None:
    """The source and the results side by side."""
    add(viewer, samples.micrograph()[1:])
    widget = opened(viewer, "Denoise", models=8)
    widget.outputs["residual"].value = True
    run(widget)
    for layer in viewer.layers:
        layer.visible = True
    viewer.canvas.grid.enabled = True
    viewer.canvas.grid.shape = (2, 2)
    viewer.reset_view()


def fit(viewer: Any) -> None:
    """The result of a fit, with the curve of the PSNR."""
    add(viewer, samples.small_photograph())
    viewer.reset_view()
    widget = opened(viewer, "Fit kernels", n_kernels=800)
    run(widget)
    viewer.camera.zoom *= 1.05


def running(viewer: Any) -> None:
    """A running fit with its live preview."""
    import skimage.data

    viewer.add_image(skimage.data.astronaut(), name="astronaut", rgb=True)
    viewer.reset_view()
    widget = opened(viewer, "Fit kernels", n_kernels=4000, preset="best")
    widget.start()
    live(until=lambda: widget._run.job.progress is not None and widget._run.job.progress.fraction > 0.04)


def upscale(viewer: Any) -> None:
    """An image, enlarged and sharpened, with a bicubic enlargement beside it."""
    import skimage.data

    image = skimage.data.camera()[60:220, 160:320].reshape(80, 2, 80, 2).mean((1, 3)).astype(np.uint8)
    viewer.add_image(image, name="small photograph")
    widget = opened(viewer, "Super-resolution & sharpen", scale=4.0)
    widget.sharpen.value = 1.3
    widget.compare.value = "bicubic beside it"
    run(widget)
    viewer.layers["small photograph"].visible = False
    viewer.reset_view()


def kernels(viewer: Any) -> None:
    """Kernels that are selected by a feature."""
    add(viewer, samples.small_photograph())
    dock, fit_widget = viewer.window.add_plugin_dock_widget("napari-rsmoe", "Fit kernels")
    fit_widget.form.set({"n_kernels": 500})
    run(fit_widget)
    viewer.window.remove_dock_widget(dock)
    widget = opened(viewer, "Kernels")
    widget.feature.value = "long axis"
    widget.low.value = 8
    widget.select_matching()
    viewer.camera.zoom *= 1.4


PICTURES = {"denoise": denoise, "fit": fit, "running": running, "upscale": upscale, "kernels": kernels}


def main(*names: str) -> None:
    """Make the named pictures, or all."""
    if len(names) == 1:
        QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, tempfile.mkdtemp())
        picture, *variants = names[0].split("_")
        get_settings().appearance.theme = "light" if "light" in variants else "dark"
        viewer = napari.Viewer()
        viewer.window.resize(*SIZES["wide" in variants])
        live(0.5)
        PICTURES[picture](viewer)
        save(viewer, names[0])
        viewer.close()
        return
    for name in names or (*PICTURES, "denoise_light", "denoise_wide"):
        subprocess.run([sys.executable, __file__, name], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
