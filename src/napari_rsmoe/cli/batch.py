"""Process one file or many: progress, failures, and the final report."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import click
from tqdm import tqdm

from .. import __version__
from ..progress import Callback, Progress
from .files import Pair
from .options import Common
from .program import FAILED, describe_error


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
            total=total,
            file=sys.stderr,
            disable=common.silent or not sys.stderr.isatty(),
            leave=False,
            dynamic_ncols=True,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
        )

    def begin(self, number: int, name: str) -> None:
        """Show that file `number`, counted from 0, is being processed."""
        self._file = number
        self._name = name if self._total == 1 else f"{number + 1}/{self._total} {name}"
        self._move(0.0, self._name, None)

    def callback(self) -> Callback:
        """Return a callback that shows the progress on the planes of the file."""

        def show(progress: Progress) -> None:
            self._move(progress.fraction, ", ".join(filter(None, (self._name, progress.stage))), progress.psnr)

        return show

    def _move(self, fraction: float, where: str, psnr: float | None) -> None:
        self._bar.set_description_str(where, refresh=False)
        self._bar.set_postfix_str(f"{psnr:.2f} dB" if psnr is not None else "", refresh=False)
        self._bar.update(max(0.0, self._file + fraction - self._bar.n))

    def line(self, text: str) -> None:
        """Print a line of the result for the user."""
        if not (self.common.silent or self.common.json):
            tqdm.write(text, file=sys.stdout)

    def note(self, text: str) -> None:
        """Print a note."""
        if not self.common.silent:
            tqdm.write(f"Note: {text}", file=sys.stderr)

    def error(self, text: str) -> None:
        """Print an error."""
        tqdm.write(f"Error: {text}", file=sys.stderr)

    def close(self) -> None:
        """Remove the progress bar."""
        self._bar.close()


Work = Callable[[Pair, Report], dict[str, Any]]


def run_batch(verb: str, common: Common, pairs: list[Pair], work: Work) -> int:
    """Process each pair; after a failure the others are still processed.

    Parameters
    ----------
    verb : str
        Name of the verb, for the report.
    common : Common
        Options of the report.
    pairs : list of Pair
        The files.
    work : callable
        Processes one pair, and returns the facts of the result for --json. The entry ``"summary"`` is a line for the
        user.

    Returns
    -------
    int
        The exit code.
    """
    results: list[dict[str, Any]] = []
    report = Report(common, len(pairs))
    try:
        for number, pair in enumerate(pairs):
            report.begin(number, pair.source.name)
            results.append(_do(pair, report, work))
    finally:
        report.close()
    failed = [result for result in results if not result["ok"]]
    if common.json:
        click.echo(json.dumps({"verb": verb, "version": __version__, "ok": not failed, "files": results}))
    if failed and len(pairs) > 1:
        click.echo(f"{len(failed)} of {len(pairs)} files failed:", err=True)
        for result in failed:
            message, path = result["error"], result["input"]
            click.echo(f"  {message if path in message else f'{path}: {message}'}", err=True)
    return FAILED if failed else 0


def planes_text(facts: list[dict[str, Any]]) -> str:
    """The start of a summary: the number of planes, if there are several."""
    return f"{len(facts)} planes, " if len(facts) > 1 else ""


def _do(pair: Pair, report: Report, work: Work) -> dict[str, Any]:
    """Process one pair, and return an expected error as a result."""
    start = time.perf_counter()
    names = {"input": str(pair.source), "output": str(pair.target)}
    extras = {name: str(path) for name, path in pair.extras.items()}
    try:
        facts = work(pair, report)
    except Exception as error:
        message = describe_error(error)
        report.error(message)
        return {**names, "ok": False, "error": message}
    seconds = time.perf_counter() - start
    summary = facts.pop("summary")
    report.line(f"{pair.source} -> {pair.target}  ({summary}, {seconds:.1f} s)")
    return {**names, **extras, "ok": True, "seconds": round(seconds, 3), **facts}
