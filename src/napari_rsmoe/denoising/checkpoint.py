"""A folder of the finished models of a job, with which an interrupted job continues."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ..engine.bounds import undrawable
from ..errors import CheckpointError
from ..io.atomic import replacing_file

JOB_FILE = "job.json"
_MODEL = re.compile(r"model_\d{3,}\.safetensors")
_LEFT_BEHIND = re.compile(
    r"\.DS_Store|\._.*|Thumbs\.db|desktop\.ini|\.nfs.*|\.?(job\.json|model_\d+\.safetensors)\..*(part|old)"
)
"""Files that file managers and network file systems make, and those of a program that was killed while it wrote."""
Kernels = tuple[torch.Tensor, torch.Tensor]
"""Geometry (L, 6) and experts (L, C) of one model, or of several models with an additional first dimension."""


class Checkpoint:
    """A folder of finished models that belong to one job.

    Parameters
    ----------
    folder : path
        The folder, which is created if it does not exist. Its parent must exist.
    job : mapping
        Everything that determines the result, in values that JSON can hold. Models of another job are rejected.

    Raises
    ------
    CheckpointError
        If the folder holds models of another job or is not a checkpoint.
    """

    def __init__(self, folder: str | PathLike[str], job: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        job = json.loads(json.dumps(job))
        present = _names_in(self.folder)
        if JOB_FILE not in present and present:
            raise _foreign(self.folder, present)
        if any(_MODEL.fullmatch(name) for name in present):
            self._check(job)
        with replacing_file(self.folder / JOB_FILE) as temporary:
            temporary.write_text(json.dumps(job, indent=1), "utf-8")

    def _check(self, job: Mapping[str, Any]) -> None:
        try:
            known = json.loads((self.folder / JOB_FILE).read_text(encoding="utf-8"))
            differing = [name for name in {**known, **job} if known.get(name) != job.get(name)]
        except (ValueError, AttributeError, TypeError, RecursionError, OSError) as error:
            raise CheckpointError(
                f"{self.folder / JOB_FILE} is damaged ({error}); delete the folder to start again."
            ) from error
        if differing:
            raise CheckpointError(
                f"The checkpoint {self.folder} is of another job: {', '.join(differing)} differ. Give the image and "
                "the settings it was begun with, or another folder; or delete the folder to start again."
            )

    @staticmethod
    def job_in(folder: str | PathLike[str]) -> Mapping[str, Any] | None:
        """The job whose finished models a folder holds; None if it holds none or cannot be read."""
        try:
            if not any(_MODEL.fullmatch(path.name) for path in Path(folder).iterdir()):
                return None
            job = json.loads((Path(folder) / JOB_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return job if isinstance(job, dict) else None

    def load(self, numbers: Sequence[int], n_kernels: int, channels: int) -> Kernels | None:
        """Read models by number: geometry (models, L, 6) and experts (models, L, C).

        Parameters
        ----------
        numbers : sequence of int
            The models.
        n_kernels : int
            Kernels that their initialisation was asked for; it may have returned fewer.
        channels : int
            Number of channels, C.

        Returns
        -------
        tuple of torch.Tensor, or None
            None if not all of them are finished.

        Raises
        ------
        CheckpointError
            If a file is damaged, or does not hold such a model.
        """
        paths = [self._path(number) for number in numbers]
        if not all(path.exists() for path in paths):
            return None
        found: list[Kernels] = []
        for path in paths:
            try:
                found.append(_checked_kernels(load(path.read_bytes()), n_kernels, channels))
                if len(found[-1][0]) != len(found[0][0]):
                    raise ValueError(f"{len(found[-1][0])} kernels, where model {numbers[0]} has {len(found[0][0])}")
            except (SafetensorError, OSError, ValueError, RuntimeError) as error:
                raise CheckpointError(
                    f"{path} is damaged ({error}); delete it so that its model is fitted again."
                ) from error
        geometry, experts = (torch.stack(each) for each in zip(*found, strict=True))
        return geometry, experts

    def save(self, numbers: Sequence[int], kernels: Kernels) -> None:
        """Save finished models by number, without leaving partial files."""
        for number, geometry, experts in zip(numbers, *(tensor.cpu() for tensor in kernels), strict=True):
            with replacing_file(self._path(number)) as temporary:
                temporary.write_bytes(save({"geometry": geometry.contiguous(), "experts": experts.contiguous()}))

    def _path(self, number: int) -> Path:
        return self.folder / f"model_{number:03d}.safetensors"


def folder_of_checkpoints(folder: Path, known: str) -> Path:
    """Create a folder that holds a checkpoint for each part of a job, in folders whose names match `known`.

    Raises
    ------
    CheckpointError
        If it cannot be created, or holds anything else.
    """
    others = {name for name in _names_in(folder) if not re.fullmatch(known, name)}
    if others:
        raise _foreign(folder, others)
    return folder


def _names_in(folder: Path) -> set[str]:
    """Names in a folder, which is created if need be, without what systems and killed programs leave in any folder."""
    try:
        folder.mkdir(exist_ok=True)
        return {path.name for path in folder.iterdir() if not _LEFT_BEHIND.fullmatch(path.name)}
    except OSError as error:
        raise CheckpointError(
            f"{folder} cannot be a checkpoint ({error}); give a folder inside an existing one."
        ) from error


def _foreign(folder: Path, names: set[str]) -> CheckpointError:
    some = ", ".join(sorted(names)[:3]) + (", ..." if len(names) > 3 else "")
    return CheckpointError(
        f"{folder} holds other files and is not a checkpoint for this job ({some}); give an empty or a new folder."
    )


def _checked_kernels(tensors: Mapping[str, torch.Tensor], n_kernels: int, channels: int) -> Kernels:
    """Geometry and experts of a model from a file; a ValueError says what is wrong with them."""
    if set(tensors) != {"geometry", "experts"}:
        raise ValueError(f"it holds {', '.join(sorted(tensors)) or 'nothing'}, not geometry and experts")
    geometry, experts = tensors["geometry"], tensors["experts"]
    kernels = len(geometry) if geometry.ndim else 0
    for name, tensor, columns in (("geometry", geometry, 6), ("experts", experts, channels)):
        if tensor.shape != (kernels, columns) or not 1 <= kernels <= n_kernels or tensor.dtype != torch.float32:
            raise ValueError(
                f"{name} is {str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}, not float32 of "
                f"shape ({n_kernels}, {columns})"
            )
    if reason := undrawable(geometry, experts):
        raise ValueError(reason)
    if not bool((geometry[:, [2, 4]] > 0).all()):
        raise ValueError("r11 and r22 must be positive")
    return geometry, experts


def fingerprint(*arrays: np.ndarray | None) -> str:
    """A hash of the values, shapes and types of arrays; None stands for a missing array."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(b"none" if array is None else f"{array.shape}{array.dtype.str}".encode())
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
