"""Many models of one noisy image, each from its own initialisation, tile grid and small disturbance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from .. import engine
from ..arrays import Floats
from ..fitting.fitter import Fitter
from ..fitting.optimiser import Optimiser, together
from ..fitting.settings import FitSettings
from ..fitting.tensors import start_tensors
from ..model.model import Model
from ..progress import Callback, Progress
from .checkpoint import Checkpoint, Kernels, fingerprint
from .fusion import Group
from .observation import Observation
from .options import Options
from .plans import Plan, batches
from .result import JOB
from .warm_start import WarmStart

DISTURBANCE = 0.35
"""Disturbance that each model sees, as a multiple of the noise.

A weaker one tells less exactly how much of the noise a model follows, a stronger one makes the models noisier."""
COLOUR_WEIGHT = 0.5
"""Weight of colour differences against brightness when kernels are fitted.

Gates follow all planes; colour differences have little content and as much noise, so they count less."""
TRUST = (0.2, 5.0)
"""Least and most weight of a pixel by its noise, relative to a pixel of mean noise variance."""
REPORT_EVERY = 20
"""Steps between two reports. Fewer make a stop take hold sooner, and cost time."""
BATCH_TILES = 8192
"""Tiles that models fitted at once on a device have in all. More would not make a device busier."""


@dataclass(frozen=True)
class Task:
    """All that decides about the models of an ensemble, besides the device.

    Attributes
    ----------
    observation : Observation
        The noisy image in its domain.
    options : Options
        How models are fitted.
    plans : list of Plan
        The models.
    warm_start : WarmStart or None
        Models of a neighbouring plane, from whose kernels those of this one begin.
    """

    observation: Observation
    options: Options
    plans: list[Plan]
    warm_start: WarmStart | None = None

    @property
    def settings(self) -> FitSettings:
        """Of each fit."""
        settings = self.options.settings
        return settings if self.warm_start is None else self.warm_start.settings(settings)

    @property
    def generation(self) -> int:
        """How many warm starts there were in a row."""
        return 0 if self.warm_start is None else self.warm_start.generation

    def check_start(self) -> None:
        """Raise a ValueError, before any model is fitted, if one has too few kernels for its initialisation."""
        if self.options.start_options.get("allotment") != "paper":
            return
        fewest = min(plan.n_kernels for plan in self.plans)
        self.options.start(self.observation.pixels, fewest, np.random.default_rng(self.options.seed))

    def description(self, device: torch.device) -> dict[str, Any]:
        """What tells the task from others, in values that JSON can hold: for a checkpoint."""
        noise, warm = self.observation.noise, self.warm_start
        before = [] if warm is None else [each.numpy() for m in warm.models for each in (m.geometry, m.experts)]
        return {
            "image": fingerprint(self.observation.pixels, self.observation.inputs.weight),
            "noise": fingerprint(noise.variance, noise.levels, noise.spectrum),
            "warm start": fingerprint(*before),
            "settings": asdict(self.options.settings) | self.options.start_options,
            "models": [asdict(plan) for plan in self.plans],
            "seed": self.options.seed,
            "device": device.type,
            "version of napari-rsmoe": version("napari-rsmoe"),
        }


@dataclass(frozen=True)
class Ensemble:
    """Models of one image, and what `fusion.fuse` needs of them.

    Attributes
    ----------
    observation : Observation
        The noisy image that they were fitted to.
    models : list of Model
        In the order of their plans.
    groups : mapping of int to Group
        Their renders, by kernel count.
    """

    observation: Observation
    models: list[Model]
    groups: Mapping[int, Group]


def fit_ensemble(
    task: Task, device: torch.device, callback: Callback | None = None, checkpoint: Checkpoint | None = None
) -> Ensemble:
    """Fit the models of an ensemble.

    The CPU fits one after the other, as it gains nothing by batches; a device fits models of one kernel count at once.

    Parameters
    ----------
    task : Task
        The image and the models.
    device : torch.device
        Where models are fitted.
    callback : callable, optional
        As for `napari_rsmoe.denoise`. When it asks to stop, the ensemble consists of the models that are finished, or
        of the unfinished first one.
    checkpoint : Checkpoint, optional
        Models that it holds are taken from it; others are added to it when they are finished.
    """
    observation = task.observation
    height, width, _ = observation.pixels.shape
    fits = _Fits(task, device)
    schedule = _Schedule(task, callback)
    for numbers in batches(task.plans, (height, width), 0 if device.type == "cpu" else BATCH_TILES):
        batch = fits.batch(numbers)
        kernels, steps = None if checkpoint is None else checkpoint.load(numbers), task.settings.iterations
        if kernels is None:
            fitter = fits.fitter(batch)
            schedule.advance(fitter, batch, len(fits.models), partial(fits.preview, fitter, batch))
            if fits.models and fitter.remaining:
                break
            kernels, steps = fits.kernels(fitter, batch), fitter.step
            if checkpoint is not None and not fitter.remaining:
                checkpoint.save(numbers, kernels)
        fits.add(batch, kernels, steps)
        schedule.finish(batch)
        if schedule.stopped:
            break
    fits.models.sort(key=lambda model: int(model.metadata["model"]))  # batches mix them up
    return Ensemble(observation, fits.models, fits.groups)


@dataclass(frozen=True)
class _Batch:
    """Models that are fitted at once: their numbers, plans, random generators and disturbances, (C, H, W) each."""

    numbers: list[int]
    plans: list[Plan]
    rngs: list[np.random.Generator]
    disturbances: list[Floats]


@dataclass
class _Schedule:
    """How far the work is, told to the callback in steps of one model times its cost.

    The cost of a step falls with the kernel count down to that of drawing the pixels.
    """

    task: Task
    callback: Callback | None
    done: int = 0
    stopped: bool = False

    def cost(self, numbers: list[int]) -> int:
        """Of a step of these models."""
        size = self.task.observation.pixels[..., 0].size
        return sum(self.task.plans[number].n_kernels + size // 100 + 1 for number in numbers)

    def advance(self, fitter: Optimiser, batch: _Batch, finished: int, preview: Any) -> None:
        """Take the steps of a fit, until it is finished or the callback asks to stop."""
        count, cost = len(self.task.plans), self.cost(batch.numbers)
        total = self.cost(list(range(count))) * self.task.settings.iterations
        first, last = finished + 1, finished + len(batch.numbers)
        stage = f"model {first} of {count}" if first == last else f"models {first} to {last} of {count}"
        while fitter.remaining and not self.stopped:
            fitter.advance(REPORT_EVERY)
            if fitter.due() and self.callback is not None:
                step = self.done + cost * fitter.step
                self.stopped = bool(self.callback(Progress(stage, step, total, None, preview)))
        fitter.settle()

    def finish(self, batch: _Batch) -> None:
        """Count a batch as done, whether it was fitted or found in a checkpoint."""
        self.done += self.cost(batch.numbers) * self.task.settings.iterations


@dataclass
class _Fits:
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
        if variance.any():  # noisier pixels say less
            ratio = variance.mean() / np.maximum(variance.mean(2), np.float32(1e-12))
            self._weight = self._weight * np.clip(ratio, *TRUST)

    def batch(self, numbers: list[int]) -> _Batch:
        """What is drawn at random for the models of these numbers."""
        # Disturbances of a warm start must be others than those that its kernels have seen.
        later = [self.task.generation] if self.task.generation else []
        rngs = [np.random.default_rng([self.task.options.seed, number, *later]) for number in numbers]
        noise, plans = self._observation.noise, [self.task.plans[number] for number in numbers]
        return _Batch(numbers, plans, rngs, [self._deviation * noise.sample(self._planes.shape, rng) for rng in rngs])

    def fitter(self, batch: _Batch) -> Optimiser:
        """The fit of a batch, on one raster that holds all of its tile grids."""
        shape = tuple(np.max([plan.shift for plan in batch.plans], 0) + self._planes.shape[1:])
        return together([self._fitter(batch, k, shape) for k in range(len(batch.numbers))])

    def _fitter(self, batch: _Batch, k: int, shape: tuple[int, ...]) -> Fitter:
        """The fit of a model on a raster of this shape, to which the image is extended."""
        plan, warm = batch.plans[k], self.task.warm_start
        geometry, experts = self._begin(batch.numbers[k], plan, batch.rngs[k])
        planes = self._opponent.planes(experts.numpy()[None]) * self._scale
        experts = torch.from_numpy(np.moveaxis(planes, 0, -1)[0].copy())
        geometry[:, :2] += torch.tensor(plan.shift)
        target = (self._planes + np.float32(DISTURBANCE) * batch.disturbances[k]) * self._scale
        # Tiles begin `shift` px above and left of the image, in a border of no weight.
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

    def _begin(self, number: int, plan: Plan, rng: np.random.Generator) -> Kernels:
        """Kernels from which a model begins, in the pixels and the domain of the image."""
        start = self.task.options.start(self._observation.pixels, plan.n_kernels, rng)
        fresh = start_tensors(start, self._weight.shape)
        warm = self.task.warm_start
        if warm is None:
            return fresh
        kernels = warm.kernels(number, self._observation)
        # Where the planes differ, kernels begin anew; all others keep their place in the list.
        gone = np.flatnonzero(~warm.stays(kernels[0]))
        chosen = rng.permutation(np.flatnonzero(~warm.stays(fresh[0])))[: len(gone)]
        for mine, new in zip(kernels, fresh, strict=True):
            mine[gone[: len(chosen)]] = new[chosen]
        return kernels

    def kernels(self, fitter: Optimiser, batch: _Batch) -> Kernels:
        """Geometry (models, L, 6) in the pixels of the image, and experts in scaled planes."""
        geometry = fitter.geometry.clone()
        geometry[..., :2] -= torch.tensor([plan.shift for plan in batch.plans], device=self.device)[:, None]
        return geometry, fitter.experts

    def add(self, batch: _Batch, kernels: Kernels, steps: int) -> None:
        """Take in models that are finished."""
        self.models += self._models(batch, kernels, steps)
        group = self.groups.setdefault(batch.plans[0].n_kernels, Group(self._planes.shape))
        for render, disturbance in zip(self._drawn(kernels), batch.disturbances, strict=True):
            group.add(render, disturbance)

    def _drawn(self, kernels: Kernels) -> Floats:
        """The renders as planes, (models, C, H, W), not clipped."""
        geometry, experts = (tensor.to(self.device) for tensor in kernels)
        images = engine.render(geometry, experts, *self._planes.shape[1:])
        return np.divide(images.cpu().numpy(), self._scale, dtype=np.float32)

    def _models(self, batch: _Batch, kernels: Kernels, steps: int) -> list[Model]:
        """The models in the channels of the image."""
        planes = np.divide(kernels[1].cpu().numpy(), self._scale[:, 0, 0], dtype=np.float32)
        # Gates are the same in both domains, so each expert is brought back by itself.
        experts = self._observation.noise.restored(np.einsum("mlc,cd->mld", planes, self._opponent.matrix))
        metadata = {
            "made_by": f"napari-rsmoe {version('napari-rsmoe')}",
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

    def preview(self, fitter: Optimiser, batch: _Batch) -> np.ndarray:
        """The average of the finished models, or the first as it is."""
        if not self.groups:
            return self._restored(self._drawn(self.kernels(fitter, batch))[0])
        groups = list(self.groups.values())
        counts = np.array([group.count for group in groups], np.float32)
        shares = counts / counts.sum()
        mean = sum(share * group.mean for share, group in zip(shares, groups, strict=True))
        return self._restored(np.asarray(mean, np.float32))

    def _restored(self, planes: Floats) -> np.ndarray:
        """Planes of the domain in the user's form."""
        restored = self._observation.noise.restored(self._opponent.image(planes))
        return self._observation.inputs.layout.restore(restored)
