"""The entries of an axis that a user chooses in words, such as planes 2-8."""

from __future__ import annotations

import re

EXAMPLES = "3 or 2-8 or 0-20-5 or 0, 3, 7-9"
"""What users may write; the last number of three is the step, as in Fiji's substacks."""


def chosen_entries(text: str, length: int, axis: str) -> list[int]:
    """The entries of an axis of this length in ascending order, counted from 0 as napari's sliders do.

    Parameters
    ----------
    text : str
        Numbers, and ranges with both ends included, with commas between them; nothing, or "all", for all entries.
    length : int
        Number of entries.
    axis : str
        Name of the axis, for messages.

    Raises
    ------
    ValueError
        If the text is not understood, or an entry does not exist.

    Examples
    --------
    >>> chosen_entries("2-5", 10, "t")
    [2, 3, 4, 5]
    >>> chosen_entries("0, 3, 7-9", 10, "t")
    [0, 3, 7, 8, 9]
    >>> chosen_entries("", 3, "t")
    [0, 1, 2]
    """
    found: list[int] = []
    for part in filter(None, (each.strip() for each in re.split(r"[,;]", text))):
        if part.lower() == "all":
            found += range(length)
            continue
        numbers = re.fullmatch(r"(\d+)(?:\s*-\s*(\d+))?(?:\s*-\s*(\d+))?", part)
        if numbers is None:
            raise ValueError(f"Entries of {axis}: {part!r} is not understood; write for example {EXAMPLES}.")
        first, last, step = (None if number is None else int(number) for number in numbers.groups())
        found += range(first or 0, (first or 0 if last is None else last) + 1, max(step or 1, 1))
    entries = sorted(set(found)) or list(range(length))
    if entries[-1] >= length:
        raise ValueError(f"Entries of {axis}: there is no {entries[-1]}; they are counted from 0 to {length - 1}.")
    return entries
