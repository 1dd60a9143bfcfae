"""How an image file is to be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import WrongUseError


@dataclass(frozen=True)
class Reading:
    """How an image file is to be read.

    Parameters
    ----------
    axes : str or None
        Axes to use instead of those in the file.
    lazy : bool
        Whether pixels are read only when the data are indexed.
    series : int or str or None
        Number or title of the image, in a file that holds several; None for the first.
    allow_incomplete : bool
        Whether a file in which planes are missing is read as far as it goes, instead of being refused.
    allow_outside : bool
        Whether a file may draw in files outside its folder.
    as_stored : bool
        Whether grey values stay as they are stored if 0 stands for white.
    """

    axes: str | None = None
    lazy: bool = False
    series: int | str | None = None
    allow_incomplete: bool = False
    allow_outside: bool = False
    as_stored: bool = False


def series_number(path: Path, names: Sequence[str], wanted: int | str, described: Sequence[str]) -> int:
    """The position of the series that has the number (from 0) or the title `wanted`.

    Raises
    ------
    WrongUseError
        If there is none, or several have the title.
    """
    text = str(wanted)
    if text.isdecimal() and int(text) < len(names):
        return int(text)
    same = [number for number, name in enumerate(names) if name == text]
    if len(same) == 1:
        return same[0]
    problem = f"{len(same)} series are" if same else "no series is"
    raise WrongUseError(
        f"{path}: {problem} called {text!r}; give the number of one of these: {'; '.join(described[:20])}"
        + ("; ..." if len(described) > 20 else ".")
    )
