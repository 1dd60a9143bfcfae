"""Figures with matplotlib, without a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

DPI = 110
LEGEND_WIDTH = 8.0  # Width in inches that three columns of names need.
MOST_TICKS = 8  # Up to this number of points, a logarithmic axis has its ticks at the points.
STYLES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", ":", "-.")


@dataclass
class Axes:
    """The contents of one pair of axes.

    Attributes
    ----------
    x, y : str
        Labels of the axes.
    lines : dict of (str, str) to list of (float, float)
        Points by method (drawn as colour) and variant (drawn as style); the variant is "" if there are none.
    log_x, log_y : bool
        Whether the axes are logarithmic.
    """

    x: str
    y: str
    lines: dict[tuple[str, str], list[tuple[float, float]]] = field(default_factory=dict)
    log_x: bool = False
    log_y: bool = False

    def add(self, method: str, x: float, y: float, variant: str = "") -> None:
        """Add a point to a line."""
        self.lines.setdefault((method, variant), []).append((x, y))


def curves(path: Path, parts: Sequence[Axes], title: str) -> None:
    """Draw lines with points, with axes side by side and legends of colours and styles."""
    figure = Figure(figsize=(max(4.6 * len(parts), LEGEND_WIDTH), 5), layout="constrained")
    FigureCanvasAgg(figure)
    methods, variants = (list(dict.fromkeys(line[k] for part in parts for line in part.lines)) for k in (0, 1))
    colours = {method: f"C{k % 10}" for k, method in enumerate(methods)}
    styles = {variant: STYLES[k % len(STYLES)] for k, variant in enumerate(variants)}
    for index, part in enumerate(parts):
        axes = figure.add_subplot(1, len(parts), index + 1)
        for (method, variant), points in part.lines.items():
            x, y = zip(*points, strict=True)
            marker = "." if len(x) < 20 else ""
            axes.plot(x, y, linestyle=styles[variant], marker=marker, color=colours[method])
        axes.set(xlabel=part.x, ylabel=part.y)
        axes.set_xscale("log" if part.log_x else "linear")
        axes.set_yscale("log" if part.log_y else "linear")
        places = sorted({x for points in part.lines.values() for x, _ in points})
        if part.log_x and len(places) <= MOST_TICKS:
            axes.set_xticks(places, [f"{place:g}" for place in places])
            axes.minorticks_off()
        axes.grid(alpha=0.3)
    shown = [Line2D([], [], color=colour, label=method) for method, colour in colours.items()]
    if len(variants) > 1:
        named = [(variant, style) for variant, style in styles.items() if variant]
        shown += [Line2D([], [], color="black", linestyle=style, label=variant) for variant, style in named]
    figure.legend(handles=shown, loc="outside lower center", ncols=3, fontsize="small")
    figure.suptitle(title)
    figure.savefig(path, dpi=DPI)


def panels(path: Path, rows: Sequence[Mapping[str, np.ndarray]], title: str) -> None:
    """Draw images on [0, 1] with their names, row by row."""
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
