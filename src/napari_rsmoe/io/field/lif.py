"""Leica LIF, by liffile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..image_file import ImageFile
from ..numbers import positive
from ..reading import Reading, series_number
from ..units import PixelSize
from .frames import Frames, described, image_of, library, opened

_SPARE = "QRPUVW"


def _open(path: Path) -> Any:
    return library("liffile", "LIF").LifFile(path)


def list_series(path: Path, *, allow_outside: bool = False) -> list[str]:
    """Describe the images of a file."""
    with opened(path, "LIF", lambda: _open(path)) as file:
        images = list(file.images)
        names = [str(image.name) for image in images]
        sizes = [dict(zip(_letters(image), image.shape, strict=True)) for image in images]
        file.close()
        return described(names, sizes)


def _letters(image: Any) -> str:
    """One letter for each axis: liffile's names may have two, such as C0."""
    found: list[str] = []
    for name in image.dims:
        spare = next(letter for letter in _SPARE if letter not in found)
        found.append(name if len(name) == 1 and name.isalpha() and name not in found else spare)
    return "".join(found)


def read(path: Path, how: Reading) -> ImageFile:
    """Read an image of a LIF file."""
    with opened(path, "LIF", lambda: _open(path)) as file:
        images = list(file.images)
        names = [str(image.name) for image in images]
        wanted = 0 if how.series is None else how.series
        number = series_number(path, names, wanted, list_series(path) if how.series is not None else [])
        image = images[number]
        axes = _letters(image)
        pixels = _pixels(image, axes)
        notes = (
            (f"the file holds {len(images)} images; the first is read, and --series chooses another",)
            if len(images) > 1 and how.series is None
            else ()
        )
        sizes = _sizes(image)
    return image_of(path, how, pixels, axes, file.close, kind="lif", name=names[number], notes=notes, pixel_size=sizes)


def _pixels(image: Any, axes: str) -> Any:
    """The pixels: frame by frame if the file has whole planes, else all at once."""
    tail = 3 if axes.endswith("YXS") else 2
    if not axes.endswith(("YX", "YXS")):
        return image.asarray()
    names = image.dims[: len(axes) - tail]

    def frame(place: tuple[int, ...]) -> NDArray[Any]:
        read: NDArray[Any] = image.frame(**dict(zip(names, place, strict=True)))
        return read

    return Frames(tuple(image.shape[:-tail]), tuple(image.shape[-tail:]), image.dtype, frame)


def _sizes(image: Any) -> dict[str, PixelSize]:
    """Distances along the axes, which liffile gives in metres and seconds."""
    found = {}
    for axis, unit, factor in (("X", "micrometer", 1e6), ("Y", "micrometer", 1e6), ("Z", "micrometer", 1e6),
                               ("T", "second", 1.0)):  # fmt: skip
        places = image.coords.get(axis, ())
        step = positive(abs(places[1] - places[0])) if len(places) > 1 else None
        if step is not None:
            found[axis] = PixelSize(step * factor, unit)
    return found
