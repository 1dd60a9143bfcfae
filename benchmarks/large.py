"""Denoise a large image from store to store, and say its time for each pixel and its memory.

    python benchmarks/large.py FOLDER --side 16384 --memory 1G [--blocks 3]

The image (uint16) shows a photograph over and over, mirrored at its borders, so that every part of every size holds the
same content, with photon and read noise. It is made once in FOLDER. With ``--blocks`` the job stops after so many
blocks, and the same command goes on with the others. The figures are those of the last call. The time of a complete
job is that of all that it takes, with the survey and the pyramid.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import resource
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from skimage.data import camera

from napari_rsmoe import StoppedError
from napari_rsmoe.denoising.large.job import JobSettings
from napari_rsmoe.denoising.large.running import denoise_large

CHUNK = 1024
"""Side in pixels of a chunk of the image, and of the part of it that is made at once."""
KINDS = 9
"""Chunks with noise of their own, which come again; more take longer to make."""
ELECTRONS = 20.0
"""Electrons for each grey level of the photograph; more make less noise."""


def make(path: Path, side: int) -> None:
    """Make the image, part by part."""
    array = zarr.create_array(
        path, shape=(side, side), chunks=(CHUNK, CHUNK), dtype="uint16", dimension_names=["y", "x"], overwrite=True
    )
    scene = np.pad(camera(), ((0, CHUNK - 512),) * 2, mode="symmetric") * ELECTRONS
    rng = np.random.default_rng(0)
    kinds = [(rng.poisson(scene) + rng.normal(100, 5, scene.shape)).round().astype(np.uint16) for _ in range(KINDS)]
    places = [(y, x) for y in range(0, side, CHUNK) for x in range(0, side, CHUNK)]
    for number, (y, x) in enumerate(places):
        array[y : y + CHUNK, x : x + CHUNK] = kinds[number * 7 % KINDS][: side - y, : side - x]


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident() -> float:
    """The largest resident memory so far, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


class Blocks:
    """Prints the processor time of each block as it is done, and stops after so many."""

    def __init__(self, most: int) -> None:
        self.most, self.times = most, [cpu()]
        self._seen = ""

    def __call__(self, progress: Any) -> bool:
        """As a callback of `denoise_large`."""
        begins = len(self.times) == 1 and progress.stage.startswith("block")
        done = re.fullmatch(r"block (\d+) of \d+", progress.stage)
        if begins or (done and progress.stage != self._seen):
            self._seen = progress.stage
            self.times.append(cpu())
            what = "survey" if begins else progress.stage
            print(f"{what}: {self.times[-1] - self.times[-2]:.1f} s, {resident():.2f} GiB", flush=True)
        return len(self.times) > self.most + 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--memory", default="1G")
    parser.add_argument("--blocks", type=int, default=10**9)
    given = parser.parse_args()
    given.folder.mkdir(exist_ok=True, parents=True)
    source = given.folder / f"in{given.side}.zarr"
    ready = source.with_suffix(".ready")
    if not ready.exists():
        make(source, given.side)
        ready.touch()
    target = given.folder / f"out{given.side}.ome.zarr"
    asked = JobSettings(str(source), str(target), {"preset": "fast", "memory": given.memory})
    blocks, complete = Blocks(given.blocks), False
    with contextlib.suppress(StoppedError):
        job = denoise_large(asked, callback=blocks, overwrite=True)
        complete = True
    spent = cpu() - blocks.times[0]
    print(f"{given.side} x {given.side}: {spent:.1f} s of processor time, {resident():.2f} GiB resident at most")
    if complete:
        print(f"{len(job)} blocks of {job.side} px, {1e6 * spent / given.side**2:.3f} us for each pixel in all")


if __name__ == "__main__":
    main()
