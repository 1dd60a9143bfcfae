"""A small plot of the PSNR during a fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .plot import Plot, Series


class Curve(Plot):
    """A plot of PSNR against the finished part of the work."""

    def __init__(self) -> None:
        super().__init__("finished (%)", "PSNR (dB)", "PSNR while fitting")
        self.setToolTip("PSNR in dB while the model is fitted; it rises as the squared error (the loss) falls.")
        self.points: list[tuple[float, float]] = []

    def show_points(self, points: Sequence[tuple[float, float]]) -> None:
        """Plot pairs of fraction and PSNR in dB."""
        self.points = list(points)
        fraction, psnr = np.array(self.points, np.float64).reshape(-1, 2).T
        self.show_series([Series(f"{psnr[-1]:.2f} dB", 100 * fraction, psnr)] if len(psnr) > 1 else [])
