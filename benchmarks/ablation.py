"""What each idea of the fit gives: ``python -m benchmarks.ablation [--kernels 2000] [--iterations 500]``.

Mean PSNR over half of the Kodak images below RSMOE_DATA: settings were chosen on the first half ("choose": 03, 07,
11, 15, 19, 23), the other ("report") checks them. Each row changes one thing against the default.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from skimage import io

from benchmarks import machine
from napari_rsmoe import engine, psnr
from napari_rsmoe.fitting import relocation
from napari_rsmoe.fitting.fitter import Fitter
from napari_rsmoe.fitting.settings import FitSettings
from napari_rsmoe.fitting.starts.methods import make_start
from napari_rsmoe.image.inputs import Inputs

HALVES = {"choose": (3, 7, 11, 15, 19, 23), "report": (1, 5, 9, 13, 17, 21)}
OLD_DECAY = {f"final_{name}": 0.02 for name in ("position", "steering", "logit", "expert")}
Finish = Callable[[Fitter, np.ndarray], None]


def rates(position: float, steering: float, logit: float, expert: float) -> dict[str, float]:
    """Learning rates as settings."""
    return {
        "rate_position": position,
        "rate_steering": steering,
        "rate_logit": logit,
        "rate_expert": expert,
    }


def least_squares_experts(fitter: Fitter, pixels: np.ndarray) -> None:
    """Experts in closed form at the end: conjugate gradients on the normal equations of the gates."""
    height, width, _ = pixels.shape
    target = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))

    def normal(experts: torch.Tensor) -> torch.Tensor:
        image = engine.render(fitter.geometry, experts.contiguous(), height, width, tau=7.0)
        return engine.gate_sums(fitter.geometry, image, tau=7.0)

    x = fitter.experts
    residual = engine.gate_sums(fitter.geometry, target, tau=7.0) - normal(x)
    direction, power = residual.clone(), residual.square().sum(0)
    for _ in range(12):
        turned = normal(direction)
        step = power / (direction * turned).sum(0).clamp_min(1e-20)
        x = x + step * direction
        residual = residual - step * turned
        direction, power = residual + residual.square().sum(0) / power * direction, residual.square().sum(0)
    fitter.state.experts = x.contiguous()


def grown(fraction: float) -> Finish:
    """Coarse to fine: begin with a fraction of the kernels, add the rest by the error in ten steps."""

    def prepare(fitter: Fitter, pixels: np.ndarray) -> None:
        keep = round(fraction * len(fitter.geometry))
        order = np.random.default_rng(0).permutation(len(fitter.geometry))
        # Kernels that wait lie far outside: they reach no pixel until relocation, which takes the idle first.
        waiting = torch.from_numpy(order[keep:].copy())
        fitter.geometry[waiting, 0] = -1e4
        fitter.geometry[:, 2] *= math.sqrt(fraction)
        fitter.geometry[:, 4] *= math.sqrt(fraction)

    return prepare


ROWS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "default": ({}, {}),
    "start: content-adaptive": ({"start": "content"}, {}),
    "start: random, 5 px (the paper's)": ({"start": "random"}, {}),
    "no relocation": ({"relocate": 0.0}, {}),
    "relocate 5 % each time": ({"relocate": 0.05}, {}),
    "relocate 15 % each time": ({"relocate": 0.15}, {}),
    "idle kernels by colour, none left out on trial": ({}, {"relocation": {"CANDIDATES": 1}}),
    "the same, 5 % each time": ({"relocate": 0.05}, {"relocation": {"CANDIDATES": 1}}),
    "relocate twice as often": ({"relocate_interval": 10}, {}),
    "relocate up to 80 % of the steps": ({"relocate_until": 0.8}, {}),
    "places by error, not error^2": ({}, {"relocation": {"ERROR_POWER": 1.0}}),
    "places by error^3": ({}, {"relocation": {"ERROR_POWER": 3.0}}),
    "Adam's moments 0.9, 0.99": ({"betas": (0.9, 0.99)}, {}),
    "Adam's moments 0.9, 0.999": ({"betas": (0.9, 0.999)}, {}),
    "Adam's moments 0.8, 0.9": ({"betas": (0.8, 0.9)}, {}),
    "rates decay to 2 %": (OLD_DECAY, {}),
    "geometry rate 0.1": (rates(0.1, 0.1, 0.1, 0.02), {}),
    "geometry rate 0.3": (rates(0.3, 0.3, 0.3, 0.02), {}),
    "expert rate 0.01": (rates(0.2, 0.2, 0.2, 0.01), {}),
    "expert rate 0.04": (rates(0.2, 0.2, 0.2, 0.04), {}),
    "plain coordinates, tuned rates": ({"whitened": False} | rates(0.2, 0.02, 0.1, 0.02), {}),
    "culling margin 5 nats": ({"tau": 5.0}, {}),
    "experts by least squares at the end": ({}, {"finish": least_squares_experts}),
    "coarse to fine: begin with half": ({}, {"prepare": grown(0.5)}),
    "linear experts, as many kernels": ({"linear": True}, {}),
    "linear experts, as many parameters": ({"linear": True}, {"kernels": 9 / 15}),
}


def run(
    path: Path, kernels: int, iterations: int, changes: dict[str, Any], extra: dict[str, Any]
) -> tuple[float, float]:
    """PSNR and processor seconds of one fit."""
    image = io.imread(path)
    inputs = Inputs.of(image)
    pixels, layout = inputs.pixels, inputs.layout
    settings = replace(FitSettings(), iterations=iterations, **changes)
    rng = np.random.default_rng(0)
    start = make_start(settings.start, pixels, round(kernels * extra.get("kernels", 1.0)), rng)
    begin = time.process_time()
    fitter = Fitter(pixels, start, settings, rng=rng)
    if "prepare" in extra:
        extra["prepare"](fitter, pixels)
    with patch.multiple(relocation, **extra["relocation"]) if "relocation" in extra else nullcontext():
        while fitter.remaining:
            fitter.chunk()
    if "finish" in extra:
        extra["finish"](fitter, pixels)
    seconds = time.process_time() - begin
    return psnr(fitter.model(layout, {}).render(), image), seconds


def main() -> None:
    """Print and, on request, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", type=int, default=2000)
    parser.add_argument("--iterations", type=int, default=500)
    parser.add_argument("--half", choices=HALVES, default="report")
    parser.add_argument("--rows", nargs="+", help="only rows whose name contains one of these")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    paths = [machine.data_folder("kodak") / f"kodim{n:02d}.png" for n in HALVES[options.half]]
    print(f"{options.kernels} kernels, {options.iterations} steps, images {HALVES[options.half]}")
    results: dict[str, Any] = {}
    for name, (changes, extra) in ROWS.items():
        if options.rows and not any(part in name for part in options.rows):
            continue
        figures = np.array([run(path, options.kernels, options.iterations, changes, extra) for path in paths])
        mean, seconds = figures.mean(0)
        results[name] = {"psnr": mean, "cpu_seconds": seconds, "images": figures[:, 0].tolist()}
        gain = mean - results["default"]["psnr"] if "default" in results else 0.0
        print(f"{name:40s} {mean:6.2f} dB {gain:+6.2f}   {seconds:5.2f} CPU s", flush=True)
    if options.json:
        machine.write(options.json, results)


if __name__ == "__main__":
    main()
