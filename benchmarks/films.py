"""What the frames of a film give each other: ``python -m benchmarks.films [--frames 5] [--crop 192] [--json FILE]``.

Denoises films frame by frame, without and with a warm start, and with the help of one or two frames on either side.

* Made of Kodak images of the half that no setting was chosen on, with clipped noise: a still camera; one that moves
  by (0.6, 1.3) px and comes 1 % closer a frame; a disc cut out of the image that moves 3.3 px a frame before the
  still image. All are sampled between pixels by cubic splines, and so is the truth.
* The srdtrans pairs: five frames of one still scene, real noise. The difference of their mean brightness to that of
  the truth, which nobody can know, is taken off before the PSNR.
* Real films without truth from the folder micro: a time lapse of membranes and one of migrating cells.

Prints PSNR and processor seconds of each frame, and how much the result flickers: the standard deviation over time
in places that stand still, root mean square, as a share of that of the noisy film. Where a film has no truth, those
are the darkest quarter of the pixels (of the mean over time, blurred by 4 px), in which there are no cells.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter, shift
from skimage import io

from benchmarks import machine
from benchmarks.ablation import HALVES
from napari_rsmoe import psnr
from napari_rsmoe.bench.machine import facts, measured
from napari_rsmoe.bench.protocol import Level, middle, unit
from napari_rsmoe.denoising.stack import Series
from napari_rsmoe.image.planes import Planes

WAYS: dict[str, dict[str, Any]] = {
    "each alone": {"warm_start": False, "average": 0},
    "warm start": {"average": 0},
    "1 neighbour each side": {"average": 1},
    "2 neighbours each side": {"average": 2},
}
STEP, CLOSER = (0.6, 1.3), 1.01  # of the camera, px (y, x) and magnification a frame
PACE = 3.3  # of the disc, px a frame
WINDOW = 4.0  # px, of the blur that tells dark places


@dataclass(frozen=True)
class Film:
    """A film (T, Y, X) or (T, Y, X, C), its truth on [0, 1] if it is known, and where (Y, X) it stands still."""

    name: str
    noisy: np.ndarray
    clean: np.ndarray | None
    still: np.ndarray

    def flicker(self, film: np.ndarray) -> float | None:
        """Standard deviation over time in still places, of the noisy film or a denoised one."""
        if not self.still.any():
            return None
        return float(np.sqrt(np.var(film.astype(np.float64), axis=0, ddof=1)[self.still].mean()))


def seen(image: np.ndarray, step: np.ndarray, magnification: float, side: int) -> np.ndarray:
    """The middle of an image (H, W, C) as a camera sees it that has moved by `step` px and come closer."""
    centre = (np.array(image.shape[:2]) - 1) / 2
    offset = centre + step - centre / magnification
    channels = [
        affine_transform(channel, np.eye(2) / magnification, offset, order=3, mode="mirror")
        for channel in np.moveaxis(image, -1, 0)
    ]
    return middle(np.clip(np.stack(channels, -1), 0, 1), side)


def with_disc(image: np.ndarray, moved: float, side: int) -> np.ndarray:
    """The middle of an image with a disc from its left upper corner before it, `moved` px right of its middle."""
    still = middle(image, side)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    disc = np.clip(side / 8 - np.hypot(y, x - moved) + 0.5, 0, 1)[..., None]
    return still + disc * (np.clip(shift(image[:side, :side], (0, moved, 0), order=3, mode="mirror"), 0, 1) - still)


def made(frames: int, side: int, variance: float, images: int) -> Iterator[Film]:
    """Films with truth, made of Kodak images."""
    times = np.arange(frames) - (frames - 1) / 2
    for number in HALVES["report"][:images]:
        image = unit(io.imread(machine.data_folder("kodak") / f"kodim{number:02d}.png"))
        scenes = {
            "still camera": [middle(image, side) for _ in times],
            "moving camera": [seen(image, t * np.array(STEP), CLOSER**t, side) for t in times],
            "moving disc": [with_disc(image, PACE * t, side) for t in times],
        }
        for name, scene in scenes.items():
            level = Level.of_variance(variance)
            noisy = np.stack([level.add(frame, number, seed=t) for t, frame in enumerate(scene)])
            clean = np.stack(scene)
            yield Film(f"{name}, kodim{number:02d}", noisy, clean, np.ptp(clean, axis=0).max(-1) < 1e-6)


def paired(frames: int, side: int) -> Film:
    """The srdtrans pairs."""
    folder = machine.data_folder("srdtrans")
    noisy, clean = (
        np.stack([middle(io.imread(folder / kind / f"{n}.png"), side) for n in range(min(frames, 5))])
        for kind in ("noisy", "gt")
    )
    return Film("srdtrans", noisy, unit(clean), np.ones(noisy.shape[1:], bool))


def unknown(frames: int, side: int) -> Iterator[Film]:
    """Real films without truth."""
    for name in ("membrane_2d_timelapse", "cancer_cell_migration_crop"):
        film = io.imread(machine.data_folder("micro") / f"{name}.tif")[:frames]
        film = np.stack([middle(frame, side) for frame in film])
        brightness = gaussian_filter(film.mean(0), WINDOW)
        yield Film(name, film, None, brightness <= np.quantile(brightness, 0.25))


def run(film: Film, settings: dict[str, Any], preset: str) -> dict[str, Any]:
    """Denoise a film in one way; PSNR and processor seconds of each frame, and flicker."""
    axes = "TYX" if film.noisy.ndim == 3 else "TYXS"
    series = Series(Planes(film.noisy, axes), {"preset": preset}, **settings)
    done = [measured(lambda plane=plane: series.denoise(plane)) for plane in series.planes]
    result = np.stack([each.result.image for each in done])
    row: dict[str, Any] = {"cpu_seconds": [each.cpu_seconds for each in done], "flicker": film.flicker(result)}
    if film.clean is not None:
        row["psnr"] = quality(film, result)
    return row


def quality(film: Film, result: np.ndarray) -> list[float]:
    """PSNR of each frame, dB; that of real frames (integers) without their offset in brightness."""
    assert film.clean is not None
    values = unit(result)
    if film.noisy.dtype.kind in "iu":
        axes = tuple(range(1, values.ndim))
        values = values - (unit(film.noisy) - film.clean).mean(axes, keepdims=True)
    return [psnr(np.clip(a, 0, 1), b, 1.0) for a, b in zip(values, film.clean, strict=True)]


def main() -> None:
    """Print and, on request, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=5)
    parser.add_argument("--crop", type=int, default=192, help="side of the square in the middle that is used")
    parser.add_argument("--variance", type=float, default=0.01, help="of the noise added to Kodak images")
    parser.add_argument("--images", type=int, default=3, help="Kodak images, at most 6")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    print(facts())
    results: dict[str, dict[str, Any]] = {}
    films = [
        *made(options.frames, options.crop, options.variance, options.images),
        paired(options.frames, options.crop),
        *unknown(options.frames, options.crop),
    ]
    for film in films:
        before = film.flicker(film.noisy)
        rows = results[film.name] = {}
        if film.clean is not None:
            rows["noisy"] = {"psnr": quality(film, film.noisy)}
        for way, settings in WAYS.items():
            row = rows[way] = run(film, settings, options.preset)
            row["flicker"] = row["flicker"] / before if before else None
        for way, row in rows.items():
            decibels = " ".join(f"{value:5.2f}" for value in row.get("psnr", []))
            seconds = " ".join(f"{value:5.1f}" for value in row.get("cpu_seconds", []))
            flicker = f"{row['flicker']:.3f}" if row.get("flicker") is not None else "-"
            print(f"{film.name:28s} {way:22s} {decibels} dB  {seconds} s  flicker {flicker}", flush=True)
    if options.json:
        machine.write(options.json, results)


if __name__ == "__main__":
    main()
