"""The `.rsmoe` file: a safetensors file with two tensors and a versioned header. No pickle, nothing executable.

Tensors ``geometry`` (L, 6) and ``experts`` (L, C) or, linear, (L, 3 C), both float32, as `napari_rsmoe.Model`
describes them.
Header entries ``format`` ("napari-rsmoe model"), ``version`` and ``model``, a JSON object with shape, mode,
linear, confidence, image format and metadata. Numbers that JSON lacks stand there as {"non-finite": "inf"}.

This module knows the file and not the model: it takes tensors and a description of plain values, and gives them back.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DeviceError, ModelFileError
from ..memory import in_words
from .existing import this_program
from .formats import kind_of_content
from .location import Location, is_url
from .model_schema import check_description
from .placing import check_place, placed
from .sizes import check_memory

if TYPE_CHECKING:
    import torch

FORMAT = "napari-rsmoe model"
VERSION = 1
TENSORS = ("geometry", "experts")
NON_FINITE = "non-finite"
_LENGTH = 8  # Bytes of the length of the header, which come first.


def save(
    path: str | PathLike[str],
    tensors: Mapping[str, torch.Tensor],
    description: Mapping[str, Any],
    *,
    overwrite: bool = False,
    maker: str | None = None,
) -> None:
    """Write a model file. It appears whole or not at all; an older one stays until then.

    Parameters
    ----------
    path : str or path
        Of the file, or a URL as for `napari_rsmoe.create_image`.
    tensors : mapping
        The two tensors, by the names in `TENSORS`, float32.
    description : mapping
        What else makes the model; values that JSON can hold.
    overwrite, maker
        As for `napari_rsmoe.create_image`.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, FileExistsError
        If the folder does not exist, `path` is a folder, or a file that may not be replaced.
    TypeError, ValueError
        If the description holds something that JSON cannot, or an entry of another kind than `io.model_schema` says.
    """
    maker = this_program() if maker is None else maker
    check_target(path, overwrite=overwrite, maker=maker)
    check_description(description)
    text = json.dumps(_encoded(description), allow_nan=False)
    header = {"format": FORMAT, "version": str(VERSION), "model": text}
    from safetensors.torch import save as serialise  # here, as it loads torch, which reading a header does without

    content = _in_order(serialise({name: tensors[name] for name in TENSORS}, metadata=header))
    with placed(path, maker=maker) as temporary:
        temporary.write_bytes(content)


def _in_order(content: bytes) -> bytes:
    """A safetensors file with its header in alphabetical order, so that equal models make equal files."""
    (length,) = struct.unpack("<Q", content[:_LENGTH])
    text = json.dumps(json.loads(content[_LENGTH : _LENGTH + length]), sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH)  # The numbers stay aligned.
    return struct.pack("<Q", len(text)) + text + content[_LENGTH + length :]


def check_target(name: str | PathLike[str], *, overwrite: bool, maker: str) -> None:
    """Raise the error that saving to a path or URL would raise, before any work is done."""
    location = Location.of(name)
    if location.path is not None:
        path = location.path if is_url(name) else Path(name)
        if not path.resolve().parent.is_dir():
            raise FileNotFoundError(f"cannot save {path}: the folder {path.parent} does not exist; create it first.")
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder; name a .rsmoe file to write.")
    check_place(name, maker=maker, overwrite=overwrite)


def _here(name: str | PathLike[str]) -> Path:
    """The path of a model file; one at a URL is copied first.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    location = Location.of(name)
    if location.path is None:
        try:
            return location.fetch()
        except FileNotFoundError as error:
            raise FileNotFoundError(f"There is no file {location}.") from error
    return location.path if is_url(name) else Path(name)


def load(path: str | PathLike[str]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read a model file.

    Returns
    -------
    tensors : dict
        The two tensors, by the names in `TENSORS`, float32.
    description : dict
        As it was saved; tuples have become lists.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is no model file, is damaged, or was written by a newer version; the message says what to do.
    """
    from safetensors import SafetensorError  # here: it takes time, which a description does without
    from safetensors.torch import load as deserialise  # here, as it loads torch

    path = _here(path)
    header = _header(path)
    check_memory(path, (path.stat().st_size,), "uint8")
    with damage_named(path):
        try:
            # Read whole, as a memory map would crash the program if the file became shorter meanwhile.
            tensors = deserialise(path.read_bytes())
        except SafetensorError as error:
            raise ValueError(str(error)) from error
        return {name: tensors[name] for name in TENSORS}, _description(header)


def load_description(path: str | PathLike[str]) -> tuple[dict[str, tuple[int, ...]], dict[str, Any]]:
    """Read what a model file says of itself: the shapes of its tensors, and the description.

    Neither loads torch nor checks the numbers in the tensors; arguments and errors as for `load`.
    """
    path = _here(path)
    header = _header(path)
    with damage_named(path):
        return {name: tuple(header[name]["shape"]) for name in TENSORS}, _description(header)


def _header(path: Path) -> dict[str, Any]:
    """Read the header of a safetensors file: an entry for each tensor, and the texts of ours as "__metadata__"."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(_LENGTH))
            size = os.fstat(file.fileno()).st_size - _LENGTH
            if length > size:
                raise ValueError(f"its header is said to have {length} bytes, and the file has {size + _LENGTH}")
            header = json.loads(file.read(length))
        texts = header.get("__metadata__", {})
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            raise ValueError("its header is not one of this format")
    except (OSError, ValueError, struct.error, AttributeError, RecursionError) as error:
        kind = _other_kind(path)
        if kind:
            raise ModelFileError(f"{path} is a {kind} file, not a model (.rsmoe) as `fit` saves it.") from error
        raise ModelFileError(f"{path} is damaged or not a .rsmoe file ({error}).") from error
    _check_version(path, texts)
    with damage_named(path):
        ends = [0]
        for name in TENSORS:
            _check_tensor(name, header.get(name))
            ends.append(header[name]["data_offsets"][1])
        if max(ends) > size - length:
            raise ValueError(f"it ends after {in_words(size + _LENGTH)}, before the end of its kernels")
    return dict(header)


def _other_kind(path: Path) -> str:
    """The format of a file that holds something else, as it is usually written; empty if that is not known."""
    try:
        kind = kind_of_content(path)
    except OSError:
        return ""
    return kind.upper() if kind.islower() else kind


def _check_tensor(name: str, entry: Any) -> None:
    """Raise a ValueError unless an entry of the header declares a matrix of float32."""
    if entry is None:
        raise ValueError(f"the tensor {name} is missing")
    if entry["dtype"] != "F32":
        raise ValueError(f"{name} is {entry['dtype']!r}, not float32")
    shape, offsets = entry["shape"], entry["data_offsets"]
    whole = all(isinstance(n, int) and n >= 0 for n in (*shape, *offsets))
    if not whole or len(shape) != 2 or len(offsets) != 2:
        raise ValueError(f"{name} has the shape {shape!r}")


def _description(header: Mapping[str, Any]) -> dict[str, Any]:
    description: dict[str, Any] = json.loads(header["__metadata__"]["model"], object_hook=_decoded)
    check_description(description)
    return description


@contextmanager
def damage_named(path: str | PathLike[str]) -> Iterator[None]:
    """Turn what goes wrong while the content of a file is used into a ModelFileError that names the file."""
    try:
        yield
    except (ModelFileError, DeviceError):
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
        raise ModelFileError(f"{path} is damaged: {error}.") from error


def _check_version(path: Path, header: Mapping[str, str]) -> None:
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
