"""Measures jobs of the napari plugin: how soon they end when cancelled, or with their window; stated remaining times.

``scripts/with_display.sh python -m benchmarks.plugin_cancel ACTION SIZE MOMENT ...`` runs a job (denoise, fit, upscale,
deblur, noise or files) on SIZE x SIZE pixels once for each moment. A moment is a number of seconds of processor time
after the start, or a percentage such as ``40%``: then Cancel is pressed, or with a ``c`` before it the window closed.
``left`` lets the job end, and compares the stated remaining time with the truth. Each moment is a process of its own.
Without arguments every kind of job is cancelled and closed at several moments, and its remaining times are compared.
The variable PRESET names the preset.

Times are of the processor, which other programs do not prolong; of the clock in brackets.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

WIDGETS = {
    "denoise": "Denoise", "fit": "Fit kernels", "upscale": "Super-resolution & sharpen", "noise": "Noise",
    "files": "Files", "deblur": "Deblur",
}  # fmt: skip
MOMENTS = (0.1, 0.25, 0.5, 0.75)
"""Shares of the whole time after which the stated remaining time is compared, besides one second after the start."""
STOPS = ("0", "1", "3", "10", "c3")
"""Moments at which every kind of job is stopped, on an image of 4000 x 4000 pixels."""
WHOLE = {"denoise": "1024", "fit": "512", "upscale": "384", "deblur": "384", "noise": "4000", "files": "1024"}
"""Sides of the images on which every kind of job is done to its end."""


def picture(size: int) -> np.ndarray:
    """Shapes with photon noise, uint16."""
    y, x = np.mgrid[:size, :size] / 48
    light = 60 + 40 * np.sin(x) * np.cos(1.3 * y) + 80 * (np.sin(x + y * y / 90) > 0.6)
    made: np.ndarray = np.random.default_rng(0).poisson(light).astype(np.uint16)
    return made


def clocks() -> np.ndarray:
    """Processor time of this process, and the clock."""
    return np.array([time.process_time(), time.monotonic()])


def text(passed: np.ndarray) -> str:
    """Both times, for people."""
    return f"{passed[0]:.2f} CPU s [{passed[1]:.2f} s]"


class Case:
    """A widget with a job on a large image, in a window of its own."""

    def __init__(self, action: str, size: int) -> None:
        import napari
        from qtpy.QtCore import QSettings

        QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, tempfile.mkdtemp())
        self.viewer: Any = napari.Viewer()
        image = picture(size)
        if action != "files":
            self.viewer.add_image(image, name="large")
        _, self.widget = self.viewer.window.add_plugin_dock_widget("napari-rsmoe", WIDGETS[action])
        if action == "files":
            from napari_rsmoe import write_image

            folder = Path(tempfile.mkdtemp()) / "in"
            folder.mkdir()
            write_image(folder / "large.tif", image)
            self.widget.source.line_edit.value = str(folder)
            self.widget.target.line_edit.value = str(folder.parent / "out")
        if action == "deblur":
            self.widget.form.set({"psf": "1.5"})
        if (preset := os.environ.get("PRESET")) and action != "noise":
            form = self.widget.forms["denoise"] if action == "files" else self.widget.form
            form.set({"preset": preset})
        self.live(lambda: False, 1.0)

    def live(self, until: Callable[[], bool], seconds: float = 3600) -> None:
        """Let the window live."""
        from qtpy.QtWidgets import QApplication

        end = time.monotonic() + seconds
        while not until() and time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.005)

    @property
    def job(self) -> Any:
        """The running job; None if there is none."""
        run = getattr(self.widget, "_run", None)
        return run.job if run is not None else getattr(self.widget, "_job", None)

    def start(self) -> np.ndarray:
        """Press the button; returns the clocks before."""
        before = clocks()
        self.widget.start()
        print(f"the press of the button took {text(clocks() - before)}")
        return before

    def reached(self, moment: str, began: np.ndarray) -> Callable[[], bool]:
        """Whether a moment has come."""

        def check() -> bool:
            if self.job is None:
                return True
            if moment.endswith("%"):
                progress = self.job.progress
                return progress is not None and progress.fraction >= float(moment[:-1]) / 100
            return bool(clocks()[0] - began[0] >= float(moment))

        return check

    def cancel(self, moment: str) -> None:
        """Press Cancel at a moment."""
        began = self.start()
        self.live(self.reached(moment, began))
        if self.job is None:
            print(f"{moment}: the job had ended")
            return
        stage = self.job.status
        pressed = clocks()
        self.widget.cancel.native.click()
        self.live(lambda: not self.widget.busy)
        words = str(getattr(self.widget.status, "value", ""))[:60]
        print(f"{moment}: in {stage!r}: ended {text(clocks() - pressed)} after the press; {words!r}", flush=True)
        os._exit(0)

    def close(self, moment: str) -> None:
        """Close the window at a moment; what the end of the process takes is measured by `main`."""
        began = self.start()
        self.live(self.reached(moment, began))
        stage = "the end" if self.job is None else self.job.status
        pressed = clocks()
        self.viewer.close()
        print(f"c{moment}: in {stage!r}: closed {text(clocks() - pressed)} after the press", flush=True)
        print(f"CLOSED {time.time()} {sum(resource.getrusage(resource.RUSAGE_SELF)[:2])}", flush=True)

    def left(self) -> None:
        """Compare the stated remaining time with the truth."""
        began = self.start()
        stated: list[tuple[float, float, float]] = []

        def note() -> bool:
            job = self.job
            if job is not None and job.seconds_left is not None:
                cpu, clock = clocks() - began
                stated.append((cpu, clock, job.seconds_left))
            return not self.widget.busy

        self.live(note)
        whole = clocks() - began
        if not stated:
            print(f"the job took {text(whole)}; no remaining time was stated")
            os._exit(0)
        print(f"the job took {text(whole)}; first stated after {stated[0][1]:.2f} s")
        times = np.array(stated)
        for name, at in [("1 s", 1.0), *((f"{share:.0%}", share * whole[1]) for share in MOMENTS)]:
            _, clock, seconds = times[np.argmin(np.abs(times[:, 1] - at))]
            true = whole[1] - clock
            print(f"at {name}: {seconds:.1f} s stated, {true:.1f} s true, ratio {seconds / true:.2f}")
        os._exit(0)


def main(action: str = "", size: str = "4000", *moments: str) -> None:
    """Measure each moment in a process of its own, or this one; without arguments everything."""
    if not action:
        for kind in WIDGETS:
            main(kind, size, *STOPS)
        for kind, side in WHOLE.items():
            main(kind, side, "left")
        return
    if moments[:1] == ("--here",):
        case, moment = Case(action, int(size)), moments[1]
        if moment == "left":
            case.left()
        elif moment.startswith("c"):
            case.close(moment[1:])
        else:
            case.cancel(moment)
        return
    for moment in moments:
        command = [sys.executable, "-m", "benchmarks.plugin_cancel", action, size, "--here", moment]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        ended, after = time.time(), resource.getrusage(resource.RUSAGE_CHILDREN)
        for line in done.stdout.splitlines():
            if line.startswith("CLOSED"):
                clock, cpu = map(float, line.split()[1:])
                spent = sum(after[:2]) - sum(before[:2]) - cpu
                line = f"    the process ended {spent:.2f} CPU s [{ended - clock:.2f} s] later, code {done.returncode}"
            print(f"{action} {size}: {line}", flush=True)
        if done.returncode:
            print(f"{action} {size} {moment}: code {done.returncode}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
