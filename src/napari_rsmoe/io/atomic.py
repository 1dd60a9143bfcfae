"""Write to a temporary file beside the target and rename it at the end: a crash or Ctrl-C leaves no partial file."""

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
    """Yield a temporary path beside `path`, which is renamed to `path` if the block ends without an exception.

    Parameters
    ----------
    path : Path
        The file to write. An existing file is replaced; if `path` is a symbolic link, its target is replaced.

    Raises
    ------
    ImageError
        If the folder does not exist, or `path` is a folder.
    """
    path = _resolved(path)
    if path.is_dir():
        raise ImageError(f"{path} is a folder; give the name of a file to write.")
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
    """Yield a temporary path for a folder, which is renamed to `path` if the block ends without an exception.

    An existing folder is moved aside before the rename and deleted after it, so that either the old or the new folder
    exists at any time. The caller checks whether the existing folder may be replaced.
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
    """Resolve symbolic links, and check that the parent folder exists."""
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise ImageError(f"cannot write {path.name}: the folder {path.parent} does not exist; create it first.")
    return path


def _beside(path: Path) -> Path:
    """Return a hidden temporary name in the same folder, so that the rename stays within one file system."""
    return path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
