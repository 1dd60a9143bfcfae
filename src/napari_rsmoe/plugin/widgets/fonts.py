"""The font size of napari's settings where napari's own style leaves it out.

The style sets the size for labels, boxes and most buttons by their class. Lines of text, tables, buttons with pictures
and the title of a dock keep the size that they have been made with.
"""

from __future__ import annotations

from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import QApplication, QDockWidget, QLabel, QWidget

TITLE_MARGIN = 2
"""Pixels above and below the title of a dock, together."""
NAPARI_MARGIN = 10
"""The same in napari's own docks, as long as the font is not larger than that of the application."""


def follow_labels(owner: QWidget, label: QLabel | None) -> None:
    """Give a widget the font of one of its labels; what the style leaves out in it inherits this font."""
    if label is None:
        return
    label.ensurePolished()
    if owner.font() != label.font():
        owner.setFont(label.font())


def fit_title(dock: QDockWidget) -> None:
    """Make the title bar of a dock as high as its title."""
    bar = dock.titleBarWidget()
    title = None if bar is None else bar.findChild(QLabel)
    if bar is None or title is None:
        return
    title.ensurePolished()
    text = title.fontMetrics().height()
    title.setMinimumHeight(text)
    bar.setMinimumHeight(max(QFontMetrics(QApplication.font()).height() + NAPARI_MARGIN, text + TITLE_MARGIN))
