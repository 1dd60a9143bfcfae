"""The window that shows crops with several settings side by side, before the whole is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ...display.pictures import display_range, to_rgb
from ...errors import StoppedError
from ...progress import Callback, Parts
from ...ui.jobs import Job, Outcome, duration, plain_text
from ..source import Source
from ..trials import Setting, Trial, crops_of, pixels_of, settings_to_try, tried
from ..workers.thread import Task
from .fonts import follow_labels

TICK = 100
"""Milliseconds between two looks for finished trials."""
PICTURE, SMALLEST = 130, 64
"""Sides of the pictures on the screen in pixels: usually, and at least, when large captions leave less room."""
HEIGHT = 690
"""Pixels that the window may be high with three rows of pictures, to fit a laptop."""
CAPTION, LINES, FRAMES = 2, 4, 150
"""Lines of text below each picture, lines of text above and below all rows, and pixels of frames and spaces."""
CHOSEN = "QToolButton { border: 3px solid transparent; } QToolButton:checked { border: 3px solid palette(highlight); }"
"""Style of the pictures: napari's does not show which one is chosen."""
PICTURED = "picture"
"""Name of the buttons with pictures among Qt's objects; a tab bar has buttons too."""
NAMES = ("In view", "Much content", "Little content")


class TrialsDialog(QDialog):
    """Three crops, each with all presets side by side.

    Parameters
    ----------
    parent : QWidget
        A widget of napari's window.
    action : {"denoise", "fit", "upscale"}
        The job.
    source : Source
        What the job would be done on.
    plane : Source
        The plane of it in view.
    centre : (int, int)
        Row and column in view.
    given : mapping
        Settings of the form.
    use : callable
        Called with the changes of the settings that the user has chosen.
    """

    def __init__(
        self,
        parent: QWidget,
        action: str,
        source: Source,
        plane: Source,
        centre: tuple[int, int],
        given: Mapping[str, Any],
        use: Callable[[dict[str, Any]], None],
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Try settings: {source.name}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setStyleSheet(CHOSEN)
        self.rows = settings_to_try(action)
        self.settings: list[Setting] = [setting for row in self.rows for setting in row]
        self.trials: list[Trial] = []
        self.crops: list[Source] = []
        self.chosen: int | None = None
        self.cells: list[list[QToolButton]] = []
        self._shown, self._use, self._look = 0, use, source.look
        self._left = False
        self._make_widgets()

        def work(callback: Callback) -> None:
            self.crops = crops_of(plane, centre)
            parts = Parts(callback, len(self.crops) * len(self.settings))
            done = 0

            def report(progress: Any) -> bool:
                part = parts.part(done, f"crop {done // len(self.settings) + 1} of {len(self.crops)}")
                return bool(part is not None and part(progress))

            for done, trial in _counted(tried(action, source, given, self.crops, self.settings, report)):  # noqa: B007
                self.trials.append(trial)
                if parts.stopped:
                    raise StoppedError()

        self.job = Job(work, self._finished, Task)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._tick)
        self._timer.start(TICK)
        self.finished.connect(self._leave)
        self.destroyed.connect(self.job.cancel)
        self.job.start()

    def _make_widgets(self) -> None:
        self.tabs = QTabWidget()
        self.status = QLabel("Choosing crops")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.use = QPushButton("Use these settings")
        self.use.setEnabled(False)
        self.use.clicked.connect(self._take)
        close = QPushButton("Close")
        close.clicked.connect(self.close)
        buttons = QHBoxLayout()
        for widget in (self.use, close):
            buttons.addWidget(widget)
        column = QVBoxLayout(self)
        for widget in (self.tabs, self.bar, self.status):
            column.addWidget(widget)
        column.addLayout(buttons)
        self._fit_font()

    def _fit_font(self) -> None:
        """Give the captions the font of the window, and the pictures what it leaves of the height of a laptop."""
        follow_labels(self, self.status)
        lines = CAPTION * len(self.rows) + LINES
        side = (HEIGHT - FRAMES - lines * self.status.fontMetrics().height()) // len(self.rows)
        side = min(max(side, SMALLEST), PICTURE)
        for button in self.tabs.findChildren(QToolButton, PICTURED):
            button.setIconSize(QSize(side, side))

    def changeEvent(self, event: Any) -> None:  # noqa: N802  # Qt's name
        """Follow the font size of napari's settings."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "status"):
            self._fit_font()

    def _add_tab(self, number: int) -> None:
        """The pictures of a crop: as it is, and with each setting."""
        page = QWidget()
        grid = QGridLayout(page)
        original = _button("as it is")
        _show(original, self._picture(pixels_of(self.crops[number]).image, number))
        grid.addWidget(original, 0, 0, len(self.rows), 1)
        cells: list[QToolButton] = []
        for row, settings in enumerate(self.rows):
            for column, setting in enumerate(settings):
                cell = _button(setting.label)
                cell.setCheckable(True)
                cell.setEnabled(False)
                _show(cell, None)
                position = len(cells)
                cell.clicked.connect(lambda _, position=position: self.choose(position))
                grid.addWidget(cell, row, column + 1)
                cells.append(cell)
        self.cells.append(cells)
        self.tabs.addTab(page, NAMES[number] if number < len(NAMES) else f"Crop {number + 1}")
        self._fit_font()

    def choose(self, setting: int) -> None:
        """Choose settings, in the pictures of all crops."""
        self.chosen = setting
        for cells in self.cells:
            for position, cell in enumerate(cells):
                cell.setChecked(position == setting)
        self.use.setEnabled(True)

    def _take(self) -> None:
        if self.chosen is not None:
            self._use(dict(self.settings[self.chosen].changes))
        self.close()

    def _tick(self) -> None:
        while len(self.cells) < len(self.crops):
            self._add_tab(len(self.cells))
        for trial in self.trials[self._shown :]:
            self._shown += 1
            cell = self.cells[trial.crop][trial.setting]
            cell.setEnabled(True)
            cell.setText(f"{self.settings[trial.setting].label}\nabout {duration(trial.seconds)} in all")
            _show(cell, self._picture(trial.image, trial.crop))
        if self.job.progress is not None and not self.job.done:
            self.bar.setValue(round(1000 * self.job.progress.fraction))
            self.status.setText(self.job.status)

    def _picture(self, image: np.ndarray, number: int) -> np.ndarray:
        """RGB of a result, with the contrast of the layer, or that of the crop as it is."""
        noisy = pixels_of(self.crops[number]).image
        limits = tuple(self._look.get("contrast_limits", display_range(noisy)))
        return to_rgb(image, (float(limits[0]), float(limits[1])))

    def _finished(self, outcome: Outcome) -> None:
        if self._left:
            return  # The window is closed, and its pictures are gone.
        self._tick()
        self._timer.stop()
        error = outcome.error
        if error is None:
            self.bar.setValue(1000)
            self.status.setText("Click on a picture to choose its settings.")
        else:
            self.status.setText(plain_text(error) or f"{type(error).__name__}: {error}")

    def _leave(self) -> None:
        self._left = True
        self._timer.stop()
        self.job.cancel()

    def closeEvent(self, event: Any) -> None:  # noqa: N802  # Qt's name
        """Stop the trials."""
        self._leave()
        super().closeEvent(event)


def _counted(trials: Iterator[Trial]) -> Iterator[tuple[int, Trial]]:
    """Trials with the number of those that are done then."""
    return ((number, trial) for number, trial in enumerate(trials, start=1))


def _button(caption: str) -> QToolButton:
    button = QToolButton()
    button.setObjectName(PICTURED)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
    button.setText(caption)
    button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return button


def _show(button: QToolButton, picture: np.ndarray | None) -> None:
    """Show a picture on a button, with its text below; None: an empty one."""
    if picture is None:
        blank = QPixmap(PICTURE, PICTURE)
        blank.fill(Qt.GlobalColor.transparent)
        button.setIcon(QIcon(blank))
        return
    height, width, _ = picture.shape
    image = QImage(picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    scaled = QPixmap.fromImage(image).scaled(
        PICTURE, PICTURE, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.FastTransformation
    )
    button.setIcon(QIcon(scaled))
