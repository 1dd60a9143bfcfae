"""Notes on what was found in an image: gathered by whoever shows them, else Python's warnings."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from .errors import ImageWarning

PACKAGE = str(Path(__file__).parent)
"""Folder of this package."""
MOST_NAMED = 5
"""Planes that a line names; the others are counted."""
_gathering: ContextVar[list[str] | None] = ContextVar("napari-rsmoe notes", default=None)


def note(text: str) -> None:
    """Say something about the image that the user should know.

    If nobody gathers notes, it is a warning about the user's line that called this package.

    Parameters
    ----------
    text : str
        A sentence without the full stop.
    """
    notes = _gathering.get()
    if notes is None:
        warnings.warn(text, ImageWarning, stacklevel=_callers() + 1)
    else:
        notes.append(text)


def _callers() -> int:
    """Number of callers up to the first outside this package, or of all if there is none, as on a thread of its own."""
    frame, number = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame, number = frame.f_back, number + 1
    return number - 1


@contextmanager
def gathered() -> Iterator[list[str]]:
    """Gather the notes of this thread in a list, instead of warning.

    Examples
    --------
    >>> from napari_rsmoe.notes import gathered, note
    >>> with gathered() as notes:
    ...     note("8 hot pixels are left out")
    >>> notes
    ['8 hot pixels are left out']
    """
    notes: list[str] = []
    token = _gathering.set(notes)
    try:
        yield notes
    finally:
        _gathering.reset(token)


class Notes:
    """Gathers the notes on the planes of an image, and says each once, with the planes that it concerns.

    Examples
    --------
    >>> from napari_rsmoe.notes import Notes, note
    >>> notes = Notes()
    >>> for number in range(3):
    ...     with notes.on(f"T {number}"):
    ...         note(f"{number + 2} hot pixels are left out")
    >>> notes.lines()
    ['T 0, T 1, T 2: 2 hot pixels are left out.']
    >>> notes = Notes()
    >>> for number in range(2):
    ...     with notes.on(f"T 0, Z {number}"):
    ...         note("the noise is a guess")
    >>> notes.lines()
    ['T 0, Z 0; T 0, Z 1: the noise is a guess.']
    """

    def __init__(self) -> None:
        self._said: dict[str, tuple[str, list[str]]] = {}

    @contextmanager
    def on(self, label: str) -> Iterator[None]:
        """Gather the notes on a plane with this label, or on the whole image if it is empty."""
        notes: list[str] = []
        try:
            with gathered() as notes:
                yield
        finally:
            for text in notes:
                # Notes that differ in numbers only are one.
                self._said.setdefault(re.sub(r"[-+.\d]+", "", text), (text, []))[1].append(label)

    def lines(self) -> list[str]:
        """A sentence for each note."""
        lines = []
        for text, labels in self._said.values():
            places = [label for label in labels if label]
            between = "; " if any("," in place for place in places) else ", "
            named, more = between.join(places[:MOST_NAMED]), len(places) - MOST_NAMED
            where = f"{named}{f' and {more} more planes' if more > 0 else ''}: " if places else ""
            lines.append(f"{where}{text}.")
        return lines
