"""Write beside the target and rename at the end, so that a crash or Ctrl-C leaves no half file."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..errors import ImageError


@contextlib.contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it becomes `path` when the block ends without an exception.

    Parameters
    ----------
    path : Path
        The file to write. One that exists is replaced; if it is a symbolic link, what it points to is.

    Raises
    ------
    ImageError
        If the folder does not exist, or `path` is a folder.
    """
    path = _resolved(path)
    if path.is_dir():
        raise ImageError(f"{path} is a folder; name a file to write.")
    temporary = _beside(path)
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` for a folder; it becomes `path` when the block ends well.

    A folder that was there is moved aside first and removed last, so that there is always one of the two.
    Whether it may be replaced is for the caller to check.
    """
    path = _resolved(path)
    temporary, old = _beside(path), _beside(path)
    try:
        yield temporary
        if path.exists():
            path.replace(old)
        try:
            temporary.replace(path)
        except BaseException:
            if old.exists():
                old.replace(path)
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)


def _resolved(path: Path) -> Path:
    """Follow links, and check that the folder to write to is there."""
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise ImageError(f"cannot write {path.name}: the folder {path.parent} does not exist; create it first.")
    return path


def _beside(path: Path) -> Path:
    """Return a hidden name in the same folder, so that the rename stays on one file system."""
    return path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
