"""Denoise a large image from store to store, and say its time for each pixel and its memory.

    python benchmarks/large.py FOLDER --side 16384 --memory 1G [--seconds 800]

The image (uint16) shows a photograph over and over, mirrored at its borders, so that every part of every size holds the
same content, with photon and read noise of its own. It is made once in FOLDER. What was done before is taken up: with
``--seconds`` the job stops after that time, and the same command goes on; the figures are those of all calls together.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
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
ELECTRONS = 20.0
"""Electrons for each grey level of the photograph; more make less noise."""


def make(path: Path, side: int) -> None:
    """Make the image, part by part."""
    array = zarr.create_array(
        path, shape=(side, side), chunks=(CHUNK, CHUNK), dtype="uint16", dimension_names=["y", "x"], overwrite=True
    )
    scene = np.pad(camera(), ((0, CHUNK - 512),) * 2, mode="symmetric") * ELECTRONS
    for y in range(0, side, CHUNK):
        for x in range(0, side, CHUNK):
            rng = np.random.default_rng([y, x])
            part = rng.poisson(scene) + rng.normal(100, 5, scene.shape)
            array[y : y + CHUNK, x : x + CHUNK] = part.round().clip(0).astype(np.uint16)[: side - y, : side - x]


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--memory", default="1G")
    parser.add_argument("--seconds", type=float, default=1e9)
    given = parser.parse_args()
    given.folder.mkdir(exist_ok=True)
    source, log = given.folder / f"in{given.side}.zarr", given.folder / f"{given.side}.jsonl"
    ready = source.with_suffix(".ready")
    if not ready.exists():
        make(source, given.side)
        ready.touch()
    target = given.folder / f"out{given.side}.ome.zarr"
    asked = JobSettings(str(source), str(target), {"preset": "fast", "memory": given.memory})
    began, cpu_before, seen = time.monotonic(), cpu(), []

    def report(progress: Any) -> bool:
        seen.append((progress.step / progress.total, progress.stage))
        return time.monotonic() - began > given.seconds

    try:
        finished = bool(denoise_large(asked, callback=report))
    except StoppedError:
        finished = False
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    entry = {"cpu": cpu() - cpu_before, "wall": time.monotonic() - began, "gib": peak, "share": seen[-1][0]}
    with log.open("a") as file:
        file.write(json.dumps(entry | {"finished": finished, "stage": seen[-1][1]}) + "\n")
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    seconds, most = sum(each["cpu"] for each in entries), max(each["gib"] for each in entries)
    state = "finished" if finished else "goes on"
    print(f"{given.side} x {given.side}: {entries[-1]['stage']}, {state}; {len(entries)} calls")
    each = 1e6 * seconds / given.side**2
    print(f"{seconds:.0f} s of processor time, {each:.2f} us for each pixel; {most:.2f} GiB resident at most")


if __name__ == "__main__":
    main()
