"""Run a large job: its tasks in this process or on workers, then the pyramid, then the final names."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from ...errors import CheckpointError, ImageError, StoppedError
from ...io.atomic import alone
from ...io.location import Location
from ...io.numbers import real
from ...progress import Callback, Progress
from ..plane_in_blocks import say_together
from .disks import clear_errors
from .finishing import check_final, publish
from .job import Job, JobSettings
from .kept import progress_of
from .names import LOCK, folder_of, name_of
from .tasks import do_block, do_level, level_plan, marker_of
from .trusted import check_links

LOG = logging.getLogger(__name__)


class Runner(Protocol):
    """Does tasks somewhere."""

    def blocks(
        self, job: Job, tasks: Iterable[int], done: set[int], callback: Callback | None
    ) -> Iterator[dict[str, Any]]:
        """Do the tasks, each after those that it needs and that are not done; yields the facts of each marker."""

    def level(self, job: Job, level: int, tasks: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Make blocks of a coarser level."""


class InThisProcess:
    """Does one task after the other in this process."""

    def blocks(
        self, job: Job, tasks: Iterable[int], done: set[int], callback: Callback | None
    ) -> Iterator[dict[str, Any]]:
        """See `Runner`."""
        for task in tasks:
            yield do_block(job, task, callback)

    def level(self, job: Job, level: int, tasks: Iterable[int]) -> Iterator[dict[str, Any]]:
        """See `Runner`."""
        for task in tasks:
            yield do_level(job, level, task)


@dataclass(frozen=True)
class Status:
    """How far a large job is.

    Attributes
    ----------
    done, total : int
        Tasks that are done, and all, of full resolution.
    seconds : float or None
        Expected seconds until the end, at the speed so far; None: nothing is known.
    finished : bool
        Whether the result has its final name.
    """

    done: int
    total: int
    seconds: float | None
    finished: bool = False

    def __str__(self) -> str:
        if self.finished:
            return "finished"
        share = f"{self.done} of {self.total} blocks ({self.done / max(self.total, 1):.1%})"
        if self.seconds is None:
            return share
        hours, rest = divmod(round(self.seconds), 3600)
        return f"{share}, about {f'{hours} h ' if hours else ''}{rest // 60} min {rest % 60} s left"


def denoise_large(
    asked: JobSettings,
    *,
    runner: Runner | None = None,
    workers: int = 1,
    overwrite: bool = False,
    maker: str | None = None,
    callback: Callback | None = None,
) -> Job:
    """Denoise an image of any size from store to store, or go on where that was interrupted.

    Parameters
    ----------
    asked : JobSettings
        Source, target and settings.
    runner : Runner, optional
        Where tasks are done. By default in this process.
    workers : int
        Number of processes that share the memory of this machine.
    overwrite, maker
        As for `napari_rsmoe.write_image`.
    callback : callable, optional
        Called with a `Progress`; returning True stops. What is done stays, and the same call goes on.

    Returns
    -------
    Job
        The finished job.

    Raises
    ------
    StoppedError
        If the callback asked to stop.
    ImageError
        If something cannot be read or written, or the disk is full; the same call goes on afterwards.
    CheckpointError
        If another job on the same target was begun.
    """
    runner = runner or InThisProcess()
    check_final(asked, overwrite=overwrite, maker=maker)
    with clear_errors(asked.target), _alone(folder_of(asked.target)):
        job = Job.begun(asked, workers, callback)
        try:
            _run(job, runner, callback)
            publish(job, overwrite=overwrite, maker=maker)
        finally:
            job.close()
    return job


def _run(job: Job, runner: Runner, callback: Callback | None) -> None:
    """Do all tasks that are not done."""
    marked = job.done()
    done = {task for task in range(len(job)) if name_of(task) in marked}
    if len(done) < len(job) and not all(store.sound() for store in job.stores().values()):
        raise CheckpointError(f"What {job.folder} holds of the result is damaged; delete {job.folder} to begin again.")
    report = _Report(callback, len(job), len(done), job.seconds)
    left = [task for task in job.tasks() if task not in done] if len(done) else job.tasks()
    notes: list[str] = []
    LOG.info("%d of %d blocks of %d px are done", len(done), len(job), job.side)
    for facts in runner.blocks(job, left, done, report.part()):
        notes += facts.get("notes", ())
        report.one_done()
        if report.stopped:
            raise StoppedError
    say_together(notes, len(job))
    for level in range(1, len(job.result.levels)):
        count = len(job.planes) * len(level_plan(job, level))
        for _ in runner.level(job, level, [task for task in range(count) if name_of(task, level) not in marked]):
            report.again(f"level {level} of the pyramid")
            if report.stopped:
                raise StoppedError


class _Report:
    """The progress over all blocks."""

    def __init__(self, callback: Callback | None, total: int, done: int, expected: float) -> None:
        self._callback, self._total, self._done, self._first = callback, total, done, done
        self._expected = expected  # Seconds for a block.
        self._began = time.monotonic()
        self.stopped = False

    def part(self) -> Callback | None:
        """The callback of the block that is worked on."""
        callback = self._callback
        if callback is None:
            return None

        def report(progress: Progress) -> bool:
            whole = replace(
                progress,
                stage=f"block {self._done + 1} of {self._total}, {progress.stage}",
                step=self._done * progress.total + progress.step,
                total=self._total * progress.total,
                seconds=self._seconds,
                resumed=self._first > 0,
            )
            self.stopped = bool(callback(whole)) or self.stopped
            return self.stopped

        return report

    @property
    def _seconds(self) -> float:
        """Seconds that the whole job is expected to take, at the speed so far."""
        own = self._done - self._first
        return ((time.monotonic() - self._began) / own if own else self._expected) * self._total

    def one_done(self) -> None:
        """Report that one more block is done."""
        self._done += 1
        self.again(f"block {self._done} of {self._total}")

    def again(self, stage: str) -> None:
        """Report what is done."""
        if self._callback is not None:
            nothing = np.zeros((1, 1), np.uint8)
            now = Progress(stage, self._done, self._total, None, lambda: nothing, self._seconds, self._first > 0)
            self.stopped = bool(self._callback(now)) or self.stopped


def status_of(target: str) -> Status:
    """How far the job on a result is, from its markers."""
    folder = folder_of(target)
    if not (folder / "job.json").exists():
        kept, total = progress_of(folder)
        if total:
            return Status(kept, total, None)
        if Location.of(target).exists():
            return Status(0, 0, 0.0, finished=True)
        raise ImageError(f"there is no job on {target}: neither {folder} nor the result exists.")
    check_links(folder)
    job = Job.opened(folder)
    try:
        marks = job.done()
        done = [task for task in range(len(job)) if name_of(task) in marks]
        seconds = None
        if done:
            ended = real((marker_of(job, max(done)) or {}).get("ended"))
            began = real(json.loads((folder / "job.json").read() or b"{}").get("began"))
            if ended is not None and began is not None:
                seconds = max(0.0, ended - began) / len(done) * (len(job) - len(done))
        return Status(len(done), len(job), seconds)
    finally:
        job.close()


@contextlib.contextmanager
def _alone(folder: Location) -> Iterator[None]:
    """Keep a second process from working on the same job of this machine; remove the folder if no job is in it."""
    if folder.path is None:
        yield
        return
    check_links(folder)
    folder.path.mkdir(exist_ok=True)
    try:
        with alone(folder.path / LOCK, f"another process works on {folder} now; wait for it, or stop it."):
            yield
    finally:
        if folder.names() == {LOCK}:
            folder.remove()
