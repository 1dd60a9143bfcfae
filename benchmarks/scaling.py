"""Time and memory against the size of the image: ``python -m benchmarks.scaling [--largest] [--json FILE]``.

With ``--models 1 16 64`` instead, memory of denoising against the number of models, on a noisy photograph of 768 x 512
RGB.

A photograph is repeated, turned and mirrored to the wanted size, with the same density of kernels everywhere; 40
steps each, one of them with relocation. ``--largest`` adds 16384 x 16384 grey with 500 000 kernels, which takes
some 8 GB. Memory is the peak of the process above what it held before.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from skimage import color, data

CASES = [  # width, height, channels, kernels, threads (0: all)
    (64, 64, 3, 21, 0), (768, 512, 3, 1900, 0), (1536, 1024, 3, 7600, 0), (3840, 2160, 3, 40_000, 0),
    (768, 512, 3, 500, 0), (768, 512, 3, 8000, 0), (768, 512, 1, 1900, 0), (768, 512, 8, 1900, 0),
    (768, 512, 3, 1900, 1), (4096, 4096, 1, 81_000, 0),
]  # fmt: skip
LARGEST = (16_384, 16_384, 1, 500_000, 0)
STEPS = 40


def photograph(width: int, height: int, channels: int) -> np.ndarray:
    """A large image without large flat parts: coffee, mirrored again and again."""
    coffee = data.coffee()
    tile = coffee if channels == 3 else (255 * color.rgb2gray(coffee)).astype(np.uint8)
    if channels > 3:
        tile = np.concatenate([coffee] * -(-channels // 3), axis=2)[..., :channels]
    mirrored = np.concatenate([tile, tile[::-1]])
    mirrored = np.concatenate([mirrored, mirrored[:, ::-1]], axis=1)
    repeats = (-(-height // mirrored.shape[0]), -(-width // mirrored.shape[1])) + (1,) * (tile.ndim - 2)
    return np.ascontiguousarray(np.tile(mirrored, repeats)[:height, :width])


def peak_bytes() -> int:
    """Most memory that this process has held."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(width: int, height: int, channels: int, kernels: int, threads: int) -> dict[str, Any]:
    """One fit, in this process."""
    import torch

    from napari_rsmoe import fit

    if threads:
        torch.set_num_threads(threads)
    image = photograph(width, height, channels)
    axis = None if channels == 1 else 2
    fit(image[:64, :64], 10, iterations=5, channel_axis=axis)  # loads everything
    before = peak_bytes()
    start = time.perf_counter()
    steps = STEPS if width * height <= 1e8 else STEPS // 4
    done: list[float] = []  # the callback is part of the job: it must keep up
    model = fit(
        image, kernels, iterations=steps, start="content", channel_axis=axis, callback=lambda p: done.append(p.fraction)
    )
    assert done[-1] == 1
    seconds = time.perf_counter() - start
    frame = time.perf_counter()
    model.render()
    return {
        "size": f"{width}x{height}x{channels}",
        "kernels": kernels,
        "threads": torch.get_num_threads(),
        "steps": steps,
        "seconds": seconds,
        "ns_per_pixel_and_step": seconds / steps / (width * height) * 1e9,
        "render_seconds": time.perf_counter() - frame,
        "peak_mb": (peak_bytes() - before) / 1e6,
    }


def measure_models(models: int) -> dict[str, Any]:
    """Denoise with so many models, in this process."""
    from napari_rsmoe import denoise
    from napari_rsmoe.bench.protocol import Level, unit

    level = Level.of_variance(0.01)
    denoise(level.add(unit(photograph(64, 64, 3)), 0), models=1)  # loads everything
    image = level.add(unit(photograph(768, 512, 3)), 0)
    before = peak_bytes()
    start = time.process_time()
    result = denoise(image, models=models)
    return {
        "models": models,
        "counts": len({model.n_kernels for model in result.models}),
        "cpu_seconds": time.process_time() - start,
        "kernels_mb": sum(each.nbytes for model in result.models for each in (model.geometry, model.experts)) / 1e6,
        "peak_mb": (peak_bytes() - before) / 1e6,
    }


def alone(*case: str) -> dict[str, Any]:
    """What a case gives in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scaling", *case]
    row: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return row


def main() -> None:
    """Measure each case in a process of its own, print, and on request write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--models", type=int, nargs="+", help="memory of denoising with so many models")
    parser.add_argument("--case", nargs=5, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--denoise", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case or options.denoise:
        print(json.dumps(measure(*options.case) if options.case else measure_models(options.denoise)))
        return
    if options.models:
        rows = [alone("--denoise", str(models)) for models in options.models]
        print("models  kernel counts  CPU s  kernels, MB  peak, MB")
        for row in rows:
            print("{models:6d} {counts:14d} {cpu_seconds:6.1f} {kernels_mb:12.1f} {peak_mb:9.0f}".format(**row))
        if options.json:
            from benchmarks import machine

            machine.write(options.json, rows)
        return
    rows = []
    print("              size  kernels  threads  steps  seconds  ns/pixel/step  render s  peak MB", flush=True)
    for case in [*CASES, *([LARGEST] if options.largest else [])]:
        row = alone("--case", *map(str, case))
        rows.append(row)
        print(
            "{size:>18s} {kernels:8d} {threads:8d} {steps:6d} {seconds:8.2f} {ns_per_pixel_and_step:14.2f} "
            "{render_seconds:9.3f} {peak_mb:8.0f}".format(**row),
            flush=True,
        )
    if options.json:
        from benchmarks import machine

        machine.write(options.json, rows)


if __name__ == "__main__":
    main()
