"""``python -m benchmarks.noisy_upscaling``: enlarge noisy images as they are, denoised first, with fewer kernels."""

from __future__ import annotations

import warnings

import numpy as np
from skimage import data

from napari_rsmoe import denoise, psnr, upscale
from napari_rsmoe.errors import ImageWarning

PLACES = {
    "chelsea": (40, 100), "astronaut": (60, 170), "camera": (60, 150), "coins": (60, 60), "moon": (60, 60)
}  # fmt: skip
NOISES = (0, 3, 6, 12, 25)  # Standard deviations, in units of 8-bit images.
FEWER = 12  # Pixels for each kernel, instead of 3.


def main() -> None:
    warnings.simplefilter("ignore", ImageWarning)
    rng = np.random.default_rng(0)
    for name, (y, x) in PLACES.items():
        truth = getattr(data, name)()[y : y + 128, x : x + 160]
        small = truth.reshape(64, 2, 80, 2, -1).mean((1, 3)).squeeze()
        for noise in NOISES:
            noisy = np.clip(small + rng.normal(0, noise, small.shape), 0, 255).astype(np.uint8)
            tries = {
                "as it is": upscale(noisy, 2, models=2),
                "denoised first": upscale(denoise(noisy, preset="fast").image, 2, models=2),
                "fewer kernels": upscale(noisy, 2, models=2, n_kernels=64 * 80 // FEWER),
            }
            figures = ", ".join(f"{label} {psnr(image, truth):.2f}" for label, image in tries.items())
            print(f"{name}, noise {noise}: {figures}", flush=True)


if __name__ == "__main__":
    main()
