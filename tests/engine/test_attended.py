"""Long work on a thread of its own: its result, its errors, and that it is left when somebody asks for that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from napari_rsmoe import StoppedError, denoise, engine, fit
from napari_rsmoe.engine import attention as module
from napari_rsmoe.memory import budget, limited

PASS = {
    "stride": 1, "reach": 18, "fewest": 60, "most": 300, "similar": 0.05, "same": -1.0, "negligible": 0.03,
}  # fmt: skip


def test_results_errors_and_settings_pass_through() -> None:
    threads = torch.get_num_threads()
    assert engine.attended(torch.get_num_threads, None) == threads
    with limited("3 GB"):
        inside = engine.attended(lambda: (budget(), threading.current_thread()), lambda share: False)
        assert inside[0] == budget()
    assert inside[1] is not threading.current_thread()
    with pytest.raises(ZeroDivisionError):
        engine.attended(lambda: 1 // 0, lambda share: False)


def test_the_engine_leaves_its_work_within_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST", 0.02)
    monkeypatch.setattr(module, "INTERVAL", 0.02)
    monkeypatch.setattr(module, "PATIENCE", 60)
    noisy = np.random.default_rng(0).normal(0, 1, (1, 1500, 1500)).astype(np.float32)  # A minute of work.
    identity = np.eye(64, dtype=np.float32)[None]
    seen: list[float | None] = []

    def stop_soon(share: float | None) -> bool:
        seen.append(share)
        return len(seen) > 2

    began = time.process_time()
    with pytest.raises(StoppedError):
        engine.attended(
            lambda: engine.filter_patches(noisy, noisy, np.ones_like(noisy), identity, **PASS), stop_soon, tasks=10_000
        )
    assert time.process_time() - began < 10
    assert seen == sorted(seen)
    # The same thread and the pool go on as if nothing had been.
    small = noisy[:, :40, :40]
    args = (small, small, np.ones_like(small), identity)
    again = engine.attended(lambda: engine.filter_patches(*args, **PASS), lambda share: False)
    np.testing.assert_array_equal(again[0], engine.filter_patches(*args, **PASS)[0])


def test_python_leaves_its_work_at_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST", 0.02)
    steps: list[int] = []

    def work() -> None:
        while True:
            engine.pause()
            steps.append(1)
            time.sleep(0.005)

    with pytest.raises(StoppedError):
        engine.attended(work, lambda share: True)
    count = len(steps)
    time.sleep(0.05)
    assert len(steps) <= count + 1
    engine.pause()  # Nothing has been asked of this thread.


def test_jobs_work_only_while_they_report() -> None:
    """The calling thread works hardly at all between two reports, so a stop is heard at once at any size."""
    side = 640
    image = np.clip(np.random.default_rng(0).normal(100, 15, (side, side)), 0, 255).astype(np.uint8)
    began = time.thread_time()
    np.sort(image.astype(np.float64), axis=None, kind="stable")
    sort = time.thread_time() - began
    jobs: dict[str, Callable[[Any], Any]] = {
        "denoise": lambda callback: denoise(image, models=1, n_kernels=60, preset="fast", callback=callback),
        "fit": lambda callback: fit(image, 60, iterations=3, callback=callback),
    }
    for name, job in jobs.items():
        heard = [(time.thread_time(), "begin")]
        job(lambda progress, heard=heard: heard.append((time.thread_time(), progress.stage)))
        heard.append((time.thread_time(), "end"))
        gaps = [(after - before, stage) for (before, stage), (after, _) in pairwise(heard)]
        longest, stage = max(gaps)
        # The ruler is the time of one sort of the pixels, a stable one, for which no processor has instructions of its
        # own: the longest gap is less than half of it, and would be ten times that if noise were estimated here.
        assert longest < 2 * sort, (name, stage, longest, sort)
