"""Jobs beside other load, against fair sharing: ``python -m benchmarks.load [--json FILE]``.

Each job runs alone and beside 1, 2 and 4 processes that are always busy, all on the same P processors, in turn, so that
what changes meanwhile concerns all. With fair sharing, each of n runnable threads of the job gets P / (n + k) of a
processor beside k busy ones, but at most one. Alone, the calling thread works all the time, for M seconds, and its
helpers for H seconds while it does. So a fair time is (M - H) max(1, (1 + k) / P) + H max(1, (2 + k) / P) for P = 2
threads: its first part is work of one thread, which two busy processes slow down to 1.5 times, the second work of both,
which they slow down to 2 times. M and H are processor times, which other programs hardly change. The ratio is the time
that the job took over the fair time.

Linux shares each processor by turns of about 3 milliseconds, gives a thread that wakes up no turn before that of
another ends, moves threads between processors only now and then, and shares between sessions before it shares between
threads (autogroup). So the job "tasks" consists of many equal tasks that two threads take one after the other and that
nobody waits for: no job of ours can be expected to have a smaller ratio. The column "of tasks" divides by its ratio.

Other programs spoil the figures. "others" is the share of the processors that they took (Linux), and "less others" the
ratio without that time. "helpers" is the share of the work that was not done by the calling thread. It does not depend
on other programs, and falls if helpers wait while they should work. The last column is the processor time of four calls
at once from as many Python threads, over that of four calls one after the other.

With ``--priority -15``, which takes the rights of an administrator, job and load come before other programs of their
session.
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
from typing import Any, NamedTuple

import numpy as np
import torch
from skimage import data

import napari_rsmoe as rsmoe
from benchmarks import machine

CONTROL = "tasks"
"""The job without waiting, to whose ratio beside the same processes those of the others are compared."""
TASKS, TASK_BYTES = 800, 1 << 20
"""Of the job "tasks": how many, and bytes that are hashed in each, half a millisecond of work."""

CALLERS = 4
"""Python threads that call a job at once."""


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
def busy(count: int) -> Iterator[list[int]]:
    """So many processes that always want a processor, until the end of the block; yields their numbers."""
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(count + 1)
    processes = [context.Process(target=_spin, args=(ready,), daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    ready.wait()
    try:
        yield [process.pid or 0 for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.join()


def _taken(processors: list[int], load: list[int]) -> tuple[float, float]:
    """Processor seconds of all programs on these processors, and of the load, since the system's start; or nan."""
    try:
        ticks = os.sysconf("SC_CLK_TCK")
        lines = [line.split() for line in Path("/proc/stat").read_text("ascii").splitlines()]
        names = {f"cpu{number}" for number in processors}
        everybody = sum(int(value) for name, *rest in lines if name in names for value in (*rest[:3], *rest[5:7]))
        own = 0
        for process in load:
            fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
            own += int(fields[11]) + int(fields[12])
        return everybody / ticks, own / ticks
    except (OSError, AttributeError, ValueError):
        return math.nan, math.nan


class Run(NamedTuple):
    """Seconds of a job: on the clock, of all its threads, of the calling one, and of other programs meanwhile."""

    wall: float
    processor: float
    calling: float
    others: float


def measured(job: Callable[[], Any], processors: list[int], load: list[int]) -> Run:
    """A job beside this load."""
    began, before = _taken(processors, load)
    wall, processor, calling = time.perf_counter(), time.process_time(), time.thread_time()
    job()
    wall = time.perf_counter() - wall
    processor, calling = time.process_time() - processor, time.thread_time() - calling
    everybody, own = _taken(processors, load)
    return Run(wall, processor, calling, max(0.0, everybody - began - (own - before) - processor))


def fair_seconds(alone: Run, processors: int, load: int) -> float:
    """What a job with a thread for each of the processors would take beside `load` busy processes."""
    together = min(alone.calling, (alone.processor - alone.calling) / max(1, processors - 1))
    slower = [max(1.0, (runnable + load) / processors) for runnable in (1, processors)]
    return (alone.calling - together) * slower[0] + together * slower[1]


def calls_at_once(job: Callable[[], Any], threads: int) -> float:
    """Processor seconds of `CALLERS` calls at once over those of as many calls one after the other."""

    def call() -> None:
        torch.set_num_threads(threads)  # The setting is that of each thread.
        job()

    begin = time.process_time()
    for _ in range(CALLERS):
        job()
    one_by_one = time.process_time() - begin
    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return (time.process_time() - begin - one_by_one) / one_by_one


def rows_of(name: str, job: Callable[[], Any], options: argparse.Namespace) -> list[dict[str, Any]]:
    """The figures of a job beside each load, but for the comparison with independent tasks."""
    job()  # loads what it needs
    processors = sorted(os.sched_getaffinity(0))
    runs: dict[int, list[Run]] = {load: [] for load in (0, *options.busy)}
    for _ in range(options.repeats):
        for load, found in runs.items():
            with busy(load) as processes:
                found.append(measured(job, processors, processes))
    median = {load: Run(*np.median(found, 0)) for load, found in runs.items()}
    at_once = calls_at_once(job, len(processors)) if name != CONTROL else math.nan
    rows = []
    for load in options.busy:
        run, fair = median[load], fair_seconds(median[0], len(processors), load)
        row = {"job": name, "busy": load, "seconds": run.wall, "fair_seconds": fair, "ratio": run.wall / fair}
        row |= {"others": run.others / run.wall / len(processors)}
        row |= {"ratio_less_others": (run.wall - run.others / len(processors)) / fair}
        row |= {"helpers": 1 - run.calling / run.processor, "processor_seconds": run.processor}
        rows.append(row | {"calls_at_once": at_once})
    return rows


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
    columns = ["seconds", "fair", "ratio", "of tasks", "less others", "others", "helpers", "processor s", "at once"]
    print("\njob       busy" + "".join(f"{column:>13}" for column in columns))
    control: dict[int, float] = {}
    for name in sorted(options.jobs, key=lambda name: name != CONTROL):
        for row in rows_of(name, jobs()[name], options):
            if name == CONTROL:
                control[row["busy"]] = row["ratio"]
            row["of_tasks"] = row["ratio"] / control.get(row["busy"], math.nan)
            results.append(row)
            figures = [row["seconds"], row["fair_seconds"], row["ratio"], row["of_tasks"], row["ratio_less_others"]]
            figures += [row["others"], row["helpers"], row["processor_seconds"], row["calls_at_once"]]
            print(f"{name:10}{row['busy']:4d}" + "".join(f"{figure:13.2f}" for figure in figures), flush=True)
    if options.json:
        machine.write(options.json, {"load": results})


if __name__ == "__main__":
    main()
