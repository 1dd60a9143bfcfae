"""Figures 4, 5, 8, 9 and 10 of the R-SMoE paper: quality, time and convergence against the number of kernels.

All fits are of the middle of the images, so that global and rasterized methods can be run at the same size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from . import plots
from .fits import fit_run
from .options import Options
from .page import compared
from .peers.methods import FITS
from .regression import COLUMNS
from .runs import Outcome, Run
from .tables import mean_rows

TITLE = "Scaling with the number of kernels"
SIDE, QUICK_SIDE = 128, 48  # Sides of the images, and of those of a quick run, in pixels.
KERNELS, QUICK_KERNELS = (30, 60, 120, 240, 480, 960), (20, 80)
ITERATIONS, QUICK_ITERATIONS = 3000, 200


def runs(options: Options) -> Iterator[Run]:
    """All runs, by number of kernels."""
    side = options.crop or (QUICK_SIDE if options.quick else SIDE)
    iterations = options.iterations or (QUICK_ITERATIONS if options.quick else ITERATIONS)
    for count in options.kernels or (QUICK_KERNELS if options.quick else KERNELS):
        for picture in options.pictures(side):
            cut = replace(picture, crop=min(side, *picture.shape[:2]))
            group = f"{picture.dataset}, {count} kernels, {cut.crop} px"
            for method in FITS:
                if options.wants(method.name):
                    yield fit_run(options, group, cut, method, count, iterations, course=True)


def report(options: Options, outcomes: list[Outcome]) -> list[str]:
    """The plots, and the tables behind them."""
    parts = []
    for dataset in dict.fromkeys(outcome.run.group.split(", ")[0] for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.run.group.startswith(f"{dataset}, ")]
        parts += _curves(options.target, dataset, own)
        parts += _courses(options.target, dataset, own)
    for group in dict.fromkeys(outcome.run.group for outcome in outcomes):
        parts += compared(group, COLUMNS, mean_rows(o for o in outcomes if o.run.group == group))
    return parts


def _curves(folder: Path, dataset: str, outcomes: Sequence[Outcome]) -> list[str]:
    """Figures 4, 5, 9 and 10: quality and time against the kernels of a block and of the model."""
    psnr = "PSNR, dB"
    block = plots.Axes("kernels a block", psnr, log_x=True)
    axes = {
        "psnr": plots.Axes("kernels", psnr, log_x=True),
        "paper_ssim": plots.Axes("kernels", "paper's SSIM", log_x=True),
        "lpips_alex": plots.Axes("kernels", "LPIPS Alex", log_x=True),
        "lpips_vgg": plots.Axes("kernels", "LPIPS VGG", log_x=True),
        "cpu_seconds": plots.Axes("kernels", "CPU time of the fit, s", log_x=True, log_y=True),
        "decode_seconds": plots.Axes("kernels", "time to draw, s", log_x=True, log_y=True),
    }
    for group in dict.fromkeys(outcome.run.group for outcome in outcomes):
        part = [outcome for outcome in outcomes if outcome.run.group == group]
        kernels = part[0].run.settings["kernels"]
        for name, row in mean_rows(part).items():
            block.add(name, row["kernels_per_tile"], row["psnr"])
            for figure, pair in axes.items():
                if figure in row:
                    pair.add(name, kernels, row[figure])
    quality = [axes[name] for name in ("psnr", "paper_ssim", "lpips_alex", "lpips_vgg") if axes[name].lines]
    files = {
        f"scaling_{dataset}_quality.png": ([block, *quality], "quality (figures 4 and 5 of the paper)"),
        f"scaling_{dataset}_time.png": (
            [axes["cpu_seconds"], axes["decode_seconds"]],
            "time against kernels (figures 9 and 10 of the paper)",
        ),
    }
    for file, (parts, title) in files.items():
        plots.curves(folder / file, parts, f"{dataset}: {title}")
    return [f"![{title}]({file})\n" for file, (_, title) in files.items()]


def _courses(folder: Path, dataset: str, outcomes: Sequence[Outcome]) -> list[str]:
    """Figure 8: error of the first image against steps and time, for some numbers of kernels."""
    first = outcomes[0].run.picture
    counts = list(dict.fromkeys(o.run.settings["kernels"] for o in outcomes))
    chosen = {counts[0], counts[len(counts) // 2], counts[-1]}
    steps = plots.Axes("step", "mean squared error", log_x=True, log_y=True)
    time = plots.Axes("CPU time, s", "mean squared error", log_x=True, log_y=True)
    for outcome in outcomes:
        kernels = outcome.run.settings["kernels"]
        if outcome.run.picture != first or kernels not in chosen:
            continue
        for name, row in outcome.rows.items():
            for step, error, seconds in row.get("course", []):
                if step > 0 and seconds > 0:
                    steps.add(name, step, error, f"{kernels} kernels")
                    time.add(name, seconds, error, f"{kernels} kernels")
    file = f"scaling_{dataset}_convergence.png"
    plots.curves(folder / file, [steps, time], f"{first}: convergence (figure 8 of the paper)")
    return [f"![convergence]({file})\n"]
