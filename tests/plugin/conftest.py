"""Fixtures of the napari plugin's tests. `make test` starts Xvfb where there is no display.

Without a display they run on Qt's offscreen platform, where there is no OpenGL: the canvas stays empty, and only the
tests that look at its picture (fixture `canvas`) are skipped.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

os.environ["NAPARI_CONFIG"] = ""  # napari keeps its settings in memory

pytest.importorskip("napari", reason="napari is not installed: pip install 'napari-rsmoe[test]'")

HAS_OPENGL = sys.platform != "linux" or bool(os.environ.get("DISPLAY"))
TEXTURE_SIDE = 16384  # Pixels; what napari is told where there is no OpenGL to ask.
if not HAS_OPENGL:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    import napari._vispy  # noqa: F401  # It chooses the functions of OpenGL.
    from vispy.gloo import gl

    gl.glGetParameter = lambda name: {gl.GL_EXTENSIONS: "", gl.GL_VERSION: "2.1"}.get(name, TEXTURE_SIDE)


@pytest.fixture
def canvas() -> None:
    """The canvas shows what it should; asked for by tests that look at its picture."""
    if not HAS_OPENGL:
        pytest.skip("no OpenGL: run xvfb-run -a -s '-screen 0 1400x900x24 +extension GLX' pytest")


@pytest.fixture(scope="session", autouse=True)
def no_search_for_garbage_in_modules() -> None:
    """napari collects garbage whenever a layer is removed: a quarter of a second with all that is loaded.

    All that the widgets load in the background is loaded before, as `collector_paused` would give back what is frozen.
    """
    import napari._qt.qt_main_window  # noqa: F401

    from napari_rsmoe.plugin.preferences import load_batch

    load_batch()
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def plugins_are_found_once() -> Iterator[None]:
    """Every window looks for plugins, and reads the manifests of all that are installed: a third of its time."""
    from npe2 import PluginManifest

    found = tuple(PluginManifest.discover())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "discover", staticmethod(lambda paths=(): iter(found)))
        yield


@pytest.fixture(autouse=True)
def own_memory(tmp_path: Path) -> None:
    """What widgets remember goes to a fresh folder."""
    from qtpy.QtCore import QSettings

    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path))


@pytest.fixture
def picture() -> np.ndarray:
    """Smooth shapes and an edge, uint8 (48, 64)."""
    y, x = np.mgrid[:48, :64]
    values = 90 + 60 * np.sin(x / 9) * np.cos(y / 7) + 60 * (x + y > 60)
    return np.rint(values).astype(np.uint8)


@pytest.fixture
def noisy(picture: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 12, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


PARTS = ("camera", "dims", "grid", "text_overlay", "scale_bar", "axes")
"""What a viewer holds besides its layers, and what one test could leave behind for the next."""


class SharedWindow:
    """A window that the tests of one file use one after the other, as each takes half a second to open and close.

    It is made as napari's own fixture makes one for each test: with an application of its own, no thread for the status
    bar, and no console.
    """

    def __init__(self) -> None:
        self.viewer: Any = None
        self._changes = contextlib.ExitStack()
        self._new: dict[str, Any] = {}

    def open(self) -> Any:
        """The viewer, empty and as when it was new."""
        if self.viewer is None:
            self._change_napari()
            from napari import Viewer

            self.viewer = Viewer(show=True, show_welcome_screen=False)
            self._new = self._state()
        return self.viewer

    def _change_napari(self) -> None:
        from app_model import Application
        from napari._app_model._app import NapariApplication, _napari_names
        from napari._qt._qapp_model.qactions import init_qactions
        from napari._qt.qt_viewer import QtViewer
        from napari._qt.threads.status_checker import StatusChecker
        from napari.plugins import _initialize_plugins
        from qtpy.QtWidgets import QWidget

        class NoConsole(QWidget):  # type: ignore[misc]
            def _update_theme(self, event: object = None) -> None: ...

        own = NapariApplication("test_app")
        own.injection_store.namespace = _napari_names
        self._changes.callback(Application.destroy, "test_app")
        for function in (_initialize_plugins, init_qactions):
            function.cache_clear()
            self._changes.callback(function.cache_clear)
        for kind, name, instead in (
            (NapariApplication, "get_app_model", lambda: own),
            (StatusChecker, "start", lambda *_: None),
            (QtViewer, "_get_console", lambda *_: NoConsole()),
        ):
            self._changes.enter_context(mock.patch.object(kind, name, instead))

    def _state(self) -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Some parts move into a scene.
            found: dict[str, Any] = {name: getattr(self.viewer, name).model_dump() for name in PARTS}
        found |= {name: getattr(self.viewer, name) for name in ("title", "theme")}
        found["mouse"] = [len(getattr(self.viewer, f"mouse_{name}_callbacks")) for name in ("move", "drag", "wheel")]
        found["keys"] = sorted(map(str, self.viewer.keymap))
        found["docks"] = len(self.viewer.window._wrapped_dock_widgets)
        found["size"] = self.viewer.window._qt_window.size()
        return found

    def tidy(self) -> None:
        """Empty the window, and close it where it is not as it was when it was new."""
        if self.viewer is None:
            return
        try:
            self.viewer.window.remove_dock_widget("all")
            self.viewer.layers.clear()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                for name in ("camera", "dims"):
                    getattr(self.viewer, name).update(self._new[name])
            self.viewer.window._qt_window.resize(self._new["size"])
            new = self._state() == self._new
        except (AttributeError, RuntimeError):  # The test has closed it.
            new = False
        if not new:
            self.close()

    def close(self) -> int:
        """Close the window; how many of its parts are still there."""
        from napari._qt.qt_viewer import QtViewer

        if self.viewer is not None:
            with contextlib.suppress(AttributeError, RuntimeError):  # A test has closed it.
                self.viewer.window._qt_window._save_current_window_settings = lambda: None
                self.viewer.close()
            self.viewer = None
            gc.collect()
        self._changes.close()
        left = len(QtViewer._instances)
        QtViewer._instances.clear()
        return left


@pytest.fixture(scope="module")
def shared_window(request: pytest.FixtureRequest) -> Iterator[SharedWindow]:
    failed = request.session.testsfailed
    window = SharedWindow()
    yield window
    left = window.close()
    assert left == 0 or request.session.testsfailed > failed, "something keeps a window that was closed"


@pytest.fixture
def viewer(qtbot: Any, shared_window: SharedWindow, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A real window, with napari's check that layers are touched on the main thread only."""
    from napari.settings import get_settings
    from napari.utils._proxies import PublicOnlyProxy

    get_settings().reset()
    monkeypatch.setenv("NAPARI_ENSURE_PLUGIN_MAIN_THREAD", "True")
    window = shared_window.open()
    qtbot.wait_exposed(window.window._qt_window, timeout=5000)
    yield PublicOnlyProxy(window)
    get_settings().reset()
    shared_window.tidy()


@pytest.fixture
def run_until(qtbot: Any) -> Callable[[Callable[[], bool]], None]:
    """Let the window live until something is true; generous, as machines may be slow."""

    def wait(condition: Callable[[], bool], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen in time"
            qtbot.wait(20)

    return wait


@pytest.fixture(autouse=True)
def no_old_words() -> None:
    """Notifications of earlier tests are gone."""
    from napari.utils.notifications import notification_manager

    notification_manager.records.clear()
