"""Run a benchmark and write its results as JSON, Markdown and plots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Protocol

from ..io.atomic import replacing_file
from . import denoising, films, machine, page, regression, scaling, superres
from .options import Options, Say
from .runs import Outcome, Run, complete
from .store import Store
from .tables import mean_rows


class Benchmark(Protocol):
    """The interface of a module that is a benchmark."""

    TITLE: str

    def runs(self, options: Options) -> Iterator[Run]:
        """The runs of the benchmark."""

    def report(self, options: Options, outcomes: list[Outcome]) -> list[str]:
        """The sections of the page; also writes the plots that they show."""


BENCHMARKS: dict[str, Any] = {
    "regression": regression,
    "denoising": denoising,
    "films": films,
    "superres": superres,
    "scaling": scaling,
}
"""The modules by name; each is a `Benchmark`."""
PATHS = ("source", "target")


def run(name: str, options: Options, command: str, say: Say) -> dict[str, Any]:
    """Run a benchmark, except for results that are kept.

    Parameters
    ----------
    name : str
        One of `BENCHMARKS`.
    options : Options
        The options of the user. The files are ``NAME.json``, ``NAME.md`` and ``NAME_*.png`` in `options.target`.
    command : str
        The command that repeats the benchmark, to be shown on the page.
    say : callable
        Prints a line for the user.

    Returns
    -------
    dict
        Means by table and row, as the page shows them.

    Raises
    ------
    ImageError
        If there are no images, or one cannot be used.
    ValueError
        If the file of results has other contents.
    """
    benchmark: Benchmark = BENCHMARKS[name]
    store = Store(options.target / f"{name}.json")
    outcomes = complete(benchmark.runs(options), store, say)
    facts = machine.facts()
    settings = _plain(options)
    shown = {key: value for key, value in settings.items() if key == "seed" or (key not in PATHS and value)}
    lines = [*page.heading(benchmark.TITLE, command, facts, shown), *benchmark.report(options, outcomes)]
    with replacing_file(options.target / f"{name}.md") as temporary:
        temporary.write_text("\n".join(lines), "utf-8")
    tables = means(outcomes)
    store.write({"command": command, "options": settings, "means": tables})
    return tables


def means(outcomes: list[Outcome]) -> dict[str, Any]:
    """Means over images by table and row."""
    groups = dict.fromkeys(outcome.run.group for outcome in outcomes)
    return {group: mean_rows(o for o in outcomes if o.run.group == group) for group in groups}


def _plain(options: Options) -> dict[str, Any]:
    return {
        name: str(v) if name in PATHS else ", ".join(map(str, v)) if isinstance(v, tuple) else v
        for name, v in asdict(options).items()
    }
