"""Settings of a fit, and named presets."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..checks import checked_choice


@dataclass(frozen=True)
class FitSettings:
    """How a model is fitted.

    Attributes
    ----------
    start : str
        Name of the initialisation, one of `napari_rsmoe.fitting.starts.methods.START_METHODS`.
    iterations : int
        Optimiser steps.
    linear : bool
        Experts are affine in position, not constant.
    whitened : bool
        Adam works in each kernel's own whitened frame, so that one rate serves small and large kernels; else on the
        plain parameters y, x, r11, r12, r22, logit.
    rate_position, rate_steering, rate_logit, rate_expert : float
        Adam's learning rates at the start. Experts are in units of the image's range.
    final_position, final_steering, final_logit, final_expert : float
        Each rate at the end, as a fraction of the rate at the start; it decays exponentially in between.
    betas : tuple of float
        Adam's decay rates of the two moments.
    tau : float
        Culling margin in nats: gates below exp(-tau) of the largest are dropped. A larger margin is more exact and
        slower.
    confidence : float
        0: gate culling. Positive: the paper's confidence ellipse |z| <= confidence picks the tiles.
    relocate, relocate_interval, relocate_until : float, int, float
        The fraction `relocate` of the kernels, those that are least needed, move to where the error is largest. They
        do so every `relocate_interval` steps, a multiple of 5, from the second interval on until the fraction
        `relocate_until` of the iterations. Only in SMoE models.
    oversample : int
        1, 2, 4 or 8. At 1 a pixel is modelled as the value at its centre. Above 1 it is modelled as the mean over its
        area, evaluated at `oversample` x `oversample` points, so that the model can hold detail finer than the pixels;
        time grows with the number of points.
    list_interval, list_margin : int, float
        The lists of kernels for each tile are rebuilt every `list_interval` steps, with `list_margin` added to tau, as
        kernels move in between.
    """

    start: str = "segmentation"
    iterations: int = 1000
    linear: bool = False
    whitened: bool = True
    rate_position: float = 0.2
    rate_steering: float = 0.2
    rate_logit: float = 0.2
    rate_expert: float = 0.02
    final_position: float = 0.1
    final_steering: float = 0.1
    final_logit: float = 0.1
    final_expert: float = 0.1
    betas: tuple[float, float] = (0.85, 0.95)
    tau: float = 7.0
    confidence: float = 0.0
    relocate: float = 0.1
    relocate_interval: int = 25
    relocate_until: float = 0.6
    oversample: int = 1
    list_interval: int = 5
    list_margin: float = 2.0


PRESETS = {
    "fast": FitSettings(iterations=300),
    "balanced": FitSettings(),
    "best": FitSettings(iterations=4000),
    # Several models of it make `upscale`. There are about as many parameters as values, so few and large steps do as
    # well as many small ones, and follow noise less; chosen on Kodak 03, 07, 11, 15, 19 and 23.
    "upscale": FitSettings(
        start="content",
        iterations=50,
        rate_position=0.6,
        rate_logit=0.8,
        rate_expert=0.012,
        final_position=0.4,
        final_steering=0.4,
        final_logit=0.4,
        final_expert=0.4,
        betas=(0.75, 0.85),
        tau=4.5,
        relocate=0.2,
        relocate_interval=10,
        oversample=2,
        list_margin=1.0,
    ),
    # Section VI of the paper: random centres, 5 px, 99 % ellipse, Adam on plain parameters, 10 000 iterations.
    "paper": FitSettings(
        start="random",
        iterations=10_000,
        whitened=False,
        rate_position=0.01,
        rate_steering=0.001,
        rate_logit=0.0,
        rate_expert=0.001,
        final_position=0.001,
        final_steering=1.0,
        final_logit=1.0,
        final_expert=1.0,
        betas=(0.9, 0.999),
        confidence=math.sqrt(9.21),
        relocate=0.0,
        list_interval=1,
        list_margin=0.0,
    ),
}
"""Named settings; "paper" repeats the experiments of Li et al. (2025)."""
RENAMED_PRESETS = {"default": "balanced", "enlarge": "upscale"}
"""Presets by their earlier names."""


def preset(name: str) -> FitSettings:
    """The settings of that name. Raises ValueError that lists the names."""
    return PRESETS[checked_choice(name, "preset", PRESETS)]
