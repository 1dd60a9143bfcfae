"""Fixtures for all tests."""

from __future__ import annotations

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # Several workers share the cores; more threads would wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# The package needs no such setting, as its own threads sleep. The float64 twins are operators of torch, whose OpenMP
# threads spin after each: without this line the tests of the mixture and of batches take a third more processor time.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # OpenMP reads it when torch is loaded.

import atexit
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from skimage import io

# A machine that is busy with other work takes longer than hypothesis expects.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Which files the program has written is recorded here, instead of in the state of the user.
os.environ["RSMOE_STATE"] = tempfile.mkdtemp(prefix="rsmoe-state-")
atexit.register(shutil.rmtree, os.environ["RSMOE_STATE"], ignore_errors=True)

REPOSITORY = Path(__file__).parents[1]


FIRST = ("test_cuda_on_host.py", "test_sanitizers.py", "test_notebook_viewer.py", "test_notebook_browser.py",
         "test_notebooks.py", "test_faults.py", "test_memory_of_jobs.py", "test_site.py", "test_code_blocks.py",
         "test_bench.py", "test_large.py", "test_simd.py")  # fmt: skip
"""The files that take longest. They begin, so that in the end no process works alone while the others have nothing."""
TOGETHER = {"test_notebook_browser.py": "test_notebook_viewer.py", "test_site.py": "test_notebooks.py"}
"""Files that run in the process of another one, with which they share what is slow to start or to load: JupyterLab with
a browser, and the libraries that read notebooks."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(FIRST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give the tests of one file, and those of files that belong together, to one process."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = Path(nodeid.split("::", 1)[0])
            return str(file.with_name(TOGETHER.get(file.name, file.name)))

    config.option.loadscopereorder = False  # It would begin with the files of the most tests.
    return Scheduling(config, log)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of test images: RSMOE_DATA, by default ../shared/data beside the repository."""
    folder = Path(os.environ.get("RSMOE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no test images in {folder}; set RSMOE_DATA")
    return folder


@pytest.fixture(scope="session")
def kodak(data_dir: Path) -> Callable[[int], np.ndarray]:
    """Loader of a Kodak image by its number: uint8 (H, W, 3)."""

    def load(number: int) -> np.ndarray:
        path = data_dir / "kodak" / f"kodim{number:02d}.png"
        if not path.is_file():
            pytest.skip(f"no {path}")
        image: np.ndarray = io.imread(path)[..., :3]
        return image

    return load
