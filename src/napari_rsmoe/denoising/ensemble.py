"""Many models of one noisy image, each from its own initialisation, tile grid and small disturbance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from ..fitting.optimiser import Optimiser
from ..model.model import Model
from ..progress import Callback, Progress
from .checkpoint import Checkpoint, Kernels
from .fusion import Group
from .members import Batch, Members
from .observation import Observation
from .plans import batches
from .task import Task

REPORT_EVERY = 20
"""Steps between two reports. Fewer make a cancellation take effect sooner but cost time."""
BATCH_TILES = 8192
"""Largest number of tiles of all models that are fitted at once on a device; more would not use it better."""


@dataclass(frozen=True)
class Ensemble:
    """Models of one image, and what `fusion.fuse` needs of them.

    Attributes
    ----------
    observation : Observation
        The noisy image to which they were fitted.
    models : list of Model
        Models in the order of their plans.
    groups : mapping of int to Group
        Sums of their renderings, by kernel count.
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
        As for `napari_rsmoe.denoise`. If it returns True, the ensemble consists of the finished models, or of the
        unfinished first one.
    checkpoint : Checkpoint, optional
        Models in the checkpoint are loaded; others are added to it when they are finished.
    """
    observation = task.observation
    height, width, _ = observation.pixels.shape
    members = Members(task, device)
    schedule = _Schedule(task, callback)
    for numbers in batches(task.plans, (height, width), 0 if device.type == "cpu" else BATCH_TILES):
        batch = members.batch(numbers)
        kernels, steps = _kept(checkpoint, batch, observation), task.settings.iterations
        if kernels is None:
            fitter = members.fitter(batch)
            schedule.advance(fitter, batch, len(members.models), partial(members.preview, fitter, batch))
            if members.models and fitter.remaining:
                break
            kernels, steps = members.kernels(fitter, batch), fitter.step
            if checkpoint is not None and not fitter.remaining:
                checkpoint.save(numbers, kernels)
        members.add(batch, kernels, steps)
        schedule.finish(batch)
        if schedule.stopped:
            break
    members.models.sort(key=lambda model: int(model.metadata["model"]))  # Batches change the order.
    return Ensemble(observation, members.models, members.groups)


def _kept(checkpoint: Checkpoint | None, batch: Batch, observation: Observation) -> Kernels | None:
    """The kernels of a batch that was finished before; None if there are none."""
    if checkpoint is None:
        return None
    return checkpoint.load(batch.numbers, batch.plans[0].n_kernels, observation.pixels.shape[2])


@dataclass
class _Schedule:
    """The progress of the work, reported to the callback in steps of one model times their cost.

    The cost of a step falls with the kernel count, down to the cost of rendering the pixels.
    """

    task: Task
    callback: Callback | None
    done: int = 0
    stopped: bool = False

    def cost(self, numbers: list[int]) -> int:
        """The cost of a step of these models."""
        size = self.task.observation.pixels[..., 0].size
        return sum(self.task.plans[number].n_kernels + size // 100 + 1 for number in numbers)

    def advance(self, fitter: Optimiser, batch: Batch, finished: int, preview: Any) -> None:
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

    def finish(self, batch: Batch) -> None:
        """Count a batch as finished, whether it was fitted or loaded from a checkpoint."""
        self.done += self.cost(batch.numbers) * self.task.settings.iterations
