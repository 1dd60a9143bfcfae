"""How long jobs report their progress, and how they are stopped: one callback for every front end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes
    ----------
    stage : str
        What is being done, for people to read: "fit", "model 3 of 8".
    step, total : int
        Work done and work in all, in an arbitrary unit that is the same for the whole job; ``step <= total``.
    psnr : float or None
        PSNR in dB of the model that is being fitted, against the image that it is fitted to; None if it is not known.
    preview : callable
        Draws the result so far, at the size of the input. It costs one render, so call it only to show it.
    """

    stage: str
    step: int
    total: int
    psnr: float | None
    preview: Callable[[], np.ndarray]

    @property
    def fraction(self) -> float:
        """Fraction of the work that is done, 0 to 1."""
        return self.step / self.total if self.total else 1.0


@dataclass(frozen=True)
class PlaneProgress(Progress):
    """Progress of a job on many planes, with the plane that is worked on.

    Attributes
    ----------
    number : int
        Number of the plane, from 0.
    plane : tuple of int and slice
        Index of the plane in the whole array; see `napari_rsmoe.image.planes.Plane`.
    """

    number: int = 0
    plane: tuple[int | slice, ...] = ()


Callback = Callable[[Progress], bool | None]
"""Called now and then on the thread that runs the job. If it returns True, the job stops and returns the best result
that it has so far; after None or False it goes on."""


def announce(callback: Callback | None, stage: str, image: np.ndarray) -> None:
    """Report that a job has begun with a stage of which nothing is known yet; `image` is the preview meanwhile.

    A request to stop is heard at the next report, when there is a result.
    """
    if callback is not None:
        callback(Progress(stage, 0, 1, None, lambda: image))


class _Parts:
    """What the callbacks of the equal parts of a job have in common.

    Parameters
    ----------
    callback : callable or None
        The callback of the whole job.
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
    """The callbacks of a job of equal parts; they report to the callback of the whole job."""

    def part(self, index: int, stage: str) -> Callback | None:
        """The callback of part `index`, counted from 0; None if the job has none."""
        callback = self.callback
        if callback is None:
            return None

        def report(progress: Progress) -> bool:
            step = index * progress.total + progress.step
            self.stopped = bool(callback(replace(progress, stage=stage, step=step, total=self.count * progress.total)))
            return self.stopped

        return report


class PlaneParts(_Parts):
    """The callbacks of a job that does the same to every plane; they report `PlaneProgress`."""

    def part(self, number: int, plane: tuple[int | slice, ...] = ()) -> Callback:
        """The callback of plane `number`, counted from 0, whose index in the whole array is `plane`."""

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
