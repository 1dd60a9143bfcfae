"""What each idea of the fit and of the denoiser gives, on images of which half chose the settings.

``python -m benchmarks.ablation fit [--kernels 2000] [--iterations 500] [--half report]``: mean PSNR over Kodak images
below RSMOE_DATA. Settings were chosen on the first half ("choose": 03, 07, 11, 15, 19, 23); the other ("report")
checks them. Each row changes one thing against the default.

``python -m benchmarks.ablation denoise [FOLDER] --set denoising.fusion.SELECTIVITY=12``: mean PSNR of denoised images,
clipped Gaussian noise added, with constants changed. With --truth the images of the folder are noisy as they are, and
the images of the same names in the other folder are the truth.

Figures beside the peers, and those of the README: ``napari-rsmoe bench``.
"""

from __future__ import annotations

import argparse
import ast
import math
import re
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from skimage import io

from benchmarks import machine
from napari_rsmoe import denoise, engine, psnr, ssim
from napari_rsmoe.bench.machine import measured
from napari_rsmoe.bench.pictures import Picture
from napari_rsmoe.bench.protocol import Level, middle, quality, unit
from napari_rsmoe.fitting import relocation
from napari_rsmoe.fitting.fitter import Fitter
from napari_rsmoe.fitting.settings import FitSettings
from napari_rsmoe.fitting.starts.methods import make_start
from napari_rsmoe.image.inputs import Inputs

HALVES = {"choose": (3, 7, 11, 15, 19, 23), "report": (1, 5, 9, 13, 17, 21)}
"""Numbers of the Kodak images that settings were chosen on, and of those that no setting was chosen on."""
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


def fitted(
    path: Path, kernels: int, iterations: int, changes: dict[str, Any], extra: dict[str, Any]
) -> dict[str, float]:
    """Figures of the fit of one image."""
    image = io.imread(path)
    inputs = Inputs.of(image)
    pixels, layout = inputs.pixels, inputs.layout
    settings = replace(FitSettings(), iterations=iterations, **changes)
    rng = np.random.default_rng(0)
    begin, cpu_begin = time.perf_counter(), time.process_time()
    start = make_start(settings.start, pixels, round(kernels * extra.get("kernels", 1.0)), rng)
    fitter = Fitter(pixels, start, settings, rng=rng)
    if "prepare" in extra:
        extra["prepare"](fitter, pixels)
    with patch.multiple(relocation, **extra["relocation"]) if "relocation" in extra else nullcontext():
        while fitter.remaining:
            fitter.chunk()
    if "finish" in extra:
        extra["finish"](fitter, pixels)
    model = fitter.model(layout, {})
    costs = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - cpu_begin}
    drawn = model.render()
    quality_of = {"psnr": psnr(drawn, image), "ssim": ssim(drawn, image)}
    return quality_of | costs | {"kernels_per_tile": model.kernels_per_tile()}


def mean(rows: list[dict[str, float]]) -> dict[str, float]:
    """Mean of every figure."""
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def fits(options: argparse.Namespace) -> dict[str, Any]:
    """The table of fits."""
    halves = HALVES if options.half == "all" else {options.half: HALVES[options.half]}
    print(f"{options.kernels} kernels, {options.iterations} steps, images {halves}")
    results: dict[str, Any] = {}
    for name, (changes, extra) in ROWS.items():
        if options.rows and not any(part in name for part in options.rows):
            continue
        images = {
            number: fitted(
                machine.data_folder("kodak") / f"kodim{number:02d}.png", options.kernels, options.iterations, changes,
                extra,
            )
            for numbers in halves.values()
            for number in numbers
        }  # fmt: skip
        whole = mean(list(images.values()))
        parts = {half: mean([images[number] for number in numbers]) for half, numbers in halves.items()}
        settings = {"kernels": options.kernels, "iterations": options.iterations}
        results[name] = {"settings": settings, "mean": whole, "means": parts, "images": images}
        gain = whole["psnr"] - results["default"]["mean"]["psnr"] if "default" in results else 0.0
        line = "{psnr:6.2f} dB {gain:+6.2f}  {ssim:.4f}  {cpu_seconds:5.2f} CPU s  {kernels_per_tile:.1f} kernels/tile"
        print(f"{name:40s} " + line.format(gain=gain, **whole), flush=True)
    return results


def denoised(path: Path, variance: float | None, options: argparse.Namespace) -> dict[str, float]:
    """Figures of the denoised image; `variance` None takes the noise that is there."""
    given = middle(unit(io.imread(path)), options.crop)
    clean = middle(unit(io.imread(options.truth / path.name)), options.crop) if options.truth else given
    if variance is None:
        noisy = given.astype(np.float32)
    else:
        noisy = Level.of_variance(variance).add(clean, Picture(path.parent.name, path).number)
    done = measured(lambda: denoise(noisy, models=options.models, preset=options.preset).image)
    return quality(done.result, clean) | {"cpu_seconds": done.cpu_seconds}


def denoisings(options: argparse.Namespace) -> dict[str, Any]:
    """All images at all levels, with constants changed."""
    for change in options.set:
        change_constant(*constant_of(change))
    folder = options.folder or machine.data_folder("kodak")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".tif", ".jpg"))
    paths = [path for path in paths if re.search(options.only or "", path.name)]
    columns = "psnr {psnr:6.2f} dB  ssim {ssim:.4f}  paper_ssim {paper_ssim:.4f}  {cpu_seconds:6.2f} CPU s"
    results = {}
    for variance in [None] if options.truth else options.variance:
        print("\nnoise as it is" if variance is None else f"\nvariance {variance}")
        rows = {}
        for path in paths:
            rows[path.name] = denoised(path, variance, options)
            print(f"{path.stem:22s} " + columns.format(**rows[path.name]), flush=True)
        results[str(variance)] = {"images": rows, "mean": mean(list(rows.values()))}
        print(f"{'mean':22s} " + columns.format(**results[str(variance)]["mean"]), flush=True)
    return results


def constant_of(change: str) -> tuple[str, str, Any]:
    """Module, name and value of a change such as ``"noise.evidence.SHARE=0.5"``; only the last dot parts a name."""
    name, _, value = change.partition("=")
    module, _, constant = name.rpartition(".")
    return module, constant, ast.literal_eval(value)


def change_constant(module: str, constant: str, value: Any) -> None:
    """Set a constant of a module of the package, such as ``"denoising.fusion"``, that exists."""
    found = import_module(f"napari_rsmoe.{module}")
    if not hasattr(found, constant):
        raise SystemExit(f"napari_rsmoe.{module} has no {constant}")
    setattr(found, constant, value)


def main() -> None:
    """Print and, on request, write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tables = parser.add_subparsers(dest="table", required=True)
    fit = tables.add_parser("fit", help="what each idea of the fit gives")
    fit.add_argument("--kernels", type=int, default=2000)
    fit.add_argument("--iterations", type=int, default=500)
    fit.add_argument("--half", choices=(*HALVES, "all"), default="report")
    fit.add_argument("--rows", nargs="+", help="only rows whose name contains one of these")
    fit.set_defaults(run=fits)
    noise = tables.add_parser("denoise", help="what constants of the denoiser give")
    noise.add_argument("folder", type=Path, nargs="?", help="of images; default: Kodak")
    noise.add_argument("--variance", type=float, nargs="+", default=[0.01])
    noise.add_argument("--truth", type=Path, help="folder of clean images of the same names")
    noise.add_argument("--only", help="file names that contain this regular expression")
    noise.add_argument("--models", type=lambda text: text if text == "auto" else int(text), default="auto")
    noise.add_argument("--preset", default="balanced")
    noise.add_argument("--crop", type=int, help="side of the square in the middle that is used")
    noise.add_argument("--set", nargs="*", default=[], metavar="MODULE.NAME=VALUE")
    noise.set_defaults(run=denoisings)
    for each in (fit, noise):
        each.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    print(machine.facts())
    results = options.run(options)
    if options.json:
        machine.write(options.json, results)


if __name__ == "__main__":
    main()
