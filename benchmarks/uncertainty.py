"""Does the error bar keep its promise? ``python -m benchmarks.uncertainty [--picture docs/images/reliability.png]``.

Denoises images with known truth and counts how often the error is within k standard deviations of `denoise(...).std`:
Kodak with clipped Gaussian noise of the levels given, and FMD micrographs with the noise that is there, both from the
halves that no setting was chosen on, and generated images. Prints a table, and draws reliability curves: the fraction
promised by a normal distribution against the fraction found.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr
from skimage import io

from benchmarks import machine
from napari_rsmoe import denoise
from napari_rsmoe.bench.machine import facts
from napari_rsmoe.bench.protocol import Level, unit

DEVIATIONS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
HALVES = {
    "reported": (("01", "05", "09", "13", "17", "21"), "*_2.png"),
    "chosen on": (("03", "07", "11", "15", "19", "23"), "*_1.png"),
}
Case = tuple[str, str, np.ndarray, np.ndarray]


def generated(seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Flat shapes on slopes (colour), and bands of rough to smooth texture (grey), in [0, 1]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:256, :256]
    shapes = 0.4 + 0.2 * np.stack([x, y, 256 - x], -1) / 256 * rng.uniform(-1, 1, 3)
    for _ in range(8):
        centre, radius = rng.uniform(0, 256, 2), rng.uniform(8, 40)
        disc = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 * rng.uniform(0.4, 2) < radius**2
        shapes[disc] = rng.uniform(0.1, 0.9, 3)
    yield "shapes", shapes
    bands = [gaussian_filter(rng.normal(size=(64, 256)), width) for width in (1.5, 3, 6, 12)]
    yield "texture", np.concatenate([0.5 + 0.12 * band / band.std() for band in bands]).clip(0.05, 0.95)


def cases(half: str, variances: list[float]) -> Iterator[Case]:
    """Group, name, noisy and clean image."""
    numbers, pattern = HALVES[half]
    for variance in variances:
        for number in numbers:
            path = machine.data_folder("kodak") / f"kodim{number}.png"
            clean = unit(io.imread(path))
            yield f"Kodak, variance {variance:g}", path.stem, Level.of_variance(variance).add(clean, int(number)), clean
    fmd = machine.data_folder("fmd")
    for path in sorted((fmd / "raw").glob(pattern)):
        yield "FMD", path.stem, unit(io.imread(path)), unit(io.imread(fmd / "gt" / path.name))
    for seed in range(2):
        for name, clean in generated(seed + (100 if half == "reported" else 0)):
            for sigma in (0.03, 0.1):
                noise = np.random.default_rng(seed).normal(0, sigma, clean.shape)
                yield f"generated {name}", f"{name} {seed}, sigma {sigma:g}", np.clip(clean + noise, 0, 1), clean


def cut(image: np.ndarray, side: int | None) -> np.ndarray:
    """The middle of an image."""
    if side is None:
        return image
    top, left = (max(0, (length - side) // 2) for length in image.shape[:2])
    return image[top : top + side, left : left + side]


def draw(found: dict[str, np.ndarray], path: Path) -> None:
    """Draw a reliability curve for each group."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 4.6), layout="constrained")
    axes = figure.add_subplot()
    promised = 2 * ndtr(np.array(DEVIATIONS)) - 1
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="as promised")
    for group, fractions in found.items():
        axes.plot([0, *promised], [0, *fractions], marker="o", markersize=3, label=group)
    axes.set(
        xlabel="promised fraction of pixels within k standard deviations", ylabel="found", xlim=(0, 1), ylim=(0, 1)
    )
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the table and, on request, draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variance", type=float, nargs="*", default=[0.0037, 0.01, 0.05])
    parser.add_argument("--half", choices=tuple(HALVES), default="reported")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--crop", type=int, help="side of the square in the middle that is used")
    parser.add_argument("--picture", type=Path, help="draw reliability curves there")
    options = parser.parse_args()
    print(facts())
    rows: dict[str, list[list[float]]] = {}
    columns = "".join(f"{k:8g}" for k in DEVIATIONS)
    print(f"fraction of pixels within k standard deviations\n{'k':34s}{columns}   rms error / rms std")
    print(f"{'promised':34s}" + "".join(f"{2 * ndtr(k) - 1:8.3f}" for k in DEVIATIONS))
    for group, name, noisy, clean in cases(options.half, options.variance):
        truth = cut(clean, options.crop)
        result = denoise(cut(noisy, options.crop).astype(np.float32), preset=options.preset)
        error = np.abs(result.image - truth)
        ratio = float(np.sqrt(np.mean(np.square(error)) / np.mean(np.square(result.std, dtype=np.float64))))
        row = [float(np.mean(error <= k * result.std)) for k in DEVIATIONS]
        rows.setdefault(group, []).append([*row, ratio])
        print(f"{name:34s}" + "".join(f"{share:8.3f}" for share in row) + f"{ratio:8.2f}", flush=True)
    means = {group: np.mean(found, 0) for group, found in rows.items()}
    for group, mean in means.items():
        print(f"{group + ', mean':34s}" + "".join(f"{share:8.3f}" for share in mean[:-1]) + f"{mean[-1]:8.2f}")
    if options.picture:
        draw({group: mean[:-1] for group, mean in means.items()}, options.picture)


if __name__ == "__main__":
    main()
