"""The table of kernels in user terms (position, size, angle, weight, colour), and its conversion to the engine."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from ..door import door
from .raster import checked_sharpen

if TYPE_CHECKING:
    from pandas import DataFrame

TABLE_COLUMNS = ("y", "x", "long", "short", "angle", "weight")
"""Columns of a data frame, before those of the experts."""
CORNERS = 16
"""Corners of the polygon that approximates an ellipse. Fewer look angular, more take longer to draw."""


@dataclass(frozen=True, eq=False, repr=False)
class Kernels:
    """A table of L steered Gaussian kernels.

    Attributes
    ----------
    center : numpy.ndarray
        (L, 2) float64, (y, x) in pixels; pixel centres are at integers.
    axes : numpy.ndarray
        (L, 2) float64, standard deviations along the long and the short axis, in pixels, positive.
    angle : numpy.ndarray
        (L,) float64, direction of the long axis in radians, from +x towards +y (clockwise on the screen), in
        (-pi/2, pi/2].
    weight : numpy.ndarray
        (L,) float64, pi_j of the paper's eq. 4, positive. In an SMoE only ratios matter.
    expert : numpy.ndarray
        (L, C) float64, colour in the units of the image; of a linear expert, the colour at the centre. An RBF model
        adds these colours, see `Model.kernels`.
    slope : numpy.ndarray or None
        (L, C, 2) float64, how a linear expert's colour changes along (y, x), per pixel; None for constant experts.

    Raises
    ------
    ValueError
        If there is no kernel, shapes do not fit, a value is not finite, or axes or weights are not positive.

    Examples
    --------
    >>> from napari_rsmoe import Kernels
    >>> kernels = Kernels(
    ...     center=[[8, 10]], axes=[[4, 2]], angle=[0.0], weight=[1.0], expert=[[200.0]]
    ... )
    >>> len(kernels), kernels.covariance()[0].tolist()
    (1, [[4.0, 0.0], [0.0, 16.0]])
    """

    center: np.ndarray
    axes: np.ndarray
    angle: np.ndarray
    weight: np.ndarray
    expert: np.ndarray
    slope: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Check shapes and values, and convert everything to float64."""
        for name in self._columns():
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64))
        n = len(self.center)
        shapes = {"center": (n, 2), "axes": (n, 2), "angle": (n,), "weight": (n,)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}; {n} kernels need {shape}.")
        if self.expert.ndim != 2 or len(self.expert) != n:
            raise ValueError(f"expert has shape {self.expert.shape}; {n} kernels need ({n}, channels).")
        if self.slope is not None and self.slope.shape != (*self.expert.shape, 2):
            raise ValueError(f"slope has shape {self.slope.shape}; these experts need {(*self.expert.shape, 2)}.")
        if n == 0:
            raise ValueError("There are no kernels; a model needs at least one.")
        for name in self._columns():
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"{name} holds NaN or infinity.")
        if (self.axes <= 0).any() or (self.weight <= 0).any():
            raise ValueError("axes and weight must be positive.")

    def _columns(self) -> list[str]:
        return [field.name for field in fields(self) if getattr(self, field.name) is not None]

    def __len__(self) -> int:
        return len(self.center)

    def __getitem__(self, which: int | slice | np.ndarray) -> Kernels:
        """Kernels chosen by an index (a table of one), a slice, a mask or an index array."""
        if isinstance(which, int | np.integer) and not isinstance(which, bool):
            which = np.array([which])
        return Kernels(**{name: getattr(self, name)[which] for name in self._columns()})

    @door
    def __repr__(self) -> str:
        channels = self.expert.shape[1]
        kind = "linear" if self.slope is not None else "constant"
        return (
            f"<{len(self)} kernels of {channels} channel{'s' if channels > 1 else ''}, {kind} experts, standard "
            f"deviations {self.axes.min():.3g} to {self.axes.max():.3g} px>"
        )

    def to_dataframe(self) -> DataFrame:
        """The table for pandas, one row for each kernel; pandas is needed (the extra ``arrays``).

        Returns
        -------
        pandas.DataFrame
            Columns ``y``, ``x``, ``long``, ``short`` (standard deviations in pixels), ``angle``, ``weight``,
            ``expert_0``, ``expert_1``, ... and for linear experts ``slope_0_y``, ``slope_0_x``, ...

        Examples
        --------
        >>> from napari_rsmoe import Kernels
        >>> kernels = Kernels([[8, 10]], axes=[[4, 2]], angle=[0.0], weight=[1.0], expert=[[200.0]])
        >>> table = kernels.to_dataframe()
        >>> table["long"] *= 1.5
        >>> Kernels.from_dataframe(table).axes.tolist()
        [[6.0, 2.0]]
        """
        import pandas  # here: it is optional, and slow to load

        named = [self.center, self.axes, self.angle[:, None], self.weight[:, None], self.expert]
        names = [*TABLE_COLUMNS, *(f"expert_{c}" for c in range(self.expert.shape[1]))]
        if self.slope is not None:
            named.append(self.slope.reshape(len(self), -1))
            names += [f"slope_{c}_{axis}" for c in range(self.expert.shape[1]) for axis in "yx"]
        return pandas.DataFrame(np.hstack(named), columns=names)

    @classmethod
    def from_dataframe(cls, table: DataFrame) -> Kernels:
        """The kernels of a table as `to_dataframe` makes it; other columns are ignored.

        Raises
        ------
        ValueError
            If a column is missing, or the values make no kernels.
        """
        missing = [name for name in (*TABLE_COLUMNS, "expert_0") if name not in table]
        if missing:
            raise ValueError(f"The table has no column {', '.join(missing)}; see Kernels.to_dataframe.")
        channels = next(c for c in itertools.count() if f"expert_{c}" not in table)
        values = {name: np.asarray(table[name], np.float64) for name in TABLE_COLUMNS}
        slopes = [f"slope_{c}_{axis}" for c in range(channels) for axis in "yx"]
        slope = None
        if all(name in table for name in slopes):
            slope = np.stack([table[name] for name in slopes], 1).reshape(len(table), channels, 2)
        return cls(
            np.stack([values["y"], values["x"]], 1),
            np.stack([values["long"], values["short"]], 1),
            values["angle"],
            values["weight"],
            np.stack([table[f"expert_{c}"] for c in range(channels)], 1),
            slope,
        )

    def mass(self) -> np.ndarray:
        """Weight times area of each kernel (L,) in pixels squared, a measure of its visibility."""
        mass: np.ndarray = self.weight * self.axes.prod(1)
        return mass

    def heaviest(self, most: int) -> np.ndarray:
        """Rows of the kernels of largest `mass`, at most `most` of them, in ascending order."""
        rows: np.ndarray = np.sort(np.argsort(-self.mass(), kind="stable")[:most])
        return rows

    @door
    def sharpened(self, factor: float) -> Kernels:
        """Narrower kernels of the same image, which make its edges steeper where they are (paper section II-B).

        Widths are divided by the factor and weights raised to its square, so each gate of an SMoE is raised to that
        power before the gates are normalised to a sum of one again. `Model.render` does the same while it draws.

        Parameters
        ----------
        factor : float
            Positive; above 1 sharpens, below 1 softens.

        Returns
        -------
        Kernels

        Raises
        ------
        ValueError
            If the factor is not positive.
        """
        factor = checked_sharpen(factor)
        return replace(self, axes=self.axes / factor, weight=self.weight**factor**2)

    @door
    def covariance(self) -> np.ndarray:
        """Covariance matrices, (L, 2, 2), rows and columns in the order (y, x), px^2."""
        direction = np.stack([np.sin(self.angle), np.cos(self.angle)], 1)
        normal = np.stack([np.cos(self.angle), -np.sin(self.angle)], 1)
        long, short = (self.axes**2).T[:, :, None, None]
        covariance: np.ndarray = long * direction[:, :, None] * direction[:, None] + short * (
            normal[:, :, None] * normal[:, None]
        )
        return covariance

    @door
    def geometry(self) -> np.ndarray:
        """Rows (y, x, r11, r12, r22, logit) of the engine, (L, 6) float64, with R^T R the inverse covariance."""
        determinant = (self.axes**2).prod(1)  # More exact for thin kernels than the determinant of the matrix.
        steering = steering_of(self.covariance(), determinant)
        return np.column_stack([self.center, steering, np.log(self.weight)])

    @classmethod
    @door
    def from_geometry(cls, geometry: np.ndarray, expert: np.ndarray, slope: np.ndarray | None = None) -> Kernels:
        """Kernels of the engine's rows (y, x, r11, r12, r22, logit), (L, 6), and experts in image units."""
        g = np.asarray(geometry, np.float64)
        y, x, r11, r12, r22, logit = g.T
        # Covariance = R^-1 R^-T with R^-1 = [[1/r11, -r12/(r11 r22)], [0, 1/r22]] in the order (x, y).
        a, b, d = 1 / r11, -r12 / (r11 * r22), 1 / r22
        c_xx, c_xy, c_yy = a**2 + b**2, b * d, d**2
        middle, half = (c_xx + c_yy) / 2, np.hypot((c_xx - c_yy) / 2, c_xy)
        long = np.sqrt(middle + half)
        short = a * d / long  # From the determinant, without cancellation for thin kernels.
        angle = np.arctan2(c_xy, (c_xx - c_yy) / 2) / 2
        return cls(np.column_stack([y, x]), np.column_stack([long, short]), angle, np.exp(logit), expert, slope)


def steering_of(covariance: np.ndarray, determinant: np.ndarray | None = None) -> np.ndarray:
    """The engine's columns (r11, r12, r22) of kernels, (L, 3), with R^T R the inverse covariance.

    Parameters
    ----------
    covariance : numpy.ndarray
        (L, 2, 2), rows and columns (y, x), px^2, positive definite.
    determinant : numpy.ndarray, optional
        (L,) determinants of the matrices, if they are known more exactly.
    """
    c_yy, c_xy, c_xx = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    if determinant is None:
        determinant = c_xx * c_yy - c_xy**2
    r11 = np.sqrt(c_yy / determinant)  # the inverse has c_yy at xx and -c_xy at xy
    return np.column_stack([r11, -c_xy / determinant / r11, 1 / np.sqrt(c_yy)])


def reshaped(steering: np.ndarray, stretch: np.ndarray) -> np.ndarray:
    """The engine's columns (r11, r12, r22) of kernels whose surroundings are turned and stretched.

    Parameters
    ----------
    steering : numpy.ndarray
        (L, 3) of the kernels as they were.
    stretch : numpy.ndarray
        (L, 2, 2) derivatives of the places as they were by the places now, both (y, x); of positive determinant.
    """
    (yy, yx), (xy, xx) = stretch[:, 0].T, stretch[:, 1].T
    r11, r12, r22 = steering.T
    # The triangle R times the stretch, in the order (x, y), is made a triangle again by a rotation.
    a, b, c, d = r11 * xx + r12 * yx, r11 * xy + r12 * yy, r22 * yx, r22 * yy
    first = np.hypot(a, c)
    return np.column_stack([first, (a * b + c * d) / first, (a * d - b * c) / first])


def outlines(center: np.ndarray, axes: np.ndarray, angle: np.ndarray, *, polygon: bool) -> np.ndarray:
    """Corners of the ellipses of kernels at one standard deviation.

    Parameters
    ----------
    center, axes, angle : numpy.ndarray
        (L, 2), (L, 2) and (L,), as in `Kernels`; L may be 0.
    polygon : bool
        True: `CORNERS` points on each ellipse. False: the four corners of the box around it, along its axes.

    Returns
    -------
    numpy.ndarray
        (L, CORNERS or 4, 2), (y, x) in pixels.
    """
    long = axes[:, :1] * np.stack([np.sin(angle), np.cos(angle)], 1)
    short = axes[:, 1:] * np.stack([np.cos(angle), -np.sin(angle)], 1)
    if polygon:
        turn = 2 * np.pi * np.arange(CORNERS) / CORNERS
        weights = np.stack([np.cos(turn), np.sin(turn)], 1)
    else:
        weights = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    corners: np.ndarray = center[:, None] + weights @ np.stack([long, short], 1)
    return corners
