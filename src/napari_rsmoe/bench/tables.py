"""Markdown tables of means over images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .runs import Outcome

NONE = "-"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


@dataclass(frozen=True)
class Column:
    """A figure in a table.

    Attributes
    ----------
    title : str
        Heading of the column.
    figure : str
        Name of the figure in the rows of results.
    form : str or callable
        How to write the mean: a format specification, or a function that returns the text.
    """

    title: str
    figure: str
    form: str | Callable[[float], str]

    def write(self, value: float | None) -> str:
        """The cell of a value, or a dash if there is none."""
        if value is None:
            return NONE
        return self.form(value) if callable(self.form) else format(value, self.form)


def duration(seconds: float) -> str:
    """A readable duration in seconds: ``0.85 ms``, ``2.3 s``, ``120 s``."""
    if seconds < 0.1:
        return f"{1000 * seconds:.2g} ms"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


PSNR = Column("PSNR, dB", "psnr", ".2f")
SSIM = Column("SSIM", "ssim", ".4f")
PAPER_SSIM = Column("paper's SSIM", "paper_ssim", ".4f")
LPIPS = (Column("LPIPS Alex", "lpips_alex", ".4f"), Column("LPIPS VGG", "lpips_vgg", ".4f"))
TIME = Column("time", "seconds", duration)
CPU_TIME = Column("CPU time", "cpu_seconds", duration)


def mean_rows(outcomes: Iterable[Outcome]) -> dict[str, dict[str, Any]]:
    """The means of the figures of each row over the images; texts are kept, and ``images`` counts the images."""
    gathered: dict[str, list[dict[str, Any]]] = {}
    for outcome in outcomes:
        for name, row in outcome.rows.items():
            gathered.setdefault(name, []).append(row)
    return {name: {**_means(rows), "images": len(rows)} for name, rows in gathered.items()}


def _means(rows: list[dict[str, Any]]) -> dict[str, Any]:
    means: dict[str, Any] = {}
    for figure in rows[0]:
        values = [row.get(figure) for row in rows]
        if all(isinstance(value, int | float) for value in values):
            means[figure] = float(np.mean(np.asarray(values, float)))
        elif all(isinstance(value, str) for value in values):
            means[figure] = "; ".join(dict.fromkeys(map(str, values)))
    return means


def present(columns: Sequence[Column], rows: Iterable[dict[str, Any]]) -> list[Column]:
    """The columns that are filled by at least one row."""
    found = list(rows)
    return [column for column in columns if any(row.get(column.figure) is not None for row in found)]
