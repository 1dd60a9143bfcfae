"""Noise that neighbours or channels share: ``python -m benchmarks.correlated [--variance 0.001] [--json FILE]``.

Clipped Gaussian noise is added to the middle of Kodak images, which are then processed as cameras and programs do:

* seen through a Bayer mosaic, one colour a pixel, and interpolated bilinearly, or by the filters of Malvar, He and
  Cutler (ICASSP 2004), which mix the channels;
* enlarged 1.5 times by cubic interpolation.

The truth is the clean image after the same processing: what it loses, no denoiser can know. Prints the PSNR of the
noisy image, of `denoise` without or with what `estimate_noise` finds in one frame of even grey, and of
colour BM3D with the true standard deviation, or the true spectrum of each channel (mean of 40 grey frames).

Then the same images in grey: Gaussian noise, and photon noise that is as strong in the middle of the range. They are
denoised as they are, and stored as RGB with three equal channels.

All of it takes about an hour of processor time. With ``--json FILE`` every image is written as soon as it is done, and
another run that names the same file goes on where an earlier one ended.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import bm3d
import numpy as np
from scipy.ndimage import convolve, zoom
from skimage import io

from benchmarks import machine
from benchmarks.ablation import HALVES
from napari_rsmoe import denoise, estimate_noise, psnr
from napari_rsmoe.bench.machine import facts
from napari_rsmoe.bench.protocol import Level, middle, unit

Process = Callable[[np.ndarray], np.ndarray]
DRAWS = 40
GREY = 0.5
# Weights of the mosaic around a pixel, for a colour that was measured elsewhere.
BILINEAR = (
    np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4,
    np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4,
)  # red or blue; green
GREEN = np.array([[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]) / 8
BESIDE = np.array([[0, 0, 1, 0, 0], [0, -2, 0, -2, 0], [-2, 8, 10, 8, -2], [0, -2, 0, -2, 0], [0, 0, 1, 0, 0]]) / 16
ACROSS = np.array([[0, 0, -3, 0, 0], [0, 4, 0, 4, 0], [-3, 0, 12, 0, -3], [0, 4, 0, 4, 0], [0, 0, -3, 0, 0]]) / 16


def measured_at(shape: tuple[int, ...]) -> np.ndarray:
    """Where (H, W, 3) a Bayer mosaic measures red, green and blue."""
    y, x = np.indices(shape[:2]) % 2
    return np.stack([y + x == 0, y + x == 1, y + x == 2], -1)


def bilinear(image: np.ndarray) -> np.ndarray:
    """Colours from a Bayer mosaic, each interpolated alone."""
    at = measured_at(image.shape)
    kernels = (BILINEAR[0], BILINEAR[1], BILINEAR[0])
    return np.stack([convolve(image[..., c] * at[..., c], k, mode="mirror") for c, k in enumerate(kernels)], -1)


def malvar(image: np.ndarray) -> np.ndarray:
    """Colours from a Bayer mosaic, corrected by the curvature of the colour that was measured."""
    at = measured_at(image.shape)
    mosaic = (image * at).sum(2)
    green, left_right, above_below, corners = (
        convolve(mosaic, kernel, mode="mirror") for kernel in (GREEN, BESIDE, BESIDE.T, ACROSS)
    )
    red_rows = np.indices(mosaic.shape)[0] % 2 == 0

    def colour(here: np.ndarray, own_rows: np.ndarray) -> np.ndarray:
        beside = np.where(own_rows, left_right, above_below)
        return np.where(here, mosaic, np.where(at[..., 1], beside, corners))

    return np.stack(
        [colour(at[..., 0], red_rows), np.where(at[..., 1], mosaic, green), colour(at[..., 2], ~red_rows)], -1
    )


def enlarged(image: np.ndarray) -> np.ndarray:
    """1.5 times as many pixels a side, by cubic splines."""
    return zoom(image, (1.5, 1.5, 1), order=3, mode="mirror", grid_mode=True)


PROCESSES: dict[str, Process] = {
    "Bayer mosaic, bilinear": bilinear,
    "Bayer mosaic, Malvar": malvar,
    "enlarged 1.5 times": enlarged,
}


def grey_frame(process: Process, level: Level, side: int, seed: int) -> np.ndarray:
    """What the same camera and program make of an even grey."""
    return process(level.add(np.full((side, side, 3), GREY), 0, seed=seed).astype(np.float64))


def bm3d_told_spectrum(noisy: np.ndarray, process: Process, level: Level, side: int) -> np.ndarray:
    """Colour BM3D that knows how strong the noise is at each frequency of each channel."""
    if not hasattr(np, "trapz"):
        np.trapz = np.trapezoid  # the package calls it by the name it had before NumPy 2.4
    noises = (grey_frame(process, level, side, 1 + draw) - GREY for draw in range(DRAWS))
    return bm3d.bm3d_rgb(noisy, np.mean([np.square(np.abs(np.fft.fft2(n, axes=(0, 1)))) for n in noises], 0))


def run(clean: np.ndarray, number: int, process: Process, level: Level) -> dict[str, float]:
    """PSNR of every method, dB, and the noise that is there and that was found."""
    noisy, truth = process(level.add(clean, number).astype(np.float64)), process(clean)
    sigma = float(np.std(noisy - truth))
    ours = denoise(noisy.astype(np.float32))
    frame = estimate_noise(grey_frame(process, level, clean.shape[0], DRAWS + 1).astype(np.float32))
    results = {
        "noisy": noisy,
        "R-SMoE, blind": ours.image,
        "R-SMoE, grey frame": denoise(noisy.astype(np.float32), noise=frame).image,
        "BM3D, true sigma": bm3d.bm3d_rgb(noisy, sigma),
        "BM3D, true spectrum": bm3d_told_spectrum(noisy, process, level, clean.shape[0]),
    }
    quality = partial(psnr, data_range=1.0)
    found = {name: float(quality(np.clip(image, 0, 1), np.clip(truth, 0, 1))) for name, image in results.items()}
    return found | {"sigma": sigma, "sigma found": ours.noise}


def run_grey(clean: np.ndarray, number: int, level: Level, *, photons: bool) -> dict[str, float]:
    """PSNR of a grey image with noise, dB, as it is and stored as RGB."""
    if photons:
        gain = level.sigma**2 / GREY
        noisy = (gain * np.random.default_rng(level.seed(number)).poisson(clean / gain)).astype(np.float32)
    else:
        noisy = level.add(clean, number)
    stored = denoise(np.stack([noisy] * 3, -1)).image.mean(2)
    results = {"noisy": noisy, "R-SMoE, grey": denoise(noisy).image, "R-SMoE, stored as RGB": stored}
    return {name: float(psnr(np.clip(image, 0, 1), clean, data_range=1.0)) for name, image in results.items()}


def show(name: str, row: dict[str, float]) -> None:
    """Print the figures of an image."""
    print(f"{name:32s}", *(f"{key} {value:.4g}," for key, value in row.items()), flush=True)


def kept(path: Path | None, variance: float, crop: int) -> dict[str, dict[str, dict[str, float]]]:
    """The figures of an earlier run with the same noise and crop; none without a file."""
    if not path or not path.exists():
        return {}
    results = json.loads(path.read_text("utf-8"))["results"]
    if (results["variance"], results["crop"]) != (variance, crop):
        raise SystemExit(f"{path} holds figures of another variance or crop; name another file, or remove it.")
    return dict(results["psnr"])


def main() -> None:
    """Print and, on request, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variance", type=float, default=0.001, help="of the noise before processing")
    parser.add_argument("--half", choices=HALVES, default="report")
    parser.add_argument("--crop", type=int, default=256, help="side of the square in the middle that is used")
    parser.add_argument("--json", type=Path, help="write the figures there, and go on with those it holds")
    options = parser.parse_args()
    print(facts())
    level = Level.of_variance(options.variance)
    crops = {
        number: middle(unit(io.imread(machine.data_folder("kodak") / f"kodim{number:02d}.png")), options.crop)
        for number in HALVES[options.half]
    }
    measures: dict[str, Callable[[np.ndarray, int], dict[str, float]]] = {
        name: partial(run, process=process, level=level) for name, process in PROCESSES.items()
    }
    for name, photons in (("grey, Gaussian noise", False), ("grey, photon noise", True)):
        measures[name] = lambda clean, number, photons=photons: run_grey(clean.mean(2), number, level, photons=photons)
    results = kept(options.json, options.variance, options.crop)
    for name, measure in measures.items():
        rows = results.setdefault(name, {})
        for number, clean in crops.items():
            image = f"kodim{number:02d}"
            if image not in rows:
                rows.pop("mean", None)
                rows[image] = measure(clean, number)
                if options.json:
                    machine.write(options.json, {"variance": options.variance, "crop": options.crop, "psnr": results})
            show(f"{name}, {image}", rows[image])
        if "mean" not in rows:
            first = next(iter(rows.values()))
            rows["mean"] = {key: float(np.mean([row[key] for row in rows.values()])) for key in first}
        show(f"{name}, mean", rows["mean"])
    if options.json:
        machine.write(options.json, {"variance": options.variance, "crop": options.crop, "psnr": results})


if __name__ == "__main__":
    main()
