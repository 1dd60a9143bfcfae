"""The blocks of a large job in another order than by rows: those that somebody looks at first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...image.blocks import Part
from ...progress import Callback
from .job import Job
from .tasks import do_block, do_level

View = tuple[int, Part]
"""The number of a plane, and rows and columns of it."""


@dataclass(frozen=True)
class VisibleFirst:
    """Does the tasks of a job in this process, those in view first; the result does not depend on the order.

    Attributes
    ----------
    view : callable
        Called before each task; returns what is in view, or None.
    begun : callable
        Called with the job before its first task.
    done : callable
        Called with the job and the number of each task that is done.
    """

    view: Callable[[], View | None]
    begun: Callable[[Job], None] = lambda job: None
    done: Callable[[Job, int], None] = lambda job, task: None

    def blocks(
        self, job: Job, tasks: Iterable[int], done: set[int], callback: Callback | None
    ) -> Iterator[dict[str, Any]]:
        """See `Runner`."""
        self.begun(job)
        left = dict.fromkeys(tasks)  # In the order of the job.
        while left:
            task = _ready(job, self._wanted(job, left), left)
            facts = do_block(job, task, callback)
            del left[task]
            self.done(job, task)
            yield facts

    def level(self, job: Job, level: int, tasks: Iterable[int]) -> Iterator[dict[str, Any]]:
        """See `Runner`."""
        for task in tasks:
            yield do_level(job, level, task)

    def _wanted(self, job: Job, left: dict[int, None]) -> int:
        """The task nearest to the middle of the view, else the next one in the order of the job."""
        seen = self.view()
        found = [] if seen is None else [task for task in tasks_in(job, seen) if task in left]
        return found[0] if found else next(iter(left))


def tasks_in(job: Job, view: View) -> list[int]:
    """The tasks whose blocks are in view, the nearest to its middle first."""
    number, part = view
    grid, side = job.plan.grid, job.side
    if not 0 <= number < len(job.planes):
        return []
    ranges = [
        range(max(0, p.start // side), min(count, -(-p.stop // side))) for p, count in zip(part, grid, strict=True)
    ]
    middle = [(p.start + p.stop) / (2 * side) - 0.5 for p in part]
    blocks = sorted(
        ((y, x) for y in ranges[0] for x in ranges[1]),
        key=lambda at: (at[0] - middle[0]) ** 2 + (at[1] - middle[1]) ** 2,
    )
    return [number * len(job.plan) + y * grid[1] + x for y, x in blocks]


def _ready(job: Job, task: int, left: dict[int, None]) -> int:
    """The task itself, or one that must be done before it."""
    while missing := [each for each in job.needs(task) if each in left]:
        task = missing[-1]
    return task
