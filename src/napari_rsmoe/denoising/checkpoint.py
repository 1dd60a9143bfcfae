"""A folder of the finished models of a job, with which an interrupted job continues."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from ..errors import CheckpointError
from ..io.atomic import replacing_file

JOB_FILE = "job.json"
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
        try:
            self.folder.mkdir(exist_ok=True)
            present = {path.name for path in self.folder.iterdir()}
        except OSError as error:
            raise CheckpointError(
                f"{folder} cannot be a checkpoint ({error}); give a folder inside an existing one."
            ) from error
        if JOB_FILE not in present and present:
            raise CheckpointError(f"{folder} holds other files and is not a checkpoint; give an empty or a new folder.")
        if any(name.startswith("model_") for name in present):
            self._check(job)
        with replacing_file(self.folder / JOB_FILE) as temporary:
            temporary.write_text(json.dumps(job, indent=1))

    def _check(self, job: Mapping[str, Any]) -> None:
        try:
            known = json.loads((self.folder / JOB_FILE).read_text())
            differing = [name for name in {**known, **job} if known.get(name) != job.get(name)]
        except (ValueError, AttributeError, TypeError) as error:
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
            if not any(path.name.startswith("model_") for path in Path(folder).iterdir()):
                return None
            job = json.loads((Path(folder) / JOB_FILE).read_text())
        except (OSError, ValueError):
            return None
        return job if isinstance(job, dict) else None

    def load(self, numbers: Sequence[int]) -> Kernels | None:
        """Read models by number: geometry (models, L, 6) and experts (models, L, C).

        Returns None if not all of them are finished. Raises CheckpointError if one is damaged.
        """
        paths = [self._path(number) for number in numbers]
        if not all(path.exists() for path in paths):
            return None
        found = []
        for path in paths:
            try:
                found.append(load_file(path))
                geometry, experts = (torch.stack([each[name] for each in found]) for name in ("geometry", "experts"))
            except (SafetensorError, OSError, KeyError, RuntimeError) as error:
                raise CheckpointError(
                    f"{path} is damaged ({error}); delete it so that its model is fitted again."
                ) from error
        return geometry, experts

    def save(self, numbers: Sequence[int], kernels: Kernels) -> None:
        """Save finished models by number, without leaving partial files."""
        for number, geometry, experts in zip(numbers, *(tensor.cpu() for tensor in kernels), strict=True):
            with replacing_file(self._path(number)) as temporary:
                temporary.write_bytes(save({"geometry": geometry.contiguous(), "experts": experts.contiguous()}))

    def _path(self, number: int) -> Path:
        return self.folder / f"model_{number:03d}.safetensors"


def fingerprint(*arrays: np.ndarray | None) -> str:
    """A hash of the values, shapes and types of arrays; None stands for a missing array."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(b"none" if array is None else f"{array.shape}{array.dtype.str}".encode())
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
