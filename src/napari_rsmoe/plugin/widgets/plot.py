"""A small plot of lines with error bands and of points, in the colours of the window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QLabel, QSizePolicy

LINES_HIGH = 14
"""Height of a plot in lines of text, so that it grows with the font of the window."""
MOST_TICKS = 5
"""Largest number of ticks along an axis; more would touch each other in a narrow dock."""
STEPS = (1, 2, 5, 10)
"""Leading digits of the distance between two ticks."""
PEN, DOT = 1.6, 2.5
"""Width of lines and radius of points, in device-independent pixels."""
BAND_OPACITY, GRID_OPACITY = 70, 45
"""Opacity of error bands and of the frame, of 255."""
COLOURS = ("#8c8c8c", "#4f9ee8", "#e8924f", "#59b36b", "#c46fd0", "#d0b93f", "#e0575b")
"""Colours of the series, which can be distinguished on dark and on light backgrounds."""


@dataclass(frozen=True)
class Series:
    """What is drawn in one colour.

    Attributes
    ----------
    label : str
        Name in the legend; empty: none.
    x, y : numpy.ndarray
        (n,) float64; points that are not finite are left out and interrupt the line.
    error : numpy.ndarray or None
        (n,) half of the height of the band around the line.
    points : bool
        Whether points are drawn instead of a line.
    colour : int
        Number of the colour in `COLOURS`.
    """

    label: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    error: NDArray[np.float64] | None = None
    points: bool = False
    colour: int = 1


class Plot(QLabel):
    """A plot in the column of a widget.

    It paints itself: napari brings no library for plots, and to load one would stop the window. It is a label, so that
    it gets the font of the window.

    Parameters
    ----------
    x_label, y_label : str
        What the axes show, with units.
    empty : str
        Shown while there is nothing to plot.
    within : sequence of float
        Values that the vertical axis always covers, so that small differences do not look large.
    """

    def __init__(self, x_label: str, y_label: str, empty: str, within: Sequence[float] = ()) -> None:
        super().__init__()
        self.x_label, self.y_label, self._empty = x_label, y_label, empty
        self.within = np.asarray(within, np.float64)
        self.series: list[Series] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """As high as some lines of text."""
        metrics = QFontMetrics(self.font())
        return QSize(20 * metrics.averageCharWidth(), LINES_HIGH * metrics.height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """The same height, but a narrow dock may be narrower."""
        return QSize(0, self.sizeHint().height())

    def show_series(self, series: Sequence[Series]) -> None:
        """Plot these series instead of the ones before."""
        self.series = [each for each in series if np.isfinite(each.x * each.y).any()]
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802  # Qt's name
        """Draw the frame with its ticks, the series and the legend."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(self.palette().windowText().color())
        if not self.series:
            wrapped = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect(), int(wrapped), self._empty)
        else:
            _Drawing(painter, self).draw()
        painter.end()


class _Drawing:
    """One drawing of a plot: where its parts lie, and how values become places."""

    def __init__(self, painter: QPainter, plot: Plot) -> None:
        self.painter, self.plot = painter, plot
        self.text, self.metrics = plot.palette().windowText().color(), QFontMetrics(plot.font())
        lows = [each.y - (0 if each.error is None else each.error) for each in plot.series]
        highs = [each.y + (0 if each.error is None else each.error) for each in plot.series]
        self.x_ticks, self.x_range = ticks(*_finite_range([each.x for each in plot.series], pad=0.0))
        self.y_ticks, self.y_range = ticks(*_finite_range([*lows, *highs, plot.within], pad=0.05))
        line, wide = self.metrics.height(), max(map(self.metrics.horizontalAdvance, map(_written, self.y_ticks)))
        rows = sum(1 for each in plot.series if each.label)
        # From above: the name of the vertical axis, the legend, the frame, the numbers and the name of the axis below.
        self.frame = QRectF(
            wide + line / 2, line * (1.2 + rows), plot.width() - wide - line, plot.height() - line * (3.6 + rows)
        )

    def draw(self) -> None:
        """Draw everything."""
        self._draw_axes()
        self.painter.save()
        self.painter.setClipRect(self.frame)
        for each in self.plot.series:
            self._draw_series(each)
        self.painter.restore()
        self._draw_legend()

    def _place(self, x: float, y: float) -> QPointF:
        (x0, x1), (y0, y1), frame = self.x_range, self.y_range, self.frame
        return QPointF(
            frame.left() + (x - x0) / (x1 - x0) * frame.width(), frame.bottom() - (y - y0) / (y1 - y0) * frame.height()
        )

    def _draw_axes(self) -> None:
        painter, frame, line = self.painter, self.frame, self.metrics.height()
        faint = QColor(self.text)
        faint.setAlpha(GRID_OPACITY)
        left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
        for value in self.y_ticks:
            y = self._place(self.x_range[0], value).y()
            painter.setPen(faint)
            painter.drawLine(QPointF(frame.left(), y), QPointF(frame.right(), y))
            painter.setPen(self.text)
            box = QRectF(0, y - line / 2, frame.left() - line / 4, line)
            painter.drawText(box, int(right | Qt.AlignmentFlag.AlignVCenter), _written(value))
        for value in self.x_ticks:
            x = self._place(value, self.y_range[0]).x()
            painter.setPen(faint)
            painter.drawLine(QPointF(x, frame.top()), QPointF(x, frame.bottom()))
            painter.setPen(self.text)
            wide = self.metrics.horizontalAdvance(_written(value)) + 2
            start = min(x - wide / 2, self.plot.width() - wide)
            painter.drawText(QRectF(start, frame.bottom(), wide, line * 1.2), int(left), _written(value))
        painter.drawText(QRectF(0, 0, self.plot.width(), line), int(left), self.plot.y_label)
        below = QRectF(0, frame.bottom() + line * 1.1, self.plot.width(), line * 1.2)
        painter.drawText(below, int(Qt.AlignmentFlag.AlignHCenter), self.plot.x_label)

    def _draw_series(self, series: Series) -> None:
        colour = QColor(COLOURS[series.colour])
        for part in _finite_parts(series):
            points = [self._place(x, y) for x, y in zip(series.x[part], series.y[part], strict=True)]
            if series.error is not None:
                self._draw_band(series, part, QColor(colour))
            self.painter.setPen(QPen(colour, PEN))
            self.painter.setBrush(colour if series.points else Qt.BrushStyle.NoBrush)
            if series.points or len(points) == 1:
                for point in points:
                    self.painter.drawEllipse(point, DOT, DOT)
            else:
                self.painter.drawPolyline(QPolygonF(points))

    def _draw_band(self, series: Series, part: slice, colour: QColor) -> None:
        assert series.error is not None
        x, y, error = series.x[part], series.y[part], np.nan_to_num(series.error[part])
        edge = [self._place(a, b) for a, b in zip(x, y + error, strict=True)]
        edge += [self._place(a, b) for a, b in zip(x[::-1], (y - error)[::-1], strict=True)]
        colour.setAlpha(BAND_OPACITY)
        self.painter.setPen(Qt.PenStyle.NoPen)
        self.painter.setBrush(colour)
        self.painter.drawPolygon(QPolygonF(edge))

    def _draw_legend(self) -> None:
        line, row = self.metrics.height(), 1.1
        for each in self.plot.series:
            if not each.label:
                continue
            mark, colour = QRectF(line / 2, line * (row + 0.4), line * 1.2, line / 5), QColor(COLOURS[each.colour])
            if each.points:
                self.painter.setBrush(colour)
                self.painter.setPen(colour)
                self.painter.drawEllipse(mark.center(), DOT, DOT)
            else:
                self.painter.fillRect(mark, colour)
            self.painter.setPen(self.text)
            start = mark.right() + line / 2
            room = self.plot.width() - start
            text = self.metrics.elidedText(each.label, Qt.TextElideMode.ElideMiddle, int(room))
            self.painter.drawText(QRectF(start, line * row, room, line * 1.2), int(Qt.AlignmentFlag.AlignLeft), text)
            row += 1


def ticks(low: float, high: float) -> tuple[list[float], tuple[float, float]]:
    """Round numbers within a range, at most `MOST_TICKS`, and the range, which is never empty."""
    if not high > low:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    power = 10.0 ** math.floor(math.log10((high - low) / MOST_TICKS))
    step = next(power * each for each in (*STEPS, 20) if (high - low) / (power * each) <= MOST_TICKS)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [each * step for each in range(first, last + 1)], (low, high)


def _finite_range(parts: Sequence[NDArray[np.float64]], pad: float) -> tuple[float, float]:
    values = np.concatenate(parts)
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    return low - pad * (high - low), high + pad * (high - low)


def _finite_parts(series: Series) -> list[slice]:
    """Runs of points that are finite."""
    good = np.isfinite(series.x) & np.isfinite(series.y)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(int)))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _written(value: float) -> str:
    return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.3g}"
