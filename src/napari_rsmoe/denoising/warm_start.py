"""The warm start: models of a neighbouring plane with whose kernels the next plane is initialised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..arrays import Floats, Mask
from ..fitting.settings import FitSettings
from ..model.kernels import reshaped
from ..model.model import Model
from .alignment import Helped, Way, motion_between
from .checkpoint import Kernels
from .motion import followed, inside, moved, stretch
from .neighbours import shared_content, unchanged
from .observation import Observation
from .options import Options
from .plans import Plan, planned_kernels
from .result import JOB, Denoised

WARM_SHARE = 0.5
"""Fraction of the steps, and of the decay of the learning rates, that models of an equal plane take."""
CHANGED_SHARE = 2.0
"""Growth of this fraction per fraction of the plane that has changed, up to all steps."""
LEAST_UNCHANGED = 0.5
"""Smallest unchanged fraction of a plane; below it all kernels are initialised again."""

BEYOND = 16.0
"""Pixels outside the plane up to which a kernel that has moved there is kept; further out it has no effect."""


@dataclass(frozen=True)
class WarmStart:
    """Models of a neighbouring plane that has been brought onto the plane to be denoised.

    Attributes
    ----------
    models : sequence of Model
        Its models.
    unchanged : ndarray of bool, shape (H, W)
        Where both planes show the same.
    way : Way
        How the other plane is related to the plane to be denoised: motion, and brightness if it is known.
    """

    models: Sequence[Model]
    unchanged: Mask
    way: Way

    @classmethod
    def of(
        cls, before: Denoised | None, observation: Observation, options: Options, helped: Helped
    ) -> WarmStart | None:
        """The warm start from the previous plane; None if there is none or most of it has changed.

        Raises
        ------
        ValueError
            If the models of the previous plane do not match the options.
        """
        if before is None:
            return None
        _check_models(before, observation.pixels.shape, options)
        way = helped.ways.get(-1)
        theirs = observation.of_plane(before.image, None if way is None else way.brightness)
        if way is None:
            way = Way(motion_between(observation, theirs))
        there = np.stack([moved(theirs[..., c], way.motion, 3) for c in range(theirs.shape[2])], -1)
        same = unchanged(observation.pixels, there, observation.noise.variance) & inside(way.motion)
        share = float(same.mean())
        if way.brightness is not None and way.brightness.changes:
            # Of another scene a change of brightness leaves so little that it agrees wherever nothing is to be seen.
            share = min(share, shared_content(observation.pixels, same, observation.noise.variance))
        return cls(before.models, same, way) if share >= LEAST_UNCHANGED else None

    @property
    def generation(self) -> int:
        """Number of consecutive warm starts, including this one."""
        return 1 + int(self.models[0].metadata.get("generation", 0))

    @property
    def share(self) -> float:
        """Fraction of the steps, and of the decay of the learning rates, that the models take."""
        return min(1.0, WARM_SHARE + CHANGED_SHARE * float(1 - self.unchanged.mean()))

    def settings(self, settings: FitSettings) -> FitSettings:
        """The settings of a fit from scratch, with fewer steps."""
        return replace(settings, iterations=max(1, round(self.share * settings.iterations)))

    def plans(self, plans: list[Plan]) -> list[Plan]:
        """The plans, with the kernel counts of the models."""
        counts = map(planned_kernels, self.models)
        return [replace(plan, n_kernels=count) for plan, count in zip(plans, counts, strict=True)]

    def kernels(self, number: int, observation: Observation) -> Kernels:
        """Geometry (L, 6) and experts (L, C) of a model in the domain of another plane; copies.

        Kernels follow the motion in place and shape, and the brightness of the plane in colour.
        """
        model, layout = self.models[number], observation.inputs.layout
        value = model.experts.double().numpy() * model.layout.span + model.layout.low
        colours = ((value - layout.low) / layout.span).astype(np.float32)
        if self.way.brightness is not None:
            colours = self.way.brightness.of(colours)
        experts: Floats = observation.noise.stabilised(colours)
        geometry = model.geometry.clone()
        motion = self.way.motion
        if motion.any():
            places = followed(geometry[:, :2].numpy(), motion)
            shapes = reshaped(geometry[:, 2:5].double().numpy(), stretch(places, motion))
            geometry[:, :2], geometry[:, 2:5] = torch.from_numpy(places), torch.from_numpy(shapes)
        return geometry, torch.from_numpy(experts)

    def stays(self, geometry: torch.Tensor) -> Mask:
        """Whether each kernel lies where the planes show the same, (L,)."""
        limit = np.array(self.unchanged.shape) - 1
        centres = geometry[:, :2].numpy()
        y, x = np.clip(np.rint(centres), 0, limit).astype(np.int64).T
        beyond = (np.abs(centres - limit / 2) > limit / 2 + BEYOND).any(1)
        stays: Mask = self.unchanged[y, x] & ~beyond
        return stays


def _check_models(before: Denoised, shape: tuple[int, ...], options: Options) -> None:
    for model in before.models:
        same_shape = (*model.shape, model.channels) == shape
        fits = same_shape and model.metadata.get("job") == JOB
        if not fits or (options.n_kernels is not None and planned_kernels(model) != options.n_kernels):
            raise ValueError(
                f"warm_start holds {model!r}, which does not fit an image of shape {shape} (Y, X, C) and the "
                "given n_kernels: give what denoise returned for a plane of this shape with these settings."
            )
    if len(before.models) != options.models:
        raise ValueError(f"warm_start has {len(before.models)} models; as many as models={options.models} are needed.")
