"""Process one file or many: progress, failures, and the final report."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import click
from tqdm import tqdm

from .. import __version__
from ..batch import pairs
from ..batch.at_urls import pair_at_urls
from ..batch.one_by_one import Done, Work, one_by_one
from ..batch.pairs import Pair, Place, Target
from ..io.location import Location, is_url
from ..progress import Callback, Progress
from .options import Common
from .program import FAILED, OK, SEVERAL, USAGE, describe_error

PACKAGE = __name__.partition(".")[0]
TICK = 0.5
"""Time in s between two updates of the clock of the progress bar."""


class Report:
    """The output of a run: a progress bar with the remaining time, result lines and notes.

    Parameters
    ----------
    common : Common
        Options that decide what is printed.
    total : int
        Number of files.
    """

    def __init__(self, common: Common, total: int) -> None:
        self.common = common
        self._total = total
        self._file = 0
        self._name = ""
        self._bar = tqdm(
            desc="starting",
            total=total,
            file=sys.stderr,
            disable=common.silent or not sys.stderr.isatty(),
            leave=False,
            dynamic_ncols=True,
            smoothing=0,  # The remaining time follows from the mean speed: single steps of a job differ a lot.
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
        )
        self._said: set[str] = set()
        self._closed = threading.Event()
        if not self._bar.disable:
            threading.Thread(target=self._tick, daemon=True).start()

    def begin(self, number: int, name: str) -> None:
        """Show that file `number`, counted from 0, is being processed."""
        self._file = number
        self._name = name if self._total == 1 else f"{number + 1}/{self._total} {name}"
        self._move(0.0, f"{self._name}, starting", None)

    def callback(self) -> Callback:
        """Return a callback that shows the progress on the planes of the file."""

        def show(progress: Progress) -> None:
            self._move(progress.fraction, ", ".join(filter(None, (self._name, progress.stage))), progress.psnr)

        return show

    def _move(self, fraction: float, where: str, psnr: float | None) -> None:
        self._bar.set_description_str(where, refresh=False)
        self._bar.set_postfix_str(f"{psnr:.2f} dB" if psnr is not None else "", refresh=False)
        self._bar.update(max(0.0, self._file + fraction - self._bar.n))

    def _tick(self) -> None:
        """Keep the clock of the bar going while nothing is reported."""
        while not self._closed.wait(TICK):
            self._bar.refresh()

    def line(self, text: str) -> None:
        """Print a line of the result for the user."""
        if not (self.common.silent or self.common.json):
            tqdm.write(text, file=sys.stdout)

    def note(self, text: str) -> None:
        """Print a note, once."""
        if not self.common.silent and text not in self._said:
            self._said.add(text)
            tqdm.write(f"Note: {text}", file=sys.stderr)

    def detail(self, text: str) -> None:
        """Print what was found or decided, if that is wanted."""
        if self.common.level <= logging.INFO:
            tqdm.write(text, file=sys.stderr)

    def error(self, text: str) -> None:
        """Print an error."""
        tqdm.write(f"Error: {text}", file=sys.stderr)

    def close(self) -> None:
        """Remove the progress bar."""
        self._closed.set()
        self._bar.close()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Print the warnings and log messages of the work below as notes and details."""
        said: set[str] = set()

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, UserWarning | FutureWarning):
                if str(message) not in said:
                    said.add(str(message))
                    self.note(str(message))
            elif self.common.level <= logging.DEBUG:
                self.detail(f"{category.__name__}: {message}")

        handler = _Handler(self)
        logger = logging.getLogger(None if self.common.level <= logging.DEBUG else PACKAGE)
        before = logger.level
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = show
            logger.addHandler(handler)
            logger.setLevel(self.common.level)
            try:
                yield
            finally:
                logger.removeHandler(handler)
                logger.setLevel(before)


class _Handler(logging.Handler):
    """Passes log messages to a report."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage() if record.name.startswith(PACKAGE) else f"{record.name}: {record.getMessage()}"
        if record.levelno >= logging.WARNING:
            self._report.note(text)
        else:
            self._report.detail(text)


def pair_up(
    verb: str,
    source: Place,
    targets: Sequence[Target],
    suffix: str | None = None,
    *,
    overwrite: bool = False,
    goes_on: Callable[[Place], bool] = lambda target: False,
) -> list[Pair]:
    """`batch.pairs.pair_up`, or `at_urls.pair_at_urls`, with errors of usage as the command line reports them."""
    try:
        if isinstance(source, Location) or any(isinstance(each.place, Location) for each in targets):
            return pair_at_urls(verb, str(source), targets, suffix, overwrite=overwrite, goes_on=goes_on)
        # What is given as file:// is a path.
        local = [replace(each, given=str(each.place)) if is_url(each.given) else each for each in targets]
        return pairs.pair_up(verb, source, local, suffix, overwrite=overwrite, advice=SEVERAL)
    except pairs.WrongUseError as error:
        raise click.UsageError(str(error)) from None


def run_batch(verb: str, common: Common, files: Sequence[Pair], work: Work) -> int:
    """Process each pair; after a failure the others are still processed.

    Parameters
    ----------
    verb : str
        Name of the verb, for the report.
    common : Common
        Options of the report.
    files : sequence of Pair
        The files.
    work : callable
        Processes one pair; see `batch.one_by_one.Work`.

    Returns
    -------
    int
        The exit code.
    """
    results: list[Done] = []
    report = Report(common, len(files))
    try:
        with report.listening():
            for done in one_by_one(files, work, report, describe_error):
                results.append(done)
                if done.ok:
                    pair = done.pair
                    report.line(f"{pair.source} -> {pair.target}  ({done.summary}, {done.seconds:.1f} s)")
                else:
                    report.error(done.error)
    finally:
        report.close()
    failed = [done for done in results if not done.ok]
    if common.json:
        found = [done.as_dict() for done in results]
        click.echo(json.dumps({"verb": verb, "version": __version__, "ok": not failed, "files": found}))
    if failed and len(files) > 1:
        click.echo(f"{len(failed)} of {len(files)} files failed:", err=True)
        for done in failed:
            message, path = done.error, str(done.pair.source)
            click.echo(f"  {message if path in message else f'{path}: {message}'}", err=True)
    if failed and all(done.wrong_use for done in failed):
        return USAGE
    return FAILED if failed else OK
