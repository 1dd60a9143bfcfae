"""``python -m benchmarks.noisy_upscaling [--half report]``: enlarge noisy images, and denoise them first.

The middle of images of BSD68 and Kodak, in grey, is reduced by the mean over squares of pixels and noise is added. The
mean PSNR in dB of three ways, all blind, and how much the worst image loses against denoising and bicubic
interpolation; also the share of pixels whose error lies within one and two standard deviations of the error bar.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np

from benchmarks.enlarging import HALVES, bicubic, pictures, reduced
from napari_rsmoe import denoise, psnr, upscale
from napari_rsmoe.bench.protocol import middle
from napari_rsmoe.errors import ImageWarning

SIGMAS = (0, 5, 15, 25)  # Standard deviations, in units of 8-bit images.
SIDE = 320  # Of the middle parts, in pixels.


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=HALVES, default="report")
    parser.add_argument("--factors", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--sigmas", type=float, nargs="+", default=SIGMAS)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ImageWarning)
    print("| factor | sigma | denoise, bicubic | denoise, upscale | upscale | worst gain | 1 std | 2 std |")
    for factor in options.factors:
        for sigma in options.sigmas:
            rows = []
            for number, image in enumerate(pictures(options.half).values()):
                large, small = reduced(middle(image, SIDE), factor, "mean")
                noise = np.random.default_rng(number).normal(0, sigma / 255, small.shape)
                noisy = (small + noise).astype(np.float32)
                clean = denoise(noisy, dtype="float32").image
                at_once = upscale(noisy, factor, return_std=True)
                error = np.abs(at_once.image - large)
                figures = [
                    psnr(np.clip(result, 0, 1), large, 1.0)
                    for result in (bicubic(clean, factor, "mean"), upscale(clean, factor, noise=0), at_once.image)
                ]
                within = [float(np.mean(error < k * at_once.std)) for k in (1, 2)]
                rows.append([*figures, figures[2] - figures[0], *within])
            mean, worst = np.mean(rows, 0), np.min(rows, 0)[3]
            print(f"| {factor} | {sigma:g} | {mean[0]:.2f} | {mean[1]:.2f} | {mean[2]:.2f} | {worst:+.2f} | "
                  f"{mean[4]:.3f} | {mean[5]:.3f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
