"""Speed of the CUDA engine: ``python -m benchmarks.cuda``, or on paper, ``python -m benchmarks.cuda --on-paper``.

Measured, on a machine with a CUDA device: milliseconds of a step of a fit and of drawing an image, by CUDA events over
many steps. On paper, on any machine: the same from the machine code (see docs/results/cuda.md), for three cards.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage import data

from benchmarks import machine, sass
from napari_rsmoe import engine
from napari_rsmoe.engine import devices
from napari_rsmoe.fitting.fitter import Fitter
from napari_rsmoe.fitting.optimiser import together
from napari_rsmoe.fitting.settings import FitSettings
from napari_rsmoe.fitting.starts.methods import make_start

# Name: architecture, multiprocessors, clock in GHz (boost), memory in GB/s. From NVIDIA's data sheets.
CARDS = {
    "RTX A4000": ("86", 48, 1.56, 448),
    "RTX 4090": ("89", 128, 2.52, 1008),
    "H100 SXM": ("90", 132, 1.83, 3350),
}
ISSUE = 4  # warp instructions a multiprocessor starts in a clock
EFFICIENCY = 0.5  # share of that which is assumed to be reached
LAUNCH = 3e-6  # seconds from one kernel's end to the next one's begin
JOBS = ((2000, 1), (2000, 4), (10_000, 1))  # kernels of a model, models that are fitted at once
KERNEL = "drawILi3ENS1_6PackedELb1E"  # three channels, constant experts, with backward


def photograph() -> np.ndarray:
    """A colour photograph, (512, 768, 3) float32."""
    return np.tile(data.coffee(), (2, 2, 1))[:512, :768].astype(np.float32) / 255


def fitted(kernels: int, device: str, iterations: int = 100) -> Fitter:
    """A fit after some steps, so that the lists are as long as usual."""
    pixels, settings = photograph(), FitSettings(iterations=100_000)
    start = make_start(settings.start, pixels, kernels, np.random.default_rng(0))
    fitter = Fitter(pixels, start, settings, device=torch.device(device))
    fitter.advance(iterations)
    fitter.settle()
    return fitter


def milliseconds(run: Any, repeats: int) -> float:
    """Time of a run on the device, the median of several."""
    times = []
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()  # type: ignore[no-untyped-call]
        run()
        end.record()  # type: ignore[no-untyped-call]
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return float(np.median(times))


def measured() -> list[dict[str, Any]]:
    """Times on this machine's device, of each model."""
    print(f"{torch.cuda.get_device_name()}\n\nkernels  models  ms a step  ms to draw")
    rows = []
    for kernels, models in JOBS:
        fitter = together([fitted(kernels, "cuda") for _ in range(models)])
        step = milliseconds(lambda f=fitter: f.advance(50), 10) / 50 / models
        fitter.settle()
        image = milliseconds(lambda f=fitter: engine.render(f.geometry, f.experts, *f.shape), 20) / models
        rows.append({"kernels": kernels, "models": models, "step_ms": step, "draw_ms": image})
        print(f"{kernels:7d} {models:7d} {step:10.3f} {image:11.3f}", flush=True)
    return rows


def work(kernels: int) -> dict[str, float]:
    """What a step has to do, counted on a real fit: kernels of a tile before and after the second culling."""
    fitter = fitted(kernels, "cpu")
    settings, counts = fitter.settings, {}
    for name, tau in (("listed", settings.tau + settings.list_margin), ("drawn", settings.tau)):
        start, _ = engine.tile_lists(fitter.geometry, *fitter.shape, tau=tau)
        counts[name] = float(start[-1]) / (len(start) - 1)
    return counts | {"tiles": float(len(start) - 1), "kernels": float(kernels)}


def on_paper() -> list[dict[str, Any]]:
    """Expected times, by the model of docs/results/cuda.md."""
    file = sass.library()
    if file is None or not sass.has_tools():
        raise SystemExit("This needs the CUDA engine built, and cuobjdump and nvdisasm (see benchmarks/sass.py).")
    rows = []
    print("Milliseconds a step and model.")
    print("card        kernels models  instructions forward+backward  tiles    lists     Adam     launches     step")
    for count, models in JOBS:
        job = work(count) | {"models": float(models)}
        for card, (architecture, multiprocessors, clock, bandwidth) in CARDS.items():
            forward, backward = sass.instructions_per_evaluation(file, architecture, KERNEL)
            rate = multiprocessors * ISSUE * clock * 1e9 * EFFICIENCY  # warp instructions a second
            per_tile = job["drawn"] * 256 / 32 * (forward + backward)  # the loops over kernels
            per_tile += math.ceil(job["listed"] / 32) * 800 + 4 * 1000  # culling, packing; all between the loops
            tiles = job["tiles"] * per_tile / rate
            boxes = job["tiles"] / 16  # of 64 x 64 pixels, each looks at all kernels; then tiles at a box's list
            checks = boxes * count + job["tiles"] * job["listed"] * 4
            lists = checks / 32 * 3 * 100 / rate / 5 + job["tiles"] * job["listed"] * 40 / (bandwidth * 1e9) / 5
            moved = job["tiles"] * job["listed"] * 9 * 4 * 2 + count * 9 * 4 * 6  # gradients of pairs, state
            adam = moved / (bandwidth * 1e9) + 2e-6
            launches = (2 + 11 / 5) * LAUNCH / models
            step = tiles + lists + adam + launches
            parts = {"tiles": tiles, "lists": lists, "adam": adam, "launches": launches, "step": step}
            rows.append({"card": card} | job | {name: value * 1e3 for name, value in parts.items()})
            print(
                f"{card:11} {count:7d} {models:6d} {forward:21.1f} {backward:7.1f} {tiles * 1e3:9.3f} "
                f"{lists * 1e3:9.3f} {adam * 1e3:8.3f} {launches * 1e3:12.3f} {step * 1e3:8.3f}",
                flush=True,
            )
        print(f"  ({job['listed']:.1f} kernels in a tile's list, {job['drawn']:.1f} drawn at most)")
    return rows


def main() -> None:
    """Print and, on request, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on-paper", action="store_true", help="compute the times from the machine code")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    if not options.on_paper and (reason := devices.why_not_cuda()):
        raise SystemExit(f"Nothing to measure: {reason}. Use --on-paper.")
    results = on_paper() if options.on_paper else measured()
    if options.json:
        machine.write(options.json, results)


if __name__ == "__main__":
    main()
