"""What the tests of the widgets share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from napari.utils.notifications import notification_manager

Wait = Callable[[Callable[[], bool]], None]
LONG = 200_000  # steps: nobody waits for that, it must be cancelled


def names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers]


@cache
def register_plugins() -> None:
    """Register the plugins in napari's application without a window.

    Once in a process: napari takes no command twice, whichever plugin comes first, and its fixtures for windows, which
    have applications of their own, forget that the plugins are registered in this one.
    """
    from napari.plugins import _initialize_plugins

    _initialize_plugins()


def open_widget(viewer: Any, name: str) -> Any:
    """As the menu does it."""
    return viewer.window.add_plugin_dock_widget("napari-rsmoe", name)[1]


def press(button: Any) -> None:
    button.native.click()


def last_words() -> str:
    return notification_manager.records[-1].message


def quick_fit(widget: Any, kernels: int = 30, steps: int = 20) -> None:
    widget.form.set({"n_kernels": kernels, "iterations": steps})
