"""One task of a large job: it reads its block, writes its shard, and leaves a marker."""

from __future__ import annotations

import json
import time
from functools import lru_cache
from typing import Any

from ...errors import CheckpointError
from ...image.blocks import BlockPlan
from ...image.format import residual
from ...image.seams import Strip, margin, strip_parts
from ...io.block_store import halved
from ...io.location import Location
from ...notes import gathered
from ...progress import Callback
from .job import Job
from .names import name_of
from .trusted import UNSOUND, checksum, marked, packed, unpacked

JOBS = 2
"""Jobs that a worker keeps open."""


@lru_cache(maxsize=JOBS)
def _opened(folder: str, _began: bytes) -> Job:
    return Job.opened(Location(folder))


def job_in(folder: str) -> Job:
    """The job in a folder, opened once in this process."""
    location = Location(folder)
    return _opened(folder, (location / "job.json").read() or b"")


def do_block(job: Job, task: int, callback: Callback | None = None) -> dict[str, Any]:
    """Denoise a block, unless nothing is stored there; write it and its marker.

    Parameters
    ----------
    job : Job
        The job.
    task : int
        Number of the task.
    callback : callable, optional
        As for `napari_rsmoe.denoise`; a request to stop raises StoppedError, and nothing is written.

    Returns
    -------
    dict
        What the marker holds.
    """
    began = time.time()
    number, k = divmod(task, len(job.plan))
    block = job.plan[k]
    source = job.read_from
    if source.stored.sparse and not source.stored.has(number, block.core):
        return _mark(job, name_of(task), {"empty": True}, began)
    pixels, others = source.part(number, block.read), source.neighbours(number, block.read)
    with gathered() as notes:
        values = job.work(pixels, number, block, source.left_out(number, block.read), others, callback)
    before = [(job.plan[n % len(job.plan)], _margin(job, n)) for n in job.needs(task)]
    image, std = job.work.finished(values, number, block, before)
    stores = job.stores()
    results = {"image": image, "std": std, "residual": residual(pixels[block.inner], image)}
    made = [results[name] for name in stores]
    kept = packed(margin(block, job.plan.shape, values))
    _margin_file(job, task).write(kept)
    index = job.planes.index_of(number, *block.core)
    for store, each in zip(stores.values(), made, strict=True):
        store.write(index, job.planes.stored(each))
    facts = {"checksum": checksum(made), "margin": checksum([bytearray(kept)]), "notes": notes}
    return _mark(job, name_of(task), facts, began)


def do_level(job: Job, level: int, task: int) -> dict[str, Any]:
    """Make a block of a coarser level from the finer one; write it and its marker."""
    began = time.time()
    made = []
    plan = level_plan(job, level)
    number, k = divmod(task, len(plan))
    block = plan[k]
    for store in job.stores().values():
        fine = store.levels[level - 1]
        rows, columns = (
            slice(2 * part.start, min(2 * part.stop, length)) for part, length in zip(block.core, fine, strict=True)
        )
        finer = job.planes.index_of(number, rows, columns)
        if not store.has(finer, level - 1):
            continue
        values = store.read(finer, level - 1)
        kept = [axis for axis in store.axes if store.axes.index(axis) not in job.planes.looped]
        small = halved(values, kept.index("Y"), kept.index("X"))
        store.write(job.planes.index_of(number, *block.core), small, level)
        made.append(small)
    return _mark(job, name_of(task, level), {"checksum": checksum(made)}, began)


def level_plan(job: Job, level: int) -> BlockPlan:
    """The blocks of a coarser level."""
    return BlockPlan(job.result.levels[level], job.side, 0)


def marker_of(job: Job, task: int, level: int = 0) -> dict[str, Any] | None:
    """The facts in the marker of a task; empty if it is damaged, None if the task is not done."""
    return marked(_marker_file(job, name_of(task, level)).read())


def wrong(job: Job, task: int) -> bool:
    """Whether what is written for a task that is done differs from what its marker says."""
    known = marker_of(job, task) or {}
    if known.get("empty"):
        return False
    number, k = divmod(task, len(job.plan))
    index = job.planes.index_of(number, *job.plan[k].core)
    stored = [job.planes.arranged(store.read(index)) for store in job.stores().values()]
    return bool(checksum(stored) != known.get("checksum"))


def _mark(job: Job, name: str, facts: dict[str, Any], began: float) -> dict[str, Any]:
    marker = facts | {"began": began, "ended": time.time()}
    _marker_file(job, name).write(json.dumps(marker).encode())
    return marker


def _marker_file(job: Job, name: str) -> Location:
    return job.folder / "done" / f"{name}.json"


def _margin_file(job: Job, task: int) -> Location:
    return job.folder / "margins" / f"{name_of(task)}.npz"


def _margin(job: Job, task: int) -> list[Strip]:
    """The margin of a block that is done; empty if nothing was stored there.

    Raises
    ------
    CheckpointError
        If it is missing or damaged.
    """
    content, facts = _margin_file(job, task).read(), marker_of(job, task) or {}
    if content is None and facts.get("empty"):
        return []
    try:
        if content is None:
            raise ValueError("it is missing")
        if facts.get("margin", found := checksum([bytearray(content)])) != found:
            raise ValueError("its checksum is another")
        return unpacked(content, strip_parts(job.plan[task % len(job.plan)], job.plan.shape))
    except UNSOUND as error:
        raise CheckpointError(
            f"{_margin_file(job, task)} is damaged ({error}); delete {_marker_file(job, name_of(task))}, and give the "
            "same command again, which does this block anew."
        ) from error
