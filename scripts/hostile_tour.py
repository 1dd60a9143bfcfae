"""Use every widget of the napari plugin on layers that developers forget; nothing may end in a traceback.

``scripts/with_display.sh python scripts/hostile_tour.py [WIDGET ...]`` prints, for each widget and layer, what the user
reads. It fails where there is a traceback, a message without words for it, a changed source, or a widget that stays
busy.
"""

from __future__ import annotations

import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.utils.notifications import NotificationSeverity, notification_manager
from qtpy.QtCore import QSettings
from qtpy.QtWidgets import QApplication

from napari_rsmoe.plugin.names import METADATA_KEY

PATIENCE = 60.0
"""Seconds that a job may take; all images are small."""
LONGEST = 400
"""Characters of a message; longer ones are no words for users."""


def layers() -> dict[str, tuple[str, Any, dict[str, Any]]]:
    """Layers by what is odd about them: kind, data and options."""
    import dask.array as da
    import zarr

    rng = np.random.default_rng(0)
    grey = rng.poisson(40, (40, 48)).astype(np.uint16)
    holes = grey.astype(np.float32)
    holes[3:6, 4:9] = np.nan
    return {
        "rgb": ("image", rng.integers(0, 255, (40, 48, 3)).astype(np.uint8), {"rgb": True}),
        "rgba": ("image", rng.integers(0, 255, (40, 48, 4)).astype(np.uint8), {"rgb": True}),
        "channels": ("image", np.stack([grey, grey * 2]), {"axis_labels": ("c", "y", "x")}),
        "volume": ("image", np.stack([grey] * 3), {"scale": (2, 0.5, 0.5)}),
        "film of volumes": ("image", np.stack([np.stack([grey] * 2)] * 2), {}),
        "labels": ("labels", (grey > 40).astype(np.int32), {}),
        "empty": ("image", np.zeros((0, 48), np.uint8), {}),
        "one pixel": ("image", np.full((1, 1), 7, np.uint8), {}),
        "one row": ("image", grey[:1], {}),
        "constant": ("image", np.full((40, 48), 100, np.uint8), {}),
        "nan": ("image", holes, {}),
        "all nan": ("image", np.full((20, 24), np.nan, np.float32), {}),
        "boolean": ("image", grey > 40, {}),
        "complex": ("image", grey.astype(np.complex64), {}),
        "16 bit": ("image", grey * 1500, {}),
        "32 bit negative": ("image", grey.astype(np.int32) - 1000, {}),
        "huge values": ("image", grey.astype(np.float64) * 1e30, {}),
        "multiscale": ("image", [grey, grey[::2, ::2]], {"multiscale": True}),
        "dask": ("image", da.from_array(grey, chunks=16), {}),
        "rotated": ("image", grey, {"rotate": 30, "shear": [0.2], "scale": (0.5, 2)}),
        "float16": ("image", (grey / 64).astype(np.float16), {}),
        "int64": ("image", grey.astype(np.int64) * 10**12, {}),
        "big-endian": ("image", grey.astype(">u2"), {}),
        "infinite": ("image", np.where(grey > 52, np.inf, grey).astype(np.float32), {}),
        "five axes": ("image", np.stack([np.stack([np.stack([grey[:12, :16]] * 2)] * 2)] * 2), {}),
        "zarr": ("image", zarr.array(grey, chunks=(16, 16)), {}),
        "volume, turned": ("image", np.stack([grey] * 2), {"affine": TURNED}),
        "mirrored": ("image", grey, {"scale": (-0.5, 2), "translate": (1e6, -1e-6)}),
        "tiny scale": ("image", grey, {"scale": (1e-9, 1e-9)}),
        "odd name": ("image", grey, {"name": "a/b \\ <b>&amp;</b> %s {x}\n'\"" * 3}),
        "line": ("image", grey[0], {}),
        "points": ("points", np.array([[3.0, 4.0], [8.0, 9.0]]), {}),
        "shapes": ("shapes", [np.array([[2, 2], [2, 20], [20, 20], [20, 2]])], {}),
        "nothing": ("", None, {}),
    }


TURNED = np.array([[1, 0.1, 0, 3], [0, 0.8, -0.6, 0], [0.05, 0.6, 0.8, -2], [0, 0, 0, 1]])
"""An affine transform that turns the planes of a volume out of the canvas."""


def live(until: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Process events until something holds; whether it did in time."""
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            return False
        QApplication.processEvents()
        time.sleep(0.005)
    return True


QUICK: dict[str, dict[str, Any]] = {
    "Denoise": {"preset": "fast", "models": 2},
    "Fit kernels": {"n_kernels": 12, "iterations": 10},
    "Super-resolution & sharpen": {"preset": "fast", "models": 2, "iterations": 10},
    "Deblur": {"preset": "fast"},
}


def operated(viewer: Any, name: str) -> Any:
    """Open a widget and press what can be pressed; returns it."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-rsmoe", name)
    live(lambda: False, 0.05)
    if name in QUICK:
        widget.form.set(QUICK[name])
        if hasattr(widget, "storing"):
            widget.storing.path.line_edit.value = str(Path(tempfile.mkdtemp()) / "out.ome.zarr")
        widget.trying.crop.native.click()
        live(lambda: widget.trying.job is None)
        widget.trying.compare.native.click()
        live(lambda: False, 0.2)
        widget.trying.close()
        widget.run.native.click()
        live(lambda: not widget.busy)
        for button in (widget.copy_python, widget.copy_command, widget.selected.button):
            button.native.click()
        live(lambda: not widget.busy)
    elif name == "Files":
        widget.inputs.images.value = "selected layers"
        widget.target.line_edit.value = str(Path(tempfile.mkdtemp()) / "out")
        widget.forms["denoise"].set(QUICK["Denoise"])
        widget.run.native.click()
        live(lambda: not widget.busy)
    elif name == "Kernels":
        for button in ("select_button", "undo_button", "redo_button"):
            if hasattr(widget, button):
                getattr(widget, button).native.click()
        widget.select_matching()
        widget.explain()
    elif name == "Compare":
        widget.curtain.value = True
        widget.add_line()
        live(lambda: False, 0.1)
        widget.curtain.value = False
    else:
        widget.run.native.click()
        live(lambda: not widget.busy)
        widget.use_in_denoise()
    return widget


def copied(kind: str, data: Any) -> Any:
    """The pixels of a layer, to be compared afterwards."""
    if kind != "image":
        return None
    return [np.asarray(each).copy() for each in (data if isinstance(data, list) else [data])]


def tour(viewer: Any, name: str, odd: str, given: tuple[str, Any, dict[str, Any]]) -> list[str]:
    """Use a widget on a layer; returns what is wrong."""
    kind, data, options = given
    notification_manager.records.clear()
    wrong: list[str] = []
    caught: list[BaseException] = []
    before = copied(kind, data)
    hook, sys.excepthook = sys.excepthook, lambda kind_, error, trace: caught.append(error)
    widget = None
    try:
        if kind:
            try:
                layer = getattr(viewer, f"add_{kind}")(data, **{"name": odd, **options})
                viewer.layers.selection.active = layer
            except Exception as error:
                print(f"    napari itself refuses the layer: {error!s:.80}")
                return []
        widget = operated(viewer, name)
    except Exception as error:
        caught.append(error)
    finally:
        sys.excepthook = hook
    for error in caught:
        wrong.append("".join(traceback.format_exception(error))[-1500:])
    for record in notification_manager.records:
        if record.severity >= NotificationSeverity.WARNING:
            print(f"    says: {record.message[:LONGEST]}")
        if hasattr(record, "exception"):
            wrong.append("".join(traceback.format_exception(record.exception))[-1500:])
        if len(record.message) > LONGEST and record.severity >= NotificationSeverity.WARNING:
            wrong.append(f"a message of {len(record.message)} characters: {record.message[:LONGEST]}")
    if widget is not None:
        print(f"    status: {str(getattr(getattr(widget, 'status', None), 'value', ''))[:160]!r}")
        if getattr(widget, "busy", False):
            wrong.append("the widget stays busy")
    if kind == "image" and before is not None:
        now = next(each for each in viewer.layers if "source" not in each.metadata.get(METADATA_KEY, {})).data
        for old, new in zip(before, now if isinstance(data, list) else [now], strict=True):
            if not np.array_equal(old, np.asarray(new), equal_nan=old.dtype.kind in "fc"):
                wrong.append("the source has been changed")
    for dock in list(viewer.window.dock_widgets.values()):
        viewer.window.remove_dock_widget(dock.native if hasattr(dock, "native") else dock)
    viewer.layers.clear()
    live(lambda: False, 0.05)
    return wrong


def change(layer: Any, **values: Any) -> None:
    """Set properties of a layer."""
    for name, value in values.items():
        setattr(layer, name, value)


def docks_closed(viewer: Any) -> None:
    """Close all docks of plugins."""
    for dock in list(viewer.window.dock_widgets.values()):
        viewer.window.remove_dock_widget(dock.native if hasattr(dock, "native") else dock)


EVENTS: dict[str, Callable[[Any, Any], Any]] = {
    "deleted": lambda viewer, layer: viewer.layers.remove(layer),
    "renamed": lambda viewer, layer: change(layer, name="another name"),
    "moved": lambda viewer, layer: change(layer, translate=(100, 50), scale=(3, 3)),
    "given other pixels": lambda viewer, layer: change(layer, data=np.zeros((7, 9), np.float32)),
    "shown in 3-D": lambda viewer, layer: change(viewer.dims, ndisplay=3),
    "deleted with all others": lambda viewer, layer: viewer.layers.clear(),
    "closed with its dock": lambda viewer, layer: docks_closed(viewer),
}
"""What may happen to a layer, or to the window, while a job on it runs."""


def disturbed(viewer: Any, name: str, event: Callable[[Any, Any], None]) -> list[str]:
    """Let something happen while a job runs; returns what is wrong."""
    notification_manager.records.clear()
    caught: list[BaseException] = []
    hook, sys.excepthook = sys.excepthook, lambda kind_, error, trace: caught.append(error)
    try:
        image = np.random.default_rng(0).poisson(40, (96, 112)).astype(np.uint16)
        layer = viewer.add_image(image, name="cells")
        _, widget = viewer.window.add_plugin_dock_widget("napari-rsmoe", name)
        widget.form.set(QUICK[name])
        widget.run.native.click()
        live(lambda: not widget.busy or widget._run.job.progress is not None)
        event(viewer, layer)
        live(lambda: not widget.busy)
        live(lambda: False, 0.1)
        print(f"    {[each.name for each in viewer.layers]}, {str(widget.status.value)[:160]!r}")
    except Exception as error:
        caught.append(error)
    finally:
        sys.excepthook = hook
    wrong = ["".join(traceback.format_exception(error))[-1500:] for error in caught]
    for record in notification_manager.records:
        print(f"    says: {record.message[:LONGEST]}")
        if hasattr(record, "exception"):
            wrong.append("".join(traceback.format_exception(record.exception))[-1500:])
    viewer.dims.ndisplay = 2
    docks_closed(viewer)
    viewer.layers.clear()
    live(lambda: False, 0.05)
    return wrong


def at_once(viewer: Any) -> list[str]:
    """Run two jobs at once in a window and another in a second window, which is closed; returns what is wrong."""
    notification_manager.records.clear()
    caught: list[BaseException] = []
    hook, sys.excepthook = sys.excepthook, lambda kind_, error, trace: caught.append(error)
    try:
        other = napari.Viewer()
        widgets = []
        for window, name in ((viewer, "Denoise"), (viewer, "Fit kernels"), (other, "Denoise")):
            if not len(window.layers):
                image = np.random.default_rng(0).poisson(40, (96, 112)).astype(np.uint16)
                window.add_image(image, name="cells")
            _, widget = window.window.add_plugin_dock_widget("napari-rsmoe", name)
            widget.form.set(QUICK[name])
            widgets.append(widget)
        for widget in widgets:
            widget.run.native.click()
        live(lambda: widgets[2]._run is None or widgets[2]._run.job.progress is not None)
        other.close()
        live(lambda: not any(widget.busy for widget in widgets[:2]))
        print(f"    {[each.name for each in viewer.layers]}")
    except Exception as error:
        caught.append(error)
    finally:
        sys.excepthook = hook
    wrong = ["".join(traceback.format_exception(error))[-1500:] for error in caught]
    found = [r.exception for r in notification_manager.records if hasattr(r, "exception")]
    docks_closed(viewer)
    viewer.layers.clear()
    return wrong + ["".join(traceback.format_exception(error))[-1500:] for error in found]


WIDGETS = (*QUICK, "Kernels", "Files", "Compare", "Noise")


def main(*names: str) -> None:
    """Make the tour."""
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, tempfile.mkdtemp())
    viewer = napari.Viewer()
    found = 0
    for name in names or WIDGETS:
        for odd, given in layers().items():
            print(f"{name} on {odd}", flush=True)
            for text in tour(viewer, name, odd, given):
                found += 1
                print(f"    WRONG: {text}", flush=True)
        for words, event in EVENTS.items() if name in QUICK else ():
            print(f"{name}: its layer is {words} while it runs", flush=True)
            for text in disturbed(viewer, name, event):
                found += 1
                print(f"    WRONG: {text}", flush=True)
    print("two jobs at once, and a second window that is closed", flush=True)
    for text in at_once(viewer):
        found += 1
        print(f"    WRONG: {text}", flush=True)
    viewer.close()
    if found:
        raise SystemExit(f"{found} faults")


if __name__ == "__main__":
    main(*sys.argv[1:])
