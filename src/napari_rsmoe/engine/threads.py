"""The threads of torch while the engine works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .library import ops


@contextmanager
def torch_alone() -> Iterator[None]:
    """Let torch's own operators work in the calling thread alone, while the engine's keep all threads.

    OpenMP, which torch's operators use above 32768 elements, lets its threads spin for milliseconds after each of them.
    Between the steps of a fit that costs more than it gains, and takes processor time from other programs.
    `torch.get_num_threads` returns 1 meanwhile, in this thread only; `torch.set_num_threads` within takes precedence.
    """
    before = ops.leave_torch_alone(True)
    try:
        yield
    finally:
        ops.leave_torch_alone(before)
