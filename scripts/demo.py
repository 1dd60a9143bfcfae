"""Denoise and enlarge a photograph with known truth, print figures and write pictures: ``python scripts/demo.py``.

The photograph comes with scikit-image, so nothing is downloaded.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np
import skimage.data
import skimage.io
import skimage.transform
import skimage.util
import tqdm

from napari_rsmoe import Denoised, Kernels, Progress, denoise, psnr, ssim, upscale
from napari_rsmoe.display.pictures import heat
from napari_rsmoe.progress import Callback

NOISE_VARIANCE = 0.01  # Variance of the added noise, for values in [0, 1].
SCALE = 4  # Factor by which the photograph is reduced and enlarged again.
GAP = 6  # Width in pixels of the white gap between the panels of the overview.


def photograph() -> np.ndarray:
    """Load the example, cropped to a multiple of `SCALE`.

    Returns
    -------
    numpy.ndarray
        (Y, X, 3) float32, values in [0, 1].
    """
    image: np.ndarray = skimage.util.img_as_float32(skimage.data.chelsea())
    height, width = (size - size % SCALE for size in image.shape[:2])
    return image[:height, :width]


def add_noise(image: np.ndarray) -> np.ndarray:
    """Add Gaussian noise of variance `NOISE_VARIANCE` and clip to [0, 1], with the same noise in every run."""
    noise = np.random.default_rng(0).normal(0.0, NOISE_VARIANCE**0.5, image.shape)
    return np.clip(image + noise, 0.0, 1.0).astype(np.float32)


def resize(image: np.ndarray, factor: int, order: int) -> np.ndarray:
    """Enlarge (Y, X, C) by interpolation of the given order (0: nearest pixel, 3: cubic), clipped to [0, 1]."""
    shape = (image.shape[0] * factor, image.shape[1] * factor)
    return np.clip(skimage.transform.resize(image, shape, order=order, mode="edge"), 0.0, 1.0)


def draw_kernels(image: np.ndarray, kernels: Kernels, zoom: int = 2) -> np.ndarray:
    """Enlarge the middle of the image, and draw an ellipse at one standard deviation of each kernel.

    Parameters
    ----------
    image : numpy.ndarray
        (Y, X, 3) in [0, 1].
    kernels : Kernels
        Kernels of a model of this image.
    zoom : int
        Factor of the enlargement. The picture shows ``1 / zoom`` of the height and of the width.

    Returns
    -------
    numpy.ndarray
        (Y, X, 3) in [0, 1], darkened under white ellipses.
    """
    size = np.array(image.shape[:2]) // zoom
    top, left = corner = (np.array(image.shape[:2]) - size) // 2
    canvas = 0.6 * resize(image[top : top + size[0], left : left + size[1]], zoom, order=3)
    turn = np.linspace(0.0, 2.0 * np.pi, 1000)  # Enough points to leave no gaps.
    along, across = kernels.axes.T[:, :, None] * np.stack([np.cos(turn), np.sin(turn)])[:, None]
    cos, sin = np.cos(kernels.angle)[:, None], np.sin(kernels.angle)[:, None]
    outlines = kernels.center[:, None] + np.stack([along * sin + across * cos, along * cos - across * sin], -1)
    # Pixel i of the image covers [i - 0.5, i + 0.5] in image coordinates.
    points = np.rint((outlines - corner + 0.5) * zoom - 0.5).astype(int).reshape(-1, 2)
    inside = ((points >= 0) & (points < canvas.shape[:2])).all(axis=1)
    canvas[tuple(points[inside].T)] = 1.0
    return canvas


def side_by_side(panels: list[np.ndarray], columns: int) -> np.ndarray:
    """Arrange pictures of the same size in rows, with white gaps between them."""
    padded = [np.pad(p, ((0, GAP), (0, GAP), (0, 0)), constant_values=1.0) for p in panels]
    rows = [np.concatenate(padded[i : i + columns], axis=1) for i in range(0, len(padded), columns)]
    return np.concatenate(rows, axis=0)[:-GAP, :-GAP]


@contextmanager
def progress_bar(label: str) -> Iterator[Callback]:
    """Show a progress bar on a terminal, and yield the callback that moves it."""
    with tqdm.tqdm(
        desc=label, total=100, leave=False, disable=None, bar_format="{desc} {percentage:3.0f}% |{bar}|"
    ) as bar:

        def report(progress: Progress) -> None:
            bar.n = round(100 * progress.fraction)
            bar.refresh()

        yield report


def figures(name: str, image: np.ndarray, truth: np.ndarray, more: str = "") -> None:
    """Print one line of the table."""
    click.echo(f"  {name:<12} {psnr(image, truth):6.2f} dB   SSIM {ssim(image, truth):.3f}   {more}".rstrip())


def run_denoise(truth: np.ndarray, noisy: np.ndarray) -> Denoised:
    """Denoise, and print PSNR, SSIM and time."""
    start = time.perf_counter()
    with progress_bar("denoising") as callback:
        result = denoise(noisy, callback=callback)
    seconds = time.perf_counter() - start
    click.echo(f"Denoising, Gaussian noise of standard deviation {NOISE_VARIANCE**0.5:.3f}:")
    figures("noisy", noisy, truth)
    figures("denoised", result.image, truth, f"{seconds:.1f} s, noise estimated as {result.noise:.3f}")
    return result


def run_upscale(truth: np.ndarray, small: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Enlarge by cubic interpolation and by `upscale`, and print PSNR, SSIM and time."""
    bicubic = resize(small, SCALE, order=3)
    start = time.perf_counter()
    with progress_bar("enlarging") as callback:
        ours = upscale(small, SCALE, callback=callback)
    seconds = time.perf_counter() - start
    height, width = small.shape[:2]
    click.echo(f"Enlarging {SCALE} times, from {width} x {height} px:")
    figures("bicubic", bicubic, truth)
    figures("ours", ours, truth, f"{seconds:.1f} s")
    return bicubic, ours


@click.command()
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo_output"),
    show_default=True,
    help="Folder for the pictures.",
)
def main(output: Path) -> None:
    """Denoise and enlarge a photograph with known truth, print figures and write pictures."""
    truth = photograph()
    noisy = add_noise(truth)
    small = skimage.transform.downscale_local_mean(truth, (SCALE, SCALE, 1)).astype(np.float32)
    click.echo(f"Photograph: skimage.data.chelsea, {truth.shape[1]} x {truth.shape[0]} px, RGB")
    denoised = run_denoise(truth, noisy)
    bicubic, ours = run_upscale(truth, small)
    # Models differ in their number of kernels; about 1000 ellipses are still distinguishable.
    kernels = min(denoised.models, key=lambda model: abs(model.n_kernels - 1000)).kernels()

    panels = {
        "clean": truth,
        "noisy": noisy,
        "denoised": denoised.image,
        "uncertainty": heat(denoised.std),
        "small": resize(small, SCALE, order=0),
        "bicubic": bicubic,
        "enlarged": ours,
        "kernels": draw_kernels(denoised.image, kernels),
    }
    output.mkdir(parents=True, exist_ok=True)
    pictures = {**panels, "overview": side_by_side(list(panels.values()), columns=4)}
    for name, picture in pictures.items():
        path = output / f"{name}.png"
        skimage.io.imsave(path, skimage.util.img_as_ubyte(np.clip(picture, 0.0, 1.0)), check_contrast=False)
        click.echo(f"wrote {path}")
    click.echo(
        f"overview.png, top row: {', '.join(list(panels)[:4])}; bottom row: {', '.join(list(panels)[4:])}.\n"
        f"kernels.png: the middle of the picture, twice as large, with the {len(kernels)} kernels of one "
        f"of {len(denoised.models)} models."
    )


if __name__ == "__main__":
    main()
