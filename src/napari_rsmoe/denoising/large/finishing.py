"""The end of a large job: metadata, the final names, and other formats than Zarr."""

from __future__ import annotations

import contextlib
import json
import mmap
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError
from ...io.atomic import publish_folder, replacing_file, together
from ...io.block_store import BlockStore
from ...io.existing import check_replaceable, remember, this_program
from ...io.formats import SUFFIXES
from ...io.image_file import ImageFile
from ...io.location import Location
from .job import Job, JobSettings
from .names import folder_of

WRITTEN = ("zarr", "tiff", "npy")
"""Formats that large images are written in."""


def check_final(asked: JobSettings, *, overwrite: bool, maker: str | None) -> None:
    """Raise an error, before any work, if the results cannot get their names."""
    for name in asked.outputs.values():
        location = Location.of(name)
        if SUFFIXES.get(Path(location.name).suffix.lower()) not in WRITTEN:
            raise ImageError(
                f"{name}: large images are not written in this format; accepted are .ome.zarr, .tif and .npy."
            )
        location.check_writable()
        if location.path is not None:
            if not location.path.parent.is_dir():
                raise ImageError(
                    f"cannot write {name}: the folder {location.path.parent} does not exist; create it first."
                )
            check_replaceable(location.path, maker or this_program(), overwrite=overwrite)
        elif (folder_of(asked.target) / "job.json").exists():
            continue  # The job was interrupted, and goes on.
        elif not overwrite and any(
            each.exists()
            for each in ([location / "zarr.json", location / ".zattrs"] if location.is_zarr else [location])
        ):
            raise FileExistsError(f"{name} exists. Give another name, or replace it with --overwrite.")


def publish(job: Job, *, overwrite: bool, maker: str | None) -> None:
    """Give finished results their names, one right after the other, and remove the folder of the job.

    Where this was interrupted, the same call goes on: results that have their names already are known by the numbers
    that the file system gave them, which renaming keeps.
    """
    low, high = job.found.layout.low, job.found.layout.high
    channels = job.planes.plane_shape[2] if len(job.planes.plane_shape) > 2 else job.image.sizes.get("C", 1)
    ready = []
    with together():
        for number, (kind, store) in enumerate(job.stores().items()):
            place, marker = Location.of(job.asked.outputs[kind]), job.folder / f"named-{number}.json"
            final = place.path
            if final is not None and marker.read() == _identity(final):
                continue
            image = job.image.like(dtype=store.dtype, same_quantity=kind == "image")
            store.location.remove_parts()
            store.finish(image, dict.fromkeys(range(channels), (low, high)))
            if final is None:
                if not place.is_zarr:
                    _put_file(place, image, job, store)
                continue
            if SUFFIXES[final.suffix.lower()] == "zarr":
                working = store.location.path
                assert working is not None
                ready.append((working, final, marker))
            else:
                with replacing_file(final, partial(_remember, final, maker or this_program())) as temporary:
                    _write_file(temporary, final, image, job, store)
    for working, final, marker in ready:
        marker.write(_identity(working))
        remember(final, working, maker or this_program())
    for working, final, _ in ready:
        publish_folder(working, final)
    job.remove()


def _remember(final: Path, maker: str, written: Path) -> None:
    remember(final, written, maker)


def _identity(path: Path) -> bytes:
    """What the file system knows a folder by, whatever its name; a word that is none if it does not exist."""
    try:
        found = path.stat()
    except OSError:
        return b"missing"
    return json.dumps([found.st_dev, found.st_ino]).encode()


def _put_file(place: Location, image: ImageFile, job: Job, store: BlockStore) -> None:
    """Write a finished result in another format than Zarr to an object store."""
    with tempfile.TemporaryDirectory(prefix="napari-rsmoe-") as folder:
        made = Path(folder) / place.name
        _write_file(made, made, image, job, store)
        place.put(made)


def _write_file(temporary: Path, final: Path, image: ImageFile, job: Job, store: BlockStore) -> None:
    """Write a finished result in another format than Zarr."""
    if SUFFIXES[final.suffix.lower()] == "tiff":
        from ...io.tiff.writing import write_tiles  # here: it loads tifffile

        write_tiles(temporary, final, image, lambda index: store.read(index))
    else:
        _write_npy(temporary, image, job, store)


def _write_npy(path: Path, image: ImageFile, job: Job, store: BlockStore) -> None:
    """Write an .npy file block by block."""
    array: Any = np.lib.format.open_memmap(path, mode="w+", dtype=image.dtype, shape=image.shape)
    for number in range(len(job.planes)):
        for block in job.plan:
            index = job.planes.index_of(number, *block.core)
            array[index] = store.read(index)
            array.flush()
            with contextlib.suppress(AttributeError, OSError):  # Pages that are written need not stay in memory.
                array._mmap.madvise(mmap.MADV_DONTNEED)
