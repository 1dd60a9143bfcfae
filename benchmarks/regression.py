"""Quality of fits: ``python -m benchmarks.regression [FOLDER] [--kernels 2000 10000] [--preset default]``.

Prints, for each image of a folder (default: Kodak below RSMOE_DATA), PSNR and SSIM of the model, seconds of
the fit and kernels per tile, then the means; of Kodak also by halves: settings were chosen on one of them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from skimage import io

from benchmarks import machine
from benchmarks.ablation import HALVES
from napari_rsmoe import fit, psnr, ssim

LINE = "{image:16s} {psnr:6.2f} dB  {ssim:.4f}  {seconds:6.2f} s  {kernels_per_tile:.1f}"


def measure(path: Path, kernels: int, options: dict[str, Any]) -> dict[str, Any]:
    """Fit one image."""
    image = io.imread(path)
    start = time.perf_counter()
    model = fit(image, kernels, **options)
    seconds = time.perf_counter() - start
    drawn = model.render()
    return {
        "image": path.name,
        "psnr": psnr(drawn, image),
        "ssim": ssim(drawn, image),
        "seconds": seconds,
        "kernels_per_tile": model.kernels_per_tile(),
    }


def mean(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Mean of every figure."""
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0] if key != "image"}


def main() -> None:
    """Print and, on request, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="of images; default: Kodak")
    parser.add_argument("--kernels", type=int, nargs="+", default=[2000, 10_000])
    parser.add_argument("--preset", default="default")
    parser.add_argument("--iterations", type=int)
    parser.add_argument("--start", choices=("segmentation", "content", "random"))
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    folder = options.folder or machine.data_folder("kodak")
    print(machine.facts())
    results: dict[str, Any] = {}
    for kernels in options.kernels:
        settings = {"preset": options.preset, "iterations": options.iterations, "start": options.start}
        rows = []
        print(f"\n{kernels} kernels, {settings}")
        for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".tif", ".jpg")):
            row = measure(path, kernels, settings)
            rows.append(row)
            print(LINE.format(**row), flush=True)
        means = {"all": mean(rows)}
        for half, numbers in HALVES.items():
            part = [row for row in rows if row["image"] in {f"kodim{n:02d}.png" for n in numbers}]
            if part:
                means[half] = mean(part)
        for name, figures in means.items():
            print(LINE.format(image=f"mean, {name}", **figures))
        results[str(kernels)] = {"settings": settings, "images": rows, "mean": means["all"], "means": means}
    if options.json:
        machine.write(options.json, results)


if __name__ == "__main__":
    main()
