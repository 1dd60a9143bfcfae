"""Run command lines in child processes that a server forks, with torch loaded already, and with faults planted."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import faulthandler
import itertools
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch
from forked import start

import napari_rsmoe
from napari_rsmoe.cli import deblur, denoise, fit, program, render, upscale
from napari_rsmoe.denoising import stack
from napari_rsmoe.denoising.large import running
from napari_rsmoe.enlarging import deblur as deconvolving
from napari_rsmoe.io import npy, ome_zarr, rsmoe
from napari_rsmoe.io.atomic import remove_unfinished
from napari_rsmoe.io.bitmaps import bitmap
from napari_rsmoe.io.tiff import file as tiff

LOADED = (
    deblur, denoise, fit, render, upscale, deconvolving, running, stack, bitmap, npy, ome_zarr, rsmoe, tiff,
    napari_rsmoe.fit, torch,
)  # fmt: skip
SECONDS = 120  # Longest time of a job; what takes longer hangs.
CAPABILITIES_3, DAC_OVERRIDE, DAC_READ_SEARCH = 0x20080522, 1, 2  # Numbers of Linux.


def _size_limit() -> None:
    """No file may have more than 2 kB, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))


def _fails_to_sync() -> None:
    """The disk fails when bytes are brought to it."""

    def fsync(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    os.fsync = fsync  # type: ignore[assignment]


def _fails_to_read() -> None:
    """The disk fails when pixels are read from it."""
    from napari_rsmoe.io import raw

    def block(self: Any, offset: int, shape: tuple[int, ...]) -> Any:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    raw.RawArray._block = block  # type: ignore[method-assign]


def _fails_to_read_chunks() -> None:
    """The disk fails when a chunk of a Zarr store is read from it; the metadata were read before."""
    from zarr.storage import LocalStore

    read, read_sync = LocalStore.get, getattr(LocalStore, "get_sync", None)

    def fail(key: str) -> None:
        if "." not in key.rpartition("/")[2] or key[-1:].isdigit():
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    async def get(self: Any, key: str, *arguments: Any, **options: Any) -> Any:
        fail(key)
        return await read(self, key, *arguments, **options)

    def get_sync(self: Any, key: str, **options: Any) -> Any:
        fail(key)
        return read_sync(self, key, **options)

    LocalStore.get = get  # type: ignore[method-assign]
    if read_sync is not None:
        LocalStore.get_sync = get_sync


def _without_rights() -> None:
    """Root has the rights of everybody else: the capabilities to pass over the modes of files are dropped."""
    if os.geteuid() == 0:
        library = ctypes.CDLL(None, use_errno=True)
        header = (ctypes.c_uint32 * 2)(CAPABILITIES_3, 0)
        sets = (ctypes.c_uint32 * 6)()
        assert library.capget(header, sets) == 0
        sets[0] &= ~(1 << DAC_OVERRIDE | 1 << DAC_READ_SEARCH)
        assert library.capset(header, sets) == 0


def _clock_jumps() -> None:
    """The clock of the wall jumps by a day, forth and back, whenever it is read."""
    jumps = itertools.cycle((86_400.0, -86_400.0, 0.0))
    read = time.time
    time.time = lambda: read() + next(jumps)


FAULTS: dict[str, Callable[[], None]] = {
    "none": lambda: None, "size limit": _size_limit, "sync": _fails_to_sync, "read": _fails_to_read,
    "read chunks": _fails_to_read_chunks,
    "rights": _without_rights, "clock": _clock_jumps,
}  # fmt: skip


def _child(line: list[str], folder: str, log: str, state: str, fault: str) -> None:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(folder)
    os.environ["RSMOE_STATE"] = state
    signal.signal(signal.SIGINT, signal.default_int_handler)  # The server of the children ignores it,
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and nohup has tests ignore this one.
    faulthandler.dump_traceback_later(SECONDS - 5)
    FAULTS[fault]()
    try:
        program.main(line, prog_name="napari-rsmoe")
    finally:
        remove_unfinished()  # As at the end of the program, which these children leave without Python's `atexit`.


@dataclass
class Bench:
    """A folder to run command lines in.

    Parameters
    ----------
    folder : Path
        The folder, with the inputs.
    log : Path
        Where the output goes, outside `folder`.
    """

    folder: Path
    log: Path

    def start(self, *line: str, fault: str = "none") -> BaseProcess:
        """Begin a command line."""
        self.log.unlink(missing_ok=True)
        state = str(self.log.with_name("state"))
        return start("tests.faults.jobs", "_child", list(line), str(self.folder), str(self.log), state, fault)

    def end(self, child: BaseProcess) -> int:
        """Wait for the end; returns the exit code, negative for a signal."""
        child.join(SECONDS)
        if child.is_alive():
            child.kill()
            raise AssertionError(f"the job hangs; it says: {self.said()}")
        assert child.exitcode is not None
        assert "Traceback" not in self.said(), self.said()
        return child.exitcode

    def run(self, *line: str, fault: str = "none") -> int:
        """Run a command line to its end."""
        return self.end(self.start(*line, fault=fault))

    def said(self) -> str:
        """The output of the last command line."""
        return self.log.read_text() if self.log.exists() else ""

    def names(self) -> list[str]:
        """The names in the folder, hidden ones too."""
        return sorted(path.name for path in self.folder.iterdir())

    def contents(self, name: str) -> dict[str, bytes] | None:
        """What a file or a folder holds; None if it does not exist."""
        path = self.folder / name
        if not path.exists():
            return None
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        return {str(file.relative_to(path.parent)): file.read_bytes() for file in files}

    @contextlib.contextmanager
    def unchanged(self, *names: str) -> Iterator[None]:
        """Check that files stay as they are."""
        before = {name: self.contents(name) for name in names}
        yield
        assert before == {name: self.contents(name) for name in names}


def noisy(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """A small noisy image."""
    rng = np.random.default_rng(seed)
    *_, height, width = shape
    y, x = np.mgrid[:height, :width]
    scene = 90 + 60 * np.sin(x / 5) * np.cos(y / 6)
    return np.clip(scene + rng.normal(0, 12, shape), 0, 255).astype(np.uint8)
