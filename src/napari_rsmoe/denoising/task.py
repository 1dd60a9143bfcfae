"""Everything that determines the models of an ensemble: image, options, plans and warm start."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from ..fitting.settings import FitSettings
from ..renamed import earlier_keywords
from .checkpoint import fingerprint
from .observation import Observation
from .options import Options
from .plans import Plan
from .warm_start import WarmStart


@dataclass(frozen=True)
class Task:
    """Everything that determines the models of an ensemble, except the device.

    Attributes
    ----------
    observation : Observation
        The noisy image in its variance-stabilised domain.
    options : Options
        Options of `denoise`.
    plans : list of Plan
        Plans of the models.
    warm_start : WarmStart or None
        Models of a neighbouring plane, with whose kernels the models are initialised.
    """

    observation: Observation
    options: Options
    plans: list[Plan]
    warm_start: WarmStart | None = None

    @property
    def settings(self) -> FitSettings:
        """Settings of each fit."""
        settings = self.options.settings
        return settings if self.warm_start is None else self.warm_start.settings(settings)

    @property
    def generation(self) -> int:
        """Number of consecutive warm starts."""
        return 0 if self.warm_start is None else self.warm_start.generation

    def check_start(self) -> None:
        """Raise a ValueError, before any model is fitted, if one has too few kernels for its initialisation."""
        if self.options.start_options.get("allocation") != "paper":
            return
        fewest = min(plan.n_kernels for plan in self.plans)
        self.options.start(self.observation.pixels, fewest, np.random.default_rng(self.options.seed))

    def description(self, device: torch.device) -> dict[str, Any]:
        """The identity of the task for checkpoints, in values that JSON can hold."""
        noise, warm = self.observation.noise, self.warm_start
        before = [] if warm is None else [each.numpy() for m in warm.models for each in (m.geometry, m.experts)]
        return {
            "image": fingerprint(self.observation.pixels, self.observation.inputs.weight),
            "noise": fingerprint(noise.variance, noise.levels, noise.spectrum),
            "warm start": fingerprint(*before),
            "settings": asdict(self.options.settings) | earlier_keywords(self.options.start_options),
            "models": [asdict(plan) for plan in self.plans],
            "seed": self.options.seed,
            "device": device.type,
            "version of napari-rsmoe": version("napari-rsmoe"),
        }
