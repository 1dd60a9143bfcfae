"""The workers of Dask that do the tasks of a large job: processes of this machine, of a batch system, or of a cluster.

A task is three small values: the folder of the job, its number, and how many threads it may take. It opens the job
itself, reads its block from the source and writes its shard, so nothing large passes through the scheduler. At most
`Workers.window` tasks are known to the scheduler at once, however many a job has. A worker does one task at a time,
with all its threads in the engine. Tasks of a worker that dies are given to another one.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ...errors import ImageError, StoppedError
from ...notes import note
from ...progress import Callback, Progress
from .job import Job
from .processes import Processes, variables

EXTRA = "pip install 'napari-rsmoe[cluster]'"
"""How to install Dask's scheduler."""
KINDS = ("local", "slurm", "pbs", "lsf")
"""Clusters that are started; any other name is the address of a scheduler."""
PER_WORKER = 4
"""Tasks that the scheduler knows for each worker: enough for no worker to wait."""
MOST = 2000
"""Tasks that the scheduler knows at most. With more its memory and its time for each task grow."""
REFILL = 30.0
"""Seconds between two looks at whether jobs of a batch system have ended, as their time was over. Fewer ask the batch
system more often, more leave nodes unused."""
ON_THIS_MACHINE = 2.0
"""The same for processes of this machine, in seconds: they cost nothing to look at."""
ATTEMPTS = 20
"""Times that a task is given to another worker after its worker was lost. Above, something is wrong with the task."""

WITHOUT_PROFILE: Mapping[str, Any] = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
}
"""Settings of Dask for a cluster that is started here. By default each worker records the stack of its threads every
10 ms, and its event loop wakes up every 20 ms, which costs half as much processor time as small blocks do."""

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
    pause : float
        Seconds between two calls of it.
    """

    client: Any
    threads: int | None = None
    most: int = MOST
    refill: Callable[[], Any] = lambda: None
    pause: float = REFILL
    _attempts: dict[int, int] = field(default_factory=dict)
    _refilled: float = field(default_factory=time.monotonic)
    _counted: tuple[float, int] = (-math.inf, 0)

    @property
    def window(self) -> int:
        """Tasks that the scheduler knows now at most."""
        if time.monotonic() - self._counted[0] > WAIT:  # The answer takes as long as a few tasks take to be sent.
            self._counted = time.monotonic(), len(self.client.scheduler_info(n_workers=-1)["workers"])
        return max(2, min(self.most, PER_WORKER * max(self._counted[1], 1)))

    def blocks(
        self, job: Job, tasks: Iterable[int], done: set[int], callback: Callback | None
    ) -> Iterator[dict[str, Any]]:
        """Do the tasks, each after those that it needs; yields the facts of each marker.

        Raises
        ------
        ImageError
            If the scheduler was lost, or a task was given to many workers that were all lost.
        """
        with _scheduler_named():
            yield from self._blocks(job, tasks, done, callback)

    def _blocks(
        self, job: Job, tasks: Iterable[int], done: set[int], callback: Callback | None
    ) -> Iterator[dict[str, Any]]:
        # Tasks with those of their needs that were not done when they were looked at last.
        waiting, source = deque[tuple[int, list[int]]](), iter(tasks)
        running: dict[Any, int] = {}
        ended = set(done)
        exhausted = False
        try:
            while True:
                window = self.window
                # Tasks that wait for others are looked at first, as those lie before them.
                for _ in range(len(waiting)):
                    task, needs = waiting.popleft()
                    needs = [each for each in needs if each not in ended]
                    if needs or len(running) >= window:
                        waiting.append((task, needs))
                    else:
                        self._submit(job, task, running)
                while len(running) < window and len(waiting) < window and not exhausted:
                    try:
                        task = next(source)
                    except StopIteration:
                        exhausted = True
                        break
                    needs = [each for each in job.needs(task) if each not in ended]
                    if needs:
                        waiting.append((task, needs))
                    else:
                        self._submit(job, task, running)
                if not running:
                    return
                for task, facts in self._ended(job, running, callback):
                    ended.add(task)
                    yield facts
        finally:
            self.client.cancel(list(running))

    def level(self, job: Job, level: int, tasks: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Make blocks of a coarser level; errors as of `blocks`."""
        from distributed import as_completed  # here: it is in an extra

        source = iter(tasks)
        folder = str(job.folder)
        with _scheduler_named():
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

        if time.monotonic() - self._refilled > self.pause:
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


@contextlib.contextmanager
def _scheduler_named() -> Iterator[None]:
    """Say what to do where the scheduler does not answer any more."""
    from distributed.comm.core import CommClosedError  # here: it is in an extra

    try:
        yield
    except CommClosedError as error:
        raise ImageError(
            f"the scheduler of the cluster was lost ({error}). Start one, and give the same command again, which goes "
            "on where it was."
        ) from error


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
                distributed.LocalCluster(n_workers=0, processes=True, dashboard_address=":0", silence_logs=50)
            )
            processes = stack.enter_context(Processes(own.scheduler_address, workers, WITHOUT_PROFILE))
            more = {"refill": processes.refill, "pause": ON_THIS_MACHINE}
        elif cluster in KINDS:
            own = stack.enter_context(_batch_system(cluster))
            # Also starts again what has ended, as batch systems end jobs whose time is over.
            more = {"refill": partial(own.scale, jobs=workers), "pause": REFILL}
            more["refill"]()
        try:
            client = stack.enter_context(distributed.Client(own or cluster, timeout=30))
        except (OSError, TimeoutError, ValueError) as error:
            raise ImageError(
                f"no scheduler answers at {cluster!r} ({error}); accepted are {', '.join(KINDS)} and an address, such "
                "as tcp://host:8786."
            ) from error
        found = Workers(client, threads, **more)
        _wait_for_workers(found, cluster)
        yield found


def _wait_for_workers(found: Workers, cluster: str) -> None:
    """Wait until a worker has begun; those that have ended meanwhile are asked for again, and a long wait is said."""
    began, said = time.monotonic(), False
    while True:
        try:
            return found.client.wait_for_workers(1, timeout=found.pause)
        except TimeoutError:
            found.refill()
            if not said and time.monotonic() - began >= REFILL:
                said = True
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
    prologue = [f"export {name}={value}" for name, value in variables(WITHOUT_PROFILE).items()]
    try:
        # One process for each job, which has all its cores.
        return getattr(dask_jobqueue, kind)(processes=1, job_script_prologue=[*prologue, *given])
    except ValueError as error:
        raise ImageError(
            f"dask-jobqueue does not know what to ask {name} for ({' '.join(str(error).split())}). Describe the "
            "jobs in ~/.config/dask/jobqueue.yaml: cores, memory, walltime, queue; see docs/guide/large.md."
        ) from error
