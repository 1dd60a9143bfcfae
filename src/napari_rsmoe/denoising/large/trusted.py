"""What a job takes from its folder: nothing damaged, and nothing through a link to elsewhere."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError
from ...image.blocks import Part
from ...image.seams import Strip
from ...io.location import Location

SEAL = "checksum"
"""Key of ``job.json`` whose value is the checksum of the other keys."""
UNSOUND = (
    ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError, EOFError, OSError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""Errors that tell that the content of a file is not what this program writes."""


def checksum(arrays: Sequence[Any]) -> str:
    """Checksum of what a task has written."""
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()


def sealed(known: Mapping[str, Any]) -> bytes:
    """The content of ``job.json``: the values, and their checksum."""
    return json.dumps({**known, SEAL: _seal(known)}).encode()


def unsealed(content: bytes) -> dict[str, Any]:
    """The values in ``job.json``; one of `UNSOUND` if they are damaged. Earlier versions wrote no checksum."""
    known = dict(json.loads(content))
    seal = known.pop(SEAL, None)
    if seal is not None and seal != _seal(known):
        raise ValueError("its checksum is another")
    return known


def _seal(known: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(known, sort_keys=True).encode(), digest_size=16).hexdigest()


def marked(content: bytes | None) -> dict[str, Any] | None:
    """The facts in the marker of a task; empty if it is damaged, None if there is none."""
    if content is None:
        return None
    try:
        facts = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def packed(strips: Sequence[Strip]) -> bytes:
    """The content of the file of a margin."""
    buffer = io.BytesIO()
    arrays: dict[str, NDArray[Any]] = {}
    for k, strip in enumerate(strips):
        arrays[f"{k}-part"] = np.array([[part.start, part.stop] for part in strip.part])
        arrays |= {f"{k}-{n}": values for n, values in enumerate(strip.values)}
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpacked(content: bytes, parts: Sequence[Part]) -> list[Strip]:
    """The strips in the file of a margin, which lie at `parts`; one of `UNSOUND` if they are anything else."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        strips = []
        for k, part in enumerate(parts):
            if arrays[f"{k}-part"].tolist() != [[each.start, each.stop] for each in part]:
                raise ValueError(f"its strip {k} lies elsewhere")
            values = arrays[f"{k}-0"], arrays[f"{k}-1"]
            size = tuple(each.stop - each.start for each in part)
            if any(each.dtype.kind != "f" or each.shape[:2] != size or each.ndim > 3 for each in values):
                raise ValueError(f"its strip {k} has another type or size")
            strips.append(Strip(part, values))
        return strips


def check_links(folder: Location) -> None:
    """Raise a CheckpointError if the folder of a job is a link or holds one: what is written would land elsewhere."""
    if folder.path is None:
        return
    found = [folder.path] if folder.path.is_symlink() else []
    for place, folders, files in os.walk(folder.path):
        found += [path for name in (*folders, *files) if (path := Path(place, name)).is_symlink()]
    if found:
        raise CheckpointError(
            f"{found[0]} is a link, which is not followed in the folder of a job. Put what it links to in its place, "
            f"or delete {folder} to begin again."
        )
