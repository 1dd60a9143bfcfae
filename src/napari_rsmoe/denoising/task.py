"""Everything that determines the models of an ensemble: image, options, plans and warm start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from ..fitting.settings import FitSettings
from ..renamed import earlier_keywords
from .checkpoint import fingerprint
from .observation import Observation
from .options import EDITION, MODELS, Options
from .place import Place
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
    edition : int or None
        Edition of the presets that settings and plans come from; None: those of version 0.1.0.
    place : Place or None
        Where the image lies in a larger one, of which it is a block; None: it is whole.
    """

    observation: Observation
    options: Options
    plans: list[Plan]
    warm_start: WarmStart | None = None
    edition: int | None = EDITION
    place: Place | None = None

    def continued(self, job: Mapping[str, Any] | None) -> Task:
        """Take up a job that other presets began, with the settings and plans with which it was begun.

        Presets change between versions, and a job that was interrupted is finished as it was begun. What the user has
        chosen must agree: the initialisation, the kernels of each model, and a number of models that is no preset's.
        """
        if job is None or job.get("edition") == EDITION:
            return self
        try:
            kept = job["settings"]
            settings = replace(
                FitSettings(), **{f.name: _like(f.default, kept[f.name]) for f in fields(FitSettings) if f.name in kept}
            )
            plans = [Plan(_like(1, plan["n_kernels"]), _like((0, 0), plan["shift"])) for plan in job["models"]]
        except (KeyError, TypeError, AttributeError):
            return self
        chosen = self.options.n_kernels
        if (
            settings.start != self.options.settings.start
            or self.options.models not in (len(plans), *MODELS.values())
            or (chosen is not None and any(plan.n_kernels != chosen for plan in plans))
        ):
            return self
        options = replace(self.options, settings=settings, models=len(plans))
        return replace(self, options=options, plans=plans, edition=job.get("edition"))

    @property
    def settings(self) -> FitSettings:
        """Settings of each fit."""
        settings = self.options.settings
        return settings if self.warm_start is None else self.warm_start.settings(settings)

    @property
    def described(self) -> str:
        """The models, in a few words."""
        counts = sorted({plan.n_kernels for plan in self.plans})
        kernels = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
        begun = "" if self.warm_start is None else ", begun with the kernels of the plane before"
        models = f"{len(self.plans)} models" if len(self.plans) > 1 else "1 model"
        return f"{models} of {kernels} kernels, {self.settings.iterations} steps{begun}"

    @property
    def generation(self) -> int:
        """Number of consecutive warm starts."""
        return 0 if self.warm_start is None else self.warm_start.generation

    def check_start(self) -> None:
        """Raise a ValueError, before any model is fitted, if one has too few kernels for its initialisation."""
        if self.options.start_options.get("allocation") != "paper":
            return
        fewest = min(plan.n_kernels for plan in self.plans)
        self.options.starts(self.observation.pixels)(fewest, np.random.default_rng(self.options.seed))

    def description(self, device: torch.device) -> dict[str, Any]:
        """The identity of the task for checkpoints, in values that JSON can hold."""
        noise, warm = self.observation.noise, self.warm_start
        before = [] if warm is None else [each.numpy() for m in warm.models for each in (m.geometry, m.experts)]
        edition = {} if self.edition is None else {"edition": self.edition}
        return edition | {
            "image": fingerprint(self.observation.pixels, self.observation.inputs.weight),
            "noise": fingerprint(noise.variance, noise.levels, noise.spectrum),
            "warm start": fingerprint(*before),
            "settings": asdict(self.options.settings) | earlier_keywords(self.options.start_options),
            "models": [asdict(plan) for plan in self.plans],
            "seed": self.options.seed,
            "device": device.type,
            "version of napari-rsmoe": version("napari-rsmoe"),
        }


def _like(example: Any, value: Any) -> Any:
    """A value from a file, of the kind of an example; a TypeError if it is of another. JSON holds tuples as lists."""
    if isinstance(example, tuple) and isinstance(value, list) and len(value) == len(example):
        return tuple(map(_like, example, value))
    kinds = (int, float) if type(example) is float else (type(example),)
    if type(value) not in kinds:
        raise TypeError(f"{value!r} should be like {example!r}")
    return value
