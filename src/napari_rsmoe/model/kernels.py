"""Kernels in user terms: where, how large, how turned, how heavy, which colour."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from .raster import checked_sharpen


@dataclass(frozen=True, eq=False)
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
        (L, C) float64, colour in the units of the image; of a linear expert, the one at the centre. Of an RBF model,
        see `Model.kernels`.
    slope : numpy.ndarray or None
        (L, C, 2) float64, how a linear expert's colour changes along (y, x), per pixel; None for constant experts.
    """

    center: np.ndarray
    axes: np.ndarray
    angle: np.ndarray
    weight: np.ndarray
    expert: np.ndarray
    slope: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Check shapes and values, and hold everything as float64."""
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

    def heaviest(self, most: int) -> np.ndarray:
        """Rows of the kernels with the largest weight times area, at most so many, in ascending order."""
        mass = self.weight * self.axes.prod(1)
        rows: np.ndarray = np.sort(np.argsort(-mass, kind="stable")[:most])
        return rows

    def sharpened(self, factor: float) -> Kernels:
        """Narrower kernels of the same image, which make its edges steeper where they are (paper section II-B).

        Widths are divided by the factor and weights raised to its square, so each gate of an SMoE is raised to that
        power before they are brought to a sum of one again. `Model.render` does the same while it draws.

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

    def covariance(self) -> np.ndarray:
        """Covariance matrices, (L, 2, 2), rows and columns in the order (y, x), px^2."""
        direction = np.stack([np.sin(self.angle), np.cos(self.angle)], 1)
        normal = np.stack([np.cos(self.angle), -np.sin(self.angle)], 1)
        long, short = (self.axes**2).T[:, :, None, None]
        covariance: np.ndarray = long * direction[:, :, None] * direction[:, None] + short * (
            normal[:, :, None] * normal[:, None]
        )
        return covariance

    def geometry(self) -> np.ndarray:
        """Rows (y, x, r11, r12, r22, logit) of the engine, (L, 6) float64, with R^T R the inverse covariance."""
        covariance = self.covariance()
        determinant = (self.axes**2).prod(1)
        c_yy, c_xy = covariance[:, 0, 0], covariance[:, 0, 1]  # the inverse has c_yy at xx, -c_xy at xy
        r11 = np.sqrt(c_yy / determinant)
        r12 = -c_xy / determinant / r11
        r22 = 1 / np.sqrt(c_yy)
        return np.column_stack([self.center, r11, r12, r22, np.log(self.weight)])

    @classmethod
    def from_geometry(cls, geometry: np.ndarray, expert: np.ndarray, slope: np.ndarray | None = None) -> Kernels:
        """Kernels of the engine's rows (y, x, r11, r12, r22, logit), (L, 6), and experts in image units."""
        g = np.asarray(geometry, np.float64)
        y, x, r11, r12, r22, logit = g.T
        # Covariance = R^-1 R^-T with R^-1 = [[1/r11, -r12/(r11 r22)], [0, 1/r22]] in the order (x, y).
        a, b, d = 1 / r11, -r12 / (r11 * r22), 1 / r22
        c_xx, c_xy, c_yy = a**2 + b**2, b * d, d**2
        middle, half = (c_xx + c_yy) / 2, np.hypot((c_xx - c_yy) / 2, c_xy)
        long = np.sqrt(middle + half)
        short = a * d / long  # by the determinant: no cancellation for thin kernels
        angle = np.arctan2(c_xy, (c_xx - c_yy) / 2) / 2
        return cls(np.column_stack([y, x]), np.column_stack([long, short]), angle, np.exp(logit), expert, slope)
