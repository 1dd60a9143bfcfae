"""Suffixes of the supported formats, and how to recognise image files and Zarr stores."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = {
    ".tif": "tiff",
    ".tiff": "tiff",
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".npy": "npy",
    ".zarr": "zarr",
}
FORMATS = ("tif", "ome.tif", "png", "jpg", "npy", "zarr", "ome.zarr")
"""Suffixes without the dot, one for each format that can be written."""
DTYPES = (
    *("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
    *("float16", "float32", "float64"),
)
"""Data types of pixels."""
JPEG_QUALITY = 95
"""From 1 (smallest file) to 100 (best quality); at 95, artefacts are hardly visible."""
KINDS = ("tiff", "png", "jpeg", "npy", "ome-zarr", "zarr")
ZARR_MARKERS = ("zarr.json", ".zgroup", ".zarray")


def is_store(path: Path) -> bool:
    """Whether `path` is a Zarr store, or a group or array inside one."""
    return path.is_dir() and any((path / marker).is_file() for marker in ZARR_MARKERS)


def is_image_path(path: Path) -> bool:
    """Whether `path` is an image to read: not hidden, with a supported suffix, and a file or Zarr store."""
    if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES:
        return False
    return is_store(path) if path.suffix.lower() == ".zarr" else path.is_file()
