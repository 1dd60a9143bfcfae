"""Take layers off the canvas without a crash of the driver for graphics."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from qtpy.QtCore import QObject
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QMainWindow


class OwnContext(QObject):
    """Lets napari delete what a removed layer had in OpenGL while the canvas's own context is the current one.

    napari 0.9 deletes it as soon as a layer is removed, in whatever context is current: after a paint this is the one
    in which Qt composes the window. With Mesa the program is then taken away from below the canvas, and the process
    dies at the next paint but one (`glDrawArrays`), also without this plugin: add an image and shapes, remove the
    shapes. A plugin adds and removes more layers than a user does, so it takes care of the windows it is docked in.

    Parameters
    ----------
    window : QMainWindow
        The window with the canvas; it owns this object.
    viewer : napari.Viewer
        Its viewer.
    """

    def __init__(self, window: QMainWindow, viewer: Any) -> None:
        super().__init__(window)
        self._window = window
        # Before `removed`, which napari's own functions hear first.
        viewer.layers.events.removing.connect(self._on_removing)

    def _on_removing(self, event: object = None) -> None:
        with suppress(RuntimeError, AttributeError):  # The window is being closed.
            for canvas in self._window.findChildren(QOpenGLWidget):
                if canvas.isValid():
                    canvas.makeCurrent()


def keep_own_context(window: QMainWindow, viewer: Any) -> None:
    """Give a window an `OwnContext`, unless it has one."""
    if window.findChild(OwnContext) is None:
        OwnContext(window, viewer)
