"""Super-resolution of images that were reduced before, and 10 times enlargements as in figure 13 of the R-SMoE paper.

*Overshoot* is the mean distance by which values leave the range of the 5 x 5 source pixels around them: a measure of
ringing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter, sobel, uniform_filter

from ..image.format import to_type
from ..io.files import read_image
from ..io.writing import write_image
from . import machine, plots
from .options import Options, slug
from .page import compared
from .peers.enlarger import Enlarger
from .peers.methods import OURS, enlargers
from .pictures import Picture
from .protocol import unit
from .runs import Outcome, Run
from .store import Rows
from .tables import CPU_TIME, LPIPS, PAPER_SSIM, PSNR, SSIM, TIME, Column, mean_rows

TITLE = "Enlargement"
SCALES, QUICK_SCALES = (2, 4), (2,)
SIDE, QUICK_SIDE = 256, 64  # Side of the image before the reduction, and of that of a quick run, in pixels.
CLOSE_UP, QUICK_CLOSE_UP = 40, 16  # Side of the part that is enlarged 10 times, in pixels.
TEN = 10
ITERATIONS, QUICK_ITERATIONS = 10_000, 1000  # Steps of GaussianImage.
SHARPEN = (1.0, 2.0)
OVERSHOOT = Column("overshoot, 1/1000 of the range", "overshoot", ".2f")
COLUMNS = (PSNR, SSIM, PAPER_SSIM, *LPIPS, OVERSHOOT, TIME, CPU_TIME)
NOTE = (
    "Images are reduced by the mean over blocks of pixels, rounded to the type of the file, enlarged again and "
    "compared. Overshoot is the mean distance by which values leave the range of the 5 x 5 source pixels around them."
)


def runs(options: Options) -> Iterator[Run]:
    """All runs."""
    quick = options.quick
    pictures = [p for p in options.pictures(QUICK_SIDE) if p.noisy_path is None]
    iterations = options.iterations or (QUICK_ITERATIONS if quick else ITERATIONS)
    methods = [method for method in enlargers(iterations) if options.wants(method.name)]
    for scale in options.scales or (QUICK_SCALES if quick else SCALES):
        for picture in pictures:
            for method in methods:
                work = partial(_measured, options, picture, method, scale)
                yield _run(options, f"{picture.dataset}, {scale}x", picture, method, work, options.needed)
    side = QUICK_CLOSE_UP if quick else CLOSE_UP
    for picture in pictures:
        for method in methods:
            files = {f"{row_name(method.name, s)}": _file(options, picture, method, s) for s in SHARPEN}
            work = partial(_close_up_rows, options, picture, method, side, files)
            yield _run(options, f"{picture.dataset}, {TEN}x", picture, method, work, files=list(files.values()))


def _run(
    options: Options,
    group: str,
    picture: Picture,
    method: Enlarger,
    work: Callable[[], Rows],
    needed: Sequence[str] = (),
    files: Sequence[Path] = (),
) -> Run:
    settings = {"table": group, "crop": picture.crop, "side": options.crop or SIDE, "iterations": method.iterations}
    name = f"{picture.dataset}/{picture.name}"
    return Run(group, name, method.name, settings, options.seed, method.module, __name__, work, needed, files)


def _measured(options: Options, picture: Picture, method: Enlarger, scale: int) -> Rows:
    """Reduce, enlarge and compare an image."""
    image = picture.clean
    side = min(options.crop or SIDE, *image.shape[:2]) // scale * scale
    top, left = ((length - side) // 2 for length in image.shape[:2])
    image = image[top : top + side, left : left + side]
    small = reduced(image, scale)
    rows: Rows = {}
    for sharpen in SHARPEN if method.name == OURS else SHARPEN[:1]:
        done = machine.measured(partial(method.run, small, scale, sharpen, options.seed))
        figures = options.quality(unit(done.result), unit(image))
        rows[row_name(method.name, sharpen)] = (
            figures | {"overshoot": 1000 * overshoot(unit(done.result), unit(small), scale)} | done.costs
        )
    return rows


def _close_up_rows(options: Options, picture: Picture, method: Enlarger, side: int, files: Mapping[str, Path]) -> Rows:
    """Enlarge the busiest part of an image 10 times, with and without sharpening, into files."""
    part = close_up(picture.clean, side)
    rows: Rows = {}
    for sharpen in SHARPEN:
        name = row_name(method.name, sharpen)
        done = machine.measured(partial(method.run, part, TEN, sharpen, options.seed))
        files[name].parent.mkdir(exist_ok=True)
        write_image(files[name], done.result, overwrite=True)
        rows[name] = {"overshoot": 1000 * overshoot(unit(done.result), unit(part), TEN)} | done.costs
    return rows


def row_name(name: str, sharpen: float) -> str:
    """Name of the row of a method with or without sharpening."""
    return name if sharpen == 1 else f"{name}, sharpened {sharpen:g}x"


def _file(options: Options, picture: Picture, method: Enlarger, sharpen: float) -> Path:
    name = slug(f"{picture.dataset}-{picture.name}-10x-{row_name(method.name, sharpen)}")
    return options.target / "drawn" / f"{name}.png"


def reduced(image: np.ndarray, scale: int) -> np.ndarray:
    """Means over blocks of `scale` x `scale` pixels, in the data type of the image."""
    height, width = (length // scale for length in image.shape[:2])
    blocks = image.reshape(height, scale, width, scale, *image.shape[2:]).astype(np.float64)
    return to_type(blocks.mean((1, 3)), image.dtype)


def overshoot(large: np.ndarray, small: np.ndarray, scale: int) -> float:
    """Mean distance of enlarged values from the range of the 5 x 5 source pixels around them."""
    size = (5, 5) + (1,) * (small.ndim - 2)
    low, high = (f(small, size).repeat(scale, 0).repeat(scale, 1) for f in (minimum_filter, maximum_filter))
    return float(np.mean(np.maximum(large - high, 0) + np.maximum(low - large, 0)))


def close_up(image: np.ndarray, side: int) -> np.ndarray:
    """The square of `side` px with the strongest edges."""
    grey = unit(image).mean(2) if image.ndim == 3 else unit(image)
    edges = uniform_filter(np.hypot(sobel(grey, 0), sobel(grey, 1)), side, mode="constant")
    y, x = np.unravel_index(np.argmax(edges), edges.shape)
    top, left = (
        min(max(0, int(place) - side // 2), max(0, length - side))
        for place, length in zip((y, x), edges.shape, strict=True)
    )
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def report(options: Options, outcomes: list[Outcome]) -> list[str]:
    """The tables, and figure 13."""
    parts = [NOTE + "\n"]
    for group in dict.fromkeys(outcome.run.group for outcome in outcomes):
        note = "The busiest part of each image, enlarged 10 times; there is no truth." if group.endswith("10x") else ""
        parts += compared(group, COLUMNS, mean_rows(o for o in outcomes if o.run.group == group), note=note)
    close_ups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.run.files:
            close_ups.setdefault(outcome.run.picture, []).append(outcome)
    for picture, found in list(close_ups.items())[:2]:
        rows = [{list(o.rows)[k]: unit(read_image(o.run.files[k]).numpy()) for o in found} for k in range(len(SHARPEN))]
        file = f"superres_{slug(picture)}.png"
        plots.panels(options.target / file, rows, f"{picture}, {TEN}x (figure 13 of the paper)")
        parts.append(f"![10x of {picture}]({file})\n")
    return parts
