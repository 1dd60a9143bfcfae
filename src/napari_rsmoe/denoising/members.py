"""The members of an ensemble: the initialisation, target and perturbation of each model, and the finished models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from importlib.metadata import version

import numpy as np
import torch

from .. import engine
from ..arrays import Floats
from ..engine.bounds import MOST_EXPERT
from ..fitting.fitter import Fitter
from ..fitting.memory import require_on_device
from ..fitting.optimiser import Optimiser, together
from ..fitting.starts.start import Start
from ..fitting.tensors import start_tensors
from ..memory import WORTH_RELEASE, release
from ..model.model import Model
from .checkpoint import Kernels
from .fusion import Group
from .plans import Plan
from .result import JOB
from .task import Task

DISTURBANCE = 0.35
"""Disturbance that each model sees, as a multiple of the noise.

A weaker one makes the estimate of the followed noise less exact, a stronger one makes the models noisier."""
COLOUR_WEIGHT = 0.5
"""Weight of colour differences against brightness when kernels are fitted.

Gates follow all planes; colour differences have little content and as much noise, so they count less."""
TRUST = (0.2, 5.0)
"""Least and most weight of a pixel by its noise, relative to a pixel of mean noise variance."""


@dataclass(frozen=True)
class Batch:
    """Models that are fitted at once: their numbers, plans, random generators and disturbances (C, H, W)."""

    numbers: list[int]
    plans: list[Plan]
    rngs: list[np.random.Generator]
    disturbances: list[Floats]


@cache
def _maker() -> str:
    """Name and version of this package, which take a millisecond to be read."""
    return f"napari-rsmoe {version('napari-rsmoe')}"


@dataclass
class Members:
    """Makes the fits of a task, and collects the finished models."""

    task: Task
    device: torch.device
    models: list[Model] = field(default_factory=list)
    groups: dict[int, Group] = field(default_factory=dict)

    def __post_init__(self) -> None:
        observation = self.task.observation
        self._observation, self._opponent, self._planes = observation, observation.opponent, observation.planes
        self._deviation = np.sqrt(observation.noise.plane_variance)
        self._scale = observation.opponent.by_plane(1.0, COLOUR_WEIGHT)
        weight, variance = observation.inputs.weight, observation.noise.variance
        self._weight = np.ones(observation.pixels.shape[:2], np.float32) if weight is None else weight
        if variance.any():  # Noisier pixels have less weight.
            ratio = observation.noise.mean_variance / np.maximum(variance.mean(2), np.float32(1e-12))
            self._weight = self._weight * np.clip(ratio, *TRUST)

    def batch(self, numbers: list[int]) -> Batch:
        """The random generators and disturbances of the models with these numbers."""
        # After a warm start the disturbances must differ from those to which its kernels were fitted.
        later = [self.task.generation] if self.task.generation else []
        rngs = [np.random.default_rng([self.task.options.seed, number, *later]) for number in numbers]
        noise, plans = self._observation.noise, [self.task.plans[number] for number in numbers]
        place, shape = self.task.place, self._planes.shape
        if place is None:
            signs = [noise.signs(shape, rng) for rng in rngs]
        else:
            signs = [place.signs(number, shape) for number in numbers]
        return Batch(numbers, plans, rngs, [self._deviation * noise.sample(each) for each in signs])

    def fitter(self, batch: Batch) -> Optimiser:
        """The fit of a batch, on a raster that contains all of its tile grids."""
        shape = tuple(np.max([plan.shift for plan in batch.plans], 0) + self._planes.shape[1:])
        size, count = (*shape, len(self._planes)), batch.plans[0].n_kernels
        require_on_device(self.device, size, count, self.task.settings, "smoe", len(batch.numbers))
        return together([self._fitter(batch, k, shape) for k in range(len(batch.numbers))])

    def _fitter(self, batch: Batch, k: int, shape: tuple[int, ...]) -> Fitter:
        """The fit of a model on a raster of the given shape, to which the image is extended."""
        plan, warm = batch.plans[k], self.task.warm_start
        geometry, experts = self._begin(batch.numbers[k], plan, batch.rngs[k])
        planes = self._opponent.planes(experts.numpy()[None]) * self._scale
        experts = torch.from_numpy(np.moveaxis(planes, 0, -1)[0].copy())
        geometry[:, :2] += geometry.new_tensor(plan.shift)
        engine.pause()
        target = (self._planes + np.float32(DISTURBANCE) * batch.disturbances[k]) * self._scale
        engine.pause()
        # Tiles start `shift` px above and to the left of the image, in a border of weight 0.
        border = [
            (before, most - before - length)
            for before, most, length in zip(plan.shift, shape, self._weight.shape, strict=True)
        ]
        fitter = Fitter(
            np.pad(np.moveaxis(target, 0, -1), (*border, (0, 0)), mode="edge"),
            (geometry, experts),
            self.task.settings,
            weight=np.pad(self._weight, border),
            device=self.device,
        )
        fitter.fraction = 0.0 if warm is None else 1 - warm.share
        return fitter

    @cached_property
    def _starts(self) -> Callable[[int, np.random.Generator], Start]:
        return self.task.options.starts(self._observation.pixels)

    def _begin(self, number: int, plan: Plan, rng: np.random.Generator) -> Kernels:
        """The initial kernels of a model, in the pixels and the domain of the image."""
        place, pixels = self.task.place, self._observation.pixels
        start = self._starts(plan.n_kernels, rng) if place is None else place.start(pixels, plan.n_kernels, number)
        release(WORTH_RELEASE)
        fresh = start_tensors(start, self._weight.shape)
        warm = self.task.warm_start
        if warm is None:
            return fresh
        kernels = warm.kernels(number, self._observation)
        # Kernels are initialised again where the planes differ; the others keep their rows.
        gone = np.flatnonzero(~warm.stays(kernels[0]))
        chosen = rng.permutation(np.flatnonzero(~warm.stays(fresh[0])))[: len(gone)]
        for mine, new in zip(kernels, fresh, strict=True):
            mine[gone[: len(chosen)]] = new[chosen]
        return kernels

    def kernels(self, fitter: Optimiser, batch: Batch) -> Kernels:
        """Geometry (models, L, 6) in the pixels of the image, and experts in scaled planes."""
        geometry = fitter.geometry.clone()
        geometry[..., :2] -= geometry.new_tensor([plan.shift for plan in batch.plans])[:, None]
        return geometry, fitter.experts.clone()

    def add(self, batch: Batch, kernels: Kernels, steps: int) -> None:
        """Add finished models."""
        self.models += self._models(batch, kernels, steps)
        group = self.groups.setdefault(batch.plans[0].n_kernels, Group(self._planes.shape))
        for render, disturbance in zip(self._drawn(kernels), batch.disturbances, strict=True):
            group.add(render, disturbance)

    def _drawn(self, kernels: Kernels) -> Floats:
        """The renderings as planes (models, C, H, W), not clipped."""
        geometry, experts = (tensor.to(self.device) for tensor in kernels)
        images = engine.render(geometry, experts, *self._planes.shape[1:])
        return np.divide(images.cpu().numpy(), self._scale, dtype=np.float32)

    def _models(self, batch: Batch, kernels: Kernels, steps: int) -> list[Model]:
        """The models in the channels of the image."""
        planes = np.divide(kernels[1].cpu().numpy(), self._scale[:, 0, 0], dtype=np.float32)
        # Gates are the same in both domains, so each expert is transformed back separately.
        experts = self._observation.noise.restored(np.einsum("mlc,cd->mld", planes, self._opponent.matrix))
        most = np.float32(MOST_EXPERT / (2 * experts.shape[2]))  # Of extreme pixels that no model can draw.
        experts = np.clip(experts, -most, most)
        metadata = {
            "made_by": _maker(),
            "job": JOB,
            "seed": self.task.options.seed,
            "generation": self.task.generation,
            "settings": asdict(self.task.settings),
            "steps": steps,
        }
        own = [
            {"model": number, "tile_shift": list(plan.shift), "planned_kernels": plan.n_kernels}
            for number, plan in zip(batch.numbers, batch.plans, strict=True)
        ]
        height, width = self._weight.shape
        return [
            Model(
                geometry.clone(),
                torch.from_numpy(colours),
                (height, width),
                self._observation.inputs.layout,
                metadata=metadata | more,
            )
            for geometry, colours, more in zip(kernels[0].cpu(), experts, own, strict=True)
        ]

    def preview(self, kernels: Kernels | None) -> np.ndarray:
        """The average of the finished models, or else the model of these kernels, as `kernels` returns them."""
        groups = [group for group in list(self.groups.values()) if group.count]
        if not groups:
            return self._observation.inputs.given if kernels is None else self._restored(self._drawn(kernels)[0])
        counts = np.array([group.count for group in groups], np.float32)
        shares = counts / counts.sum()
        mean = sum(share * group.mean for share, group in zip(shares, groups, strict=True))
        return self._restored(np.asarray(mean, np.float32))

    def _restored(self, planes: Floats) -> np.ndarray:
        """Planes of the domain, converted to the format of the image."""
        restored = self._observation.noise.restored(self._opponent.image(planes))
        return self._observation.inputs.layout.restore(restored)
