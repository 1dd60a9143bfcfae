"""Notes on what was found in an image: gathered by whoever shows them, else Python's warnings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .errors import ImageWarning

_gathering: ContextVar[list[str] | None] = ContextVar("napari-rsmoe notes", default=None)


def note(text: str, stacklevel: int = 2) -> None:
    """Say something about the image that the user should know.

    Parameters
    ----------
    text : str
        A sentence without the full stop.
    stacklevel : int
        As of `warnings.warn`, if nobody gathers notes.
    """
    notes = _gathering.get()
    if notes is None:
        warnings.warn(text, ImageWarning, stacklevel=stacklevel + 1)
    else:
        notes.append(text)


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
