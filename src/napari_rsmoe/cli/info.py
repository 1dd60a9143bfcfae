"""``napari-rsmoe info``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..batch.files import Files
from ..io.formats import is_store
from ..io.location import Location
from ..plain_text import plain_text
from .options import READING, Common, Source, file_options, report_options
from .program import Verb

if TYPE_CHECKING:
    from ..io.units import PixelSize


@click.command("info", cls=Verb, options_metavar="[options]")
@click.argument("path", metavar="FILE", type=Source())
@file_options(*READING)
@report_options
def command(path: Path | Location, files: Files, common: Common) -> int:
    """Describe FILE, an image or a .rsmoe model.

    \b
    Examples
      napari-rsmoe info stack.ome.tif
      napari-rsmoe info photo.rsmoe --json
    """  # noqa: D301
    facts = _model(path) if path.suffix.lower() == ".rsmoe" else _image(path, files)
    facts = {"file": str(path), "bytes": _size(path), **facts}
    if common.json:
        click.echo(json.dumps(plain({"verb": "info", "ok": True, **facts}), allow_nan=False))
        return 0
    width = max(map(len, facts))
    for name, value in facts.items():
        if value not in (None, "", [], {}, False):
            click.echo(f"{name.replace('_', ' '):{width}}  {_text(value)}")
    return 0


def _image(path: Path | Location, files: Files) -> dict[str, Any]:
    """Return the facts of an image file."""
    # Imported here so that --help does not wait for NumPy.
    from ..image.planes import Planes
    from ..io.details import present
    from ..io.files import list_series, read_image

    with read_image(str(path), lazy=True, **files.reading()) as image:
        series = list_series(str(path), allow_outside=files.allow_outside)
        return {
            "kind": image.kind,
            "series": series if len(series) > 1 else [],
            "axes": image.axes,
            "shape": list(image.shape),
            "dtype": image.dtype.name,
            "planes": len(Planes(image.data, image.axes)),
            "pixel_size": _sizes(image.pixel_size),
            "position": _sizes(image.details.position),
            "nodata": image.details.nodata,
            "name": image.name,
            "channel_names": list(image.channel_names),
            "channel_colours": list(image.details.colours),
            "alpha": image.alpha,
            "metadata": sorted(present(image).values()),
            "notes": list(image.notes),
        }


def _sizes(sizes: Mapping[str, PixelSize]) -> dict[str, dict[str, Any]]:
    return {axis: {"value": size.value, "unit": size.unit} for axis, size in sizes.items()}


def _model(path: Path | Location) -> dict[str, Any]:
    """Return the facts of a model file."""
    # Imported here so that --help does not wait for NumPy.
    import numpy as np

    # Imported here for the same reason.
    from ..image.format import ImageFormat
    from ..io.rsmoe import damage_named, load_description

    shapes, description = load_description(str(path))
    with damage_named(str(path)):
        layout = ImageFormat(**description["image"])
        kernels, columns = shapes["experts"]
        return {
            "kind": "model",
            "shape": list(description["shape"]),
            "channels": columns // 3 if description["linear"] else columns,
            "kernels": kernels,
            "mode": description["mode"],
            "dtype": np.dtype(layout.dtype).name,
            "value_range": list(layout.limits or (layout.low, layout.high)),
            "metadata": description["metadata"],
        }


def plain(value: Any) -> Any:
    """Replace infinity and NaN, which JSON cannot hold, by text."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _size(path: Path | Location) -> int:
    """The size on disk, or at a URL, in bytes."""
    if isinstance(path, Location):
        return path.size()
    if is_store(path):
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def _text(value: Any) -> str:
    """Format a value for the user."""
    if isinstance(value, list):
        return " x ".join(map(str, value)) if all(isinstance(n, int) for n in value) else ", ".join(map(_text, value))
    if isinstance(value, dict) and value.keys() == {"value", "unit"}:
        return f"{_text(value['value'])} {_text(value['unit'] or '(no unit)')}"
    if isinstance(value, dict):
        return ", ".join(f"{_text(key)} {_text(entry)}" for key, entry in value.items())
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.6g}"
    return plain_text(str(value))
