"""Measures the napari plugin: start-up cost, responsiveness during a fit, the sharpen slider, drawing kernels.

Run it on a display, or ``scripts/with_display.sh python -m benchmarks.napari_plugin``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QEventLoop, QSettings, QTimer
from qtpy.QtWidgets import QApplication

from napari_rsmoe.plugin.preferences import load_engine
from napari_rsmoe.plugin.source import Place
from napari_rsmoe.plugin.workers.thread import Task
from napari_rsmoe.ui.jobs import Latest

SIZE = 1024
LARGE = 4000
PLACE = Place(np.ones(2), np.zeros(2), np.eye(2), np.zeros(1), np.eye(3), ("pixel", "pixel"), ("y", "x"))
RECORD = {"action": "fit", "run": "1", "source": {"id": "", "axes": "YX"}}


class Gaps:
    """The longest times between two turns of the event loop, by a timer that fires without delay.

    Also by the processor time of the thread of the window, which other programs do not prolong.
    """

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self.worked: list[float] = []
        self._last, self._worked = time.perf_counter(), time.thread_time()
        self._timer = QTimer()
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._tick)

    def __enter__(self) -> Gaps:
        self._last, self._worked = time.perf_counter(), time.thread_time()
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.stop()

    def _tick(self) -> None:
        now, worked = time.perf_counter(), time.thread_time()
        self.gaps.append(now - self._last)
        self.worked.append(worked - self._worked)
        self._last, self._worked = now, worked
        time.sleep(0.002)  # leave the processor to the job, as an idle window does

    def text(self) -> str:
        """The figures, for people."""
        ms = 1000 * np.sort(self.gaps)
        return (
            f"longest {ms[-1]:.0f} ms ({1000 * max(self.worked):.0f} CPU ms), 99.9 % below "
            f"{np.quantile(ms, 0.999):.0f} ms, median {np.median(ms):.1f} ms"
        )


def wait_until(condition: Callable[[], bool], seconds: float = 600) -> None:
    """Let the window live."""
    loop = QEventLoop()
    timer = QTimer()
    timer.timeout.connect(lambda: condition() and loop.quit())
    timer.start(20)
    QTimer.singleShot(int(1000 * seconds), loop.quit)
    loop.exec()
    timer.stop()


def pause(seconds: float) -> None:
    end = time.perf_counter() + seconds
    wait_until(lambda: time.perf_counter() > end)


def picture(size: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / 64
    image = 120 + 60 * np.sin(x * 2) * np.cos(y * 3) + 50 * (np.sin(x + y * y / 4) > 0) + rng.normal(0, 5, x.shape)
    clipped: np.ndarray = np.clip(image, 0, 255).astype(np.uint8)
    return clipped


def start_up() -> None:
    """What the plugin adds to `import napari` and its discovery, in fresh processes."""
    base = "import napari, napari.layers, napari.qt.threading, magicgui.widgets, time; t = time.process_time(); "
    cases = {
        "discovery (manifest, reader, commands, samples)": base
        + "import napari_rsmoe.plugin.commands, napari_rsmoe.plugin.files, napari_rsmoe.plugin.samples",
        "the widget modules": base
        + "from napari_rsmoe.plugin.widgets import compare, denoise, files, fit, kernels, noise, upscale",
    }
    for name, code in cases.items():
        done = subprocess.run(
            [sys.executable, "-c", code + "; import sys; print(time.process_time() - t, 'torch' in sys.modules)"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        seconds, torch = done.stdout.split()[-2:]
        print(f"start-up: {name}: {1000 * float(seconds):.0f} ms of processor time, torch loaded: {torch}")


def fit_gap(viewer: Any) -> None:
    """Event-loop gaps while a 1024 x 1024 fit runs with live preview."""
    viewer.add_image(picture(SIZE), name="large")
    _, widget = viewer.window.add_plugin_dock_widget("napari-rsmoe", "Fit kernels")
    widget.form.reset()
    widget.form.set({"n_kernels": 5000, "preset": "fast"})
    for previews in (False, True):
        # without kernels: Mesa's software OpenGL may crash when thousands of shapes are taken away again
        widget.outputs["model"].value = False
        widget.again.value = "add layers"
        widget.previews.value = previews
        pause(1.0)
        with Gaps() as pressing:
            pause(0.1)
            widget.start()
            pause(0.01)
        job = widget._run.job
        with Gaps() as running:
            wait_until(lambda job=job: job.progress is not None and job.progress.fraction > 0.99)
        with Gaps() as ending:
            wait_until(lambda: not widget.busy)
            pause(0.3)
        print(f"fit {SIZE} x {SIZE}, 5000 kernels, preview {previews}: {widget.status.value}")
        for words, gaps in (("pressing the button", pressing), ("running", running), ("adding the results", ending)):
            print(f"    {words}: {gaps.text()}")
    viewer.layers.clear()


def napari_alone(viewer: Any, image: np.ndarray) -> None:
    """Event-loop gaps of napari itself: a layer that is added above another one, and removed again."""
    for words, change in (
        ("adding", lambda: viewer.add_image(image, name="second")), ("removing", lambda: viewer.layers.remove("second"))
    ):  # fmt: skip
        with Gaps() as gaps:
            pause(0.1)
            change()
            pause(1.0)
        print(f"    napari alone, {words} a layer: {gaps.text()}")


def preview_gap(viewer: Any) -> None:
    """Event-loop gaps around the first preview of a large image, and around the next ones, beside napari's own."""
    for size in (LARGE, SIZE):
        viewer.add_image(picture(size), name="large")
        _, widget = viewer.window.add_plugin_dock_widget("napari-rsmoe", "Fit kernels")
        widget.form.reset()
        widget.form.set({"n_kernels": size * size // 100, "preset": "fast"})
        wait_until(lambda widget=widget: not widget._loading._thread.is_alive())
        pause(1.0)
        napari_alone(viewer, viewer.layers[0].data)
        with Gaps() as pressing:
            pause(0.1)
            widget.start()
            pause(0.01)
        with Gaps() as before:
            wait_until(lambda: len(viewer.layers) > 1)
        with Gaps() as first:
            pause(0.3)
        with Gaps() as following:
            pause(5.0)
        with Gaps() as ending:
            widget.stop()
            widget.stop()
            pause(1.0)
        print(f"previews of {size} x {size}:")
        for words, gaps in (
            ("pressing the button", pressing), ("to the first one", before), ("drawing it", first),
            ("next ones", following), ("discarding", ending),
        ):  # fmt: skip
            print(f"    {words}: {gaps.text()}")
        viewer.layers.clear()


def torch_gap(viewer: Any) -> None:
    """Event-loop gaps while a widget loads torch, from its first turn of the loop on; needs a fresh process."""
    with Gaps() as idle:
        pause(1.0)
    loaded = "torch" in sys.modules
    thread = Task(load_engine, lambda _: None)
    with Gaps() as gaps:
        thread.start()
        began = time.perf_counter()
        wait_until(lambda: not thread._thread.is_alive())
        seconds = time.perf_counter() - began
        pause(1.0)
    print(f"without work: {idle.text()}")
    print(f"loading torch (loaded before: {loaded}), {seconds:.1f} s: {gaps.text()}")


def slider(viewer: Any) -> None:
    """From a move of the slider to the redrawn layer, for a 512 x 512 view of a result of 4 models."""
    viewer.add_image(picture(256), name="small")
    _, widget = viewer.window.add_plugin_dock_widget("napari-rsmoe", "Super-resolution & sharpen")
    widget.form.reset()
    widget.form.set({"scale": 2.0, "iterations": 30})
    widget.previews.value = False
    widget.start()
    wait_until(lambda: not widget.busy)
    pause(1.0)
    layer = widget._result_layer
    times = []
    for value in np.linspace(1.1, 2.5, 15):
        before = np.array(layer.data)
        start = time.perf_counter()
        widget.sharpen.value = float(value)
        while np.array_equal(before, layer.data):
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 5)
        QApplication.processEvents()
        times.append(1000 * (time.perf_counter() - start))
        pause(0.6)
    shape = f"{layer.data.shape[0]} x {layer.data.shape[1]}"
    print(f"sharpen slider, {shape}, 4 models: median {np.median(times):.0f} ms, longest {max(times):.0f} ms")
    viewer.layers.clear()


def draw_kernels(viewer: Any, count: int) -> None:
    """Build the layer on a thread and add it; CPU seconds of the whole process and the event-loop gap."""
    # Imported here, as another part measures the window while torch is loaded.
    from napari_rsmoe import Kernels, Model
    from napari_rsmoe.plugin.editing import EditableKernels
    from napari_rsmoe.plugin.layers.kernels import kernels_output

    rng = np.random.default_rng(0)
    axes = np.sort(rng.uniform(1, 8, (count, 2)), axis=1)[:, ::-1]
    table = Kernels(
        rng.uniform(0, 512, (count, 2)), axes, rng.uniform(-1.5, 1.5, count), np.ones(count), rng.random((count, 3))
    )
    editable = EditableKernels([Model.from_kernels(table, (512, 512))], [()])
    made: list[Any] = []
    cpu = time.process_time()
    with Gaps() as gaps:
        thread = Latest(lambda outcome: made.append(viewer.add_layer(outcome.result)), Task)
        thread.ask(lambda: kernels_output(editable, PLACE, "kernels", RECORD, count).layer())
        wait_until(lambda: bool(made))
        pause(0.3)
    print(f"adding {count} kernels: {time.process_time() - cpu:.2f} CPU s, event-loop gap {gaps.text()}")
    viewer.layers.clear()


PARTS: dict[str, Callable[[Any], None]] = {
    "kernels": lambda viewer: [draw_kernels(viewer, count) for count in (100, 2000, 10_000, 20_000)] and None,
    "torch": torch_gap,
    "previews": preview_gap,
    "slider": slider,
    "fit": fit_gap,
}


def main(part: str = "") -> None:
    """Measure everything, each part in a window of a fresh process."""
    if part:
        QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, tempfile.mkdtemp())
        viewer = napari.Viewer()
        viewer.window.resize(1300, 850)
        pause(1.0)
        PARTS[part](viewer)
        viewer.close()
        return
    from napari_rsmoe.bench.machine import facts  # here, as it loads torch

    print(facts())
    start_up()
    for name in PARTS:
        subprocess.run([sys.executable, "-m", "benchmarks.napari_plugin", name], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
