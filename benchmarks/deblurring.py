"""Deconvolution of simulated micrographs: ``python -m benchmarks.deblurring [--half report] [--json FILE]``.

Beads, filaments and cells are blurred, and photons are counted by a camera with read noise. PSNR in dB, relative to the
largest light, of `deblur`, which knows the point spread function and not the noise, and of three peers: Richardson and
Lucy's method and total variation, whose number of iterations and weight are chosen for each image with the truth, and
the unsupervised Wiener filter. Settings of `deblur` were chosen on the half "choose".
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter
from skimage.restoration import denoise_tv_chambolle, richardson_lucy, unsupervised_wiener

from benchmarks import machine
from napari_rsmoe import deblur, psnr
from napari_rsmoe.enlarging.deconvolution import Blur
from napari_rsmoe.enlarging.psf import point_spread
from napari_rsmoe.errors import ImageWarning

SEEDS = {"choose": (0,), "report": (100,)}
"""Seeds of the scenes."""
SIDE = 128  # Pixels.
FINER = 4  # Points along each axis at which the light in a pixel is summed.
MARGIN = 12  # Pixels around the image that are simulated too, so that light comes in from outside.
PHOTONS = (100, 1000, 10_000)  # Of the brightest place.
READ_NOISE = 2.0  # Standard deviation, in photons.
BACKGROUND = 0.02  # Light without structures, relative to the brightest place.
WIDTH = 1.5  # Standard deviation of the blur, in pixels.
ITERATIONS = (5, 10, 15, 20, 30, 50, 80, 120, 200)
WEIGHTS = np.geomspace(3e-5, 1e-2, 6)


def beads(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Discs with radii of 0.8 to 2.5 px, of different brightness."""
    light = np.zeros_like(y)
    for _ in range(40):
        row, column = rng.uniform(0, y.max(), 2)
        light[np.hypot(y - row, x - column) < rng.uniform(0.8, 2.5)] += rng.uniform(0.3, 1)
    return light


def filaments(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Bent lines with a standard deviation of 0.8 px."""
    light = np.zeros_like(y)
    for _ in range(12):
        angle, bend, phase = rng.uniform(0, np.pi), rng.uniform(2, 8), rng.uniform(0, 6)
        along = np.cos(angle) * x + np.sin(angle) * y
        across = np.cos(angle) * y - np.sin(angle) * x
        place = rng.uniform(across.min(), across.max()) / 1.3 + bend * np.sin(along / rng.uniform(10, 25) + phase)
        light += rng.uniform(0.3, 1) * np.exp(-np.square((across - place) / 0.8) / 2)
    return light


def cells(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Ellipses with sharp borders, granules and a dark nucleus."""
    light = np.zeros_like(y)
    for _ in range(7):
        row, column = rng.uniform(0, y.max(), 2)
        long, wide, angle = rng.uniform(12, 24), rng.uniform(8, 16), rng.uniform(0, np.pi)
        u = (np.cos(angle) * (x - column) + np.sin(angle) * (y - row)) / long
        v = (np.cos(angle) * (y - row) - np.sin(angle) * (x - column)) / wide
        texture = gaussian_filter(rng.normal(size=y.shape), 1.2 * FINER)
        inside = np.clip(0.6 + 0.2 * texture / texture.std(), 0.1, 1) * np.where(np.hypot(u, v - 0.2) < 0.4, 0.4, 1)
        light = np.where(np.hypot(u, v) < 1, rng.uniform(0.4, 1) * inside, light)
    return light


SCENES = {"beads": beads, "filaments": filaments, "cells": cells}


def simulated(scene: str, seed: int, photons: float, width: float = WIDTH) -> tuple[np.ndarray, np.ndarray]:
    """Light (Y, X) in photons, with its brightest place at `photons`, and what a camera measures of it, blurred."""
    rng = np.random.default_rng([seed, list(SCENES).index(scene)])
    side = SIDE + 2 * MARGIN
    y, x = ((np.mgrid[: side * FINER, : side * FINER] + 0.5) / FINER - 0.5).astype(np.float64)
    fine = SCENES[scene](rng, y, x).reshape(side, FINER, side, FINER).mean((1, 3))
    light = photons * (BACKGROUND + (1 - BACKGROUND) * fine / fine.max())
    spread = Blur.of(point_spread(width), light.shape)
    blurred = spread.inner(spread(spread.padded(light)))
    counted = rng.poisson(np.maximum(blurred, 0)) + rng.normal(0, READ_NOISE, light.shape)
    inner = np.s_[MARGIN:-MARGIN, MARGIN:-MARGIN]
    return light[inner], counted[inner].astype(np.float32)


def best(results: list[np.ndarray], truth: np.ndarray) -> float:
    """The largest PSNR."""
    return max(psnr(np.maximum(result, 0), truth, float(truth.max())) for result in results)


def by_richardson_lucy(image: np.ndarray, spread: np.ndarray, truth: np.ndarray) -> float:
    """With the best number of iterations."""
    padded = np.pad(np.maximum(image, 1e-3 * image.max()), MARGIN, mode="symmetric").astype(np.float64)
    return best([richardson_lucy(padded / image.max(), spread, number, clip=False)[MARGIN:-MARGIN, MARGIN:-MARGIN]
                 * image.max() for number in ITERATIONS], truth)  # fmt: skip


def by_wiener(image: np.ndarray, spread: np.ndarray, truth: np.ndarray) -> float:
    """Unsupervised."""
    padded = np.pad(image, MARGIN, mode="symmetric").astype(np.float64) / image.max()
    result = unsupervised_wiener(padded, spread, clip=False, rng=0)[0][MARGIN:-MARGIN, MARGIN:-MARGIN]
    return best([result * image.max()], truth)


def by_total_variation(image: np.ndarray, spread: np.ndarray, truth: np.ndarray) -> float:
    """Squared errors with the best weight of total variation, by 40 steps of FISTA."""
    blur = Blur.of(spread, image.shape)
    padded = blur.padded(image / image.max())
    results = []
    for weight in WEIGHTS:
        light = ahead = padded
        pace = 1.0
        for _ in range(40):
            step = ahead - irfft2(np.conj(blur.transfer) * (blur.transfer * rfft2(ahead) - rfft2(padded)), blur.shape)
            before, light = light, np.maximum(denoise_tv_chambolle(step, weight, max_num_iter=20), 0)
            before_pace, pace = pace, (1 + np.sqrt(1 + 4 * pace**2)) / 2
            ahead = light + (before_pace - 1) / pace * (light - before)
        results.append(blur.inner(light) * image.max())
    return best(results, truth)


PEERS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], float]] = {
    "Richardson-Lucy": by_richardson_lucy,
    "unsupervised Wiener": by_wiener,
    "total variation": by_total_variation,
}


def main() -> None:
    """Print and, on request, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=SEEDS, default="report")
    parser.add_argument("--photons", type=int, nargs="+", default=PHOTONS)
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ImageWarning)
    spread, rows = point_spread(WIDTH), []
    print(f"| photons | scene | {' | '.join(PEERS)} | deblur | over the best | 1 std | 2 std | CPU s |")
    for photons in options.photons:
        for scene in SCENES:
            found = []
            for seed in SEEDS[options.half]:
                truth, image = simulated(scene, seed, photons)
                peers = [peer(image, spread, truth) for peer in PEERS.values()]
                began = time.process_time()
                result = deblur(image, WIDTH, preset=options.preset)
                took = time.process_time() - began
                ours, error = psnr(result.image, truth, float(truth.max())), np.abs(result.image - truth)
                within = [float(np.mean(error < k * result.std)) for k in (1, 2)]
                found.append([*peers, ours, ours - max(peers), *within, took])
            rows.append({"photons": photons, "scene": scene, "figures": np.mean(found, 0).tolist()})
            line = " | ".join(f"{figure:.2f}" for figure in rows[-1]["figures"])
            print(f"| {photons} | {scene} | {line} |", flush=True)
    line = " | ".join(f"{figure:.2f}" for figure in np.mean([row["figures"] for row in rows], 0))
    print(f"| mean | | {line} |")
    if options.json:
        machine.write(options.json, {"half": options.half, "rows": rows})


if __name__ == "__main__":
    main()
