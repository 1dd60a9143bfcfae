"""Leica LIF, by liffile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..details import Details
from ..image_file import ImageFile
from ..numbers import positive
from ..reading import Reading, series_number
from ..units import PixelSize
from .frames import SETTINGS, Frames, described, image_of, library, opened

_SPARE = "QRPUVW"
_WAVELENGTHS = "\u03bb\u039b"  # Leica's axes of emitted and exciting wavelengths, in metres.
_COLOURS = {"red": "FF0000", "green": "00FF00", "blue": "0000FF", "cyan": "00FFFF", "magenta": "FF00FF",
            "yellow": "FFFF00", "gray": "FFFFFF", "grey": "FFFFFF"}  # fmt: skip


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
    """One letter for each axis: liffile's names may have two, such as C0, or be Greek.

    Wavelengths are channels if there are no others. In a scan without rows, such as a section along X and Z, the axis
    before X counts as rows.
    """
    found: list[str] = []
    for name in image.dims:
        wanted = "C" if name in _WAVELENGTHS and "C" not in image.dims else name
        spare = next(letter for letter in _SPARE if letter not in found)
        plain = len(wanted) == 1 and wanted.isascii() and wanted.isalpha() and wanted not in found
        found.append(wanted if plain else spare)
    rows = _rows(image)
    if rows is not None:
        found[rows] = "Y"
    return "".join(found)


def _rows(image: Any) -> int | None:
    """The number of the axis that stands for rows in an image without any; None if it has rows."""
    column = image.dims.index("X") if "X" in image.dims else 0
    return column - 1 if column > 0 and "Y" not in image.dims else None


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
        notes = []
        if len(images) > 1 and how.series is None:
            notes.append(f"the file holds {len(images)} images; the first is read, and --series chooses another")
        rows = _rows(image)
        if rows is not None:
            notes.append(f"the image has no axis Y; the rows of its planes are along {image.dims[rows]}")
        if "M" in image.dims:
            notes.append("the tiles of the mosaic are not joined; they are the axis M")
        facts = _facts(image, axes)
    return image_of(path, how, pixels, axes, file.close, kind="lif", name=names[number], notes=tuple(notes), **facts)


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


def _facts(image: Any, axes: str) -> dict[str, Any]:
    """Distances along the axes, which liffile gives in metres and seconds; names and colours of channels."""
    found = {}
    for axis, name in zip(axes, image.dims, strict=True):
        places = image.coords.get(name, ())
        step = positive(abs(places[-1] - places[0]) / (len(places) - 1)) if len(places) > 1 else None
        if step is not None and axis in "XYZT":
            found[axis] = PixelSize(step, "second") if name == "T" else PixelSize(step * 1e6, "micrometer")
    channels = image.xml_element.findall(".//ImageDescription/Channels/ChannelDescription")
    names = tuple(_channel_name(channel) for channel in channels)
    for wave in set(_WAVELENGTHS) & set(image.dims) if "C" not in image.dims else ():
        names = tuple(f"{1e9 * place:.4g} nm" for place in image.coords.get(wave, ()))
    colours = tuple(_COLOURS.get(channel.get("LUTName", "").lower(), "") for channel in channels)
    details = Details(colours=colours if all(colours) else (), uncopied=(SETTINGS,))
    return {"pixel_size": found, "channel_names": names, "details": details}


def _channel_name(channel: Any) -> str:
    """The dye of a channel, or what it measures; empty if the file names neither."""
    named = {entry.findtext("Key"): entry.findtext("Value") for entry in channel.findall("ChannelProperty")}
    return named.get("DyeName") or channel.get("NameOfMeasuredQuantity") or ""
