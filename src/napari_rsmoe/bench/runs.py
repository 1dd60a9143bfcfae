"""The runs of a benchmark: those without a stored result are executed one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..image import metrics
from . import machine, protocol
from .code import code_version
from .store import Key, Rows, Store

Say = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """One run of a method on an image.

    Attributes
    ----------
    group : str
        The table that its rows belong to.
    picture, method, settings, seed
        See `store.Key`.
    module : str
        Full name of the module of the method, which is hashed with everything that it imports.
    measured_by : str
        Full name of the module that measures the result, which is hashed without its imports.
    work : callable
        Runs the method and returns the rows.
    needed : sequence of str
        Figures that every row must have; a stored result without them is computed again.
    files : sequence of Path
        Files that the run writes; a stored result without them is computed again.
    """

    group: str
    picture: str
    method: str
    settings: Mapping[str, Any]
    seed: int
    module: str
    measured_by: str
    work: Callable[[], Rows] = field(repr=False)
    needed: Sequence[str] = ()
    files: Sequence[Path] = ()

    def suits(self, rows: Rows) -> bool:
        """Whether a stored result has all figures and files."""
        return all(name in row for row in rows.values() for name in self.needed) and all(
            path.exists() for path in self.files
        )

    @property
    def key(self) -> Key:
        """The key of the result in the store."""
        code = code_version((self.module, metrics.__name__), (self.measured_by, protocol.__name__))
        return Key(self.picture, self.method, dict(self.settings), self.seed, code)


@dataclass(frozen=True)
class Outcome:
    """The rows of a finished run."""

    run: Run
    rows: Rows


def complete(runs: Iterable[Run], store: Store, say: Say) -> list[Outcome]:
    """Execute every run that has no result in the store.

    Parameters
    ----------
    runs : iterable of Run
        In the order of the tables.
    store : Store
        The results; updated after each run.
    say : callable
        Prints a line for the user after each run.
    """
    planned = list(runs)
    outcomes = []
    for number, run in enumerate(planned, 1):
        key = run.key
        rows = store.get(key)
        kept = rows is not None and run.suits(rows)
        if rows is None or not kept:
            hardware = machine.hardware()
            rows = {name: {"hardware": hardware, **row} for name, row in run.work().items()}
            store.put(key, rows)
        outcomes.append(Outcome(run, rows))
        for name, row in rows.items():
            quality = f"{row['psnr']:6.2f} dB" if "psnr" in row else ""
            cost = f"{row['cpu_seconds']:7.2f} CPU s" if row.get("cpu_seconds") is not None else ""
            kept_text = "  (kept)" if kept else ""
            say(f"{number:4d}/{len(planned)} {run.group:24s} {run.picture:24s} {name:44s} {quality} {cost}{kept_text}")
    return outcomes
