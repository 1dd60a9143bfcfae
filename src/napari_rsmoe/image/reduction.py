"""How a larger image becomes the pixels of a smaller one, and back: what the data say about an enlarged image."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve_banded, cholesky_banded
from scipy.sparse import csr_array

from ..arrays import Floats
from ..checks import checked_choice

REDUCTIONS = ("mean", "bicubic")
"""Ways in which images are reduced: the mean over the area of a pixel, as a camera measures it, or bicubic
interpolation with antialiasing, as programs for photographs do it."""
CUBIC = -0.5
"""Slope of the cubic kernel one pixel from its centre, by Keys: the value that most programs take."""
CUBIC_REACH = 2.0
"""Pixels of the reduced image from its centre to where the cubic kernel ends."""
RIDGE = 1e-3
"""Fraction of the mean diagonal that is added before the pixels are solved for. Above it the data are met less exactly,
below it rounding of the pixels is amplified where frequencies hardly pass."""

PRECISION = 1e-9
"""Fraction of the weights of a pixel that may lie outside of a part that holds all of them, by rounding."""


@dataclass(frozen=True)
class _Axis:
    """The reduction along one axis: a matrix with few entries in each row."""

    matrix: csr_array
    ridge: float

    @cached_property
    def factor(self) -> NDArray[np.float64]:
        """The banded Cholesky factor of A A^T, with the ridge."""
        product = (self.matrix @ self.matrix.T).tocoo()
        offsets = np.abs(product.row - product.col)
        bands = np.zeros((int(offsets.max()) + 1, self.matrix.shape[0]))
        lower = product.row >= product.col
        bands[offsets[lower], product.col[lower]] = product.data[lower]
        bands[0] += self.ridge * bands[0].mean()
        return np.asarray(cholesky_banded(bands, lower=True))

    def part(self, columns: slice) -> tuple[_Axis, slice]:
        """The reduction of a part of the large line to those small pixels that lie in it, and which these are."""
        weight = abs(self.matrix)
        complete = np.flatnonzero(weight[:, columns].sum(1) >= (1 - PRECISION) * weight.sum(1))
        rows = slice(int(complete[0]), int(complete[-1]) + 1) if complete.size else slice(0, 0)
        return self.some(rows, columns), rows

    def some(self, rows: slice, columns: slice) -> _Axis:
        """The reduction of a part of the large line to some of the small pixels that lie in it."""
        return _Axis(self.matrix[rows, columns], self.ridge)

    def solve(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """(A A^T)^-1 times values (small, any)."""
        return np.asarray(cho_solve_banded((self.factor, True), values))


@dataclass(frozen=True)
class Reduction:
    """The reduction of planes (C, H, W) by any real factors, along both axes in turn.

    Attributes
    ----------
    down, across : _Axis
        The reductions along y and x.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe.image.reduction import Reduction
    >>> halves = Reduction.of((4, 6), (2, 3))
    >>> planes = np.arange(24, dtype=np.float32).reshape(1, 4, 6)
    >>> halves.reduced(planes)[0, 0].tolist()
    [3.5, 5.5, 7.5]
    >>> bool(np.allclose(halves.reduced(halves.added(planes, np.ones((1, 2, 3), np.float32))), 1, atol=0.05))
    True
    """

    down: _Axis
    across: _Axis

    @classmethod
    def of(
        cls, large: tuple[int, int], small: tuple[int, int], kind: str | float = "mean", ridge: float = RIDGE
    ) -> Reduction:
        """The reduction from one size to another that is not larger.

        Parameters
        ----------
        large, small : (int, int)
            (height, width) before and after.
        kind : {"mean", "bicubic"} or float
            See `REDUCTIONS`. A number in [0, 1] blends them, where it is not sure which it was: it is the share of
            "bicubic".
        ridge : float
            See `RIDGE`.
        """
        share = (
            float(REDUCTIONS.index(checked_choice(kind, "reduction", REDUCTIONS))) if isinstance(kind, str) else kind
        )
        down, across = (
            _Axis(_blended(before, after, share), ridge) for before, after in zip(large, small, strict=True)
        )
        return cls(down, across)

    def part(self, rows: slice, columns: slice) -> tuple[Reduction, tuple[slice, slice]]:
        """The reduction of a part of the large planes, and the part of the small ones that it determines."""
        (down, y), (across, x) = self.down.part(rows), self.across.part(columns)
        return Reduction(down, across), (y, x)

    def reduced(self, planes: NDArray[np.floating]) -> Floats:
        """Planes (C, H, W) reduced, (C, h, w)."""
        return _both(self.down.matrix, self.across.matrix, planes)

    def spread(self, residual: NDArray[np.floating]) -> Floats:
        """The smallest change of the large planes that changes the small ones by a residual (C, h, w)."""
        solved = np.stack([self.across.solve(self.down.solve(plane).T).T for plane in residual.astype(np.float64)])
        return _both(self.down.matrix.T.tocsr(), self.across.matrix.T.tocsr(), solved)

    def added(self, planes: Floats, small: Floats, weight: Floats | None = None) -> Floats:
        """Planes (C, H, W) changed as little as lets them agree with the small ones (C, h, w) once reduced.

        Pixels (h, w) of weight 0 change nothing.
        """
        residual = small - self.reduced(planes)
        if weight is not None:
            residual = residual * (weight > 0)
        return np.asarray(planes + self.spread(residual), np.float32)

    def undetermined(self, planes: Floats) -> Floats:
        """What of planes (C, H, W) the small ones do not determine."""
        return np.asarray(planes - self.spread(self.reduced(planes)), np.float32)


def _both(down: csr_array, across: csr_array, planes: NDArray[np.floating]) -> Floats:
    """Multiply planes by matrices from the left and, transposed, from the right."""
    return np.stack([np.asarray((across @ (down @ plane).T).T, np.float32) for plane in planes])


Weights = Callable[[NDArray[np.float64], float], NDArray[np.float64]]
"""Takes distances of pixels of the large image from the centre of a small one, in large pixels, and how many large
pixels a small one is wide; returns weights."""


def _area(distance: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    """The part of each large pixel that lies within the small one."""
    inside = np.minimum(distance + 0.5, size / 2) - np.maximum(distance - 0.5, -size / 2)
    return np.clip(inside, 0.0, None)


def _cubic(distance: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    """Keys' cubic kernel, as wide as the reduction needs it so that nothing aliases."""
    x = np.abs(distance) / size
    near = (CUBIC + 2) * x**3 - (CUBIC + 3) * x**2 + 1
    far = CUBIC * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x <= 1, near, np.where(x < CUBIC_REACH, far, 0.0))


def _blended(before: int, after: int, share: float) -> csr_array:
    """The weights of a line by the mean and, with this share, by bicubic interpolation."""
    if share in (0, 1):
        return _matrix(before, after, _cubic if share else _area)
    return csr_array((1 - share) * _matrix(before, after, _area) + share * _matrix(before, after, _cubic))


def _matrix(before: int, after: int, weights: Weights) -> csr_array:
    """Weights of the pixels of a line of `before` in each of `after`, mirrored at the ends; rows sum to 1."""
    size = before / after
    reach = math.ceil(CUBIC_REACH * size) + 1
    centre = (np.arange(after) + 0.5) * size - 0.5
    place = np.floor(centre).astype(int)[:, None] + np.arange(-reach, reach + 1)
    weight = weights(place - centre[:, None], size)
    weight /= weight.sum(1, keepdims=True)
    mirrored = np.mod(place, 2 * before)
    mirrored = np.where(mirrored >= before, 2 * before - 1 - mirrored, mirrored)
    rows = np.broadcast_to(np.arange(after)[:, None], place.shape)
    used = weight != 0
    matrix = csr_array((weight[used], (rows[used], mirrored[used])), shape=(after, before))
    matrix.sum_duplicates()
    return matrix
