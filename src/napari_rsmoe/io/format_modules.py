"""The module that reads and writes each format, found by the kind of a file."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .formats import IN_EXTRA

_MODULES = {
    "tiff": "tiff.file",
    "png": "bitmaps.png",
    "jpeg": "bitmaps.jpeg",
    "bmp": "bitmaps.others",
    "gif": "bitmaps.others",
    "webp": "bitmaps.others",
    "npy": "npy",
    "asc": "esri_grid",
    "zarr": "ome_zarr",
}
"""Modules of the formats that need no extra."""


def module_of(kind: str) -> Any:
    """The module of a format, with `read` and, if the format is written, `check`, `remarks` and `create`.

    Modules of formats that hold several images have `list_series`.
    """
    name = f"field.{kind}" if kind in IN_EXTRA else _MODULES[kind]
    # Imported here to save start-up time: each format loads a library of its own, such as tifffile or zarr.
    return import_module(f"{__package__}.{name}")
