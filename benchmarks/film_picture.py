"""The picture of a real film in the documentation: ``python -m benchmarks.film_picture docs/images/film.png``.

Five frames of the static scene of srdtrans, real noise: a frame before and after, its error bar, and the standard
deviation over time at each pixel, which is flicker as nothing moves.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from skimage import io

from benchmarks import machine
from napari_rsmoe import denoise_stack
from napari_rsmoe.bench.protocol import middle

SIDE, FRAMES = 128, 5


def main() -> None:
    """Denoise the film and draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    file = parser.parse_args().file
    folder = machine.data_folder("srdtrans") / "noisy"
    film = np.stack([middle(io.imread(folder / f"{n}.png"), SIDE) for n in range(FRAMES)])
    ways = {"each frame alone": 0, "2 neighbours on either side": 2}
    done = {way: denoise_stack(film, "TYX", average=average, dtype="float32") for way, average in ways.items()}
    best = done["2 neighbours on either side"]
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.3), layout="constrained")
    low, high = np.quantile(film[2], (0.005, 0.998))
    for axis, image, title in zip(axes, (film[2], best.image[2]), ("noisy frame", "denoised"), strict=False):
        axis.imshow(image, cmap="gray", vmin=low, vmax=high)
        axis.set_title(title)
    shown = axes[2].imshow(best.std[2], cmap="magma")
    axes[2].set_title("error bar")
    figure.colorbar(shown, ax=axes[2], shrink=0.8)
    for axis in axes[:3]:
        axis.set_axis_off()
    flicker = {"noisy": film, **{way: each.image for way, each in done.items()}}
    bins = np.geomspace(0.05, 50, 90)
    for name, each in flicker.items():
        deviation = each.astype(np.float64).std(0, ddof=1)
        level = float(np.sqrt(np.square(deviation).mean()))
        axes[3].hist(deviation.ravel(), bins, histtype="step", label=f"{name}: {level:.2f}")
        print(name, round(level, 3))
    axes[3].set(xscale="log", title="flicker", xlabel="standard deviation over time", ylabel="pixels")
    axes[3].legend(fontsize=8)
    figure.savefig(file, dpi=90)


if __name__ == "__main__":
    main()
