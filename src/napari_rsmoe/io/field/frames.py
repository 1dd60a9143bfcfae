"""What the formats of instruments have in common: a library that reads plane by plane."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...errors import ImageError
from ..converted import expanded
from ..image_file import FileArray, ImageFile
from ..numbers import positive
from ..reading import Reading

SETTINGS = "settings and stage positions of the microscope"
"""Words for what files of microscopes hold beside the image, which is not copied."""
UNEVEN = 0.25
"""Largest difference of a step from the mean step, relative to the mean, up to which planes count as evenly spaced."""


def library(name: str, kind: str) -> Any:
    """Import a library of the extra ``formats``; an ImageError that says how to install it if it is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ImageError(
            f"{kind} files are read by the library {name.partition('.')[0]}, which cannot be loaded ({error}); install "
            "it with: pip install 'napari-rsmoe[formats]'."
        ) from error


class Frames:
    """An array whose frames a library reads one by one.

    Parameters
    ----------
    lead : tuple of int
        Lengths of the axes that are iterated over.
    frame : tuple of int
        Shape of one frame.
    dtype : dtype
        Data type.
    read : callable
        Returns the frame at a position along the axes that are iterated over.
    """

    def __init__(
        self,
        lead: tuple[int, ...],
        frame: tuple[int, ...],
        dtype: DTypeLike,
        read: Callable[[tuple[int, ...]], NDArray[Any]],
    ) -> None:
        self.shape = (*lead, *frame)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._lead, self._frame, self._read = len(lead), frame, read
        self._lock = threading.Lock()  # The libraries need not bear several threads, in which dask reads.

    def __getitem__(self, index: Any) -> NDArray[Any]:
        entries = expanded(index, len(self.shape))
        chosen = [range(n)[entry] for n, entry in zip(self.shape, entries[: self._lead], strict=False)]
        places = itertools.product(*(each if isinstance(each, range) else (each,) for each in chosen))
        inside = tuple(entries[self._lead :])
        with self._lock:
            frames = [np.asarray(self._read(place)).reshape(self._frame)[inside] for place in places]
        shape = [len(each) for each in chosen if isinstance(each, range)]
        return np.stack(frames).reshape(*shape, *frames[0].shape).astype(self.dtype, copy=False)


def image_of(path: Path, how: Reading, pixels: Any, axes: str, close: Callable[[], None], **facts: Any) -> ImageFile:
    """The image, read at once or when it is indexed."""
    kind = str(facts["kind"]).upper()

    def damaged(error: Exception) -> ImageError:
        return ImageError(f"{path} cannot be read as {kind}: it is damaged or incomplete ({error}).")

    data = FileArray(pixels, damaged, close, path=path)
    with data.taken(lazy=how.lazy) as values:
        return ImageFile(values, how.axes or axes, **facts)


@contextlib.contextmanager
def opened(path: Path, kind: str, open_file: Callable[[], Any]) -> Iterator[Any]:
    """Open a file for its metadata; what goes wrong becomes an ImageError. On an error the file is closed."""
    file: Any = None
    try:
        file = open_file()
        yield file
    except BaseException as error:
        if file is not None:
            with contextlib.suppress(Exception):
                file.close()
        if isinstance(error, ImageError | MemoryError | OSError) or not isinstance(error, Exception):
            raise
        raise ImageError(f"{path} cannot be read as {kind}: it is damaged or incomplete ({error}).") from error


def even_step(places: Sequence[float | None]) -> float | None:
    """Mean distance between neighbours, such as times of planes in seconds.

    None if there are fewer than two, one is missing, or a distance differs from the mean by more than `UNEVEN`.
    """
    if len(places) < 2 or None in places:
        return None
    steps = np.diff(np.asarray(places, np.float64))
    mean = positive(float(steps.mean()))
    return None if mean is None or np.abs(steps - mean).max() > UNEVEN * mean else mean


def described(names: Sequence[str], sizes: Sequence[Mapping[str, int]]) -> list[str]:
    """A line for each series: number, title, axes and size."""
    lines = []
    for number, (name, size) in enumerate(zip(names, sizes, strict=True)):
        title = f" {name!r}" if name else ""
        lines.append(f"{number}{title}: {''.join(size)} {' x '.join(map(str, size.values()))}")
    return lines
