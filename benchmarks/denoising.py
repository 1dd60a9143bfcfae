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
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from skimage import io

from benchmarks import machine
from napari_rsmoe import denoise
from napari_rsmoe.bench.machine import measured
from napari_rsmoe.bench.peers import nonlocal_means
from napari_rsmoe.bench.peers.denoiser import Noisy
from napari_rsmoe.bench.pictures import Picture
from napari_rsmoe.bench.protocol import Level, middle, quality, unit

COLUMNS = "psnr {psnr:6.2f} dB  ssim {ssim:.4f}  paper_ssim {paper_ssim:.4f}  {seconds:6.2f} s"


def measure(work: Callable[[], np.ndarray], clean: np.ndarray) -> dict[str, float]:
    """Quality and time of one result."""
    done = measured(work)
    return quality(done.result, clean) | {"seconds": done.seconds}


def run(folder: Path, paths: list[Path], variance: float | None, options: argparse.Namespace) -> dict[str, Any]:
    """All images at one level; `variance` None takes the noise that is there."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for path in paths:
        given = middle(unit(io.imread(path)), options.crop)
        clean = middle(unit(io.imread(options.truth / path.name)), options.crop) if options.truth else given
        if variance is None:
            noisy = given.astype(np.float32)
            sigma = float(np.std(noisy - clean))
        else:
            noisy = Level.of_variance(variance).add(clean, Picture(folder.name, path).number)
            sigma = variance**0.5
        seen = Noisy(noisy, sigma, variance is not None, clean)
        settings = {"models": options.models, "preset": options.preset}
        found = {
            "noisy": measure(lambda noisy=noisy: noisy, clean),
            "nlm": measure(lambda seen=seen: nonlocal_means.denoise(seen, 0), clean),
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
    parser.add_argument("--models", type=lambda text: text if text == "auto" else int(text), default="auto")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--crop", type=int, help="side of the square in the middle that is used")
    parser.add_argument("--set", nargs="*", default=[], metavar="MODULE.NAME=VALUE")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    for change in options.set:
        name, value = change.split("=")
        module, constant = name.rsplit(".", 1)
        setattr(import_module(f"napari_rsmoe.{module}"), constant, ast.literal_eval(value))
    folder = options.folder or machine.data_folder("kodak")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".tif", ".jpg"))
    paths = [path for path in paths if re.search(options.only or "", path.name)]
    print(machine.facts())
    results = {}
    for variance in [None] if options.truth else options.variance:
        print("\nnoise as it is" if variance is None else f"\nvariance {variance}")
        results[str(variance)] = run(folder, paths, variance, options)
    if options.json:
        machine.write(options.json, results)


if __name__ == "__main__":
    main()
