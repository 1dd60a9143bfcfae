"""Write a file or folder under another name first, and give it its place when it is complete: here, or at a URL."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from ..errors import ImageError
from .atomic import complete, replacing_file, replacing_folder
from .existing import check_replaceable, remember, this_program
from .location import Location


@contextlib.contextmanager
def placed(name: str | PathLike[str], *, maker: str, folder: bool = False) -> Iterator[Path]:
    """Yield a temporary path; what is written there gets its place if the block ends without an exception.

    A file or folder of this machine is written beside its place and renamed; what is to lie at a URL is written to a
    temporary folder (``TMPDIR``) and uploaded. Within `atomic.together` both happen at its end.

    Parameters
    ----------
    name : str or path
        A path or URL.
    maker : str
        As for `napari_rsmoe.create_image`.
    folder : bool
        Whether it is a folder.
    """
    location = Location.of(name)
    path = location.path
    if path is not None:
        replacing: Callable[..., contextlib.AbstractContextManager[Path]] = (
            replacing_folder if folder else replacing_file
        )
        with replacing(path, lambda written: remember(path, written, maker)) as temporary:
            yield temporary
        return
    upload = _Upload(Path(tempfile.mkdtemp(prefix="napari-rsmoe-")) / location.name, location)
    try:
        yield upload.temporary
    except BaseException:
        upload.discard()
        raise
    complete(upload)


@dataclass(frozen=True)
class _Upload:
    """What is written here, and then put to an object store.

    Attributes
    ----------
    temporary : Path
        The file or folder, in a folder of its own.
    location : Location
        Its place.
    """

    temporary: Path
    location: Location

    def publish(self) -> None:
        """Put it to its place."""
        self.location.put(self.temporary)

    def discard(self) -> None:
        """Remove what was written here."""
        shutil.rmtree(self.temporary.parent, ignore_errors=True)


def check_place(name: str | PathLike[str], *, maker: str | None = None, overwrite: bool = False) -> None:
    """Raise an error, before any work, if nothing may be written to a path or URL.

    Parameters
    ----------
    name : str or path
        A path or URL.
    overwrite, maker
        As for `napari_rsmoe.create_image`.

    Raises
    ------
    ImageError
        If the folder can only be read, or nothing can be written to the URL.
    FileExistsError
        If something is there that may not be replaced. What lies at a URL is replaced on request only.
    """
    location = Location.of(name)
    if location.path is not None:
        folder = location.path.resolve().parent
        if folder.is_dir() and not os.access(folder, os.W_OK):
            raise ImageError(f"{location} cannot be written: {folder} can only be read; choose another place.")
        check_replaceable(location.path, this_program() if maker is None else maker, overwrite=overwrite)
        return
    location.check_writable()
    if not overwrite and location.holds_image():
        raise FileExistsError(f"{location} exists. Give another name, or replace it with --overwrite.")
