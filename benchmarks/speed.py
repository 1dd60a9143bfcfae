"""Speed of the engine: ``python -m benchmarks.speed [--json FILE]``.

An evaluation is one kernel at one pixel. Forward and backward are timed on images whose tiles all hold the same
number of kernels (the global mixture, so the count is exact); the share of lists and optimiser on a real fit.

The floor is the count of vector operations that an evaluation needs, for C channels: for the gate 9 with AVX-512 (next
row, square, clamp, rounding, polynomial 4, exponent), 12 without (rounding 3, exponent 2); 1 + C forward, 4 + 2 C
backward; at two operations a cycle and as many pixels at once as the instruction set has lanes. Memory does not bind:
gates are written once and read once, 8 bytes of level-1 and level-2 cache, while what comes from memory (target 4 C
bytes a pixel) is shared by all kernels of the tile.

Round kernels of one scale produce no denormals; trained ones do. So fits of a photograph are measured too, of SMoE and
of sums of Gaussians (RBF), with constant and linear experts. All is measured twice, the second time in a process that
keeps denormals (``RSMOE_DENORMALS=keep``): "kept" is its time over that of the first. Processors that lose no time by
denormals show 1 throughout.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage import data

from benchmarks import machine
from napari_rsmoe import engine
from napari_rsmoe.engine.limits import Limits
from napari_rsmoe.fitting.fitter import Fitter
from napari_rsmoe.fitting.settings import FitSettings
from napari_rsmoe.fitting.starts.methods import make_start
from napari_rsmoe.fitting.tensors import to_tiles
from napari_rsmoe.model.model import Mode

LANES = {"base": 4, "avx2": 8, "avx512": 16}


def best_of(repeats: int, run: Callable[[], Any]) -> float:
    """Least time of several runs, seconds: the one that other programs disturbed least."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


@functools.cache
def clock_ghz() -> float:
    """Clock that the system states, GHz; the processor may run faster."""
    speeds = [
        float(line.split(":")[1]) / 1000
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        if line.startswith("cpu MHz")
    ]
    return max(speeds)


def mixture(kernels: int, channels: int, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Round kernels all over a square image."""
    rng = torch.Generator().manual_seed(0)
    geometry = torch.zeros(kernels, 6)
    geometry[:, :2] = torch.rand(kernels, 2, generator=rng) * side
    geometry[:, [2, 4]] = 4 / side
    return geometry, torch.rand(kernels, channels, generator=rng)


def evaluation(kernels: int, channels: int, side: int = 512) -> dict[str, Any]:
    """Nanoseconds of a kernel-pixel evaluation, forward, and forward with backward."""
    geometry, experts = mixture(kernels, channels, side)
    target = to_tiles(np.random.default_rng(0).random((side, side, channels), np.float32))
    evaluations = kernels * side * side
    lists = best_of(20, lambda: engine.tile_lists(geometry, side, side, tau=math.inf))
    forward = best_of(20, lambda: engine.render(geometry, experts, side, side, tau=math.inf)) - lists
    tiles = math.inf
    for _ in range(8):
        _, seconds = engine.fit_steps(
            geometry.clone(), experts.clone(), torch.zeros(2, 6 + channels, kernels), target, None, torch.zeros(12, 4),
            side, side, first_step=0, tau=math.inf, normalised=True, confidence=0.0, whitened=True, list_interval=12,
            list_margin=0.0, betas=(0.9, 0.99), limits=Limits(largest_scale=1000.0),
        )  # fmt: skip
        tiles = min(tiles, float(seconds[1]) / 12)
    level = engine.simd_level()
    operations = (9 if level == "avx512" else 12) + 1 + channels + 4 + 2 * channels
    floor = operations / 2 / LANES[level] / clock_ghz() / torch.get_num_threads()
    return {
        "kernels_per_tile": kernels,
        "channels": channels,
        "forward_ns": forward / evaluations * 1e9,
        "forward_backward_ns": tiles / evaluations * 1e9,
        "vector_operations": operations,
        "cache_bytes": 8,
        "memory_bytes": 4 * channels / kernels,
        "floor_ns": floor,
    }


def real_fit(image: np.ndarray, kernels: int, iterations: int, mode: Mode, linear: bool) -> dict[str, Any]:
    """A whole fit of a photograph: milliseconds a step and where they go; frames per second of its rendering."""
    pixels = image.astype(np.float32) / 255
    settings = FitSettings(iterations=iterations, linear=linear)
    start = make_start(settings.start, pixels, kernels, np.random.default_rng(0))
    fitter = Fitter(pixels, start, settings, mode=mode)
    spent = torch.full((3,), math.inf)
    while fitter.remaining:  # the 50 steps that other programs disturbed least
        spent = min(spent, fitter.advance(50), key=lambda part: float(part.sum()))
    shape, normalised = fitter.shape, mode == "smoe"
    draw = functools.partial(
        engine.render, fitter.geometry, fitter.experts, *shape, normalised=normalised, linear=linear
    )
    pairs = engine.tile_lists(fitter.geometry, *shape, normalised=normalised)[1].numel()
    tiles_of_image = -(-shape[0] // 16) * -(-shape[1] // 16)
    lists, tiles, optimiser = (spent / 50 * 1e3).tolist()
    return {
        "mode": mode,
        "experts": "linear" if linear else "constant",
        "kernels": kernels,
        "pixels": shape[0] * shape[1],
        "kernels_per_tile": pairs / tiles_of_image,
        "step_ms": lists + tiles + optimiser,
        "lists_ms": lists,
        "tiles_ms": tiles,
        "optimiser_ms": optimiser,
        "lists_ns": lists * 1e6 / (pairs * 256),
        "optimiser_ns": optimiser * 1e6 / (pairs * 256),
        "frames_per_second": 1 / best_of(60, draw),
    }


def measure(threads: list[int]) -> dict[str, Any]:
    """All figures, for each number of threads."""
    photo = np.tile(data.coffee(), (2, 2, 1))[:512, :768]
    kinds: list[tuple[int, Mode, bool]] = [(2000, "smoe", False), (10_000, "smoe", False), (2000, "smoe", True)]
    kinds += [(2000, "rbf", False), (2000, "rbf", True)]
    results: dict[str, Any] = {"evaluation": [], "fit": []}
    for count in threads:
        torch.set_num_threads(count)
        for kernels, channels in [(20, 3), (30, 3), (50, 3), (30, 1), (30, 4), (30, 8)]:
            results["evaluation"].append({"threads": count} | evaluation(kernels, channels))
        for kernels, mode, linear in kinds:
            results["fit"].append({"threads": count} | real_fit(photo, kernels, 200, mode, linear))
    return results


def measure_with_denormals(threads: list[int]) -> dict[str, Any]:
    """The same in a process whose engine keeps denormals."""
    command = [sys.executable, "-m", "benchmarks.speed", "--raw", "--threads", *map(str, threads)]
    environment = {**os.environ, "RSMOE_DENORMALS": "keep"}
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    kept: dict[str, Any] = json.loads(result.stdout)
    return kept


def compare(results: dict[str, Any], kept: dict[str, Any]) -> None:
    """Note with each figure what it is with denormals kept, over what it is without."""
    for kind, times in (("evaluation", ("forward_ns", "forward_backward_ns")), ("fit", ("step_ms",))):
        for row, other in zip(results[kind], kept[kind], strict=True):
            row["kept"] = {name: other[name] / row[name] for name in times}
    for row, other in zip(results["fit"], kept["fit"], strict=True):
        row["kept"]["frame"] = row["frames_per_second"] / other["frames_per_second"]


def show(results: dict[str, Any]) -> None:
    """Print the figures."""
    print(
        "\nthreads  kernels/tile  channels  forward ns  kept  forward+backward ns  kept  operations  cache+memory bytes"
        "  floor ns  of the floor"
    )
    for row in results["evaluation"]:
        kept = row["kept"]
        print(
            f"{row['threads']:7d} {row['kernels_per_tile']:13d} {row['channels']:9d} {row['forward_ns']:11.3f} "
            f"{kept['forward_ns']:5.2f} {row['forward_backward_ns']:20.3f} {kept['forward_backward_ns']:5.2f} "
            f"{row['vector_operations']:11d} {row['cache_bytes']:12d}+{row['memory_bytes']:<6.2f}"
            f"{row['floor_ns']:9.3f} {row['forward_backward_ns'] / row['floor_ns']:12.1f}"
        )
    print("\nthreads  model          kernels  a tile  ms a step = lists + tiles + optimiser  kept  frames/s  kept")
    for row in results["fit"]:
        print(
            f"{row['threads']:7d}  {row['mode']:4} {row['experts']:8} {row['kernels']:8d} "
            f"{row['kernels_per_tile']:7.1f} {row['step_ms']:10.2f} = {row['lists_ms']:.2f} + {row['tiles_ms']:.2f} + "
            f"{row['optimiser_ms']:.2f} {row['kept']['step_ms']:11.2f} "
            f"{row['frames_per_second']:9.0f} {row['kept']['frame']:5.2f}"
        )


def main() -> None:
    """Print and, on request, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, torch.get_num_threads()])
    parser.add_argument("--raw", action="store_true", help="print JSON alone, without the comparison")
    options = parser.parse_args()
    threads = sorted(set(options.threads))
    if options.raw:
        print(json.dumps(measure(threads)))
        return
    print(machine.facts())
    results = measure(threads)
    compare(results, measure_with_denormals(threads))
    show(results)
    if options.json:
        machine.write(options.json, results)


if __name__ == "__main__":
    main()
