"""Overshoot beside sharp edges: ``python -m benchmarks.overshoot``.

Straight edges at three angles and a disc, from a quarter to three quarters of the range of the image, are reduced and
enlarged again. By how much the largest value leaves those of the truth, as a percentage of the height of the edge, and
the root mean square error, as a percentage of the range: the mean of the four scenes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image

from benchmarks.enlarging import bicubic, reduced
from napari_rsmoe import upscale
from napari_rsmoe.image.reduction import REDUCTIONS

SIDE = 48  # Pixels of the reduced scenes.
BORDER = 8  # Pixels of the reduced scenes that do not count: the range of the image is set there.
SUBPIXELS = 4  # Points along each axis whose mean is a pixel.
SHIFT, RADIUS = 0.37, 14.0  # Distance of edges from the middle of a pixel, and radius of the disc, in reduced pixels.
LOW, HIGH = 0.25, 0.75  # Both sides of the edges.
ANGLES = (0.0, 0.3, np.pi / 4)  # Of straight edges, in radians.
FACTORS = (2, 4)


def lanczos(small: np.ndarray, factor: int) -> np.ndarray:
    """Interpolation by Lanczos' kernel of three lobes."""
    size = (small.shape[1] * factor, small.shape[0] * factor)
    return np.asarray(Image.fromarray(small).resize(size, Image.Resampling.LANCZOS))


def scene(factor: int, angle: float | None) -> np.ndarray:
    """A straight edge, or without an angle a disc; its first rows are black and white."""
    side = SIDE * factor
    y, x = (np.mgrid[: side * SUBPIXELS, : side * SUBPIXELS] + 0.5) / SUBPIXELS - side / 2
    if angle is None:
        bright = np.hypot(x, y) < RADIUS * factor
    else:
        bright = x * np.cos(angle) + y * np.sin(angle) < SHIFT * factor
    found = LOW + (HIGH - LOW) * bright.reshape(side, SUBPIXELS, side, SUBPIXELS).mean((1, 3))
    found[: 3 * factor] = np.arange(side) >= side // 2
    return found.astype(np.float32)


def main() -> None:
    """Print the table."""
    print("| factor | reduction | method | overshoot, % | error, % |")
    for factor in FACTORS:
        for kind in REDUCTIONS:
            methods: dict[str, Callable[[np.ndarray], np.ndarray]] = {
                "bicubic": partial(bicubic, factor=factor, kind=kind),
                "Lanczos": partial(lanczos, factor=factor),
                "upscale, told": partial(upscale, scale=factor, reduction=kind),
                "upscale, found": partial(upscale, scale=factor),
            }
            inner = np.s_[BORDER * factor : -BORDER * factor, BORDER * factor : -BORDER * factor]
            scenes = [reduced(scene(factor, angle), factor, kind) for angle in (*ANGLES, None)]
            for name, method in methods.items():
                results = [(method(small)[inner], large[inner]) for large, small in scenes]
                beyond = [max(float(each.max()) - HIGH, LOW - float(each.min()), 0.0) for each, _ in results]
                error = [np.sqrt(np.mean(np.square(each - large))) for each, large in results]
                print(f"| {factor} | {kind} | {name} | {100 * np.mean(beyond) / (HIGH - LOW):.1f} | "
                      f"{100 * np.mean(error):.1f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
