"""Quality of enlarging: ``python -m benchmarks.enlarging [--half report] [--factors 4 2] [--json FILE]``.

The middle of Kodak images is averaged over squares of pixels, as a camera with larger pixels would, and enlarged again;
mean PSNR. Settings were chosen on the half "choose" of the images, see `benchmarks.ablation`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from skimage import io
from skimage.transform import downscale_local_mean, resize

from benchmarks import machine
from benchmarks.ablation import HALVES
from napari_rsmoe import psnr, upscale
from napari_rsmoe.bench.protocol import middle, unit
from napari_rsmoe.fitting.fitter import Fitter
from napari_rsmoe.fitting.settings import PRESETS
from napari_rsmoe.fitting.starts.methods import make_start
from napari_rsmoe.fitting.upscale import PIXELS_PER_KERNEL
from napari_rsmoe.image.inputs import Inputs


def points(small: np.ndarray, factor: int) -> np.ndarray:
    """One model that takes a pixel for the value at its centre."""
    inputs = Inputs.of(small)
    pixels, layout = inputs.pixels, inputs.layout
    settings = replace(PRESETS["upscale"], oversample=1)
    rng = np.random.default_rng(0)
    start = make_start(settings.start, pixels, pixels[..., 0].size // PIXELS_PER_KERNEL, rng)
    fitter = Fitter(pixels, start, settings, rng=rng)
    while fitter.remaining:
        fitter.chunk()
    return fitter.model(layout, {}).render(scale=factor)


METHODS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "bicubic": lambda small, factor: resize(small, tuple(factor * n for n in small.shape[:2]), order=3),
    "pixels as points, one model": points,
    "pixels as areas, one model": lambda small, factor: upscale(small, factor, models=1),
    "pixels as areas, mean of 4 models": upscale,
}


def main() -> None:
    """Print and, on request, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=HALVES, default="report")
    parser.add_argument("--factors", type=int, nargs="+", default=[4, 2])
    parser.add_argument("--side", type=int, default=256, help="of the squares in the middle of the images, pixels")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    paths = [machine.data_folder("kodak") / f"kodim{n:02d}.png" for n in HALVES[options.half]]
    crops = [unit(middle(io.imread(path), options.side)) for path in paths]
    results: dict[str, dict[str, float]] = {}
    for name, method in METHODS.items():
        results[name] = {}
        for factor in options.factors:
            small = [downscale_local_mean(crop, (factor, factor, 1)).astype(np.float32) for crop in crops]
            drawn = [np.clip(method(image, factor), 0, 1) for image in small]
            results[name][str(factor)] = float(np.mean([psnr(d, c, 1.0) for d, c in zip(drawn, crops, strict=True)]))
        print(f"{name:36s}" + "".join(f"  {f} times {value:6.2f} dB" for f, value in results[name].items()), flush=True)
    if options.json:
        machine.write(options.json, {"half": options.half, "images": HALVES[options.half], "psnr": results})


if __name__ == "__main__":
    main()
