"""What must be on disk for a copied call to repeat a job: the file of the image, and that of its mask."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..io.files import read_image
from ..io.writing import write_image

DIGITS = 8
"""Hexadecimal digits of the fingerprint in the name of a mask file, which tells the masks of one image apart."""


def packed(mask: Any) -> dict[str, Any]:
    """The pixels of a mask that are not 0, in values that JSON can hold."""
    marked = np.asarray(mask) != 0
    bits = base64.b64encode(zlib.compress(np.packbits(marked).tobytes())).decode()
    return {"shape": [int(n) for n in marked.shape], "bits": bits}


def unpacked(entry: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Undo `packed`."""
    shape = tuple(entry["shape"])
    bits = np.frombuffer(zlib.decompress(base64.b64decode(entry["bits"])), np.uint8)
    return np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape).astype(bool)


def ready_to_copy(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a job with files that hold what the job was done on.

    A file of the image counts only if it holds an image like that of the layer; napari also names the file of a layer
    that shows one channel of it. A mask is taken from its file if the file still holds the pixels that were left out.
    Otherwise it is written to a TIFF file beside that of the image, or into the working folder.

    Raises
    ------
    OSError
        If the mask cannot be written.
    """
    source = dict(record["source"])
    if source["path"] and not _holds(Path(source["path"]), source):
        source["path"] = ""
    mask = source.get("mask")
    if mask is not None and "bits" in mask:
        source["mask"] = {**mask, **_mask_file(mask, Path(source["path"]) if source["path"] else None, source)}
    return {**record, "source": source}


def _holds(path: Path, source: Mapping[str, Any]) -> bool:
    """Whether a file holds an image of the shape and type of the source, before a part was taken of it."""
    try:
        with read_image(path, lazy=True) as image:
            whole = not source["part"]
            sizes = len(image.shape) == len(source["shape"]) and (not whole or list(image.shape) == source["shape"])
            return sizes and image.dtype == np.dtype(source["dtype"])
    except (ImageError, OSError, ValueError):
        return False


def _mask_file(mask: Mapping[str, Any], image: Path | None, source: Mapping[str, Any]) -> dict[str, Any]:
    """The file of a mask, and whether it holds exactly the part that belongs to the image."""
    pixels = unpacked(mask)
    if mask["path"] and not mask["part"] and _marks(Path(mask["path"]), pixels):
        return {"path": mask["path"], "own": True}
    fingerprint = hashlib.sha256(mask["bits"].encode()).hexdigest()[:DIGITS]
    stem = "image" if image is None else image.name.split(".")[0]
    name = f"{stem}.mask-{fingerprint}.tif"
    folders = [] if image is None else [image.parent]
    axes = "".join(letter for letter in source["axes"] if letter not in "CS")
    problem: OSError | None = None
    for folder in (*folders, Path.cwd(), Path.home()):
        path = folder / name
        if _marks(path, pixels):
            return {"path": str(path), "own": True}
        try:
            write_image(path, pixels.astype(np.uint8) * 255, axes=axes[-pixels.ndim :])
            return {"path": str(path), "own": True}
        except (OSError, ImageError) as error:
            problem = OSError(f"The mask could not be written beside the image: {error}")
    raise problem or OSError("The mask could not be written.")


def _marks(path: Path, pixels: NDArray[np.bool_]) -> bool:
    """Whether the pixels that are not 0 in a file are these."""
    try:
        return path.exists() and bool(np.array_equal(read_image(path).numpy() != 0, pixels))
    except (ImageError, OSError, ValueError):
        return False
