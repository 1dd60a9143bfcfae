"""The notes on the planes of a file, each said once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..notes import gathered
from .batch import Report

MOST_NAMED = 5
"""Planes that a note names; the others are counted."""


class Notes:
    """Gathers notes on the planes of a file, and says each once, with the planes that it concerns."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[str, list[str]]] = {}

    @contextmanager
    def on(self, label: str) -> Iterator[None]:
        """Gather the notes on a plane with this label."""
        notes: list[str] = []
        try:
            with gathered() as notes:
                yield
        finally:
            for text in notes:
                # Notes that differ in numbers only are one.
                self._said.setdefault(re.sub(r"[-+.\d]+", "", text), (text, []))[1].append(label)

    def say(self, report: Report) -> None:
        """Say everything once."""
        for text, labels in self._said.values():
            places = [label for label in labels if label]
            named, more = ", ".join(places[:MOST_NAMED]), len(places) - MOST_NAMED
            where = f"{named}{f' and {more} more planes' if more > 0 else ''}: " if places else ""
            report.note(f"{where}{text}.")
        self._said.clear()
