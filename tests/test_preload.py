"""Loading torch ahead: without Python's lock, and without stopping for the collector."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from types import ModuleType

import pytest

from napari_rsmoe.preload import collector_paused

TICKS = """
import sys, threading, time
from napari_rsmoe.preload import load_libraries
found = []
began = last = time.perf_counter()
thread = threading.Thread(target=lambda: found.append(load_libraries()))
gaps = []
thread.start()
while thread.is_alive():
    now = time.perf_counter()
    gaps.append(now - last)
    last = now
    time.sleep(0.001)
assert found == [True] and "torch" not in sys.modules
import torch
assert torch.ones(3).sum() == 3
print(max(gaps), last - began)
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows loads the libraries together with torch")
def test_other_threads_run_while_the_libraries_load() -> None:
    """Were Python's lock held meanwhile, the longest pause would be nearly as long as the load itself."""
    out = subprocess.run([sys.executable, "-c", TICKS], capture_output=True, text=True, check=True).stdout
    longest, seconds = map(float, out.split())
    assert longest < max(0.5 * seconds, 0.1)


def test_without_torch_nothing_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_rsmoe.preload.find_spec", lambda name: None)
    from napari_rsmoe.preload import load_libraries

    assert not load_libraries()


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_as_it_was_before(enabled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with collector_paused():
            assert not gc.isenabled()
            monkeypatch.setitem(sys.modules, "loaded_meanwhile", ModuleType("loaded_meanwhile"))
        assert gc.isenabled() is enabled
        assert gc.get_freeze_count() == 0
    finally:
        (gc.enable if before else gc.disable)()


def test_what_a_program_has_frozen_stays_frozen_where_nothing_is_loaded() -> None:
    frozen_before = gc.get_freeze_count() > 0
    gc.freeze()
    try:
        with collector_paused():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        if not frozen_before:
            gc.unfreeze()


EARLY = """
import sys
from napari_rsmoe.preload import SHAPES_ALONE, load_early
load_early()
from napari_rsmoe.engine.library import ops
import torch
assert ops.simd_level() and torch.linalg.norm(torch.ones(4)) == 2
assert SHAPES_ALONE not in sys.modules and "torch._refs" not in sys.modules
import torch._meta_registrations
assert torch._meta_registrations.meta_fft_c2r and "torch._refs" in sys.modules
"""


def test_a_program_leaves_out_what_only_compilers_need_until_it_is_asked_for() -> None:
    done = subprocess.run([sys.executable, "-c", EARLY], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
