"""Figure 13 of the paper with the present engine: ``python -m benchmarks.figure13 [FILE]``.

Two parts of Kodak images, 44 px wide, enlarged ten times: by bicubic interpolation, a sum of Gaussians (RBF), one
mixture, and `upscale`; in the second row sharpened, by an unsharp mask or by narrower kernels. Notes on overshoot are
printed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage import io

import napari_rsmoe as rsmoe
from benchmarks import machine
from napari_rsmoe.image.resize import cubic
from napari_rsmoe.plots import pictures

SIDE, AROUND, FACTOR = 44, 20, 10
SHARPEN = 2.0
CORNERS = {"kodim05": (250, 330), "kodim23": (150, 220)}
TARGET = machine.REPOSITORY / "docs" / "images" / "figure13.jpg"


def enlarged(name: str, corner: tuple[int, int]) -> dict[str, np.ndarray]:
    """All versions of one part by title."""
    y, x = corner
    photo = io.imread(machine.data_folder("kodak") / f"{name}.png")
    part = (photo[y - AROUND : y + SIDE + AROUND, x - AROUND : x + SIDE + AROUND] / 255).astype(np.float32)
    area = part.shape[0] * part.shape[1]
    inner = np.s_[AROUND * FACTOR : -AROUND * FACTOR, AROUND * FACTOR : -AROUND * FACTOR]
    plain = cubic(part, (part.shape[0] * FACTOR, part.shape[1] * FACTOR))
    models = {
        "sum of Gaussians": rsmoe.fit(part, area // 10, mode="rbf"),
        "one mixture": rsmoe.fit(part, area // 4, preset="upscale"),
    }
    found = {"bicubic": plain[inner]}
    found |= {title: model.render(scale=FACTOR)[inner] for title, model in models.items()}
    found["upscale"] = rsmoe.upscale(part, FACTOR, noise=0)[inner]
    found["bicubic, unsharp mask"] = (plain + plain - gaussian_filter(plain, (6, 6, 0)))[inner]
    found |= {
        f"{title}, sharpened": model.render(scale=FACTOR, sharpen=SHARPEN)[inner] for title, model in models.items()
    }
    found["upscale, sharpened"] = rsmoe.upscale(part, FACTOR, SHARPEN, noise=0)[inner]
    return {title: np.clip(image, 0, 1) for title, image in found.items()}


def main() -> None:
    """Write the figure."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    for name, corner in CORNERS.items():
        file = target.with_stem(f"{target.stem}_{name}")
        axes = pictures(enlarged(name, corner), columns=4, width=10)
        axes[0].figure.savefig(file, dpi=100, pil_kwargs={"quality": 80})
        print(f"wrote {file}")


if __name__ == "__main__":
    main()
