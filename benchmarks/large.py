"""Denoise a large image from store to store, and say its time for each pixel and its memory.

    python benchmarks/large.py FOLDER --side 16384 --memory 1G [--blocks 3]

The image (uint16) shows a photograph over and over, mirrored at its borders, so that every part of every size holds the
same content, with photon and read noise. It is made once in FOLDER. With ``--blocks`` the job stops after so many
blocks, and the same command goes on with the others. The figures are those of the last call: the time until the first
block, for the survey, and that of each block.
"""

from __future__ import annotations

import argparse
import contextlib
import json
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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--memory", default="1G")
    parser.add_argument("--blocks", type=int, default=10**9)
    given = parser.parse_args()
    given.folder.mkdir(exist_ok=True)
    source = given.folder / f"in{given.side}.zarr"
    ready = source.with_suffix(".ready")
    if not ready.exists():
        make(source, given.side)
        ready.touch()
    target = given.folder / f"out{given.side}.ome.zarr"
    asked = JobSettings(str(source), str(target), {"preset": "fast", "memory": given.memory})
    began, times = cpu(), []

    def report(progress: Any) -> bool:
        found = re.fullmatch(r"block (\d+) of \d+", progress.stage)
        if not times and progress.stage.startswith("block"):
            times.append(cpu())
        if found:
            times.append(cpu())
        return len(times) > given.blocks

    with contextlib.suppress(StoppedError):
        denoise_large(asked, callback=report, overwrite=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    job = (
        json.loads((given.folder / f"{target.name}.rsmoe-job" / "job.json").read_text()) if given.blocks < 10**9 else {}
    )
    side = min(int(job.get("side", given.side)), given.side)
    each = np.diff(times)
    print(f"{given.side} x {given.side}, blocks of {side} px, {peak:.2f} GiB resident at most; processor time:")
    print(
        f"{times[0] - began:.1f} s before the first block, {' '.join(f'{value:.1f}' for value in each)} s for the next"
    )
    print(f"{1e6 * np.median(each) / side**2:.2f} us for each pixel of a block")


if __name__ == "__main__":
    main()
