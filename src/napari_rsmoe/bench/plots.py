"""Figures by matplotlib, without a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 110


@dataclass
class Axes:
    """What one pair of axes shows.

    Attributes
    ----------
    x, y : str
        Their labels.
    lines : dict of str to (x, y)
        Points by name.
    log_x, log_y : bool
        Whether they are logarithmic.
    """

    x: str
    y: str
    lines: dict[str, tuple[Sequence[float], Sequence[float]]] = field(default_factory=dict)
    log_x: bool = False
    log_y: bool = False

    def add(self, name: str, x: float, y: float) -> None:
        """One more point of a line."""
        xs, ys = self.lines.setdefault(name, ([], []))
        xs, ys = [*xs, x], [*ys, y]
        self.lines[name] = (xs, ys)


def curves(path: Path, parts: Sequence[Axes], title: str) -> None:
    """Lines with points, one pair of axes beside the other; one legend."""
    figure = Figure(figsize=(5 * len(parts), 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    names = list(dict.fromkeys(name for part in parts for name in part.lines))
    for index, part in enumerate(parts):
        axes = figure.add_subplot(1, len(parts), index + 1)
        for name, (x, y) in part.lines.items():
            number = names.index(name)
            style = ("-", "--", ":")[number // 10 % 3]
            axes.plot(x, y, style, marker="." if len(x) < 20 else "", color=f"C{number % 10}", label=name)
        axes.set(xlabel=part.x, ylabel=part.y)
        axes.set_xscale("log" if part.log_x else "linear")
        axes.set_yscale("log" if part.log_y else "linear")
        axes.grid(alpha=0.3)
    handles = {str(line.get_label()): line for axes in figure.axes for line in axes.get_lines()}
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=3, fontsize="small")
    figure.suptitle(title)
    figure.savefig(path, dpi=DPI)


def panels(path: Path, rows: Sequence[Mapping[str, np.ndarray]], title: str) -> None:
    """Images on [0, 1] with their names, row by row."""
    columns = max(len(row) for row in rows)
    figure = Figure(figsize=(2.6 * columns, 2.9 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    for y, row in enumerate(rows):
        for x, (name, image) in enumerate(row.items()):
            axes = figure.add_subplot(len(rows), columns, y * columns + x + 1)
            axes.imshow(np.clip(image, 0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axes.set_title(name, fontsize="small")
            axes.set_axis_off()
    figure.suptitle(title)
    figure.savefig(path, dpi=DPI)
