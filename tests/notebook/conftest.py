"""Widgets without a browser: what they send is recorded."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from skimage import data
from widget_traffic import Message, Traffic

pytest.importorskip("ipywidgets", reason="install the notebook extra")
pytest.importorskip("anywidget")


@pytest.fixture
def traffic(monkeypatch: pytest.MonkeyPatch) -> Traffic:
    """What is sent from now on by all widgets."""
    import comm

    seen = Traffic()

    def publish(self: Any, kind: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any) -> None:
        binary = sum(memoryview(each).nbytes for each in buffers or ())
        state = (data or {}).get("state", {})
        seen.messages.append(Message(self.comm_id, time.monotonic(), state, binary + len(json.dumps(data)), binary))

    monkeypatch.setattr(comm.DummyComm, "publish_msg", publish)
    return seen


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running JupyterLab with Notebook and Voila, and a page of a browser, for all tests that need them."""
    pytest.importorskip("jupyterlab", reason="install the test extra to drive JupyterLab")
    pytest.importorskip("playwright", reason="install the test extra to drive a browser")
    from jupyter_page import Lab, browser_page, find_browser, server

    if find_browser() is None:
        pytest.skip("no Chromium found: apt-get install chromium")
    folder = tmp_path_factory.mktemp("lab")
    with server(folder) as address, browser_page(1400, 900) as page:
        yield Lab(page, address, folder)
        page.screenshot(path=folder / "end.png")  # for whoever asks why a step was not reached


@pytest.fixture(scope="session")
def image() -> np.ndarray:
    """A small photograph, (64, 80, 3) uint8."""
    photograph: np.ndarray = data.chelsea()[100:164, 120:200]
    return photograph


@pytest.fixture
def until() -> Iterator[Callable[..., None]]:
    """Wait for something to become true."""

    def wait(happened: Callable[[], Any], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.01)

    return wait
