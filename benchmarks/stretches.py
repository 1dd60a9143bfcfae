"""Finds the steps of a job that neither report nor pause: the longest times in which it cannot end.

``python -m benchmarks.stretches ACTION SIZE [SECONDS]`` runs a job of the napari plugin (denoise, fit, upscale, deblur
or noise) without a window on SIZE x SIZE pixels, for at most so many seconds of processor time, and watches its
threads. A stretch is what a thread does between two calls of `napari_rsmoe.engine.pause` or two reports; what the
engine does in between can be left at any time and does not count. Printed are the longest stretches, in seconds of the
processor, with the lines in which they were spent, and how long other threads waited for the interpreter meanwhile.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np

from napari_rsmoe.engine import attention
from napari_rsmoe.plugin import actions
from napari_rsmoe.plugin.source import Place, Source
from napari_rsmoe.progress import Progress

from .plugin_cancel import picture

LOOK = 0.01
"""Seconds between two looks at the threads."""
LONG = float(os.environ.get("LONG", "0.1"))
"""Seconds of processor time from which stretches are printed: fewer for a small image that stands for a large one."""
WAITED = 0.06
"""Seconds by which a look comes late from which it is printed: the interpreter was held."""


@dataclass
class Stretch:
    """What a thread has done since its last pause or report."""

    began: float
    seconds: float = 0.0
    lines: Counter[str] = field(default_factory=Counter)


class Watching(threading.Thread):
    """Looks at the threads of jobs all the time."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.running: dict[int, Stretch] = {}
        self.found: list[tuple[float, str, Counter[str]]] = []
        self.late: list[tuple[float, str]] = []
        self.stage = ""
        self.paused: defaultdict[int, int] = defaultdict(int)
        self._seen: dict[int, int] = {}
        self.over = False

    def run(self) -> None:
        """Look, until it is over."""
        before = time.perf_counter()
        while not self.over:
            time.sleep(LOOK)
            now = time.perf_counter()
            names = {thread.ident: thread.name for thread in threading.enumerate()}
            frames = sys._current_frames()
            if now - before > LOOK + WAITED:
                held = [place(frame) for ident, frame in frames.items() if "rsmoe" in names.get(ident, "")]
                self.late.append((now - before, f"{self.stage}: {'; '.join(held)}"))
            for ident, frame in frames.items():
                if "rsmoe" in names.get(ident, ""):
                    self.look(ident, frame)
            for ident in set(self.running) - set(frames):
                self.end(ident)
            before = time.perf_counter()

    def look(self, ident: int, frame: FrameType) -> None:
        """Look at one thread."""
        try:
            used = time.clock_gettime(time.pthread_getcpuclockid(ident))
        except OSError:
            return
        count, where = self.paused[ident], place(frame)
        if self._seen.get(ident) != count or is_attended(frame):
            self.end(ident)
            self._seen[ident] = count
            self.running[ident] = Stretch(used)
            return
        stretch = self.running.setdefault(ident, Stretch(used))
        stretch.lines[where] += 1
        stretch.seconds = used - stretch.began

    def end(self, ident: int) -> None:
        """A stretch has ended."""
        stretch = self.running.pop(ident, None)
        if stretch is not None and stretch.seconds >= LONG:
            self.found.append((stretch.seconds, self.stage, stretch.lines))


def is_attended(frame: FrameType) -> bool:
    """Whether a thread is in the engine, or waits for one that is watched itself."""
    file = frame.f_code.co_filename
    inner: FrameType | None = frame
    if file.endswith("threading.py"):
        while inner is not None:
            if inner.f_code.co_name == "attended":
                return True
            inner = inner.f_back
    return "/engine/" in file or file.endswith("torch/_ops.py")


def place(frame: FrameType | None) -> str:
    """The innermost lines of this package in which a thread is."""
    lines: list[str] = []
    while frame is not None and len(lines) < 3:
        file = frame.f_code.co_filename
        if "napari_rsmoe" in file and "attention.py" not in file:
            lines.append(f"{file.split('napari_rsmoe/')[-1]}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(lines)


def main(action: str, size: str, seconds: str = "1e9") -> None:
    """Run a job, and print its long stretches."""
    watching = Watching()
    looked = attention._Watch.stopped.fget  # type: ignore[attr-defined]

    def stopped(watch: Any) -> bool:
        watching.paused[threading.get_ident()] += 1
        return bool(looked(watch))

    attention._Watch.stopped = property(stopped)  # type: ignore[assignment]
    place_ = Place(np.ones(2), np.zeros(2), np.eye(2), np.zeros(1), np.eye(3), ("pixel",) * 2, ("y", "x"))
    source = Source(picture(int(size)), False, "large", place_)
    began = time.process_time()

    def report(progress: Progress) -> bool:
        watching.paused[threading.get_ident()] += 1
        watching.stage = progress.stage
        return time.process_time() - began > float(seconds)

    def work() -> None:
        if action == "noise":
            from napari_rsmoe.noise.report import noise_report

            attention.attended(lambda: noise_report(source.data, callback=report), lambda share: False)
        else:
            given: dict[str, Any] = {"psf": 1.5} if action == "deblur" else {}
            if preset := os.environ.get("PRESET"):
                given["preset"] = preset
            result = actions.ACTIONS[action](source, given, report, uncertainty=True, residual=True)
            watching.stage = "layers"
            [output.layer() for output in result.outputs]

    watching.start()
    thread = threading.Thread(target=work, name="napari-rsmoe job")
    thread.start()
    thread.join()
    time.sleep(3 * LOOK)
    watching.over = True
    watching.join()
    print(f"{action} {size}: {time.process_time() - began:.1f} CPU s in all")
    for spent, stage, lines in sorted(watching.found, key=lambda each: -each[0])[:25]:
        print(f"{spent:.2f} CPU s in {stage!r}:")
        for line, count in lines.most_common(6):
            print(f"    {count / sum(lines.values()):4.0%} {line}")
    print("the interpreter was held:")
    for waited, where in sorted(watching.late, reverse=True)[:15]:
        print(f"    {waited:.2f} s {where}")


if __name__ == "__main__":
    main(*sys.argv[1:])
