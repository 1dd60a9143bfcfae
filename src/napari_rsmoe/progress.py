"""How long jobs report to whoever started them, and how they are stopped: one callback for every front end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Progress:
    """Where a job stands.

    Attributes
    ----------
    stage : str
        What is being done, for people: "fit", "model 3 of 8".
    step, total : int
        Work done and work in all, in the same arbitrary unit over the whole job; ``step <= total``.
    psnr : float or None
        Of the model being fitted against the image it is fitted to, in dB, where known.
    preview : callable
        Renders what there is so far, at the size of the input; it costs one render, so call it only to show it.
    """

    stage: str
    step: int
    total: int
    psnr: float | None
    preview: Callable[[], np.ndarray]

    @property
    def fraction(self) -> float:
        """Work done, 0 to 1."""
        return self.step / self.total if self.total else 1.0


@dataclass(frozen=True)
class PlaneProgress(Progress):
    """Progress of a job on many planes, that also tells which one is worked on.

    Attributes
    ----------
    number : int
        Of the plane, from 0.
    plane : tuple of int and slice
        Its index in the whole array; see `planes.Plane`.
    """

    number: int = 0
    plane: tuple[int | slice, ...] = ()


Callback = Callable[[Progress], bool | None]
"""Called now and then from the thread that runs the job. Return True to stop: the job then returns the best
result it has so far. None or False goes on."""


class _Parts:
    """What the callbacks of the equal parts of a job share.

    Parameters
    ----------
    callback : callable or None
        The job's.
    count : int
        Number of parts, or of planes.

    Attributes
    ----------
    stopped : bool
        Whether the callback has asked to stop.
    """

    def __init__(self, callback: Callback | None, count: int) -> None:
        self.callback, self.count = callback, count
        self.stopped = False


class Parts(_Parts):
    """The callbacks of a job of equal parts, which report to the job's own callback."""

    def part(self, index: int, stage: str) -> Callback | None:
        """The callback for part `index`, counted from 0."""
        callback = self.callback
        if callback is None:
            return None

        def report(progress: Progress) -> bool:
            step = index * progress.total + progress.step
            self.stopped = bool(callback(replace(progress, stage=stage, step=step, total=self.count * progress.total)))
            return self.stopped

        return report


class PlaneParts(_Parts):
    """The callbacks of a job that does the same to every plane; they report a `PlaneProgress`."""

    def part(self, number: int, plane: tuple[int | slice, ...] = ()) -> Callback:
        """The callback for plane `number`, counted from 0, which lies at the index `plane`."""

        def report(progress: Progress) -> bool:
            if self.callback is None:
                return False
            total = max(progress.total, 1)
            many = self.count > 1
            stage = f"plane {number + 1} of {self.count}, {progress.stage}" if many else progress.stage
            moved = PlaneProgress(
                stage, number * total + progress.step, self.count * total, progress.psnr, progress.preview,
                number=number, plane=plane,
            )  # fmt: skip
            self.stopped = bool(self.callback(moved))
            return self.stopped

        return report
