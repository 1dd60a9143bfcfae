"""The table of the files of a queue, with a bar for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QProgressBar, QTableWidget, QTableWidgetItem

from ...batch.queue import Entry

COLUMNS = ("File", "Progress", "State", "Result")
PARTS = 1000
"""Steps of a bar."""
HEIGHT = 180
"""Least height in pixels, which shows some five files."""


class FileTable(QTableWidget):
    """A row for each file.

    Parameters
    ----------
    opened : callable
        Called with the number of a row that was double-clicked.
    """

    def __init__(self, opened: Callable[[int], None]) -> None:
        super().__init__(0, len(COLUMNS))
        self.setHorizontalHeaderLabels(list(COLUMNS))
        self.verticalHeader().setVisible(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.horizontalHeader().setSectionResizeMode(len(COLUMNS) - 1, QHeaderView.ResizeMode.Stretch)
        self.horizontalHeader().setSectionResizeMode(COLUMNS.index("State"), QHeaderView.ResizeMode.ResizeToContents)
        self.setWordWrap(False)  # A long text is then cut within a word, instead of after its first word.
        self.setMinimumHeight(HEIGHT)
        self.setToolTip("Double-click a finished file to show its result.")
        self.cellDoubleClicked.connect(lambda row, _: opened(row))
        self._shown: list[tuple[object, ...]] = []

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Show these files instead of those before."""
        self.setRowCount(0)
        self.setRowCount(len(entries))
        self._shown = [()] * len(entries)
        for row, entry in enumerate(entries):
            name = QTableWidgetItem(entry.pair.source.name)
            name.setToolTip(f"{entry.pair.source}\n{entry.pair.target}")
            self.setItem(row, 0, name)
            bar = QProgressBar()
            bar.setRange(0, PARTS)
            self.setCellWidget(row, 1, bar)
            for column in range(2, len(COLUMNS)):
                self.setItem(row, column, QTableWidgetItem(""))
        self.update_entries(entries)
        self.resizeColumnToContents(0)

    def update_entries(self, entries: Sequence[Entry]) -> None:
        """Show what has changed since."""
        for row, entry in enumerate(list(entries)[: self.rowCount()]):
            state = (round(PARTS * entry.fraction), entry.state, entry.summary, len(entry.notes))
            if state == self._shown[row]:
                continue
            self._shown[row] = state
            bar = self.cellWidget(row, 1)
            if isinstance(bar, QProgressBar):
                bar.setValue(state[0])
            text = " ".join([entry.summary, *entry.notes])
            for column, words in ((2, entry.state), (3, text)):
                item = self.item(row, column)
                if item is not None:
                    item.setText(words.removeprefix(f"{entry.pair.source} "))  # The row begins with its name.
                    item.setToolTip(words)
                    item.setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
