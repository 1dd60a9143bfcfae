"""How long jobs report their progress, and how they are stopped: one callback for every front end."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .errors import StoppedError

if TYPE_CHECKING:
    import numpy as np

_here = threading.local()


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
    seconds : float or None
        Time that the whole job is expected to take on an idle machine, from measured costs of its stages; None if that
        is not known.
    resumed : bool
        Whether the work that is done was done by an earlier run, which this one has taken up.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import Progress
    >>> Progress("fit", 3, 12, psnr=31.5, preview=lambda: np.zeros((8, 8))).fraction
    0.25
    """

    stage: str
    step: int
    total: int
    psnr: float | None
    preview: Callable[[], np.ndarray]
    seconds: float | None = None
    resumed: bool = False

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
that it has so far; before there is one, `StoppedError` is raised. After None or False it goes on."""


def pause() -> None:
    """Leave the work of this thread here if it has been asked to stop; called between steps of up to 0.1 seconds.

    Raises
    ------
    StoppedError
        If so. Outside of `pausing`, as in the thread of the caller, nothing happens.
    """
    asked = getattr(_here, "asked", None)
    if asked is not None and asked():
        raise StoppedError()


@contextmanager
def pausing(asked: Callable[[], bool]) -> Iterator[None]:
    """Let `pause` stop the work of this thread once `asked` returns True."""
    before = getattr(_here, "asked", None)
    _here.asked = asked
    try:
        yield
    finally:
        _here.asked = before


def announce(callback: Callback | None, stage: str, image: np.ndarray) -> None:
    """Report that a job has begun with a stage of which nothing is known yet; `image` is the preview meanwhile.

    A request to stop takes effect at the next report, when there is a result.
    """
    if callback is not None:
        callback(Progress(stage, 0, 1, None, lambda: image))


class Timetable:
    """The stages of a job with the times that they are expected to take, reported to a callback as one progress.

    Parameters
    ----------
    callback : callable or None
        The callback of the job.
    stages : mapping of str to float
        Expected seconds of each stage, in the order in which they follow each other.
    image : ndarray
        What previews show as long as there is nothing better.

    Attributes
    ----------
    stopped : bool
        Whether the callback has asked to stop.
    preview : callable
        What previews show now.
    words : str
        What was reported last, for people to read.
    """

    def __init__(self, callback: Callback | None, stages: Mapping[str, float], image: np.ndarray) -> None:
        self._callback, self._stages = callback, dict(stages)
        self._reached = 0.0
        self.words = next(iter(stages), "")
        self._total = max(sum(self._stages.values()), 1e-3)
        self.stopped = False
        self.preview: Callable[[], np.ndarray] = lambda: image

    def expected(self, stage: str) -> float:
        """Expected seconds of a stage."""
        return self._stages[stage]

    def remaining(self, stage: str) -> float:
        """Expected seconds of a stage and those after it."""
        names = list(self._stages)
        return sum(self._stages[name] for name in names[names.index(stage) :])

    @property
    def watched(self) -> bool:
        """Whether anybody listens."""
        return self._callback is not None

    def replan(self, stages: Mapping[str, float]) -> None:
        """Take other expectations, when more is known; stages keep their names."""
        self._stages = dict(stages)
        self._total = max(sum(self._stages.values()), 1e-3)

    def during(self, stage: str, words: str = "") -> Callable[[float | None], bool] | None:
        """Begin a stage: returns what it reports its share to, 0 to 1, or None if nobody listens.

        A share of None stands for the one that the expected time of the stage suggests, which is approached more slowly
        the longer the stage takes.
        """
        if self._callback is None:
            return None
        began = time.monotonic()

        def report(share: float | None) -> bool:
            expected = max(self._stages.get(stage, 0.0), 1e-3)
            reached = 1 - math.exp(-(time.monotonic() - began) / expected) if share is None else share
            return self.report(stage, reached, words or stage)

        return report

    def report(self, stage: str, share: float, words: str = "") -> bool:
        """Report a share of a stage, 0 to 1; returns whether the callback asks to stop."""
        if self._callback is None:
            return False
        names = list(self._stages)
        before = sum(self._stages[name] for name in names[: names.index(stage)])
        done = before + min(max(share, 0.0), 1.0) * self._stages[stage]
        self._reached = max(self._reached, min(done / self._total, 1.0))  # It does not fall when expectations change.
        total = max(round(1000 * self._total), 1)
        step = math.ceil(self._reached * total)
        self.words = words or stage
        progress = Progress(self.words, step, total, None, self.preview, seconds=self._total)
        self.stopped = bool(self._callback(progress)) or self.stopped
        return self.stopped


def without_psnr(callback: Callback | None) -> Callback | None:
    """The callback of a job for which the PSNR of its models says nothing about its result; None if there is none.

    A model that is drawn larger fits the pixels of the small image, which says nothing about what lies between them.
    """
    return None if callback is None else lambda progress: callback(replace(progress, psnr=None))


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
    """The callbacks of the parts of a job; they report to the callback of the whole job.

    Parameters
    ----------
    callback : callable or None
        The callback of the whole job.
    parts : int or sequence of float
        Number of equal parts, or the seconds that each part is expected to take.
    """

    def __init__(self, callback: Callback | None, parts: int | Sequence[float]) -> None:
        self._seconds = None if isinstance(parts, int) else [max(each, 1e-6) for each in parts]
        super().__init__(callback, parts if isinstance(parts, int) else len(parts))

    def expect(self, seconds: Sequence[float]) -> None:
        """Expect other times, when more is known."""
        self._seconds = [max(each, 1e-6) for each in seconds]

    def part(self, index: int, stage: str) -> Callback | None:
        """The callback of part `index`, counted from 0; None if the job has none."""
        callback = self.callback
        if callback is None:
            return None

        def report(progress: Progress) -> bool:
            step, total = index * progress.total + progress.step, self.count * progress.total
            seconds = None if progress.seconds is None else self.count * progress.seconds
            if self._seconds is not None:
                seconds, done = sum(self._seconds), sum(self._seconds[:index])
                done += progress.fraction * self._seconds[index]
                total = max(1, round(1000 * seconds))
                step = min(total, round(1000 * done))
            self.stopped = bool(callback(replace(progress, stage=stage, step=step, total=total, seconds=seconds)))
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
                seconds=None if progress.seconds is None else self.count * progress.seconds,
                number=number, plane=plane,
            )  # fmt: skip
            self.stopped = bool(self.callback(moved))
            return self.stopped

        return report
