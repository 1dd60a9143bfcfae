"""A small plot of the PSNR during a fit."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

HEIGHT, MARGIN = 90, 6


class Curve(QWidget):
    """A plot of PSNR against the finished fraction of the work."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumHeight(HEIGHT)
        self.setToolTip("PSNR in dB while the model is fitted; it rises as the squared error (the loss) falls.")
        self.points: list[tuple[float, float]] = []

    def show_points(self, points: Sequence[tuple[float, float]]) -> None:
        """Plot pairs of fraction and PSNR in dB."""
        self.points = list(points)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802  # Qt's name
        """Draw the curve, its range and its last value."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().text().color()
        faint = QColor(text)
        faint.setAlpha(60)
        area = self.rect().adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        painter.setPen(faint)
        painter.drawRect(area)
        painter.setPen(text)
        if len(self.points) < 2:
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, "PSNR while fitting")
            painter.end()
            return
        values = [value for _, value in self.points]
        low, high = min(values), max(max(values), min(values) + 0.1)
        line = QPolygonF(
            [
                QPointF(area.left() + x * area.width(), area.bottom() - (y - low) / (high - low) * area.height())
                for x, y in self.points
            ]
        )
        painter.setPen(QPen(QColor("#4f9ee8"), 2))
        painter.drawPolyline(line)
        painter.setPen(text)
        painter.drawText(area.adjusted(4, 2, -4, -2), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom,
                         f"{values[-1]:.2f} dB")  # fmt: skip
        painter.end()
