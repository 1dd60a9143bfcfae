"""Planes of instruments' files as other libraries read them: pylibCZIrw (by ZEISS), nd2 and liffile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest


def reference_planes(
    path: Path, series: int, axes: str, shape: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """Index and pixels of each plane of an image with these axes, which end with Y, X or Y, X, S."""
    if path.suffix == ".czi":
        yield from _czi(path, series, axes, shape)
        return
    if path.suffix == ".nd2":
        whole = pytest.importorskip("nd2").imread(path)
    else:
        with pytest.importorskip("liffile").LifFile(path) as file:
            whole = list(file.images)[series].asarray()
    assert whole.shape == shape
    yield (), whole


def _czi(path: Path, series: int, axes: str, shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    loops = [axis for axis in axes if axis not in "YXS"]
    with pytest.importorskip("pylibCZIrw.czi").open_czi(str(path)) as file:
        scenes = sorted(file.scenes_bounding_rectangle)
        scene = {"scene": scenes[series]} if scenes else {}
        for index in np.ndindex(shape[: len(loops)]):
            plane = {"T": 0, "Z": 0, "C": 0} | dict(zip(loops, index, strict=True))
            yield index, file.read(plane=plane, **scene)[..., 0] if "S" not in axes else file.read(plane=plane, **scene)
