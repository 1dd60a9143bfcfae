"""Nikon ND2, by nd2: positions are series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..details import Details
from ..image_file import ImageFile
from ..numbers import positive, real
from ..reading import Reading, series_number
from ..units import PixelSize
from .frames import SETTINGS, Frames, described, even_step, image_of, library, opened

_FRAME = "CYXS"  # The axes of one frame as the library reads it.


def _open(path: Path) -> Any:
    return library("nd2", "ND2").ND2File(path)


def list_series(path: Path, *, allow_outside: bool = False) -> list[str]:
    """Describe the positions of a file."""
    with opened(path, "ND2", lambda: _open(path)) as file:
        names, sizes = _positions(file)
        file.close()
        return described(names, [sizes] * len(names))


def _positions(file: Any) -> tuple[list[str], dict[str, int]]:
    """The titles of the positions, and the sizes of each."""
    sizes = {str(axis): int(n) for axis, n in file.sizes.items()}
    count = sizes.pop("P", 1)
    names = [""] * count
    for loop in file.experiment or []:
        if loop.type == "XYPosLoop" and len(loop.parameters.points) == count:
            names = [point.name or "" for point in loop.parameters.points]
    return names, sizes


def read(path: Path, how: Reading) -> ImageFile:
    """Read a position of an ND2 file."""
    with opened(path, "ND2", lambda: _open(path)) as file:
        names, sizes = _positions(file)
        wanted = 0 if how.series is None else how.series
        position = series_number(path, names, wanted, described(names, [sizes] * len(names)))
        loops = [axis for axis in sizes if axis not in _FRAME]
        in_frame = [axis for axis in _FRAME if axis in sizes]
        several = len(names) > 1
        where = {
            tuple(indices.get(axis, 0) for axis in (*loops, *("P" if several else ""))): number
            for number, indices in enumerate(file.loop_indices)
        }

        def frame(place: tuple[int, ...]) -> NDArray[Any]:
            number = where.get((*place, position) if several else place, 0 if not where else None)
            if number is None:
                raise ValueError(f"the frame at {dict(zip(loops, place, strict=True))} is missing")
            return np.asarray(file.read_frame(number))

        pixels = Frames(
            tuple(sizes[axis] for axis in loops), tuple(sizes[axis] for axis in in_frame), file.dtype, frame
        )
        facts = _facts(file, [number for place, number in sorted(where.items()) if not any(place[1:])], loops)
        notes = (
            (f"the file holds {len(names)} positions; the first is read, and --series chooses another",)
            if several and how.series is None
            else ()
        )
        axes = "".join([*loops, *in_frame])
    return image_of(path, how, pixels, axes, file.close, kind="nd2", name=names[position], notes=notes, **facts)


def _facts(file: Any, of_first_axis: Sequence[int], loops: Sequence[str]) -> dict[str, Any]:
    """Pixel size, time step, channel names and colours.

    Parameters
    ----------
    file : nd2.ND2File
        The file.
    of_first_axis : sequence of int
        Numbers of the frames along the first of the axes that are iterated over.
    loops : sequence of str
        Letters of these axes.
    """
    voxel = file.voxel_size()
    sizes = {
        axis: PixelSize(size, "micrometer")
        for axis, value in (("X", voxel.x), ("Y", voxel.y), ("Z", voxel.z))
        if (size := positive(value)) is not None
    }
    for loop in file.experiment or []:
        period = positive(getattr(loop.parameters, "periodMs", None))
        if loop.type == "TimeLoop" and period is not None:
            sizes["T"] = PixelSize(period, "millisecond")
    if "T" not in sizes and "T" in loops[:1]:
        measured = even_step([_time(file, number) for number in of_first_axis])
        if measured is not None:
            sizes["T"] = PixelSize(measured, "millisecond")
    try:
        channels = list(getattr(file.metadata, "channels", None) or [])
    except Exception:  # Metadata may hold anything, and never keep the pixels from being read.
        channels = []
    colours = tuple("{:02X}{:02X}{:02X}".format(*list(each.channel.color)[:3]) for each in channels)
    return {
        "pixel_size": sizes,
        "channel_names": tuple(each.channel.name or "" for each in channels),
        "details": Details(colours=colours, uncopied=(SETTINGS,) if channels else ()),
    }


def _time(file: Any, number: int) -> float | None:
    """When a frame was taken, in milliseconds."""
    try:
        return real(file.frame_metadata(number).channels[0].time.relativeTimeMs)
    except Exception:  # Metadata may hold anything.
        return None
