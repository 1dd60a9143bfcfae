"""The workers of Dask that do the tasks of a large job: processes of this machine, of a batch system, or of a cluster.

A task is three small values: the folder of the job, its number, and how many threads it may take. It opens the job
itself, reads its block from the source and writes its shard, so nothing large passes through the scheduler. At most
`Workers.window` tasks are known to the scheduler at once, however many a job has. A worker does one task at a time,
with all its threads in the engine. Tasks of a worker that dies are given to another one.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from ...errors import ImageError, StoppedError
from ...image.planes import CHANNEL_AXES
from ...notes import note
from ...progress import Callback, Progress
from ..lazy import PIXELWISE, denoise_lazy
from ..result import Denoised
from .job import Job

EXTRA = "pip install 'napari-rsmoe[cluster]'"
"""How to install Dask's scheduler."""
KINDS = ("local", "slurm", "pbs", "lsf")
"""Clusters that are started; any other name is the address of a scheduler."""
PER_WORKER = 4
"""Tasks that the scheduler knows for each worker: enough for no worker to wait."""
MOST = 2000
"""Tasks that the scheduler knows at most. With more its memory and its time for each task grow."""
ATTEMPTS = 20
"""Times that a task is given to another worker after its worker was lost. Above, something is wrong with the task."""

WITHOUT_PROFILE: Mapping[str, Any] = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
}
"""Settings of Dask for a cluster that is started here. By default each worker records the stack of its threads every
10 ms, and its event loop wakes up every 20 ms, which costs half as much processor time as small blocks do."""

IN_MEMORY = 1024
"""Side in pixels of the blocks of an array in memory. Larger ones leave workers without work, smaller ones are mostly
halo."""

_one_at_a_time = threading.Lock()


def block_on_worker(folder: str, task: int, threads: int | None) -> dict[str, Any]:
    """Do a task of full resolution in the process of a worker."""
    from .tasks import do_block, job_in, marker_of  # here: the scheduler does not need torch

    with _alone_with(threads):
        job = job_in(folder)
        # A worker that is lost before its answer has arrived may have finished the block.
        return marker_of(job, task) or do_block(job, task)


def level_on_worker(folder: str, task: int, level: int) -> dict[str, Any]:
    """Make a block of a coarser level in the process of a worker."""
    from .tasks import do_level, job_in, marker_of  # here: the scheduler does not need torch

    job = job_in(folder)
    return marker_of(job, task, level) or do_level(job, level, task)


@contextlib.contextmanager
def _alone_with(threads: int | None) -> Iterator[None]:
    """Do one task at a time in this process, with all its threads in the engine."""
    import torch  # here: it takes seconds
    from distributed import get_worker

    with _one_at_a_time:
        own = threads
        if own is None:
            with contextlib.suppress(ValueError):
                own = get_worker().state.nthreads
        if own:
            torch.set_num_threads(own)
        yield


@dataclass
class Workers:
    """Does the tasks of a job on the workers of a client of Dask.

    Attributes
    ----------
    client : distributed.Client
        The client.
    threads : int or None
        Threads of each task; None: those of its worker.
    most : int
        Tasks that the scheduler knows at once.
    refill : callable
        Called now and then; asks for workers in place of those that were lost.
    """

    client: Any
    threads: int | None = None
    most: int = MOST
    refill: Callable[[], Any] = lambda: None
    _attempts: dict[int, int] = field(default_factory=dict)
    _refilled: float = field(default_factory=time.monotonic)

    @property
    def window(self) -> int:
        """Tasks that the scheduler knows now at most."""
        workers = len(self.client.scheduler_info(n_workers=-1)["workers"])
        return max(2, min(self.most, PER_WORKER * max(workers, 1)))

    def blocks(
        self, job: Job, tasks: Iterable[int], done: set[int], callback: Callback | None
    ) -> Iterator[dict[str, Any]]:
        """Do the tasks, each after those that it needs; yields the facts of each marker."""
        waiting, source = deque[int](), iter(tasks)
        running: dict[Any, int] = {}
        ended = set(done)
        exhausted = False
        try:
            while True:
                window = self.window
                # Tasks that wait for others are looked at first, as those lie before them.
                for _ in range(len(waiting)):
                    task = waiting.popleft()
                    if len(running) < window and ended.issuperset(job.needs(task)):
                        self._submit(job, task, running)
                    else:
                        waiting.append(task)
                while len(running) < window and len(waiting) < window and not exhausted:
                    try:
                        task = next(source)
                    except StopIteration:
                        exhausted = True
                        break
                    if ended.issuperset(job.needs(task)):
                        self._submit(job, task, running)
                    else:
                        waiting.append(task)
                if not running:
                    return
                for task, facts in self._ended(job, running, callback):
                    ended.add(task)
                    yield facts
        finally:
            self.client.cancel(list(running))

    def level(self, job: Job, level: int, tasks: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Make blocks of a coarser level."""
        from distributed import as_completed  # here: it is in an extra

        source = iter(tasks)
        folder = str(job.folder)
        first = [self._level(folder, task, level) for task, _ in zip(source, range(self.window), strict=False)]
        completed = as_completed(first)
        for future in completed:
            yield future.result()
            for task in source:
                completed.add(self._level(folder, task, level))
                break

    def _level(self, folder: str, task: int, level: int) -> Any:
        return self.client.submit(level_on_worker, folder, task, level, pure=False, retries=ATTEMPTS)

    def _submit(self, job: Job, task: int, running: dict[Any, int]) -> None:
        running[self.client.submit(block_on_worker, str(job.folder), task, self.threads, pure=False)] = task

    def _ended(self, job: Job, running: dict[Any, int], callback: Callback | None) -> list[tuple[int, dict[str, Any]]]:
        """Wait until tasks end; those whose worker was lost begin again."""
        from distributed import wait  # here: it is in an extra
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        if time.monotonic() - self._refilled > REFILL:
            self._refilled = time.monotonic()
            self.refill()
        with contextlib.suppress(TimeoutError):
            wait(list(running), timeout=WAIT, return_when="FIRST_COMPLETED")
        if callback is not None and callback(_nothing_new()):
            raise StoppedError
        found = []
        for future in [each for each in running if each.done()]:
            task = running.pop(future)
            try:
                found.append((task, future.result(timeout=WAIT)))
            except TimeoutError:
                running[future] = task  # The worker was lost with its answer, and another one is asked.
            except (KilledWorker, FutureCancelledError) as error:
                self._attempts[task] = self._attempts.get(task, 0) + 1
                if self._attempts[task] > ATTEMPTS:
                    raise ImageError(
                        f"block {task} was given to {ATTEMPTS} workers, and each was lost: they may have too little "
                        "memory. Give fewer workers, or workers with more memory, and start again; it goes on."
                    ) from error
                self._submit(job, task, running)
        return found


REFILL = 30.0
"""Seconds between two looks at whether jobs of a batch system have ended, as their time was over. Fewer ask the batch
system more often, more leave nodes unused."""
WAIT = 1.0
"""Seconds between two reports while no task ends."""


def _nothing_new() -> Progress:
    return Progress("on the workers", 0, 1, None, lambda: _EMPTY)


_EMPTY: Any = None


@contextlib.contextmanager
def workers_of(
    cluster: str, workers: int, *, threads: int | None = None, memory: int | None = None
) -> Iterator[Workers]:
    """Start or join a cluster.

    Parameters
    ----------
    cluster : str
        "local": processes of this machine. "slurm", "pbs" or "lsf": jobs of a batch system, as the configuration of
        dask-jobqueue describes them. Else the address of a scheduler, such as "tcp://host:8786".
    workers : int
        Number of processes or jobs; of a scheduler that runs already, how many are waited for.
    threads : int, optional
        Threads of each worker. By default the cores of this machine are shared out, or what the job gets.
    memory : int, optional
        Bytes that all workers of this machine may take.

    Raises
    ------
    ImageError
        If the packages are missing or the scheduler does not answer.
    """
    try:
        import dask  # here: it is in an extra
        import distributed
    except ImportError as error:
        raise ImageError(f"--cluster needs the packages of an extra: {EXTRA}.") from error
    own: Any = None
    more: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(WITHOUT_PROFILE))
        if cluster == "local":
            threads = threads or max(1, (os.cpu_count() or 1) // workers)
            own = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=workers, threads_per_worker=1, memory_limit=0, dashboard_address=":0", silence_logs=50
                )
            )
        elif cluster in KINDS:
            own = stack.enter_context(_batch_system(cluster))
            # Also starts again what has ended, as batch systems end jobs whose time is over.
            more["refill"] = partial(own.scale, jobs=workers)
            more["refill"]()
        try:
            client = stack.enter_context(distributed.Client(own or cluster, timeout=30))
        except (OSError, TimeoutError, ValueError) as error:
            raise ImageError(
                f"no scheduler answers at {cluster!r} ({error}); accepted are {', '.join(KINDS)} and an address, such "
                "as tcp://host:8786."
            ) from error
        _wait_for_workers(client, cluster, more.get("refill", lambda: None))
        yield Workers(client, threads, **more)


def _wait_for_workers(client: Any, cluster: str, refill: Callable[[], Any]) -> None:
    """Wait until a worker has begun; jobs that have ended meanwhile are asked for again, and a long wait is said."""
    for tries in count():
        try:
            return client.wait_for_workers(1, timeout=REFILL)
        except TimeoutError:
            refill()
            if tries == 0:
                why = "see its queue, and the logs of jobs that have ended" if cluster in KINDS else "start some there"
                note(f"no worker of {cluster} has begun in {REFILL:.0f} s, and it is waited for; {why}")


def _batch_system(name: str) -> Any:
    """A cluster whose workers are jobs of a batch system."""
    try:
        import dask  # here: it is in an extra
        import dask_jobqueue
    except ImportError as error:
        raise ImageError(f"--cluster {name} needs the packages of an extra: {EXTRA}.") from error
    kind = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster"}[name]
    given = dask.config.get(f"jobqueue.{name}.job-script-prologue", None) or []
    prologue = [f"export {_variable(key)}={value}" for key, value in WITHOUT_PROFILE.items()]
    try:
        # One process for each job, which has all its cores.
        return getattr(dask_jobqueue, kind)(processes=1, job_script_prologue=[*prologue, *given])
    except ValueError as error:
        raise ImageError(
            f"dask-jobqueue does not know what to ask {name} for ({' '.join(str(error).split())}). Describe the "
            "jobs in ~/.config/dask/jobqueue.yaml: cores, memory, walltime, queue; see docs/guide/large.md."
        ) from error


def _variable(key: str) -> str:
    """The environment variable of a setting of Dask."""
    return "DASK_" + key.upper().replace(".", "__").replace("-", "_")


def denoise_with_client(client: Any, image: Any, axes: str, settings: Mapping[str, Any]) -> Denoised:
    """Denoise an array on the workers of a client of Dask.

    Parameters
    ----------
    client : distributed.Client
        The client. Blocks are sent to its workers directly, and come back as results.
    image : array-like
        The image or stack.
    axes : str
        A letter for each axis.
    settings : mapping
        Keywords of `napari_rsmoe.denoise`; those of `lazy.WHOLE_ONLY` are refused. `mask` and `weight` may be arrays of
        NumPy or dask.

    Returns
    -------
    Denoised
        With arrays, and no models.
    """

    def sent(array: Any, letters: str) -> Any:
        if hasattr(array, "dask"):
            return array
        array = np.asarray(array) if isinstance(array, list) else array
        return _scattered(client, array, _chunks(array.shape, letters, settings))

    letters = "".join(each for each in axes.upper() if each not in CHANNEL_AXES)
    beside = {
        name: sent(values, letters if np.ndim(values) == len(letters) else "YX")
        for name in PIXELWISE
        if (values := settings.get(name)) is not None
    }
    lazy = sent(image, axes)  # Held until the end, as its workers forget what nobody holds.
    result = denoise_lazy(lazy, axes, {**settings, **beside})
    made, std = client.gather(client.compute([result.image, result.std]), direct=True)
    return replace(result, image=made, std=std)


def _scattered(client: Any, image: Any, sizes: Sequence[int]) -> Any:
    """An array of dask whose chunks lie on the workers; they do not pass through the scheduler."""
    import dask.array as da  # here: it is in an extra

    grid = [range(0, length, size) for length, size in zip(image.shape, sizes, strict=True)]

    def nested(place: tuple[slice, ...]) -> Any:
        if len(place) < len(grid):
            axis = len(place)
            ends = (slice(k, min(k + sizes[axis], image.shape[axis])) for k in grid[axis])
            return [nested((*place, each)) for each in ends]
        chunk = np.ascontiguousarray(image[place])
        return da.from_delayed(client.scatter(chunk, direct=True, hash=False), chunk.shape, chunk.dtype)

    return da.block(nested(()))


def _chunks(shape: Sequence[int], axes: str, settings: Mapping[str, Any]) -> tuple[int, ...]:
    """Chunks of an array in memory: one block each."""
    given = settings.get("block", "auto")
    side = given if isinstance(given, int) else IN_MEMORY
    sides = {"Y": side, "X": side, "C": max(shape), "S": max(shape)}
    return tuple(min(length, sides.get(axis.upper(), 1)) for axis, length in zip(axes, shape, strict=True))
