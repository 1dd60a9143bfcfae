"""Quality of enlarging: ``python -m benchmarks.enlarging [--half report] [--factors 2 3 4] [--json FILE]``.

Grey images of BSD68 and the brightness of Kodak images are reduced, rounded to 8 bits and enlarged again; the mean gain
in PSNR over bicubic interpolation, that of the worst image, and the mean CPU time. Settings were chosen on the half
"choose" of the images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import io

from benchmarks import machine
from napari_rsmoe import psnr, upscale
from napari_rsmoe.enlarging.upscale import Settings, prepare
from napari_rsmoe.image.inputs import Inputs
from napari_rsmoe.image.reduction import REDUCTIONS, Reduction

HALVES = {"choose": (range(4, 35, 6), range(3, 24, 4)), "report": (range(1, 35, 6), range(1, 24, 4))}
"""Numbers of the images of BSD68 and of Kodak."""
LUMA = (0.299, 0.587, 0.114)
Method = Callable[[np.ndarray, int, str], np.ndarray]


def bicubic(small: np.ndarray, factor: int, kind: str) -> np.ndarray:
    """Bicubic interpolation, slope -0.5."""
    size = (small.shape[1] * factor, small.shape[0] * factor)
    return np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC))


def unrefined(small: np.ndarray, factor: int, kind: str) -> np.ndarray:
    """The mean of the models as they are."""
    made, _ = prepare(Inputs.of(small), factor, Settings(reduction=kind, noise=0))
    plain = replace(made, rounds=0)
    return made.inputs.layout.restore(plain.estimate(factor).image)


METHODS: dict[str, Method] = {
    "bicubic": bicubic,
    "models alone": unrefined,
    "fast": lambda small, factor, kind: upscale(small, factor, reduction=kind, preset="fast"),
    "balanced": lambda small, factor, kind: upscale(small, factor, reduction=kind),
    "balanced, found": lambda small, factor, kind: upscale(small, factor),
    "balanced, told mean": lambda small, factor, kind: upscale(small, factor, reduction="mean"),
    "best": lambda small, factor, kind: upscale(small, factor, reduction=kind, preset="best"),
    "best, found": lambda small, factor, kind: upscale(small, factor, preset="best"),
}


def pictures(half: str) -> dict[str, np.ndarray]:
    """Grey images on [0, 1] by name."""
    bsd, kodak = HALVES[half]
    paths = [machine.data_folder("bsd68") / f"test{n:03d}.png" for n in bsd]
    paths += [machine.data_folder("kodak") / f"kodim{n:02d}.png" for n in kodak]
    found = {}
    for path in paths:
        image = io.imread(path) / 255
        found[path.stem] = (image @ LUMA if image.ndim == 3 else image).astype(np.float32)
    return found


def reduced(image: np.ndarray, factor: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """An image that the factor divides, and the same reduced, in steps of 1/255."""
    height, width = (length // factor * factor for length in image.shape)
    large = image[:height, :width]
    small = Reduction.of((height, width), (height // factor, width // factor), kind).reduced(large[None])[0]
    return large, (np.round(np.clip(small, 0, 1) * 255) / 255).astype(np.float32)


def main() -> None:
    """Print and, on request, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=HALVES, default="report")
    parser.add_argument("--factors", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--kinds", choices=REDUCTIONS, nargs="+", default=REDUCTIONS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    rows = []
    for factor in options.factors:
        for kind in options.kinds:
            base: dict[str, float] = {}
            for name in options.methods:
                if name.endswith("told mean") and kind == "mean":
                    continue
                quality, began = {}, time.process_time()
                for picture, image in pictures(options.half).items():
                    large, small = reduced(image, factor, kind)
                    quality[picture] = psnr(np.clip(METHODS[name](small, factor, kind), 0, 1), large, 1.0)
                base = base or quality
                gains = [quality[picture] - base[picture] for picture in quality]
                row = {"factor": factor, "reduction": kind, "method": name, "psnr": float(np.mean([*quality.values()]))}
                row |= {"gain": float(np.mean(gains)), "worst": float(np.min(gains))}
                row["cpu"] = (time.process_time() - began) / len(gains)
                rows.append(row)
                print("| {factor} | {reduction} | {method} | {psnr:.2f} | {gain:+.2f} | {worst:+.2f} | {cpu:.2f} |"
                      .format(**row), flush=True)  # fmt: skip
    if options.json:
        machine.write(options.json, {"half": options.half, "rows": rows})


if __name__ == "__main__":
    main()
