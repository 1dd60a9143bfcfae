"""Seconds of fitting until a PSNR is reached: ``python -m benchmarks.time_to_quality [FOLDER] [--json FILE]``.

For every image (default: Kodak below RSMOE_DATA) and kernel count, the first moment at which the model being fitted
has 28, 30, 32 and 34 dB, start included, rendering not needed. A dash: not reached within the default steps.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from skimage import io

from benchmarks import machine
from napari_rsmoe import Progress, fit

LEVELS = (28, 30, 32, 34)


def trace(path: Path, kernels: int) -> dict[int, float]:
    """Seconds to each level that is reached."""
    image = io.imread(path)
    reached: dict[int, float] = {}
    begin = time.perf_counter()

    def watch(progress: Progress) -> bool:
        for level in LEVELS:
            if progress.psnr is not None and progress.psnr >= level:
                reached.setdefault(level, time.perf_counter() - begin)
        return len(reached) == len(LEVELS)

    fit(image, kernels, callback=watch)
    return reached


def main() -> None:
    """Print and, on request, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--kernels", type=int, nargs="+", default=[2000, 5000, 10_000])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folder = options.folder or machine.data_folder("kodak")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".tif", ".jpg"))
    results: dict[str, Any] = {}
    for kernels in options.kernels:
        traces = {path.name: trace(path, kernels) for path in paths}
        results[str(kernels)] = traces
        cells = []
        for level in LEVELS:
            times = [t[level] for t in traces.values() if level in t]
            cells.append(
                f"{level} dB: {np.median(times):.2f} s ({len(times)} of {len(paths)})" if times else f"{level} dB: -"
            )
        print(f"{kernels:6d} kernels, median over the images that reach it: {', '.join(cells)}", flush=True)
    if options.json:
        machine.write(options.json, results)


if __name__ == "__main__":
    main()
