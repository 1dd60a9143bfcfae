"""Jobs beside other load, against fair sharing: ``python -m benchmarks.load [--json FILE]``.

Each job runs alone and beside 1, 2 and 4 processes that are always busy, all on the same processors. With fair sharing
of P processors, each of n runnable threads of the job gets P / (n + k) of a processor beside k busy ones, but at most
one. The parts of a job in which one thread works and those in which all do are told apart by its processor time when it
runs alone. The ratio is the time that the job took over the time that it would have taken so; 1 is fair.

Systems share processors by long turns and not always evenly. So the job "tasks" consists of many equal tasks that two
threads take one after the other and that nobody waits for: no job of ours can be expected to have a smaller ratio. The
column "of tasks" divides by its ratio in the same run.

Other programs spoil the figures. With ``--priority -15``, which takes the rights of an administrator, job and load come
before them.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import math
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage import data

import napari_rsmoe as rsmoe
from benchmarks import machine

CONTROL = "tasks"
"""The job without waiting, to whose ratio beside the same processes those of the others are compared."""
TASKS, TASK_BYTES = 800, 1 << 20
"""Of the job "tasks": how many, and bytes that are hashed in each, half a millisecond of work."""


def independent_tasks() -> None:
    """Tasks of two threads, without any wait but at the end."""
    content, count = bytes(TASK_BYTES), itertools.count()

    def work() -> None:
        while next(count) < TASKS:
            hashlib.sha256(content).digest()  # Other threads run meanwhile.

    helper = threading.Thread(target=work)
    helper.start()
    work()
    helper.join()


def jobs() -> dict[str, Callable[[], Any]]:
    """Short jobs of every kind."""
    image = data.coffee()[:256, :384]
    noisy = np.clip(image + np.random.default_rng(0).normal(0, 25, image.shape), 0, 255).astype(np.uint8)
    return {
        "tasks": independent_tasks,
        "fit": lambda: rsmoe.fit(image, 2000, iterations=300),
        "denoise": lambda: rsmoe.denoise(noisy[:192, :256], preset="fast"),
        "upscale": lambda: rsmoe.upscale(image[:64, :96], 4, models=2),
    }


def _spin(ready: Barrier) -> None:
    ready.wait()
    while True:
        pass


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that always want a processor, until the end of the block."""
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(count + 1)
    processes = [context.Process(target=_spin, args=(ready,), daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    ready.wait()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def seconds(job: Callable[[], Any]) -> tuple[float, float]:
    """Wall-clock and processor seconds of a job."""
    wall, processor = time.perf_counter(), time.process_time()
    job()
    return time.perf_counter() - wall, time.process_time() - processor


def fair_seconds(wall: float, processor: float, threads: int, processors: int, load: int) -> float:
    """What a job would take beside `load` busy processes, from its seconds alone."""
    together = min(wall, max(0.0, processor - wall) / (threads - 1)) if threads > 1 else 0.0
    alone = wall - together
    slower = [max(1.0, (runnable + load) / processors) for runnable in (1, threads)]
    return alone * slower[0] + together * slower[1]


def main() -> None:
    """Print and, on request, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--processors", type=int, default=2, help="that job and load share")
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1, 2, 4])
    parser.add_argument("--repeats", type=int, default=3, help="runs of which the median counts; 9 take 2 minutes")
    parser.add_argument("--jobs", nargs="+", default=["tasks", "fit", "denoise", "upscale"])
    parser.add_argument("--priority", type=int, default=0)
    options = parser.parse_args()
    print(machine.facts())
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.processors])
    os.setpriority(os.PRIO_PROCESS, 0, options.priority)
    torch.set_num_threads(options.processors)
    results = []
    print("\njob       busy   seconds      fair     ratio  of tasks   processor seconds")
    control: dict[int, float] = {}
    for name in sorted(options.jobs, key=lambda name: name != CONTROL):
        job = jobs()[name]
        job()  # loads what it needs
        alone = np.median([seconds(job) for _ in range(options.repeats)], 0)
        for load in options.busy:
            with busy(load):
                wall, processor = np.median([seconds(job) for _ in range(options.repeats)], 0)
            fair = fair_seconds(*alone, options.processors, options.processors, load)
            if name == CONTROL:
                control[load] = wall / fair
            relative = wall / fair / control.get(load, math.nan)
            row = {"job": name, "busy": load, "seconds": wall, "fair_seconds": fair, "ratio": wall / fair}
            row["of_tasks"] = relative
            results.append(row | {"processor_seconds": processor})
            print(
                f"{name:10}{load:4d}{wall:10.2f}{fair:10.2f}{wall / fair:10.2f}{relative:10.2f}{processor:12.2f}",
                flush=True,
            )
    if options.json:
        machine.write(options.json, {"load": results})


if __name__ == "__main__":
    main()
