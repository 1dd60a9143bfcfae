"""The page of the denoising benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import paper, plots, sanity
from .options import Options
from .page import compared
from .peers.methods import MODES, OURS, RELEASED
from .printed import printed_rows
from .protocol import SEED
from .runs import Outcome
from .tables import CPU_TIME, LPIPS, NONE, PAPER_SSIM, PSNR, SSIM, TIME, Column, duration, mean_rows, table

NOISY = "noisy"
CORRECTED = ", clipping corrected"
COLUMNS = (
    Column("given", "given", str), PSNR, SSIM, PAPER_SSIM, Column("LPIPS, net not named", "lpips", ".4f"), *LPIPS, TIME,
    CPU_TIME, Column("memory, MB", "memory_mb", ".0f"),
)  # fmt: skip
SANITY = {
    sanity.CLEAN: Column("PSNR against itself, dB", "psnr", ".2f"),
    sanity.CONSTANT: Column("largest change, of the range", "largest_change", ".2g"),
    sanity.NOISE: Column("noise left, of its standard deviation", "left", ".3f"),
}
NOTE = (
    "*given*: what a method knows besides the image: nothing, the noise (its standard deviation or model), or the "
    "truth, by which an oracle chose its best setting. Clipping shifts the mean of noisy values. An additional row "
    "corrects this: for ours with the estimated noise level, for the others with the true one; the row of ours without "
    f"correction reverts it. The noise of image n at level k has the seed {SEED} + 1000 k + n, with levels in the "
    "order of the protocol."
)
Means = Mapping[str, Mapping[str, Mapping[str, Any]]]


def report(options: Options, outcomes: list[Outcome]) -> list[str]:
    """Tables by data set and level, by image, of time and of sanity checks; figures 10 and 11."""
    groups = [group for group in dict.fromkeys(o.run.group for o in outcomes) if group not in sanity.GROUPS]
    means = {group: mean_rows(o for o in outcomes if o.run.group == group) for group in groups}
    datasets: dict[str, list[str]] = {}
    for group in groups:
        datasets.setdefault(group.split(", ")[0], []).append(group)
    parts = [NOTE + "\n"]
    for dataset, own in datasets.items():
        parts += _summary(dataset, own, means)
        parts += _by_image(dataset, own, outcomes)
        parts += _times(dataset, own, outcomes)
        parts += _plots(options, dataset, own, means)
    for group in groups:
        dataset, level = group.split(", ", 1)
        printed = paper.denoising_rows(level) if dataset.lower() == "kodak" else []
        printed += printed_rows(dataset, level)
        parts += compared(group, COLUMNS, means[group], printed)
    for group, column in SANITY.items():
        found = [o for o in outcomes if o.run.group == group]
        if found:
            parts += compared(group.capitalize(), (column, TIME, CPU_TIME), mean_rows(found))
    return parts


def _level(group: str) -> str:
    return group.split(", ", 1)[1]


def _summary(dataset: str, groups: Sequence[str], means: Means) -> list[str]:
    """The table of PSNR and SSIM by method and level."""
    names = dict.fromkeys(name for group in groups for name in means[group])
    rows = []
    for name in names:
        found = [means[group].get(name) for group in groups]
        cells = [f"{row['psnr']:.2f} / {row['ssim']:.4f}" if row else NONE for row in found]
        rows.append([name, next(str(row.get("given", "")) for row in found if row), *cells])
    header = ["PSNR, dB / SSIM", "given", *map(_level, groups)]
    return [f"## {dataset}, all levels\n", table(header, rows)]


def _is_main(name: str) -> bool:
    """Whether a row belongs in the table by image: ours and the variants of BM3D."""
    return name.startswith((OURS, "BM3D", "VST")) or name == NOISY


def _by_image(dataset: str, groups: Sequence[str], outcomes: Sequence[Outcome]) -> list[str]:
    """The table of PSNR of ours and of BM3D, image by image."""
    parts = [f"## {dataset}, image by image\n"]
    for group in groups:
        found: dict[str, dict[str, float]] = {}
        for outcome in outcomes:
            if outcome.run.group == group:
                for name, row in outcome.rows.items():
                    if _is_main(name):
                        found.setdefault(outcome.run.picture, {})[name] = row["psnr"]
        names = list(dict.fromkeys(name for row in found.values() for name in row))
        rows = [
            [picture, *(f"{row[name]:.2f}" if name in row else NONE for name in names)]
            for picture, row in found.items()
        ]
        parts += [f"PSNR, dB, {_level(group)}:\n", table(["image", *names], rows)]
    return parts


def _times(dataset: str, groups: Sequence[str], outcomes: Sequence[Outcome]) -> list[str]:
    """The table of seconds per image over all levels, for our presets and BM3D."""
    found: dict[str, list[dict[str, Any]]] = {}
    for outcome in outcomes:
        if outcome.run.group in groups and _is_main(outcome.run.method) and outcome.run.method != NOISY:
            found.setdefault(outcome.run.method, []).append(next(iter(outcome.rows.values())))
    rows = []
    for name, costs in found.items():
        clock, processor = (np.array([row[key] for row in costs]) for key in ("seconds", "cpu_seconds"))
        rows.append([name, *(duration(float(f(x))) for x in (clock, processor) for f in (np.mean, np.max))])
    header = ["method", "time, mean", "largest", "CPU time, mean", "largest"]
    return [f"## {dataset}, time of an image\n", table(header, rows)] if rows else []


def _plots(options: Options, dataset: str, groups: Sequence[str], means: Means) -> list[str]:
    """Figures 10 (numbers of models) and 11 (methods): PSNR against the variance."""
    levels = {group: float(_level(group)) for group in groups if _level(group).replace(".", "").isdigit()}
    if not levels:
        return []
    methods = plots.Axes("variance of the noise", "PSNR, dB", log_x=True)
    models = plots.Axes("models", "PSNR, dB", log_x=True)
    for group, variance in levels.items():
        rows = {
            name: row for name, row in means[group].items() if not name.endswith(CORRECTED) and RELEASED not in name
        }
        most = {name.rsplit(", ", 1)[0]: name for name in rows if name.startswith(tuple(MODES))}
        for name, row in rows.items():
            kind, _, count = name.rpartition(", ")
            if kind not in most:
                methods.add(name, variance, row["psnr"])
                continue
            models.add(kind, int(count.split()[0]), row["psnr"], f"variance {variance:g}")
            if name == most[kind]:
                methods.add(kind, variance, row["psnr"])
    parts = [methods, models] if models.lines else [methods]
    file = f"denoising_{dataset}.png"
    plots.curves(options.target / file, parts, f"{dataset}: denoising (figures 10 and 11 of the paper)")
    return [f"![denoising of {dataset}]({file})\n"]
