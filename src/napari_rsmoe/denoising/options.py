"""The options of `denoise`, checked once, before the image is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import engine, ranges
from ..arrays import Floats
from ..checks import checked_choice
from ..fitting.settings import FitSettings
from ..fitting.starts.methods import START_METHODS, prepared_start
from ..fitting.starts.segmentation import segmentation_options
from ..fitting.starts.start import Start
from ..image.masks import Selection
from ..noise.given import Noise, check_noise, is_no_noise
from ..ranges import number_or_auto

ITERATIONS = {"fast": 40, "balanced": 55, "best": 70}
"""Optimiser steps of each model, by preset. With more the models follow the image more closely, and the noise too."""
MODELS = {"fast": 4, "balanced": 8, "best": 24}
"""Number of models, by preset. More average out more of what each model does wrong; time grows with their number."""
NEIGHBOURS = {"fast": 1, "balanced": 2, "best": 3}
"""Planes of a stack or film on either side that help each plane, by preset. With more, more noise is averaged away."""
SETTINGS = FitSettings(
    rate_position=0.2, rate_steering=0.2, rate_logit=0.2, rate_expert=0.02,
    final_position=0.4, final_steering=0.4, final_logit=0.4, final_expert=0.4,
    betas=(0.85, 0.95), tau=5.0, list_interval=10, list_margin=2.0, relocate=0.0,
)  # fmt: skip
"""Settings of every fit, except the initialisation and the number of steps."""

EDITION = 4
"""Edition of the numbers above and of the densities in `plans`; checkpoints hold it. Jobs of 0.1.0 hold none."""
RESULTS = 6
"""Edition of what makes results of models: the patch filter, and which planes help. A job in blocks goes on with its
own only, as its blocks would differ."""

OPTIONS = {
    "models": "auto", "n_kernels": "auto", "noise": "auto", "noise_factor": 1.0, "preset": "balanced",
    "start": "content", "threshold": None, "allocation": None, "seed": 0, "device": "auto",
}  # fmt: skip
"""Keywords of `Options.checked`, with the defaults of `denoise`."""


@dataclass(frozen=True)
class Options:
    """How an image is to be denoised. Build it with `Options.checked`.

    Attributes
    ----------
    models : int
        Number of models.
    n_kernels : int or None
        Kernels of each model; None: several counts in turn, by the noise and the size of the image.
    noise : float, PoissonGaussian, (float, float, float), NoiseEstimate or "auto"
        As for `napari_rsmoe.denoise`.
    noise_factor : float
        Factor of the noise that is taken away.
    settings : FitSettings
        Settings of each fit.
    start_options : dict
        Options of the initialisation that `settings` names.
    seed : int
        Model h draws from a generator seeded with (seed, h).
    device : str
        Where to compute.
    """

    models: int
    n_kernels: int | None
    noise: Noise
    noise_factor: float
    settings: FitSettings
    start_options: dict[str, Any]
    seed: int
    device: str

    @classmethod
    def checked(
        cls,
        *,
        models: Any,
        n_kernels: Any,
        noise: Any,
        noise_factor: Any,
        preset: Any,
        start: Any,
        threshold: Any,
        allocation: Any,
        seed: Any,
        device: Any,
    ) -> Options:
        """Check the keywords of `napari_rsmoe.denoise` of these names; ValueError if one is out of range."""
        checked_choice(preset, "preset", ITERATIONS)
        count = number_or_auto(models, "models", ranges.MODELS)
        kernels = number_or_auto(n_kernels, "n_kernels", ranges.KERNELS)
        check_noise(noise)
        factor = float(ranges.NOISE_FACTOR.check(noise_factor, "noise_factor"))
        checked_choice(start, "start", START_METHODS)
        start_options = segmentation_options(start, threshold, allocation)
        seed = ranges.SEED.check(seed, "seed")
        engine.resolve_device(device)
        settings = replace(SETTINGS, start=start, iterations=ITERATIONS[preset])
        number = MODELS[preset] if count is None else count
        return cls(number, kernels, noise, factor, settings, start_options, seed, device)

    def selected(self, selection: Selection) -> Selection:
        """The selection for these options: where there is no noise, all values are right, and none is a defect."""
        return replace(selection, defects="keep") if is_no_noise(self.noise) else selection

    @property
    def measures_noise(self) -> bool:
        """Whether the noise is measured, and taken away as it is found."""
        return isinstance(self.noise, str) and self.noise_factor == 1

    def starts(self, pixels: Floats) -> Callable[[int, np.random.Generator], Start]:
        """What draws the initial kernels of fits of `pixels` (H, W, C), by their number and a random generator."""
        return prepared_start(self.settings.start, pixels, **self.start_options)


def split_settings(settings: Mapping[str, Any]) -> tuple[Options, Selection]:
    """The options among the keywords of `denoise`, checked, and the selection of values that count."""
    options = Options.checked(**{name: settings.get(name, default) for name, default in OPTIONS.items()})
    return options, options.selected(Selection.of(settings))
