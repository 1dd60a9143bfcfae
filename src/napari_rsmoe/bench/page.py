"""The Markdown page of a benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .machine import PACKAGES
from .tables import NONE, Column, present, table


def heading(title: str, command: str, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """Title, the command that repeats the benchmark, the machine and the settings."""
    chosen = ", ".join(f"{name} {value}" for name, value in settings.items())
    versions = ", ".join(f"{name} {facts[name]}" for name in (*PACKAGES, "python") if name in facts)
    return [
        f"# {title}\n",
        f"`{command}`  ",
        f"{facts['processor']}, {facts['threads']} threads of {facts['cores']} cores, {facts['simd']}; {versions}; "
        f"{facts['date'][:10]}, load {facts['load']} at the end.  ",
        f"Settings: {chosen}.\n",
    ]


def compared(
    title: str,
    columns: Sequence[Column],
    rows: Mapping[str, Mapping[str, Any]],
    printed: Iterable[tuple[str, Mapping[str, Any]]] = (),
    note: str = "",
) -> list[str]:
    """A table of means over images, with the rows of the paper.

    Parameters
    ----------
    title : str
        Heading.
    columns : sequence of Column
        Columns; those that no row fills are left out.
    rows : mapping
        The result of `tables.mean_rows`.
    printed : iterable of (str, mapping)
        Rows of the paper, or as other papers print them.
    note : str
        Text below the heading.
    """
    theirs = [(f"*paper:* {name}", row) for name, row in printed]
    everything: list[tuple[str, Mapping[str, Any]]] = [*theirs, *rows.items()]
    shown = present(columns, [dict(row) for _, row in everything])
    cells = [
        [name, *(column.write(row.get(column.figure)) for column in shown), _images(row), str(row["hardware"])]
        for name, row in everything
    ]
    header = ["method", *(column.title for column in shown), "images", "hardware"]
    return [f"## {title}\n", *([note + "\n"] if note else []), table(header, cells)]


def _images(row: Mapping[str, Any]) -> str:
    images = row.get("images", NONE)
    return images if isinstance(images, str) else f"{images:.0f}"
