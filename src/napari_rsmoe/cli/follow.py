"""Denoise a film while it is being written."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ..batch.files import Files
from ..batch.following import Following
from ..batch.pairs import Pair, Place, Target
from ..io.formats import check_may_grow
from .batch import run_batch
from .options import Common


def follow(
    source: Place,
    targets: Sequence[Target],
    given: Mapping[str, Any],
    files: Files,
    following: Following,
    mask: Place | None,
    common: Common,
) -> int:
    """Denoise the frames of a film as they arrive; returns the exit code."""
    from ..batch.follow import FollowFile  # here: --help does not wait for NumPy

    places = [each.place for each in targets]
    if not all(isinstance(each, Path) for each in (source, *places)):
        raise click.UsageError("--follow takes files and folders of this machine.")
    if len({str(each) for each in (source, *places)}) <= len(places):
        raise click.UsageError("INPUT and the outputs must have different names.")
    check_may_grow(Path(str(source)))
    common.prepare()
    extras = {each.name: place for each, place in zip(targets[1:], places[1:], strict=True)}
    pair = Pair(source, places[0], extras, f"napari-rsmoe denoise --follow {source}")
    with _ended_by_ctrl_c() as stopped:
        work = FollowFile(given, files, targets[1:], mask, following, stopped)
        return run_batch("denoise", common, [pair], work)


@contextlib.contextmanager
def _ended_by_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C end the film, and the second one the program."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = signal.getsignal(signal.SIGINT)

    def end(*_: Any) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, end)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)
