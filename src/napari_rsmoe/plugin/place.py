"""The transform of a layer, between its pixels and the coordinates of the world, without napari objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Place:
    """The transform of a layer, which its output layers share.

    Attributes
    ----------
    scale, translate : numpy.ndarray
        (N,) for N axes without colour.
    rotate, shear, affine : numpy.ndarray
        As napari gives them: (N, N), (N (N - 1) / 2,), (N + 1, N + 1).
    units : tuple of str
        One for each axis.
    axis_labels : tuple of str
        One for each axis.
    """

    scale: np.ndarray
    translate: np.ndarray
    rotate: np.ndarray
    shear: np.ndarray
    affine: np.ndarray
    units: tuple[str, ...]
    axis_labels: tuple[str, ...]

    def options(self) -> dict[str, Any]:
        """Keywords for a new layer."""
        return {
            "scale": self.scale, "translate": self.translate, "rotate": self.rotate, "shear": self.shear,
            "affine": self.affine, "units": self.units, "axis_labels": self.axis_labels,
        }  # fmt: skip

    def part(self, offset: Sequence[float], factor: Sequence[float]) -> Place:
        """The transform of a part with finer pixels.

        Parameters
        ----------
        offset : sequence of float
            Start of the part: the edge of its first pixel, in pixels of the whole, as in slices.
        factor : sequence of float
            Pixels of the part for each pixel of the whole.
        """
        factors = np.asarray(factor, float)
        first = np.asarray(offset, float) - 0.5 + 0.5 / factors  # Centre of the first new pixel, in old pixels.
        return replace(self, scale=self.scale / factors, translate=self.translate + self._linear() @ first)

    def strided(self, first: Sequence[float], step: Sequence[float]) -> Place:
        """The transform of every `step`-th pixel along each axis, beginning with the pixel `first`."""
        start = np.asarray(first, float)
        return replace(
            self, scale=self.scale * np.asarray(step, float), translate=self.translate + self._linear() @ start
        )

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Points (n, N) in pixels, in the coordinates of the world."""
        placed = points @ self._linear().T + self.translate
        moved: np.ndarray = placed @ self.affine[:-1, :-1].T + self.affine[:-1, -1]
        return moved

    def to_pixels(self, point: Sequence[float]) -> np.ndarray:
        """A point (N,) of the world, in pixels."""
        moved = np.linalg.solve(self.affine[:-1, :-1], np.asarray(point, float) - self.affine[:-1, -1])
        pixels: np.ndarray = np.linalg.solve(self._linear(), moved - self.translate)
        return pixels

    def _linear(self) -> np.ndarray:
        # Imported here, as results are made without a window too.
        from napari.utils.transforms import Affine

        linear: np.ndarray = Affine(scale=self.scale, rotate=self.rotate, shear=self.shear).linear_matrix
        return linear
