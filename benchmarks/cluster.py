"""Compare a cluster on this machine with one process, and kill its workers and whole jobs at random.

    python benchmarks/cluster.py overhead FOLDER [--blocks 256] [--side 256]
    python benchmarks/cluster.py kills FOLDER [--workers-killed 20] [--jobs-killed 5]

``overhead`` compares the processor time of one process with that of four workers of one thread each, with their
scheduler and client. Starting the workers, which load their libraries, is not part of it. ``kills`` sends SIGKILL to
workers, and to the process of the job with all its workers, at random times. It checks that no marker of a finished
block is written again, and that the result has the bits of one process.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import zarr

from napari_rsmoe import read_image
from napari_rsmoe.denoising.large.cluster import workers_of
from napari_rsmoe.denoising.large.job import JobSettings, folder_of
from napari_rsmoe.denoising.large.running import denoise_large

WORKERS = 4
"""Processes of the cluster, of one thread each."""


def make(path: Path, blocks: int, side: int) -> None:
    """Make a noisy image of so many blocks."""
    length = round(blocks**0.5) * side
    y, x = np.mgrid[:length, :length].astype(np.float32)
    clean = 100 + 50 * np.sin(x / 9) * np.cos(y / 7)
    image = (clean + np.random.default_rng(0).normal(0, 10, clean.shape)).clip(0).astype(np.uint16)
    zarr.create_array(path, data=image, chunks=(side, side), dimension_names=["y", "x"], overwrite=True)


def settings(source: Path, target: Path, side: int) -> JobSettings:
    """A job with one model, so that blocks take little time and the work around them shows."""
    given = {"preset": "fast", "models": 1, "noise": 10.0, "block": side, "seed": 0}
    return JobSettings(str(source), str(target), given)


def spent(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def warm() -> bool:
    import napari_rsmoe.denoising.large.tasks  # noqa: F401

    return True


def overhead(folder: Path, blocks: int, side: int) -> None:
    source = folder / "in.zarr"
    make(source, blocks, side)
    me = psutil.Process()
    began = spent([me])
    job = denoise_large(settings(source, folder / "one.ome.zarr", side), overwrite=True)
    alone = spent([me]) - began
    with workers_of("local", WORKERS, threads=1) as runner:
        runner.client.run(warm)
        processes = [me, *me.children(recursive=True)]
        began = spent(processes)
        denoise_large(settings(source, folder / "four.ome.zarr", side), runner=runner, overwrite=True)
        shared = spent(processes) - began
    same = np.array_equal(read_image(folder / "one.ome.zarr").numpy(), read_image(folder / "four.ome.zarr").numpy())
    print(
        f"{len(job)} blocks of {side} px: one process {alone:.1f} s of processor time, {WORKERS} workers "
        f"{shared:.1f} s ({shared / alone - 1:+.1%}); the same bits: {same}"
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
                workers = [each for each in children if "spawn_main" in " ".join(each.cmdline())]
                if self.left and self.seen and workers:
                    self._random.choice(workers).kill()
                    self.left -= 1


def job_in_cluster(source: Path, target: Path, side: int, killed: int) -> None:
    """A job on workers, of which some are killed."""
    killer = Killer(target, killed, 0)
    with workers_of("local", WORKERS, threads=1) as runner:
        killer.start()
        denoise_large(settings(source, target, side), runner=runner, overwrite=True)
        killer.ended.set()
    print(f"{killed - killer.left} workers killed, {killer.again} markers written again", flush=True)


def kills(folder: Path, workers: int, jobs: int) -> None:
    source, side = folder / "kill.zarr", 64
    make(source, 144, side)
    denoise_large(settings(source, folder / "one.ome.zarr", side), overwrite=True)
    expected = read_image(folder / "one.ome.zarr").numpy()
    target = folder / "workers.ome.zarr"
    job_in_cluster(source, target, side, workers)
    print("the same bits:", np.array_equal(read_image(target).numpy(), expected), flush=True)
    target = folder / "jobs.ome.zarr"
    killer, chance = Killer(target, 0, 1), random.Random(2)
    own = [sys.executable, __file__, "one", str(source), "--target", str(target)]
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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["overhead", "kills", "one"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--blocks", type=int, default=256)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--workers-killed", type=int, default=20)
    parser.add_argument("--jobs-killed", type=int, default=5)
    parser.add_argument("--target", type=Path)
    given: Any = parser.parse_args()
    if given.what == "one":
        denoise_large(settings(given.folder, given.target, 64), overwrite=True)
        return
    given.folder.mkdir(exist_ok=True)
    if given.what == "overhead":
        overhead(given.folder, given.blocks, given.side)
    else:
        kills(given.folder, given.workers_killed, given.jobs_killed)


if __name__ == "__main__":
    main()
