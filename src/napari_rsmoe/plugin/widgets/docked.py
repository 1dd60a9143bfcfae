"""What the widgets of this plugin have in common as guests of napari's window."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from magicgui.widgets import Container
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QLabel, QMainWindow, QScrollArea, QSizePolicy, QTabBar, QWidget

from .canvas import keep_own_context
from .fonts import fit_title, follow_labels

ROOM = "room"
"""Qt property of a label: pixels that it is high at least, so that fields below do not jump when its text changes."""
SETTLED = 100
"""Milliseconds after which Qt has laid out tabbed docks; a dock that is raised before stays behind the others."""


class DockedWidget(Container):
    """A column of fields in a dock of napari's window.

    It scrolls where the window is lower than the column, opens as a tab of another dock of this plugin instead of
    halving its height, and notices when its dock is closed: napari then keeps the widget, and does not tell it.
    `superqt` and napari have no such container; magicgui's has a scroll area, which napari leaves out because it takes
    the `native` widget.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer of the window.
    widgets : sequence of magicgui.widgets.Widget
        The rows, from the top.
    """

    def __init__(self, viewer: Any, widgets: Any = (), **options: Any) -> None:
        self._viewer = viewer
        super().__init__(widgets=list(widgets), labels=False, scrollable=True, **options)
        self._docked = self._had_dock = False
        area = self.native
        area._magic_widget = self  # napari finds the widget of a dock by this.
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        column = area.widget()
        column.layout().addStretch(1)
        column.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.MinimumExpanding)
        self._watcher = _Watcher(area, self._on_parent, self._fit_width, self._fit_font)
        self._fit_width()

    @property
    def native(self) -> Any:
        """The scroll area, which napari puts into the dock."""
        return self.root_native_widget

    @property
    def column(self) -> QWidget:
        """The Qt widget inside of the scroll area."""
        inner: QWidget = self.native.widget()
        return inner

    def append_native(self, widget: QWidget) -> None:
        """Append a plain Qt widget to the column."""
        layout: Any = self.column.layout()
        layout.insertWidget(layout.count() - 1, widget)

    def raise_dock(self) -> None:
        """Show the dock of this widget in front of those that share its place."""
        with suppress(RuntimeError):  # The window is being closed.
            dock = self.native.parent() if self._docked else None
            if isinstance(dock, QDockWidget):
                dock.show()
                dock.raise_()

    def on_close(self) -> None:
        """Called when the dock of the widget has been closed."""

    def on_open(self) -> None:
        """Called when the widget has a dock again after one was closed."""

    def _on_parent(self) -> None:
        parent = self.native.parent()
        if parent is None and self._docked:
            self._docked, self._had_dock = False, True
            self.on_close()
        elif parent is not None and not self._docked:
            self._docked = True
            if self._had_dock:
                self.on_open()
            QTimer.singleShot(0, self._join_tabs)  # When napari has put the dock into its window.

    def _join_tabs(self) -> None:
        """Share the area with another dock of this plugin."""
        dock = self.native.parent() if self._docked else None
        window = dock.parent() if isinstance(dock, QDockWidget) else None
        if not isinstance(dock, QDockWidget) or not isinstance(window, QMainWindow):
            return
        keep_own_context(window, self._viewer)
        if dock.isFloating():
            return
        for other in window.findChildren(QDockWidget):
            inner = getattr(other.widget(), "_magic_widget", None)
            same_area = window.dockWidgetArea(other) == window.dockWidgetArea(dock)
            if other is not dock and isinstance(inner, DockedWidget) and same_area and not other.isFloating():
                window.tabifyDockWidget(other, dock)
                QTimer.singleShot(SETTLED, self.raise_dock)
                for bar in window.findChildren(QTabBar):  # Titles are scrolled rather than cut.
                    bar.setElideMode(Qt.TextElideMode.ElideNone)
                    bar.setUsesScrollButtons(True)
                return

    def _fit_font(self) -> None:
        """Give the labels of each column room for their texts in the font of the window.

        magicgui measures them in the font of the application, and napari has its own.
        """
        follow_labels(self.native, self.column.findChild(QLabel))
        dock = self.native.parent() if self._docked else None
        if isinstance(dock, QDockWidget):
            fit_title(dock)
        columns: dict[Any, list[QLabel]] = {}
        for label in self.column.findChildren(QLabel):
            row = label.parent()
            layout: Any = row.layout() if isinstance(row, QWidget) else None
            if layout is not None and layout.count() == 2 and layout.itemAt(0).widget() is label and label.text():
                columns.setdefault(row.parent(), []).append(label)
        for labels in columns.values():
            wide = max(label.sizeHint().width() for label in labels)
            for label in labels:
                label.setMinimumWidth(wide)
        self._fit_width()

    def _fit_width(self) -> None:
        """Make the scroll area as wide as the column needs, so that nothing is cut off at its right edge."""
        area = self.native
        # The style of the window may give the scroll bar a margin that its hint does not say.
        beside = max(area.verticalScrollBar().sizeHint().width(), area.width() - area.viewport().width())
        needed = max(self.column.minimumSizeHint().width() + beside, self._title_width())
        if area.minimumWidth() != needed:
            area.setMinimumWidth(needed)
        # A scroll area asks for no height that depends on the width, so that wrapped texts would be cut off.
        for label in self.column.findChildren(QLabel):
            if label.wordWrap():
                high = max(label.heightForWidth(label.width()), label.property(ROOM) or 0)
                if label.minimumHeight() != high:
                    label.setMinimumHeight(high)

    def _title_width(self) -> int:
        """Pixels that the title of the dock needs; napari would cut a longer one."""
        dock = self.native.parent() if self._docked else None
        bar = dock.titleBarWidget() if isinstance(dock, QDockWidget) else None
        inner = None if bar is None else bar.layout()
        return 0 if inner is None else int(inner.sizeHint().width())


class _Watcher(QObject):
    """Calls a function when a scroll area gets another parent, when it is laid out again, and when its font changes."""

    def __init__(
        self,
        area: QScrollArea,
        on_parent: Callable[[], None],
        on_layout: Callable[[], None],
        on_font: Callable[[], None],
    ) -> None:
        super().__init__(area)
        self._area, self._inner, self._on_parent, self._on_layout = area, area.widget(), on_parent, on_layout
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(on_font)
        area.installEventFilter(self)
        self._inner.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Look at an event, and let it pass."""
        # The collector of Python may have emptied this object before Qt deletes its own part of it.
        if event is not None and hasattr(self, "_area"):
            if watched is self._area and event.type() == QEvent.Type.ParentChange:
                self._on_parent()
            elif watched is self._inner and event.type() == QEvent.Type.LayoutRequest:
                self._on_layout()
            elif event.type() in (QEvent.Type.Resize, QEvent.Type.FontChange, QEvent.Type.StyleChange):
                self._later.start()  # Qt is laying out at this moment.
        return False
