"""Measure the scheduler of a large job: time and memory for tasks that do nothing.

    python benchmarks/scheduler.py 10000

One process holds the scheduler of Dask, the client and a worker, so its memory is an upper bound of the scheduler's.
"""

from __future__ import annotations

import resource
import sys
import time
from types import SimpleNamespace
from typing import Any

import distributed

from napari_rsmoe.denoising.large import cluster
from napari_rsmoe.image.blocks import BlockPlan
from napari_rsmoe.image.seams import earlier, in_order


def nothing(_folder: str, task: int, _threads: int | None) -> dict[str, Any]:
    return {"task": task}


def main(blocks: int) -> None:
    side = round(blocks**0.5)
    plan = BlockPlan((side * 128, side * 128), 128, 32)
    job: Any = SimpleNamespace(folder="/nowhere", needs=lambda task: earlier(plan, task))
    cluster.block_on_worker = nothing
    with (
        distributed.LocalCluster(4, processes=False, threads_per_worker=1, dashboard_address=":0") as local,
        distributed.Client(local) as client,
    ):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        began, cpu = time.perf_counter(), time.process_time()
        done = sum(1 for _ in cluster.Workers(client).blocks(job, in_order(plan), set(), None))
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{done} tasks: {wall:.1f} s, {1000 * cpu / done:.2f} ms of processor time each; {peak:.0f} MB ({before:.0f})"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
