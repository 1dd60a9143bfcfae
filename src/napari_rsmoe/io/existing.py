"""Which existing files may be replaced: those that the same command wrote, and that nobody has changed since.

What a command writes is recorded in the user's state folder: for each file, who wrote it, its size and its time of
change. So a job can be run again, while a photograph, a file of another program, or a result that was edited stays.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from pathlib import Path

from .atomic import replacing_file

STATE = "RSMOE_STATE"
"""Environment variable: the folder of the records, instead of the user's state folder."""
MOST_RECORDS = 10_000
"""Number of files that are remembered. Above it, the older half is forgotten and needs ``overwrite`` again."""


def this_program() -> str:
    """The maker of files that are written from Python: the script that runs, or the interactive session."""
    return f"python {os.path.realpath(sys.argv[0]) if sys.argv and sys.argv[0] else ''}"


def may_replace(path: Path, maker: str) -> bool:
    """Whether nothing exists at `path`, or only what `maker` wrote there and nobody has changed since.

    Parameters
    ----------
    path : Path
        A file or a Zarr folder.
    maker : str
        Who wants to write, for example ``"denoise /data/noisy.tif"``.
    """
    if not os.path.lexists(path):
        return True
    try:
        return _facts(path, path, maker) in json.loads(_record(path).read_text("utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def check_replaceable(path: Path, maker: str, *, overwrite: bool) -> None:
    """Raise a FileExistsError that says what to do if `path` may not be replaced."""
    if not (overwrite or may_replace(path, maker)):
        raise FileExistsError(
            f"{path} exists and was not written by this command, or was changed since. Give another name, or replace "
            "it with --overwrite (in Python: overwrite=True)."
        )


def remember(path: Path, written: Path, maker: str) -> None:
    """Record that `maker` has written a file. Without a folder to write to, nothing is recorded.

    Parameters
    ----------
    path : Path
        The name that the file will have. What is there may still be replaced by `maker` if it could be before, so that
        a job that is killed before the rename can be run again.
    written : Path
        The complete file, under the name that it has now.
    maker : str
        As for `may_replace`.
    """
    with contextlib.suppress(OSError, ValueError):
        known = [_facts(path, path, maker)] if path.exists() and may_replace(path, maker) else []
        record = _record(path)
        record.parent.mkdir(parents=True, exist_ok=True)
        with replacing_file(record) as temporary:
            temporary.write_text(json.dumps([*known, _facts(path, written, maker)]), "utf-8")
        _forget_old(record.parent)


def state_of(path: Path) -> dict[str, int] | None:
    """Size in bytes and time of change, in ns, of a file or of all files of a folder; None if there is nothing."""
    try:
        status = [file.stat() for file in (path.rglob("*") if path.is_dir() else [path])]
    except OSError:
        return None
    return {
        "bytes": sum(each.st_size for each in status),
        "changed": max((each.st_mtime_ns for each in status), default=0),
    }


def _facts(path: Path, written: Path, maker: str) -> dict[str, object]:
    """What a record holds: the maker, and the size and time of change of the file, or of all files of a folder."""
    state = state_of(Path(os.path.realpath(written)))
    if state is None:
        raise FileNotFoundError(str(written))
    return {"path": os.path.realpath(path), "maker": maker, **state}


def _record(path: Path) -> Path:
    """The record of a file."""
    name = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:32]
    return _folder() / f"{name}.json"


def _folder() -> Path:
    given = os.environ.get(STATE)
    if given:
        return Path(given) / "written"
    from platformdirs import user_state_path  # Imported here to save start-up time.

    return user_state_path("napari-rsmoe", appauthor=False) / "written"


def _forget_old(folder: Path) -> None:
    with os.scandir(folder) as entries:
        records = [(entry.stat().st_mtime_ns, entry.path) for entry in entries if entry.name.endswith(".json")]
    if len(records) > MOST_RECORDS:
        for _, path in sorted(records)[: len(records) // 2]:
            Path(path).unlink(missing_ok=True)
