"""Write to a temporary file beside the target and rename it at the end: a crash or Ctrl-C leaves no partial file.

A temporary file or folder (`.NAME.XXXXXXXX.rsmoe.part`) is locked while its writer lives. One without a lock was left
by a program that was killed, and is removed by the next writer in the same folder. Windows can lock neither a folder
nor a file that others may read: there the lock is a file beside it, which the system removes when its owner ends.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, Protocol

from ..errors import ImageError

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_LEFT = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.rsmoe\.(?P<kind>part|old)", re.DOTALL)
_LONGEST = 200  # Bytes of a final name that a temporary one repeats; with what is added, file systems allow 255.
_EXCHANGE = 2  # RENAME_EXCHANGE of Linux.
_HERE = -100  # AT_FDCWD of Linux: paths are relative to the working directory.
_ON_WINDOWS = os.name == "nt"
_PATIENCE = (0.05, 0.1, 0.2, 0.4)  # Seconds between attempts to rename on Windows.
Before = Callable[[Path], None]


def _nothing(temporary: Path) -> None:
    pass


@contextlib.contextmanager
def replacing_file(path: Path, before: Before = _nothing) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which is renamed to `path` if the block ends without an exception.

    Parameters
    ----------
    path : Path
        The file to write. An existing file is replaced; if `path` is a symbolic link, its target is replaced.
    before : callable, optional
        Called with the temporary path when the file is complete, just before the rename.

    Raises
    ------
    ImageError
        If the folder does not exist, or `path` is a folder.
    """
    path = _resolved(path)
    if path.is_dir():
        raise ImageError(f"{path} is a folder; give the name of a file to write.")
    with _replacing(path, before, folder=False) as temporary:
        yield temporary


@contextlib.contextmanager
def replacing_folder(path: Path, before: Before = _nothing) -> Iterator[Path]:
    """Yield an empty temporary folder, which is renamed to `path` if the block ends without an exception.

    An existing folder changes places with the new one and is deleted then, so that either the old or the new folder
    exists at any time. The caller checks whether the existing folder may be replaced.
    """
    with _replacing(_resolved(path), before, folder=True) as temporary:
        yield temporary


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Rename the files that are written within only at the end, one right after the other.

    So a kill does not leave a new image beside an old model. If the block raises an exception, none is renamed.
    """
    if _waiting.get() is not None:
        yield
        return
    waiting: list[_Complete] = []
    token = _waiting.set(waiting)
    try:
        try:
            yield
        finally:
            _waiting.reset(token)
        for part, before in waiting:
            before(part.temporary)
        for part, _ in waiting:
            part.publish()
    finally:
        for part, _ in waiting:
            part.discard()


def publish_folder(folder: Path, path: Path) -> None:
    """Give a finished folder its final name, in place of a folder that has it; both lie in one file system.

    Either the old or the new folder has the name at any time, and the new one is lost in no case. Where the system can
    exchange names, the old folder has the name `folder` afterwards, and the caller removes it.
    """
    path = _resolved(path)
    if not path.exists():
        folder.replace(path)
    elif not _exchange(folder, path):
        old = _beside(path, "old")
        path.replace(old)
        folder.replace(path)
        _remove(old)


@contextlib.contextmanager
def alone(path: Path, busy: str) -> Iterator[None]:
    """Hold a lock on a file, which is created if need be; an ImageError says `busy` if another program holds it."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ImageError(busy) from error
        except OSError:  # Some network file systems have no locks.
            pass
        yield
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove what writers that were killed have left in a folder; bring back what they had moved aside."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        found = [(Path(entry.path), match) for entry in entries if (match := _LEFT.fullmatch(entry.name))]
        for path, match in found:
            lock = _locked(path)
            if lock is None:
                continue  # Its writer lives.
            with contextlib.suppress(OSError):
                original = folder / match["name"]
                if match["kind"] == "old" and not original.exists():
                    _rename(path, original)
                else:
                    _remove(path)
            os.close(lock)


class _Part:
    """A file or folder that is being written under a temporary name, and locked.

    Parameters
    ----------
    path : Path
        Its final name.
    folder : bool
        Whether it is a folder.
    """

    def __init__(self, path: Path, *, folder: bool) -> None:
        self.path, self._folder = path, folder
        while True:
            self.temporary = _beside(path, "part")
            _unfinished.add((os.getpid(), self.temporary))
            if folder:
                self.temporary.mkdir()
            else:
                self.temporary.touch(exist_ok=False)
            self._lock = _locked(self.temporary)
            if self.temporary.exists():  # Else `remove_leftovers` of another program was faster than the lock.
                return

    def complete(self) -> None:
        """Bring the bytes of a file to the disk."""
        if not self._folder:
            with self.temporary.open("rb+") as written:
                os.fsync(written.fileno())

    def publish(self) -> None:
        """Give the final name, or raise an OSError and leave everything as it was."""
        if not (self._folder and self.path.exists()):
            _rename(self.temporary, self.path)
            return
        if _exchange(self.temporary, self.path):
            return
        old = _beside(self.path, "old")
        lock = _locked(self.path)
        try:
            _rename(self.path, old)
            try:
                _rename(self.temporary, self.path)
            except BaseException:
                _rename(old, self.path)
                raise
            _remove(old)
        finally:
            if lock is not None:
                os.close(lock)

    def discard(self) -> None:
        """Remove what is under the temporary name: the unfinished file, or after `publish` the folder before it."""
        _remove(self.temporary)
        _unfinished.discard((os.getpid(), self.temporary))
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class Unplaced(Protocol):
    """A file or folder that is complete, and has not got its name yet."""

    @property
    def temporary(self) -> Path:
        """Where it lies now."""

    def publish(self) -> None:
        """Give it its name."""

    def discard(self) -> None:
        """Remove what is under the temporary name."""


class _Complete(NamedTuple):
    """A complete part that waits for its name, and what is called before it gets it."""

    part: Unplaced
    before: Before


_waiting: ContextVar[list[_Complete] | None] = ContextVar("waiting", default=None)
_unfinished: set[tuple[int, Path]] = set()
"""Temporary names in use, each with the process that uses it: a forked one does not remove those of its parent."""


@atexit.register
def remove_unfinished() -> None:
    """Remove what a signal left between the creation of a file and the block that removes it after an exception."""
    for process, temporary in tuple(_unfinished):
        if process == os.getpid():
            _remove(temporary)


@contextlib.contextmanager
def _replacing(path: Path, before: Before, *, folder: bool) -> Iterator[Path]:
    remove_leftovers(path.parent)
    part = _Part(path, folder=folder)
    try:
        yield part.temporary
        part.complete()
    except BaseException:
        part.discard()
        raise
    complete(part, before)


def complete(part: Unplaced, before: Before = _nothing) -> None:
    """Give a complete part its name now, or at the end of `together`; then remove what is left of it."""
    waiting = _waiting.get()
    if waiting is not None:
        waiting.append(_Complete(part, before))
        return
    try:
        before(part.temporary)
        part.publish()
    finally:
        part.discard()


def _locked(path: Path) -> int | None:
    """Lock a file or folder until the returned descriptor is closed; None if another program holds the lock."""
    if fcntl is None:
        return _locked_beside(path)
    descriptor = None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # Some network file systems have no locks: what killed programs leave there stays.
        if descriptor is not None:
            os.close(descriptor)
        return None
    return descriptor


def _locked_beside(path: Path) -> int | None:
    """Do the same on Windows, by a file that only one program can create, and that goes with its last descriptor."""
    with contextlib.suppress(OSError):
        return os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_TEMPORARY", 0))
    return None


def _rename(source: Path, target: Path) -> None:
    """Rename, in place of what is there. Windows refuses it while another program, a virus scanner say, has it open."""
    for pause in _PATIENCE if _ON_WINDOWS else ():
        with contextlib.suppress(PermissionError):
            source.replace(target)
            return
        time.sleep(pause)
    try:
        source.replace(target)
    except PermissionError as error:
        raise ImageError(
            f"{target.name} cannot be written: {error.strerror}. Close it in other programs, and see that you may "
            f"write to {target.parent}."
        ) from error


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two names at once; False where the system cannot."""
    function = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    return function is not None and function(_HERE, os.fsencode(first), _HERE, os.fsencode(second), _EXCHANGE) == 0


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _resolved(path: Path) -> Path:
    """Resolve symbolic links, and check that the parent folder exists."""
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise ImageError(f"cannot write {path.name}: the folder {path.parent} does not exist; create it first.")
    return path


def _beside(path: Path, kind: str) -> Path:
    """Return a hidden temporary name in the same folder, so that the rename stays within one file system."""
    name = path.name
    while len(os.fsencode(name)) > _LONGEST:
        name = name[:-1]
    return path.with_name(f".{name}.{secrets.token_hex(4)}.rsmoe.{kind}")


def reserve(descriptor: int) -> None:
    """Allocate the disk space of a sparse file now: a full disk raises an error here but would crash a memory map."""
    length = os.fstat(descriptor).st_size
    if length and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, length)
