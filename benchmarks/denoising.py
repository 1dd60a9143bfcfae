"""Quality of denoising: ``python -m benchmarks.denoising [FOLDER] [--variance 0.01] [--preset balanced]``.

Adds clipped Gaussian noise to each image of a folder (default: Kodak below RSMOE_DATA), denoises it, and prints PSNR
and SSIM on [0, 1], the paper's SSIM and seconds, beside non-local means of scikit-image in the same run, which is
given the true noise. With --truth the images of the folder are noisy as they are, and the images of the same names
in the other folder are the truth. For an ablation, --crop takes the middle of each image and --set changes
constants: ``--crop 256 --set fusion.SELECTIVITY=12 ensemble.DISTURBANCE=0.2``.
"""

from __future__ import annotations

import argparse
import ast
import re
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from skimage import io, restoration, util

from benchmarks import machine
from napari_rsmoe import denoise, psnr, ssim
from napari_rsmoe.metrics import paper_ssim

LEVELS = (0.0037, 0.005, 0.01, 0.05)
"""Variances of the protocol; the place in this list enters the seed."""
COLUMNS = "psnr {psnr:6.2f} dB  ssim {ssim:.4f}  paper_ssim {paper_ssim:.4f}  {seconds:6.2f} s"


def unit(image: np.ndarray) -> np.ndarray:
    """Integers brought to [0, 1], float64."""
    return image / np.iinfo(image.dtype).max if image.dtype.kind in "iu" else image.astype(np.float64)


def noisy_of(image: np.ndarray, variance: float, path: Path) -> np.ndarray:
    """An image in [0, 1] with clipped Gaussian noise; the number in the file name enters the seed."""
    level = LEVELS.index(variance) if variance in LEVELS else len(LEVELS)
    number = int((re.findall(r"\d+", path.stem) or ["0"])[-1])
    seed = 20250600 + 1000 * level + number
    return np.asarray(util.random_noise(image, mode="gaussian", var=variance, clip=True, rng=seed))


def nonlocal_means(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Non-local means as usually set: patch 5, distance 6, h = 0.6 sigma for colour, 0.8 for grey."""
    colour = noisy.ndim == 3
    return np.asarray(
        restoration.denoise_nl_means(
            noisy,
            patch_size=5,
            patch_distance=6,
            h=(0.6 if colour else 0.8) * sigma,
            sigma=sigma,
            fast_mode=True,
            channel_axis=-1 if colour else None,
        )
    )


def measure(work: Callable[[], np.ndarray], clean: np.ndarray) -> dict[str, float]:
    """Quality and time of one result."""
    start = time.perf_counter()
    result = np.clip(work(), 0, 1)
    seconds = time.perf_counter() - start
    return {
        "psnr": psnr(result, clean, 1.0),
        "ssim": ssim(result, clean, 1.0),
        "paper_ssim": paper_ssim(result, clean, 1.0),
        "seconds": seconds,
    }


def run(paths: list[Path], variance: float | None, options: argparse.Namespace) -> dict[str, Any]:
    """All images at one level; `variance` None takes the noise that is there."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for path in paths:
        given = unit(io.imread(path))
        clean = unit(io.imread(options.truth / path.name)) if options.truth else given
        if options.crop:
            top, left = ((length - options.crop) // 2 for length in clean.shape[:2])
            window = (slice(top, top + options.crop), slice(left, left + options.crop))
            given, clean = given[window], clean[window]
        noisy = (given if variance is None else noisy_of(clean, variance, path)).astype(np.float32)
        sigma = float(np.std(noisy - clean)) if variance is None else variance**0.5
        settings = {"models": options.models, "preset": options.preset}
        found = {
            "noisy": measure(lambda noisy=noisy: noisy, clean),
            "nlm": measure(lambda noisy=noisy, sigma=sigma: nonlocal_means(noisy, sigma), clean),
            "rsmoe": measure(lambda noisy=noisy, settings=settings: denoise(noisy, **settings).image, clean),
        }
        for name, row in found.items():
            rows.setdefault(name, []).append({"image": path.name, **row})
            print(f"{path.stem:22s} {name:6s} " + COLUMNS.format(**row), flush=True)
    means = {
        name: {key: float(np.mean([row[key] for row in found])) for key in found[0] if key != "image"}
        for name, found in rows.items()
    }
    for name, mean in means.items():
        print(f"{'mean':22s} {name:6s} " + COLUMNS.format(**mean), flush=True)
    return {"images": rows, "mean": means}


def main() -> None:
    """Print and, on request, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="of images; default: Kodak")
    parser.add_argument("--variance", type=float, nargs="+", default=[0.01])
    parser.add_argument("--truth", type=Path, help="folder of clean images of the same names")
    parser.add_argument("--only", help="file names that contain this regular expression")
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--crop", type=int, help="side of the square in the middle that is used")
    parser.add_argument("--set", nargs="*", default=[], metavar="MODULE.NAME=VALUE")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    for change in options.set:
        name, value = change.split("=")
        module, constant = name.split(".")
        setattr(import_module(f"napari_rsmoe.{module}"), constant, ast.literal_eval(value))
    folder = options.folder or machine.data_folder("kodak")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".tif", ".jpg"))
    paths = [path for path in paths if re.search(options.only or "", path.name)]
    print(machine.facts())
    results = {}
    for variance in [None] if options.truth else options.variance:
        print("\nnoise as it is" if variance is None else f"\nvariance {variance}")
        results[str(variance)] = run(paths, variance, options)
    if options.json:
        machine.write(options.json, results)


if __name__ == "__main__":
    main()
