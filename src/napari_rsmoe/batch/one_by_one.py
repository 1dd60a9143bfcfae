"""Process files one after the other; after a failure the others are still processed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import WrongUseError
from .listening import Listener
from .pairs import Pair

Work = Callable[[Pair, Listener], dict[str, Any]]
"""Processes one pair, and returns the facts of the result. The entry ``"summary"`` is a line for the user."""


@dataclass(frozen=True)
class Done:
    """What became of one file.

    Attributes
    ----------
    pair : Pair
        The files.
    seconds : float
        Time that it took.
    summary : str
        The result in a line for the user.
    facts : dict
        The result, in values that JSON can hold.
    error : str
        Why the file could not be processed; empty if it could.
    wrong_use : bool
        Whether that is because the options do not fit the file.
    """

    pair: Pair
    seconds: float
    summary: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    wrong_use: bool = False

    @property
    def ok(self) -> bool:
        """Whether the file was processed."""
        return not self.error

    def as_dict(self) -> dict[str, Any]:
        """The same, in values that JSON can hold."""
        names = {"input": str(self.pair.source), "output": str(self.pair.target)}
        if not self.ok:
            return {**names, "ok": False, "error": self.error}
        extras = {name: str(path) for name, path in self.pair.extras.items()}
        return {**names, **extras, "ok": True, "seconds": round(self.seconds, 3), **self.facts}


def one_by_one(
    pairs: Sequence[Pair], work: Work, listener: Listener, describe: Callable[[Exception], str]
) -> Iterator[Done]:
    """Process pairs in their order, and yield what became of each.

    Parameters
    ----------
    pairs : sequence of Pair
        The files.
    work : callable
        See `Work`.
    listener : Listener
        Hears of the progress.
    describe : callable
        Returns the message of an error. What it raises ends the batch.
    """
    for number, pair in enumerate(pairs):
        listener.begin(number, pair.source.name)
        began = time.perf_counter()
        try:
            facts = dict(work(pair, listener))
        except Exception as error:
            seconds = time.perf_counter() - began
            yield Done(pair, seconds, error=describe(error), wrong_use=isinstance(error, WrongUseError))
            continue
        summary = facts.pop("summary")
        yield Done(pair, time.perf_counter() - began, summary, facts)
