"""How long enlarging takes, for progress and remaining time from the first second on."""

from __future__ import annotations

import math

import torch

from ..denoising.costs import expected_seconds as denoising_seconds
from ..denoising.options import ITERATIONS, MODELS
from ..denoising.plans import REFERENCE_NOISE, plan_ensemble
from ..fitting.costs import expected_seconds as fit_seconds
from ..fitting.memory import upscale_settings
from ..image.beginning import READING
from ..image.opponent import Opponent
from .exemplars import FEW_ROUNDS
from .refinement import MOST_REFINED

REFINE, QUICKLY = 0.75, 0.4
"""Processor seconds of a round of refinement for a million pixels of a plane that is filtered, measured as
`fitting.costs`, and of one of the few rounds that are for speed. Fine detail is strengthened once and takes 0.03, which
is not counted."""

BLURRED, SHARP, AGREE, FLAT = 26.0, 7.0, 1.6, 14.0
"""The same for `deblur` and a million pixels of a channel: a model that begins with the image, one that begins with its
deconvolution, a round of refinement, and the two deconvolutions by total variation."""


def noise_seconds(shape: tuple[int, ...], preset: str) -> float:
    """Seconds in which the noise of an image (H, W, C) is measured and removed on an idle machine."""
    plans = plan_ensemble(shape, MODELS[preset], None, REFERENCE_NOISE)
    stages = denoising_seconds(shape, plans, ITERATIONS[preset], measured=True)
    return sum(stages.values()) - stages[READING]


def upscale_seconds(
    shape: tuple[int, ...],
    size: tuple[int, int],
    models: int,
    n_kernels: int,
    iterations: int | None,
    preset: str,
    rounds: int,
) -> list[float]:
    """Seconds that the parts of `upscale` take on an idle machine: the noise, each model, and the refinement.

    Parameters
    ----------
    shape : tuple of int
        (H, W, C) of the image.
    size : (int, int)
        Rows and columns of the result.
    models, n_kernels : int
        Number of models, and of kernels of each.
    iterations, preset
        As for `napari_rsmoe.upscale`.
    rounds : int
        Rounds of refinement.
    """
    steps = upscale_settings(iterations).iterations
    fit = fit_seconds(shape, n_kernels, steps)
    pixels = math.prod(min(new, MOST_REFINED * old) for new, old in zip(size, shape, strict=False)) / 1e6
    planes = shape[2] if Opponent.of(shape[2]).identity else 1  # Colour differences are not filtered.
    refine = (QUICKLY if rounds <= FEW_ROUNDS else REFINE) * rounds * pixels * planes / max(1, torch.get_num_threads())
    return [noise_seconds(shape, preset), *[fit] * models, refine]


def deblur_seconds(shape: tuple[int, ...], models: int, preset: str, rounds: int) -> list[float]:
    """Seconds that the parts of `deblur` take: the noise; by channel each model, the refinement, and the flat areas.

    Parameters
    ----------
    shape : tuple of int
        (H, W, C) of the image.
    models : int
        Number of models.
    preset : str
        As for `napari_rsmoe.deblur`.
    rounds : int
        Rounds of refinement.
    """
    pixels = shape[0] * shape[1] / 1e6
    channel = [*([BLURRED, SHARP] * models)[:models], AGREE * rounds, FLAT]
    return [noise_seconds(shape, preset), *[each * pixels for each in channel] * shape[2]]
