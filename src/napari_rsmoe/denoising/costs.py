"""How long the stages of denoising take, for progress and remaining time from the first second on."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..fitting.costs import expected_seconds as fit_seconds
from ..image.beginning import READING
from ..noise.measure import SECONDS
from .feedback import passes_for
from .nonlocal_bayes import MANY
from .plans import Plan

READ, NOISE, STABILISE, ADD, FUSE, BOUND = 0.2, SECONDS, 0.07, 0.03, 0.105, 0.15
FILTER, FURTHER, FEEDBACK, COARSER = 1.0, 1.2, 0.7, 0.6
"""Processor seconds for a million pixels and each channel, measured as `fitting.costs`; `FUSE` per kernel count,
`FURTHER` where patches are searched far away, `FEEDBACK` per pass, and `COARSER` where there is feedback."""


def model_stage(number: int) -> str:
    """Name of the stage in which a model is fitted, counted from 0."""
    return f"model {number + 1}"


def expected_seconds(
    shape: tuple[int, ...], plans: Sequence[Plan], iterations: int, *, measured: bool, noisy: bool = True
) -> dict[str, float]:
    """Seconds of each stage on an idle machine, in the order in which they follow each other.

    Parameters
    ----------
    shape : tuple of int
        (H, W, C) of the image.
    plans : sequence of Plan
        The models.
    iterations : int
        Steps of each model.
    measured : bool
        Whether the noise is measured in the image.
    noisy : bool
        Whether there is noise; without it nothing is filtered.
    """
    height, width, channels = shape
    pixels = height * width / 1e6
    values, threads = pixels * channels, max(1, torch.get_num_threads())
    stages = {READING: READ * values, "noise": (NOISE * measured + STABILISE) * values}
    for number, plan in enumerate(plans):
        stages[model_stage(number)] = fit_seconds(shape, plan.n_kernels, iterations) + ADD * values
    counts = len({plan.n_kernels for plan in plans})
    stages["fusion"] = FUSE * counts * values
    feedback = len(passes_for(len(plans)))
    filtering = FILTER + FURTHER * (len(plans) >= MANY) + FEEDBACK * feedback + COARSER * bool(feedback)
    stages["filter"] = filtering * values / threads if noisy else 0.0
    stages["error bar"] = BOUND * values
    return stages
