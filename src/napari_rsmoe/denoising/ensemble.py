"""Many models of one noisy image, each from its own initialisation, tile grid and small disturbance."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch

from .. import engine
from ..errors import StoppedError
from ..fitting.optimiser import Optimiser
from ..model.model import Model
from ..progress import Timetable
from .checkpoint import Checkpoint, Kernels
from .costs import model_stage
from .fusion import Group
from .members import Batch, Members
from .observation import Observation
from .plans import batches
from .task import Task

Value = TypeVar("Value")
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


def fit_ensemble(task: Task, device: torch.device, times: Timetable, checkpoint: Checkpoint | None = None) -> Ensemble:
    """Fit the models of an ensemble.

    The CPU fits one after the other, as it gains nothing by batches; a device fits models of one kernel count at once.

    Parameters
    ----------
    task : Task
        The image and the models.
    device : torch.device
        Where models are fitted.
    times : Timetable
        Reports the progress. If it is stopped, the ensemble consists of the finished models, or of the unfinished first
        one.
    checkpoint : Checkpoint, optional
        Models in the checkpoint are loaded; others are added to it when they are finished.
    """
    observation = task.observation
    height, width, _ = observation.pixels.shape
    members = Members(task, device)
    schedule = _Schedule(task, times)
    for numbers in batches(task.plans, (height, width), 0 if device.type == "cpu" else BATCH_TILES):
        batch = schedule.batch(members, numbers)
        kernels, steps = _kept(checkpoint, batch, observation), task.settings.iterations
        if kernels is None:
            try:
                fitter = schedule.begin(members, batch)
            except StoppedError:
                if members.models:
                    break  # There are models to keep.
                raise
            schedule.advance(fitter, members, batch)
            if members.models and fitter.remaining:
                break
            kernels, steps = members.kernels(fitter, batch), fitter.step
            if checkpoint is not None and not fitter.remaining:
                checkpoint.save(numbers, kernels)
        schedule.add(members, batch, kernels, steps)
        if times.stopped:
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
    """Fits models, and reports the progress in their stages of the timetable."""

    task: Task
    times: Timetable

    def batch(self, members: Members, numbers: list[int]) -> Batch:
        """The random numbers of a batch. A request to stop takes effect afterwards."""
        return self._unstopped(lambda: members.batch(numbers), numbers)

    def add(self, members: Members, batch: Batch, kernels: Kernels, steps: int) -> None:
        """Draw finished models and add them. A request to stop takes effect afterwards, so that they are kept."""
        self._unstopped(lambda: members.add(batch, kernels, steps), batch.numbers)

    def _unstopped(self, work: Callable[[], Value], numbers: list[int]) -> Value:
        """Do short work to its end, and report meanwhile that nothing has moved."""
        stage, words = model_stage(numbers[-1]), self.times.words

        def report(share: float | None) -> bool:
            self.times.report(stage, 0.0, words)
            return False

        return engine.attended(work, report if self.times.watched else None)

    def begin(self, members: Members, batch: Batch) -> Optimiser:
        """The fit of a batch, initialised. Raises StoppedError if that was stopped."""
        words = f"start of {self._words(batch, len(members.models))}"
        report = self.times.during(self._stage(batch), words)
        return engine.attended(lambda: members.fitter(batch), None if report is None else lambda share: report(0.0))

    def advance(self, fitter: Optimiser, members: Members, batch: Batch) -> None:
        """Take the steps of a fit, until it is finished or the callback asks to stop."""
        steps, finished = max(1, self.task.settings.iterations), len(members.models)
        words = self._words(batch, finished)
        stage = self._stage(batch)
        took = self.times.expected(stage) * REPORT_EVERY / steps  # Seconds of so many steps.
        while fitter.remaining and not self.times.stopped:
            began, before, more = time.monotonic(), fitter.step, min(REPORT_EVERY, fitter.remaining)
            report = self._reporter(batch, finished, partial(_reached, began, took, before / steps, more / steps))
            try:
                engine.attended(lambda: fitter.advance(REPORT_EVERY), report)
            except StoppedError:
                break
            took = time.monotonic() - began
            if fitter.due():
                # The kernels as they are now, as previews are drawn while others go on being fitted.
                now = members.kernels(fitter, batch) if self.times.watched and not members.groups else None
                self.times.preview = partial(members.preview, now)
                self.times.report(stage, fitter.step / steps, words)
        fitter.settle()

    def _reporter(self, batch: Batch, finished: int, reached: Callable[[float | None], float]) -> Any:
        """What `attended` reports to, in the stage of the last model of a batch."""
        report = self.times.during(self._stage(batch), self._words(batch, finished))
        return None if report is None else lambda share: report(reached(share))

    def _stage(self, batch: Batch) -> str:
        return model_stage(batch.numbers[-1])

    def _words(self, batch: Batch, finished: int) -> str:
        first, last, count = finished + 1, finished + len(batch.numbers), len(self.task.plans)
        return f"model {first} of {count}" if first == last else f"models {first} to {last} of {count}"


def _reached(began: float, took: float, before: float, more: float, _share: float | None) -> float:
    """Share of a fit that is done while the next steps are taken, which are expected to take as long as the last."""
    return before + more * min(0.95, (time.monotonic() - began) / max(took, 1e-3))
