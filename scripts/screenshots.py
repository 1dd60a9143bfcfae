"""Make the pictures of the napari plugin in docs/images by using the plugin: a tour of its widgets.

``scripts/with_display.sh python scripts/screenshots.py [NAME ...]``; each picture is made in a new process. A name may
end in ``_light``, ``_wide`` (1920x1080 instead of 1280x720), ``_large`` (a font of 14 instead of 9 points), or several:
``denoise_light_wide``. Without names, all pictures of docs/images are made. ``--all [FOLDER]`` makes every picture in
both themes and both sizes, and with a large font, for a look at each of them.

The tour fails where a text of a widget is cut off, or a widget is wider than its dock.
"""

from __future__ import annotations

import io
import os
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
from qtpy.QtCore import QBuffer, QPoint, QSettings
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QAbstractButton, QApplication, QCheckBox, QLabel, QMenu

from napari_rsmoe.plugin import samples
from napari_rsmoe.plugin.widgets.docked import DockedWidget

FOLDER = Path(os.environ.get("RSMOE_PICTURES") or Path(__file__).parents[1] / "docs" / "images")
SIZES = {False: (1280, 720), True: (1920, 1080)}
FONTS = {False: 9, True: 14}  # Points.
CHECK_MARK = 20  # Pixels beside the text of a tick box.
COLOURS = 192  # Size of the palette of the PNG; fewer colours make smaller files.


def live(seconds: float = 0.0, until: Callable[[], bool] | None = None) -> None:
    """Process the events of the window for some seconds, or until a condition holds."""
    end = time.monotonic() + (seconds if until is None else 600)
    while time.monotonic() < end and not (until is not None and until()):
        QApplication.processEvents()
        time.sleep(0.01)
    if until is not None and not until():
        raise SystemExit("The condition did not hold within ten minutes.")


def cut_texts(widget: Any) -> list[str]:
    """Texts of a widget of this plugin that are cut off."""
    found = []
    wide, room = widget.native.widget().minimumSizeHint().width(), widget.native.viewport().width()
    if wide > room:
        found.append(f"the column needs {wide} pixels, and its dock has {room}")
    window = widget.native.window()
    if (end := widget.native.mapTo(window, QPoint(widget.native.width(), 0)).x()) > window.width():
        found.append(f"the dock ends at {end}, and the window at {window.width()}")
    for child in widget.native.findChildren(QAbstractButton) + widget.native.findChildren(QLabel):
        if child.isVisible() and child.text() and not getattr(child, "wordWrap", bool)():
            mark = CHECK_MARK if isinstance(child, QCheckBox) else 0
            wide, room = child.fontMetrics().horizontalAdvance(child.text()) + mark, child.contentsRect().width()
            if isinstance(child, QLabel):
                wide, room = child.sizeHint().width(), child.width()
            if wide > room + 1:
                found.append(f"{child.text()!r} needs {wide} pixels and has {room}")
    for child in widget.native.findChildren(QLabel):
        high, line = child.heightForWidth(child.width()), child.fontMetrics().height()
        if child.isVisible() and child.wordWrap() and high > child.height() + line / 2:
            found.append(f"{child.text()!r} needs {high} pixels below each other, and has {child.height()}")
    return found


def on_screen(window: Any) -> QPixmap:
    """A window as the screen shows it, with the menus that are open before it."""
    place = window.geometry()
    return window.screen().grabWindow(0, place.x(), place.y(), place.width(), place.height())


def save(viewer: Any, name: str, dialog: Any = None) -> None:
    """Save a picture of the whole window, with its open menus, or of a dialog."""
    viewer.status = ""
    live(0.8)
    for widget in viewer.window.dock_widgets.values():
        if isinstance(widget, DockedWidget) and widget.native.isVisible() and (cut := cut_texts(widget)):
            raise SystemExit(f"{name}: {'; '.join(cut)}")
    if dialog is None and QApplication.activePopupWidget() is None:
        picture = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)[..., :3])
    else:
        shot = on_screen(viewer.window._qt_window) if dialog is None else dialog.grab()
        if shot.width() > viewer.window.geometry()[2] or shot.height() > viewer.window.geometry()[3]:
            raise SystemExit(f"{name}: the dialog has {shot.width()} x {shot.height()} pixels.")
        content = QBuffer()
        content.open(QBuffer.OpenModeFlag.ReadWrite)
        shot.save(content, "PNG")
        picture = Image.open(io.BytesIO(bytes(content.data()))).convert("RGB")
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


def look_at_image(viewer: Any) -> None:
    """Fill the canvas with the image, beyond which kernels reach far."""
    viewer.reset_view()
    image = next(layer for layer in viewer.layers if isinstance(layer, napari.layers.Image))
    ends, all_ends = (np.asarray(extent.world)[:, -2:] for extent in (image.extent, viewer.layers.extent))
    viewer.scene.camera.center = tuple(ends.mean(0))
    viewer.scene.camera.zoom *= min(np.ptp(all_ends, 0) / np.ptp(ends, 0)) / 1.1


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
    look_at_image(viewer)


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
    viewer.scene.camera.zoom *= 1.4


def compare(viewer: Any) -> None:
    """The curtain between the noisy and the denoised micrograph, and a profile across a cell."""
    add(viewer, samples.micrograph()[1:])
    dock, denoise_widget = viewer.window.add_plugin_dock_widget("napari-rsmoe", "Denoise")
    denoise_widget.form.reset()
    run(denoise_widget)
    viewer.window.remove_dock_widget(dock)
    widget = opened(viewer, "Compare")
    widget.curtain.value = True
    widget.position.value = 58
    widget.add_line()
    viewer.layers["profile line"].data = [np.array([[16.4, 6.0], [16.4, 12.4]])]
    viewer.layers["profile line"].selected_data = {0}
    live(1.0)


def noise(viewer: Any) -> None:
    """The noise report of the micrograph."""
    add(viewer, samples.micrograph()[1:])
    widget = opened(viewer, "Noise")
    widget.start()
    live(until=lambda: not widget.busy)


def pixel(viewer: Any) -> None:
    """The kernels of the pixel under the mouse."""
    kernels(viewer)
    widget = next(w for w in viewer.window.dock_widgets.values() if hasattr(w, "pointed"))
    viewer.cursor.position = (47.0, 61.0)
    widget.explain()
    live(0.5)
    bar = widget.native.verticalScrollBar()
    bar.setValue(bar.maximum())


def files(viewer: Any) -> None:
    """A queue of files, of which one cannot be read."""
    from napari_rsmoe.io.writing import write_image

    folder = Path(tempfile.mkdtemp())
    (folder / "in").mkdir()
    rng = np.random.default_rng(0)
    for name in ("cells_1", "cells_2", "cells_3"):
        write_image(folder / "in" / f"{name}.tif", rng.poisson(60, (96, 128)).astype(np.uint16))
    (folder / "in" / "broken.tif").write_bytes(b"II*")
    widget = opened(viewer, "Files")
    widget.source.value = folder / "in"
    widget.target.value = folder / "out"
    live(0.5)
    widget.start()
    live(until=lambda: not widget.busy)


def deblur(viewer: Any) -> None:
    """A blurred photograph of few photons, and the same without its blur."""
    import skimage.data
    from scipy.ndimage import gaussian_filter

    sharp = skimage.data.camera()[60:188, 160:288] / 255.0
    noisy = np.random.default_rng(0).poisson(200 * gaussian_filter(sharp, 1.8) + 10).astype(np.uint16)
    viewer.add_image(noisy, name="blurred", scale=(0.1, 0.1), units=("um", "um"))
    widget = opened(viewer, "Deblur")
    widget.sigma.value = 1.8
    run(widget)
    for layer in viewer.layers:
        layer.visible = "uncertainty" not in layer.name
    viewer.canvas.grid.enabled = True
    viewer.canvas.grid.shape = (1, 2)
    viewer.layers.remove("blurred uncertainty")
    viewer.reset_view()


def stored(viewer: Any) -> None:
    """A lazy image that is being denoised into an OME-Zarr."""
    import dask.array

    y, x = np.mgrid[:640, :960] / 40
    light = 60 + 40 * np.sin(x) * np.cos(1.3 * y) + 80 * (np.sin(x + y * y / 30) > 0.6)
    image = np.random.default_rng(0).poisson(light).astype(np.uint16)
    viewer.add_image(dask.array.from_array(image, chunks=256), name="slide", contrast_limits=(0, 250))
    viewer.reset_view()
    widget = opened(viewer, "Denoise", preset="fast", block=128)
    widget.storing.path.line_edit.value = str(Path(tempfile.mkdtemp()) / "slide_denoised.ome.zarr")
    widget.start()
    live(until=lambda: widget._filling.filling.done >= 22 or not widget.busy)


def trials(viewer: Any) -> Any:
    """The window with crops and settings side by side."""
    add(viewer, samples.micrograph()[1:])
    widget = opened(viewer, "Denoise")
    widget.trying.open()
    live(until=lambda: widget.trying.dialog.job.done)
    widget.trying.dialog.choose(4)
    return widget.trying.dialog


def menu(viewer: Any) -> None:
    """The menu in which the widgets are found, open."""
    add(viewer, samples.micrograph()[1:])
    viewer.reset_view()
    shown = viewer.window._qt_window.menuBar()
    for title in ("Layers", "Filter", "R-SMoE"):
        action = next(each for each in shown.actions() if each.text().replace("&", "") == title)
        place = shown.actionGeometry(action)
        shown.setActiveAction(action)
        corner = place.topRight() if isinstance(shown, QMenu) else place.bottomLeft()
        action.menu().popup(shown.mapToGlobal(corner))
        live(0.5)
        shown = action.menu()
    shown.setActiveAction(shown.actions()[0])


PICTURES = {
    "denoise": denoise, "fit": fit, "running": running, "upscale": upscale, "kernels": kernels, "compare": compare,
    "noise": noise, "pixel": pixel, "files": files, "deblur": deblur, "stored": stored, "trials": trials, "menu": menu,
}  # fmt: skip
EVERY = ("", "_light", "_light_wide", "_wide", "_large")
"""Endings of the variants of a picture that are looked at."""
SHOWN = (*PICTURES, "denoise_light", "compare_light", "denoise_wide")
"""The pictures of docs/images."""


def show_variant(viewer: Any, ending: str) -> None:
    """Give a window the theme, size and font that an ending names."""
    get_settings().appearance.theme = "light" if "light" in ending else "dark"
    get_settings().appearance.font_size = FONTS["large" in ending]
    viewer.window.resize(*SIZES["wide" in ending])
    live(0.5)
    drawn = any(isinstance(layer, napari.layers.Shapes) and len(layer.data) > 1 for layer in viewer.layers)
    (look_at_image if drawn else napari.Viewer.reset_view)(viewer)


def main(*names: str) -> None:
    """Make the named pictures, or all."""
    if len(names) == 1 and names[0] != "--all":
        QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, tempfile.mkdtemp())
        picture, *variants = names[0].split("_")
        get_settings().appearance.theme = "light" if "light" in variants else "dark"
        get_settings().appearance.font_size = FONTS["large" in variants]
        viewer = napari.Viewer()
        viewer.window.resize(*SIZES["wide" in variants])
        live(0.5)
        dialog = PICTURES[picture](viewer)
        for name in EVERY if variants == ["every"] else names:
            if variants == ["every"]:
                show_variant(viewer, name)
                name = picture + name
            save(viewer, name, dialog)
        viewer.close()
        return
    environment = dict(os.environ)
    if names[:1] == ("--all",):
        environment["RSMOE_PICTURES"] = names[1] if len(names) > 1 else tempfile.mkdtemp()
        names = tuple(f"{name}_every" for name in PICTURES)
    for name in names or SHOWN:
        subprocess.run([sys.executable, __file__, name], check=True, env=environment)


if __name__ == "__main__":
    main(*sys.argv[1:])
