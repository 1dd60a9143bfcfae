"""The `.rsmoe` file: a safetensors file with two tensors and a versioned header. No pickle, nothing executable.

Tensors ``geometry`` (L, 6) and ``experts`` (L, C) or, linear, (L, 3 C), both float32, as `napari_rsmoe.model.Model`
describes them.
Header entries ``format`` ("napari-rsmoe model"), ``version`` and ``model``, a JSON object with shape, mode,
linear, confidence, image format and metadata.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise

from .errors import ModelFileError
from .images import ImageFormat
from .model import Model

FORMAT = "napari-rsmoe model"
VERSION = 1


def save(model: Model, path: str | PathLike[str]) -> None:
    """Write a model. The file appears whole or not at all; an older one stays until then."""
    description = {
        "shape": model.shape,
        "mode": model.mode,
        "linear": model.linear,
        "confidence": model.confidence,
        "image": asdict(model.layout),
        "metadata": model.metadata,
    }
    header = {"format": FORMAT, "version": str(VERSION), "model": json.dumps(description)}
    content = serialise({"geometry": model.geometry, "experts": model.experts}, metadata=header)
    path = Path(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


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
        return _build(tensors, json.loads(header["model"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(f"{path} is damaged: {error}.") from error


def _build(tensors: Mapping[str, Any], description: Mapping[str, Any]) -> Model:
    for name in ("geometry", "experts"):
        if str(tensors[name].dtype) != "torch.float32":
            raise ValueError(f"{name} is {tensors[name].dtype}, not float32")
    height, width = description["shape"]
    return Model(
        tensors["geometry"],
        tensors["experts"],
        (height, width),
        ImageFormat(**description["image"]),
        mode=description["mode"],
        linear=description["linear"],
        confidence=description["confidence"],
        metadata=description["metadata"],
    )
