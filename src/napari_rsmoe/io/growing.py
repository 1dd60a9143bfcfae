"""Films that are still being written: their frames, each as soon as it is complete."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ImageError
from ..image.planes import Planes
from .existing import state_of
from .files import read_image
from .formats import is_image_path, is_store
from .image_file import ImageFile
from .lazily import Stored

POLL = 0.2
"""Seconds between two looks at a film. Fewer look more often at a disk that a camera writes to."""
SETTLED = 1.0
"""Seconds for which nothing must have changed until the last frame that is there counts as complete. With fewer, a
frame that is slowly written is read too early; more add to the time until its result is there."""


@dataclass(frozen=True)
class Frame:
    """One frame of a film.

    Attributes
    ----------
    name : str
        A name for it, without a suffix.
    image : ImageFile
        Its pixels, of one plane.
    """

    name: str
    image: ImageFile


def frames_of(
    place: Path,
    reading: Mapping[str, Any],
    *,
    idle: float,
    count: int | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Frame]:
    """Yield the frames of a film that is being written, in their order, each as soon as it is complete.

    A frame is complete when the next one has begun, or when nothing has changed for `SETTLED` seconds.

    Parameters
    ----------
    place : Path
        A folder of files of one frame each, in the order of their names with numbers in order; or a file or Zarr store
        of a stack, whose frames lie along T, else along the first axis that planes are counted by. Planes may be
        appended, or the chunks of a Zarr array of full size filled one after the other.
    reading : mapping
        Keywords of `napari_rsmoe.read_image`.
    idle : float
        Seconds without a new frame after which the film has ended.
    count : int, optional
        Number of frames after which it has ended in any case.
    stopped : callable, optional
        Whether it is to end now, with the frames that are there.

    Raises
    ------
    ImageError
        If a frame cannot be read, and has not changed for `idle` seconds.
    """
    number, changed, before = 0, time.monotonic(), object()
    while count is None or number < count:
        ending, failure = stopped(), None
        if number == 0:  # The folder of a Zarr store exists before the file that makes it one.
            folder = place.is_dir() and not is_store(place) and place.suffix.lower() != ".zarr"
            film: _Film = _Folder(place, reading) if folder else _Stack(place, reading)
        try:
            state, there, frame = film.look(number)
        except ImageError as error:  # It may be written just now.
            state, there, frame, failure = state_of(place), False, None, error
        if state != before:
            before, changed = state, time.monotonic()
        rest = time.monotonic() - changed
        if frame is not None and (there or rest >= min(SETTLED, idle) or ending):
            try:
                found = frame()
            except ImageError as error:
                found, failure = None, error
            if found is not None:
                yield found
                number, before, changed = number + 1, object(), time.monotonic()
                continue
        if ending:
            return
        if rest >= idle:
            if failure is not None:
                raise failure
            return
        time.sleep(POLL)


class _Film(ABC):
    """A film that is being written."""

    @abstractmethod
    def look(self, number: int) -> tuple[Any, bool, Callable[[], Frame] | None]:
        """What changes while a frame is written, whether the next one has begun, and what reads the frame, if any."""


@dataclass
class _Folder(_Film):
    """A folder of files of one frame each."""

    folder: Path
    reading: Mapping[str, Any]
    _taken: set[str] = field(default_factory=set)

    def look(self, number: int) -> tuple[Any, bool, Callable[[], Frame] | None]:
        new = sorted(
            (each for each in self.folder.iterdir() if each.name not in self._taken and is_image_path(each)),
            key=lambda each: in_order(each.name),
        )
        if not new:
            return None, False, None
        return (new[0].name, state_of(new[0])), len(new) > 1, lambda: self._read(new[0])

    def _read(self, path: Path) -> Frame:
        with read_image(path, **self.reading) as image:
            planes = Planes(image.data, image.axes)
            if len(planes) > 1:
                raise ImageError(f"{path} has {len(planes)} planes; in a folder that is followed each file is a frame.")
            frame = Frame(path.stem, replace(image, data=np.asarray(image.data)))
        self._taken.add(path.name)
        return frame


@dataclass
class _Stack(_Film):
    """A file or Zarr store whose frames are planes."""

    path: Path
    reading: Mapping[str, Any]

    def look(self, number: int) -> tuple[Any, bool, Callable[[], Frame] | None]:
        if not self.path.exists():
            return None, False, None
        with read_image(self.path, lazy=True, **{**self.reading, "allow_incomplete": True}) as image:
            planes = Planes(image.data, image.axes)
            axis = planes.neighbour_axis()
            if axis is None and planes.looped:
                axis = planes.looped[0]
            if planes.looped != ([] if axis is None else [axis]):
                raise ImageError(
                    f"{self.path} has the axes {image.axes}; a film that is followed has one besides Y, X and channels."
                )
            stored, there = Stored(planes), len(planes)
            begun = [
                number + k < there and (not stored.sparse or stored.has(number + k, _plane(planes))) for k in (0, 1)
            ]
            state = (there, state_of(self.path))
        if not any(begun):
            return state, False, None
        return state, begun[1], lambda: self._read(number)

    def _read(self, number: int) -> Frame:
        with read_image(self.path, lazy=True, **{**self.reading, "allow_incomplete": True}) as image:
            planes = Planes(image.data, image.axes)
            index = planes.index_of(number, *_plane(planes))
            axes = "".join(each for k, each in enumerate(image.axes) if k not in planes.looped)
            return Frame(f"frame_{number:06d}", replace(image, data=np.asarray(image.data[index]), axes=axes))


def _plane(planes: Planes) -> tuple[slice, slice]:
    """All rows and columns of a plane."""
    height, width = planes.plane_shape[:2]
    return slice(0, height), slice(0, width)


def in_order(name: str) -> list[tuple[int, str]]:
    """A key by which names are sorted with their numbers in order: ``a2`` before ``a10``."""
    found = []
    for part in re.split(r"(\d+)", name):
        with suppress(ValueError):
            found.append((int(part), ""))
            continue
        found.append((-1, part))
    return found
