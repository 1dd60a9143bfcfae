"""Fixtures of the napari plugin's tests. `make test` starts Xvfb where there is no display.

Without a display they run on Qt's offscreen platform, where there is no OpenGL: the canvas stays empty, and only the
tests that look at its picture (fixture `canvas`) are skipped.
"""

from __future__ import annotations

import gc
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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


WINDOWS = itertools.count()
WINDOWS_PER_FREEZE = 10  # More: longer searches for garbage. Fewer: more memory, as frozen objects may stay for good.


@pytest.fixture
def viewer(make_napari_viewer_proxy: Callable[..., Any]) -> Any:
    """A real window, with napari's check that layers are touched on the main thread only."""
    if next(WINDOWS) % WINDOWS_PER_FREEZE == 1:
        gc.freeze()  # What napari keeps of earlier windows, after its search for garbage, need not be searched again.
    return make_napari_viewer_proxy(show=True)


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
