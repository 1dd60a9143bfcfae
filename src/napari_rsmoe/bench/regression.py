"""Tables I and II of the R-SMoE paper, and its failure on texture (figure 14).

Rasterized methods fit whole images. The cost of the global methods grows with kernels times pixels, so they fit the
middle of the image, with the same kernels per pixel and fewer steps, beside the rasterized ones with the same settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from . import paper, texture
from .fits import fit_run
from .options import Options
from .page import compared
from .peers.methods import FITS
from .pictures import Picture
from .runs import Outcome, Run
from .tables import CPU_TIME, LPIPS, PAPER_SSIM, PSNR, SSIM, Column, duration, mean_rows

TITLE = "Regression"
KERNELS = (2000, 10_000)
ITERATIONS = 10_000  # Steps, as in the R-SMoE paper; the release of GaussianImage takes 50 000.
SMALL, SMALL_ITERATIONS = 192, 2000  # Side in pixels, and steps, of the comparison with global methods.
QUICK_SIDE, QUICK_SMALL = 96, 48  # Sides of the images of a quick run, in pixels.
QUICK_KERNELS, QUICK_ITERATIONS = (50, 150), 200
COLUMNS = (
    Column("kernels a block", "kernels_per_tile", ".1f"), Column("steps", "steps", ".0f"),
    PSNR, SSIM, PAPER_SSIM, Column("LPIPS, net not named", "lpips", ".4f"), *LPIPS,
    Column("encode", "seconds", duration), replace(CPU_TIME, title="encode, CPU time"),
    Column("decode", "decode_seconds", duration), Column("frames/s", "frames_per_second", ".3g"),
    Column("FLOPs/px, paper's count", "paper_flops", ".0f"), Column("FLOPs/px, all", "flops", ".0f"),
    Column("memory, MB", "memory_mb", ".0f"),
)  # fmt: skip
NOTE = (
    "Means over the images. Memory is the peak of the process, Python and torch included; of the paper, of the GPU. "
    "Encoding by the clock includes waiting for other programs, CPU time adds up the threads."
)


def runs(options: Options) -> Iterator[Run]:
    """All runs, table by table."""
    pictures = options.pictures(QUICK_SIDE)
    kernels = options.kernels or (QUICK_KERNELS if options.quick else KERNELS)
    iterations = options.iterations or (QUICK_ITERATIONS if options.quick else ITERATIONS)
    small = QUICK_SMALL if options.quick else SMALL
    for count in kernels:
        for picture in pictures:
            for method in FITS:
                if method.rasterized and options.wants(method.name):
                    group = f"{picture.dataset}, {count} kernels"
                    yield fit_run(options, group, picture, method, count, iterations, course=False)
    if not any(options.wants(method.name) for method in FITS if not method.rasterized):
        return
    for count in kernels:
        for picture in pictures:
            side = min(small, *picture.shape[:2])
            cut = replace(picture, crop=side)
            fewer = max(1, round(count * side**2 / (picture.shape[0] * picture.shape[1])))
            steps = min(iterations, SMALL_ITERATIONS)
            for method in FITS:
                if options.wants(method.name):
                    group = f"{picture.dataset}, {count} kernels, reduced: {side} px in the middle, {steps} steps"
                    yield fit_run(options, group, cut, method, fewer, steps, course=False)


def report(options: Options, outcomes: list[Outcome]) -> list[str]:
    """The tables and the figure of texture."""
    parts = [NOTE + "\n"]
    for group in dict.fromkeys(outcome.run.group for outcome in outcomes):
        part = [outcome for outcome in outcomes if outcome.run.group == group]
        dataset, count = group.split(", ")[0], int(group.split(", ")[1].split()[0])
        table = {"kodak": "table_1", "div2k": "table_2"}.get(dataset.lower())
        printed = paper.regression_rows(table, count) if table else []
        note = "The same number of kernels per pixel as above." if "reduced" in group else ""
        parts += compared(group, COLUMNS, mean_rows(part), printed, note)
    return parts + _texture(options, outcomes)


def _texture(options: Options, outcomes: list[Outcome]) -> list[str]:
    """Figure 14: the window in which ours loses most texture."""
    whole = [o for o in outcomes if "reduced" not in o.run.group]
    least = min((o.run.settings["kernels"] for o in whole), default=0)
    drawn: dict[str, dict[str, np.ndarray]] = {}
    pictures: dict[str, Picture] = {f"{p.dataset}/{p.name}": p for p in options.pictures(QUICK_SIDE)}
    for outcome in whole:
        if outcome.run.settings["kernels"] == least:
            found = drawn.setdefault(outcome.run.picture, {})
            found[outcome.run.method] = texture.read(outcome.run.files[0])
    return texture.section(options.target, pictures, drawn, least)
