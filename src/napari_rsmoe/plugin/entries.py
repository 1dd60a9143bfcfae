"""The entries of an axis that a user chooses in words, such as planes 2-8."""

from __future__ import annotations

import re

EXAMPLES = "3 or 2-8 or 0-20-5 or 0, 2"
"""What users may write; the last number of three is the step, as in Fiji's substacks."""


def chosen_entries(text: str, length: int, axis: str) -> slice:
    """The entries of an axis of this length, counted from 0 as napari's sliders do; ends are included.

    Parameters
    ----------
    text : str
        Numbers and ranges with commas between them; nothing, or "all", for all entries.
    length : int
        Number of entries.
    axis : str
        Name of the axis, for messages.

    Raises
    ------
    ValueError
        If the text is not understood, an entry does not exist, or the entries do not lie at equal distances: a layer
        cannot show others.

    Examples
    --------
    >>> chosen_entries("2-8", 10, "t")
    slice(2, 9, 1)
    >>> chosen_entries("0, 2, 4", 10, "t")
    slice(0, 5, 2)
    >>> chosen_entries("", 10, "t")
    slice(0, 10, 1)
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
    step = entries[1] - entries[0] if len(entries) > 1 else 1
    if entries != list(range(entries[0], entries[-1] + 1, step)):
        raise ValueError(
            f"Entries of {axis}: {text!r} are not at equal distances, as a layer needs them; run them one after the "
            "other."
        )
    return slice(entries[0], entries[-1] + 1, step)
