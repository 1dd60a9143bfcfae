"""The verbs that make an image of every image: INPUT, OUTPUT, the settings of a job, and how it is run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..batch.files import Files
from ..batch.jobs import FILE_JOBS
from ..batch.pairs import Pair, Target, place_of
from ..io.location import Location
from ..ui.kinds.parameter import Parameter
from ..ui.parameters.files import MASK
from .batch import pair_up, run_batch
from .options import Common, file_options, further_outputs, option_of, run_options, settings, source_and_target
from .program import FILES, LARGE_IMAGES, Verb


@dataclass(frozen=True)
class Asked:
    """What the user asks for.

    Attributes
    ----------
    verb : str
        Name of the verb.
    source : Path or Location
        INPUT.
    target : str
        OUTPUT.
    given : dict
        Settings of the job, checked.
    further : list of Target
        Further outputs.
    files : Files
        How files are read and written.
    common : Common
        How the job is run and reported.
    status : bool
        Whether only the state of an interrupted job is asked for.
    mask : str or None
        The file of the pixels that are left out.
    """

    verb: str
    source: Path | Location
    target: str
    given: dict[str, Any]
    further: list[Target]
    files: Files
    common: Common
    mask: str | None = None
    status: bool = False

    def pairs(self) -> list[Pair]:
        """The files of the job, each with its outputs; a UsageError if names do not fit."""
        targets = [Target("OUTPUT", self.target), *self.further]
        return pair_up(self.verb, self.source, targets, self.files.format, overwrite=self.files.overwrite)

    def run(self, pairs: Sequence[Pair]) -> int:
        """Process the files; returns the exit code."""
        self.common.prepare()
        mask = None if self.mask is None else place_of(self.mask)
        work = FILE_JOBS[self.verb].kind(self.given, self.files, self.further, mask)
        return run_batch(self.verb, self.common, pairs, work)


def image_verb(name: str, *more: Parameter) -> Callable[[Callable[[Asked], int]], click.Command]:
    """Make a verb of a function whose docstring is the help.

    Parameters
    ----------
    name : str
        A job of `FILE_JOBS`, which says what its settings and further outputs are.
    *more : Parameter
        Further options, by the names of attributes of `Asked`.
    """
    job = FILE_JOBS[name]

    def decorate(function: Callable[[Asked], int]) -> click.Command:
        @functools.wraps(function)
        def command(**asked: Any) -> int:
            return function(Asked(name, **asked))

        wrapped: Any = command
        groups: list[Callable[[Any], Any]] = [
            run_options,
            *(option_of(each, section=LARGE_IMAGES) for each in more),
            file_options(),
            option_of(MASK, section=FILES),
            further_outputs(job.outputs),
            settings(job.parameters),
        ]
        for group in groups:
            wrapped = group(wrapped)
        return click.command(name, cls=Verb, options_metavar="[options]")(source_and_target(wrapped))

    return decorate
