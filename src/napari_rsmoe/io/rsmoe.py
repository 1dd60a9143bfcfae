"""The `.rsmoe` file: a safetensors file with two tensors and a versioned header. No pickle, nothing executable.

Tensors ``geometry`` (L, 6) and ``experts`` (L, C) or, linear, (L, 3 C), both float32, as `napari_rsmoe.Model`
describes them.
Header entries ``format`` ("napari-rsmoe model"), ``version`` and ``model``, a JSON object with shape, mode,
linear, confidence, image format and metadata. Numbers that JSON lacks stand there as {"non-finite": "inf"}.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise

from ..errors import ModelFileError
from ..image.format import ImageFormat
from ..model.model import Model
from .atomic import replacing_file

FORMAT = "napari-rsmoe model"
VERSION = 1
NON_FINITE = "non-finite"


def save(model: Model, path: str | PathLike[str]) -> None:
    """Write a model. The file appears whole or not at all; an older one stays until then.

    Raises FileNotFoundError if the folder does not exist, IsADirectoryError if `path` is a folder, TypeError if the
    metadata hold something that JSON cannot.
    """
    path = Path(path)
    check_target(path)
    description = {
        "shape": model.shape,
        "mode": model.mode,
        "linear": model.linear,
        "confidence": model.confidence,
        "image": asdict(model.layout),
        "metadata": model.metadata,
    }
    text = json.dumps(_encoded(description), allow_nan=False)
    header = {"format": FORMAT, "version": str(VERSION), "model": text}
    content = serialise({"geometry": model.geometry, "experts": model.experts}, metadata=header)
    with replacing_file(path) as temporary:
        temporary.write_bytes(content)


def check_target(path: Path) -> None:
    """Raise the OSError that saving to `path` would raise, before any work is done."""
    if not path.resolve().parent.is_dir():
        raise FileNotFoundError(f"cannot save {path}: the folder {path.parent} does not exist; create it first.")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a .rsmoe file to write.")


def _encoded(value: Any) -> Any:
    """Replace infinity and NaN, which JSON lacks."""
    if isinstance(value, Mapping):
        return {key: _encoded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {NON_FINITE: str(value)}
    return value


def _decoded(entries: dict[str, Any]) -> Any:
    """Undo `_encoded`, for one JSON object."""
    return float(entries[NON_FINITE]) if entries.keys() == {NON_FINITE} else entries


def load(path: str | PathLike[str]) -> Model:
    """Read a model. Raises FileNotFoundError, or ModelFileError with what is wrong and what to do."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            names = set(file.keys())
            tensors = {name: file.get_tensor(name) for name in names & {"geometry", "experts"}}
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(f"{path} is damaged or not a .rsmoe file ({error}).") from error
    if header.get("format") != FORMAT:
        raise ModelFileError(f"{path} is a safetensors file, but not a model of napari-rsmoe.")
    try:
        version = int(header["version"])
    except (KeyError, ValueError) as error:
        raise ModelFileError(f"{path} names no version; it is damaged.") from error
    if version > VERSION:
        raise ModelFileError(
            f"{path} has file version {version}, this program reads up to {VERSION}: upgrade it with "
            "`pip install -U napari-rsmoe`."
        )
    try:
        return _build(tensors, json.loads(header["model"], object_hook=_decoded))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise ModelFileError(f"{path} is damaged: {error}.") from error


def _build(tensors: Mapping[str, Any], description: Mapping[str, Any]) -> Model:
    for name in ("geometry", "experts"):
        if str(tensors[name].dtype) != "torch.float32":
            raise ValueError(f"{name} is {tensors[name].dtype}, not float32")
    if not isinstance(description["metadata"], dict):
        raise ValueError("the metadata are no JSON object")
    return Model(
        tensors["geometry"],
        tensors["experts"],
        description["shape"],
        ImageFormat(**description["image"]),
        mode=description["mode"],
        linear=description["linear"],
        confidence=description["confidence"],
        metadata=description["metadata"],
    )
