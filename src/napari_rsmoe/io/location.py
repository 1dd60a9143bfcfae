"""Where large images lie: a file or folder of this machine, or an object of a store that fsspec knows (``s3://``).

An object store has no renaming, but writes an object as a whole; a file here is written under another name first. So no
half file is ever seen under the final name.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import ImageError
from ..memory import in_words

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
EXTRA = "pip install 'napari-rsmoe[remote]'"
"""How to install what reads and writes object stores."""


PUT_AS_A_WHOLE = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "memory")
"""Protocols of stores in which an object is seen only when it has been written as a whole. By others a file is written
under another name, and then renamed."""
ROOTS = (".zmetadata", ".zattrs", ".zarray", ".zgroup", "zarr.json")
"""Files of the folder of a Zarr store that make it an image or a group, in the order in which they are written."""
ONLY_READ = ("http", "https", "github", "zip", "tar", "data")
"""Protocols by which nothing is written."""


def is_url(name: object) -> bool:
    """Whether a name is a URL such as ``s3://bucket/image.zarr``."""
    return isinstance(name, str) and _URL.match(name) is not None


@dataclass(frozen=True)
class Location:
    """A file or folder, here or in an object store.

    Parameters
    ----------
    text : str
        An absolute path, or a URL without a slash at its end.
    """

    text: str

    @classmethod
    def of(cls, name: str | os.PathLike[str]) -> Location:
        """The location of a path or URL; ``file://`` URLs are paths."""
        text = os.fspath(name)
        if text.startswith("file://"):
            # Imported here to save start-up time: it brings the clients of HTTP and TLS.
            from urllib.request import url2pathname

            text = url2pathname(urlsplit(text).path)
        return cls(text.rstrip("/") if is_url(text) else str(Path(text).absolute()))

    def __str__(self) -> str:
        return self.text

    @property
    def path(self) -> Path | None:
        """The path of this machine; None for a URL."""
        return None if is_url(self.text) else Path(self.text)

    @property
    def name(self) -> str:
        """The last part of the name."""
        return self.text.rsplit("/", 1)[-1] if self.path is None else self.path.name

    @property
    def suffix(self) -> str:
        """The end of the name from its last dot on, as of a path."""
        return Path(self.name).suffix

    @property
    def is_zarr(self) -> bool:
        """Whether it has the name of a Zarr store."""
        return self.name.lower().endswith(".zarr")

    def __truediv__(self, name: str) -> Location:
        return Location(f"{self.text}/{name}")

    def beside(self, ending: str) -> Location:
        """The location in the same folder with a longer name."""
        return Location(self.text + ending)

    def read(self) -> bytes | None:
        """The bytes of a file; None if there is none."""
        try:
            if self.path is not None:
                return self.path.read_bytes()
            system, key = _system(self.text)
            found: bytes = system.cat_file(key)
            return found
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, content: bytes) -> None:
        """Write a file as a whole, in a folder that is made if need be."""
        if self.path is None:
            system, key = _system(self.text)
            system.pipe_file(key, content)
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}-{threading.get_ident()}.part")
        try:
            part.write_bytes(content)
            part.replace(self.path)
        finally:
            part.unlink(missing_ok=True)

    def remove_parts(self) -> None:
        """Remove what `write` has left in this folder where the program was killed."""
        for name in self.names():
            if name.startswith(".") and name.endswith(".part"):
                (self / name).remove()

    def fetch(self) -> Path:
        """A copy of a file of an object store in a temporary folder, which is removed when the program ends.

        A file is copied once, as long as the store describes it in the same way.

        Raises
        ------
        ImageError
            If there is too little room, or the copy has another size than the store says.
        OSError
            If there is no such file or it cannot be read.
        """
        system, key = _system(self.text)
        system.invalidate_cache()
        return _copy(self.text, system.ukey(key))

    def put(self, source: Path) -> None:
        """Copy a local file, or a Zarr folder, to this place of an object store, where it is seen when it is complete.

        What lies there before is replaced: a file at once; a Zarr store is removed first. The files that make a store
        an image are written last.

        Raises
        ------
        ImageError
            If a copy has another size; it is then removed.
        """
        self.check_writable()
        if source.is_dir():
            self._put_folder(source)
        else:
            self._put_file(source)

    def _put_folder(self, source: Path) -> None:
        files = sorted(each for each in source.rglob("*") if each.is_file())
        roots = {name: source / name for name in ROOTS if (source / name).is_file()}
        system, key = _system(self.text)
        named = {f"{key}/{each.relative_to(source).as_posix()}": each for each in files if each not in roots.values()}
        try:
            for name in ROOTS:
                (self / name).remove()
            self.remove()
            if named:
                system.put([str(each) for each in named.values()], list(named))
                system.invalidate_cache()
                found = system.find(key, detail=True)
                for name, each in named.items():
                    size, expected = found.get(name, {}).get("size", 0), each.stat().st_size
                    if size != expected:
                        raise ImageError(f"{name} was written with {size} bytes instead of {expected}.")
            for name, each in roots.items():
                (self / name).write(each.read_bytes())
        except NotImplementedError as error:
            raise ImageError(f"{self} cannot be written: its protocol only reads.") from error
        except BaseException:
            with contextlib.suppress(Exception):
                self.remove()
            raise

    def _put_file(self, source: Path) -> None:
        system, key = _system(self.text)
        whole = self.text.split("://", 1)[0] in PUT_AS_A_WHOLE
        name = key if whole else f"{key}.part"
        try:
            system.put_file(str(source), name)
            system.invalidate_cache()
            size, expected = system.info(name)["size"], source.stat().st_size
            if size != expected:
                raise ImageError(f"{self} was written with {size} bytes instead of {expected}.")
            if not whole:
                system.mv(name, key)
        except NotImplementedError as error:
            raise ImageError(f"{self} cannot be written: its protocol only reads.") from error
        except BaseException:
            with contextlib.suppress(Exception):
                system.rm(name)
            raise

    def check_writable(self) -> None:
        """Raise an ImageError if nothing can be written to the folder of this URL: an empty object is, and removed."""
        protocol = self.text.split("://", 1)[0]
        if self.path is not None:
            return
        if protocol in ONLY_READ:
            raise ImageError(f"{self} cannot be written: {protocol}:// only reads.")
        try:
            _try_to_write(self.text.rsplit("/", 1)[0])
        except (OSError, NotImplementedError) as error:
            raise ImageError(f"{self} cannot be written: {error or 'its protocol only reads'}.") from error

    def holds_image(self) -> bool:
        """Whether there is a file, or of a Zarr store the files that make it an image."""
        return any(each.exists() for each in ([self / name for name in ROOTS] if self.is_zarr else [self]))

    def size(self) -> int:
        """Bytes of a file at a URL, or of all files of a folder there."""
        system, key = _system(self.text)
        return int(system.du(key))

    def names(self) -> set[str]:
        """Names of the files in a folder; none if there is no folder."""
        try:
            if self.path is not None:
                return {each.name for each in os.scandir(self.path)}
            system, key = _system(self.text)
            system.invalidate_cache()
            return {each.rstrip("/").rsplit("/", 1)[-1] for each in system.ls(key, detail=False)}
        except (FileNotFoundError, NotADirectoryError):
            return set()

    def exists(self) -> bool:
        """Whether there is a file or folder."""
        if self.path is not None:
            return self.path.exists()
        system, key = _system(self.text)
        system.invalidate_cache()
        return bool(system.exists(key))

    def remove(self) -> None:
        """Remove a file, or a folder with all that is in it; nothing happens if there is none."""
        if self.path is None:
            system, key = _system(self.text)
            with contextlib.suppress(FileNotFoundError):
                system.rm(key, recursive=True)
        elif self.path.is_dir():
            shutil.rmtree(self.path)
        else:
            self.path.unlink(missing_ok=True)

    def store(self, *, read_only: bool = False) -> Any:
        """The location as a store of zarr."""
        import zarr  # Imported here to save start-up time: every command knows locations.

        if self.path is not None:
            return zarr.storage.LocalStore(self.path, read_only=read_only)
        _system(self.text)  # It says what is missing.
        return zarr.storage.FsspecStore.from_url(self.text, read_only=read_only)


@cache
def _filesystem(protocol: str) -> Any:
    """The file system of fsspec for a protocol, with the user's settings (environment and ``~/.config/fsspec``)."""
    try:
        import fsspec  # here: it is in an extra
    except ImportError as error:
        raise ImageError(f"{protocol}:// needs the packages of an extra: {EXTRA}.") from error
    try:
        return fsspec.filesystem(protocol)
    except (ImportError, ValueError) as error:
        raise ImageError(f"{protocol}:// cannot be used ({error}). For s3:// and gs://: {EXTRA}.") from error


def _system(name: str) -> tuple[Any, str]:
    """The file system of a URL, and the name of the file there."""
    protocol = name.split("://", 1)[0]
    system = _filesystem(protocol)
    return system, system._strip_protocol(name)


@cache
def _try_to_write(folder: str) -> None:
    """Write an empty object into a folder of an object store, once, so that what is wrong is known before any work."""
    system, key = _system(f"{folder}/.rsmoe-{secrets.token_hex(4)}")
    system.pipe_file(key, b"")
    with contextlib.suppress(OSError):  # Some may write and not remove.
        system.rm(key)


@cache
def _fetched() -> tempfile.TemporaryDirectory[str]:
    """The folder of what this process has fetched, which is removed when it ends."""
    return tempfile.TemporaryDirectory(prefix="napari-rsmoe-")


@cache
def _copy(name: str, _state: str) -> Path:
    """The copy of a file of an object store in its state of now."""
    system, key = _system(name)
    size = system.info(key).get("size")
    folder = Path(_fetched().name)
    free = shutil.disk_usage(folder).free
    if size is not None and size > free:
        raise ImageError(
            f"{name} has {in_words(size)}, and {folder} has room for {in_words(free)}; make room, or set TMPDIR to a "
            "folder with more. Zarr needs no copy."
        )
    path = Path(tempfile.mkdtemp(dir=folder)) / name.rsplit("/", 1)[-1].split("?", 1)[0]
    system.get_file(key, str(path))
    found = path.stat().st_size
    if size is not None and found != size:
        path.unlink()
        raise ImageError(f"{name} was read with {found} bytes instead of {size}; try again.")
    return path
