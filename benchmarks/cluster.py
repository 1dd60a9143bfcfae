"""Compare a cluster on this machine with one process, and kill its workers and whole jobs at random.

    python benchmarks/cluster.py overhead FOLDER [--blocks 256] [--side 256] [--models auto]
    python benchmarks/cluster.py kills FOLDER [--workers-killed 20] [--jobs-killed 5]
    python benchmarks/cluster.py scheduler FOLDER

``overhead`` compares the processor time of one process with that of four workers of one thread each, with their
scheduler and client. Starting the workers, which load their libraries, is not part of it. On a machine that others use
too, blocks themselves take longer while four run; so what is spent outside of them is said as well. ``kills`` sends
SIGKILL to workers, and to the process of the job with all its workers, at random times. It checks that no marker of a
finished block is written again, and that the result has the bits of one process. ``scheduler`` kills a scheduler that
runs by itself, starts another one at the same address, and gives the same command again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import zarr

from napari_rsmoe import read_image
from napari_rsmoe.denoising.large.cluster import workers_of
from napari_rsmoe.denoising.large.job import JobSettings
from napari_rsmoe.denoising.large.names import folder_of
from napari_rsmoe.denoising.large.running import InThisProcess, denoise_large

WORKERS = 4
"""Processes of the cluster, of one thread each."""


def make(path: Path, blocks: int, side: int) -> None:
    """Make a noisy image of so many blocks."""
    length = round(blocks**0.5) * side
    y, x = np.mgrid[:length, :length].astype(np.float32)
    clean = 100 + 50 * np.sin(x / 9) * np.cos(y / 7)
    image = (clean + np.random.default_rng(0).normal(0, 10, clean.shape)).clip(0).astype(np.uint16)
    zarr.create_array(path, data=image, chunks=(side, side), dimension_names=["y", "x"], overwrite=True)


def settings(source: Path, target: Path, side: int, models: int | str = 1) -> JobSettings:
    """A job, by default with one model, so that blocks take little time and the work around them shows."""
    given = {"preset": "fast", "models": models, "noise": 10.0, "block": side, "seed": 0}
    return JobSettings(str(source), str(target), given)


def spent(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def warm() -> None:
    """In a worker: load what a block needs, and measure from now on."""
    from napari_rsmoe.denoising.large import tasks

    do_block = tasks.do_block

    def measured(*given: Any) -> Any:
        began = time.process_time()
        try:
            return do_block(*given)
        finally:
            tasks.__dict__["spent"] += time.process_time() - began

    tasks.__dict__["spent"] = 0.0
    tasks.__dict__["do_block"] = measured


def in_blocks() -> float:
    """In a worker: processor time that blocks took since `warm`."""
    from napari_rsmoe.denoising.large import tasks

    return float(tasks.__dict__["spent"])


def overhead(folder: Path, blocks: int, side: int, models: int | str) -> None:
    import torch

    torch.set_num_threads(1)  # As the workers.
    source = folder / "in.zarr"
    make(source, blocks, side)
    me = psutil.Process()
    times: list[float] = []

    class Measured(InThisProcess):
        def blocks(self, *given: Any) -> Any:
            for facts in super().blocks(*given):
                times.append(time.process_time())
                yield facts

    began = time.process_time()
    job = denoise_large(settings(source, folder / "one.ome.zarr", side, models), runner=Measured(), overwrite=True)
    alone, each = time.process_time() - began, float(np.median(np.diff(times)))
    around = alone - each * len(job)
    with workers_of("local", WORKERS, threads=1) as runner:
        runner.client.wait_for_workers(WORKERS)
        runner.client.run(warm)
        processes = [me, *me.children(recursive=True)]
        began = spent(processes)
        denoise_large(settings(source, folder / "four.ome.zarr", side, models), runner=runner, overwrite=True)
        shared = spent(processes) - began
        within = sum(runner.client.run(in_blocks).values())
    same = np.array_equal(read_image(folder / "one.ome.zarr").numpy(), read_image(folder / "four.ome.zarr").numpy())
    print(
        f"{len(job)} blocks of {side} px, processor time: one process {alone:.1f} s ({1000 * each:.0f} ms for a block, "
        f"{around:.1f} s besides); {WORKERS} workers {shared:.1f} s, {shared / alone - 1:+.1%} "
        f"({1000 * within / len(job):.0f} ms for a block, {shared - within:.1f} s besides: "
        f"{(shared - within - around) / alone:+.1%}); the same bits: {same}"
    )


class Killer(threading.Thread):
    """Kills workers of this process at random times, and looks for markers that are written again."""

    def __init__(self, target: Path, count: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.left, self.again, self.ended = count, 0, threading.Event()
        self.seen: dict[str, int] = {}
        self._done, self._random = Path(str(folder_of(str(target)) / "done")), random.Random(seed)

    def look(self) -> None:
        """Compare the markers with those that were seen before."""
        try:
            now = {each.name: each.stat().st_mtime_ns for each in self._done.iterdir()}
        except OSError:
            return
        self.again += sum(self.seen.get(name, at) != at for name, at in now.items())
        self.seen |= now

    def run(self) -> None:
        """Kill until the job has ended."""
        while not self.ended.wait(self._random.uniform(0.3, 1.5)):
            self.look()
            with contextlib.suppress(psutil.Error):  # A process may end meanwhile.
                children = psutil.Process().children(recursive=True)
                workers = [each for each in children if "dask_worker" in " ".join(each.cmdline())]
                if self.left and self.seen and workers:
                    self._random.choice(workers).kill()
                    self.left -= 1


def jobs_in_cluster(source: Path, target: Path, side: int, killed: int) -> Iterator[None]:
    """Jobs on workers, of which some are killed, until so many were; one after the other is finished."""
    left = killed
    while left:
        killer = Killer(target, left, left)
        with workers_of("local", WORKERS, threads=1) as runner:
            killer.start()
            denoise_large(settings(source, target, side), runner=runner, overwrite=True)
            killer.ended.set()
        killer.join()
        print(f"{left - killer.left} workers killed, {killer.again} markers written again", flush=True)
        left = killer.left
        yield


def kills(folder: Path, workers: int, jobs: int) -> None:
    source, side = folder / "kill.zarr", 64
    make(source, 144, side)
    denoise_large(settings(source, folder / "one.ome.zarr", side), overwrite=True)
    expected = read_image(folder / "one.ome.zarr").numpy()
    target = folder / "workers.ome.zarr"
    for _ in jobs_in_cluster(source, target, side, workers):
        print("the same bits:", np.array_equal(read_image(target).numpy(), expected), flush=True)
    target = folder / "jobs.ome.zarr"
    killer, chance = Killer(target, 0, 1), random.Random(2)
    own = [sys.executable, __file__, "one", str(source), "--target", str(target), "--address", "local"]
    if not jobs:
        return
    for number in range(jobs + 1):
        program = subprocess.Popen(own, start_new_session=True)
        last = number == jobs
        before = len(killer.seen)
        while program.poll() is None:
            killer.look()
            time.sleep(0.05)
            if not last and len(killer.seen) > before + chance.randint(3, 20):
                os.killpg(program.pid, signal.SIGKILL)
        program.wait()
        print(
            f"call {number + 1}: {len(killer.seen)} blocks were done, {killer.again} markers written again", flush=True
        )
    print("the same bits:", np.array_equal(read_image(target).numpy(), expected))


def scheduler(folder: Path) -> None:
    """Kill a scheduler in the middle of a job, start it again, and give the same command again."""
    source, target, side = folder / "kill.zarr", folder / "restarted.ome.zarr", 64
    make(source, 144, side)
    denoise_large(settings(source, folder / "one.ome.zarr", side), overwrite=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, __file__, "one", str(source), "--target", str(target), "--address", address]
    done = Path(str(folder_of(str(target)) / "done"))
    for number in range(2):
        begin = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", address, "--no-dashboard"]
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
        running = [subprocess.Popen(each, stderr=subprocess.DEVNULL) for each in (begin, worker, worker)]
        program = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        if number == 0:
            while program.poll() is None and not (done.is_dir() and len(list(done.iterdir())) > 20):
                time.sleep(0.05)
            running[0].kill()
        began = time.monotonic()
        said = program.communicate()[1].strip().splitlines()[-1:]
        for each in running:
            each.kill()
            each.wait()
        left = len(list(done.iterdir())) if done.is_dir() else 0
        print(
            f"ended {time.monotonic() - began:.0f} s later with {program.returncode}: {said}; {left} markers are left"
        )
    same = np.array_equal(read_image(target).numpy(), read_image(folder / "one.ome.zarr").numpy())
    print("the same bits:", same)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["overhead", "kills", "scheduler", "one"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--blocks", type=int, default=256)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--models", default="1")
    parser.add_argument("--workers-killed", type=int, default=20)
    parser.add_argument("--jobs-killed", type=int, default=5)
    parser.add_argument("--target", type=Path)
    parser.add_argument("--address")
    given: Any = parser.parse_args()
    if given.what == "one":
        with contextlib.ExitStack() as stack:
            runner = given.address and stack.enter_context(workers_of(given.address, 2))
            denoise_large(settings(given.folder, given.target, 64), runner=runner, overwrite=True)
        return
    given.folder.mkdir(exist_ok=True, parents=True)
    if given.what == "scheduler":
        scheduler(given.folder)
    elif given.what == "overhead":
        overhead(given.folder, given.blocks, given.side, given.models if given.models == "auto" else int(given.models))
    else:
        kills(given.folder, given.workers_killed, given.jobs_killed)


if __name__ == "__main__":
    main()
