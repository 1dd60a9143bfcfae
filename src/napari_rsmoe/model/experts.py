"""Experts in the units of the image and of the engine, and their display colours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ..image.format import ImageFormat
from ..image.value_range import compressed, compression_slope, expanded

Mode = Literal["smoe", "rbf"]
MODES: tuple[Mode, ...] = get_args(Mode)
"""Soft gates that sum to one (paper eq. 3), or a plain sum of Gaussians (eq. 1)."""


@dataclass(frozen=True)
class ExpertUnits:
    """The relation of experts in the engine's units to experts in the units of the image.

    The engine works on (value - low) / span. Gates sum to one, so each expert includes the lowest value of the image. A
    plain sum of Gaussians is added to the lowest value, so its experts have no offset. If a few extreme pixels are
    compressed, their sum is the compressed value: inside the range of the signal it is the value itself.

    Attributes
    ----------
    offset : float
        Expert in image units that is 0 in the engine's units.
    span : float
        Image units per unit of the engine, positive.
    compressed : bool
        Whether experts beyond [0, 1] are brought close by their logarithm; see `image.value_range`.
    """

    offset: float
    span: float
    compressed: bool = False

    @classmethod
    def of(cls, mode: Mode, layout: ImageFormat) -> ExpertUnits:
        """The units of the models of an image."""
        return cls(layout.low if mode == "smoe" else 0.0, layout.span, layout.compressed and mode == "smoe")

    def to_image(self, experts: np.ndarray, *, linear: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """Convert experts from the engine's units to image units.

        Parameters
        ----------
        experts : numpy.ndarray
            (L, C), or (L, 3 C) of linear experts: colours at the centres, then slopes along y, then along x.
        linear : bool
            Whether experts are affine in position.

        Returns
        -------
        expert : numpy.ndarray
            (L, C) float64, as `Kernels.expert`.
        slope : numpy.ndarray or None
            (L, C, 2) float64, as `Kernels.slope`.
        """
        experts = experts.astype(np.float64)
        channels = experts.shape[1] // (3 if linear else 1)
        units = expanded(experts[:, :channels]) if self.compressed else experts[:, :channels]
        value = units * self.span + self.offset
        if not linear:
            return value, None
        slope = experts[:, channels:].reshape(-1, 2, channels).swapaxes(1, 2) * self.span
        return value, slope / compression_slope(units)[..., None] if self.compressed else slope

    def to_engine(self, expert: np.ndarray, slope: np.ndarray | None = None) -> np.ndarray:
        """Undo `to_image`: (L, C) or (L, 3 C) float64."""
        units = (expert - self.offset) / self.span
        value: np.ndarray = compressed(units).astype(np.float64) if self.compressed else units
        if slope is None:
            return value
        if self.compressed:
            slope = slope * compression_slope(units)[..., None]
        slopes = slope.swapaxes(1, 2).reshape(len(slope), -1) / self.span
        return np.concatenate([value, slopes], 1)


@dataclass(frozen=True)
class ExpertColours:
    """The display colours of the experts of a model, and the experts of given colours.

    Attributes
    ----------
    black, white : float
        Experts in the units of the image that are shown as black and as white, in each channel.
    """

    black: float
    white: float

    @classmethod
    def of(cls, mode: Mode, layout: ImageFormat, expert: np.ndarray) -> ExpertColours:
        """The colours of a model with experts (L, C) in image units.

        With gates, white is the highest value of the image. In a sum of Gaussians, black is 0, and white is the expert
        with which a single kernel of weight 1 reaches the highest value that is rendered; without an upper limit, the
        largest expert.
        """
        units = ExpertUnits.of(mode, layout)
        reach = units.span
        if mode == "rbf" and layout.limits is not None:
            highest = layout.limits[1] - layout.low
            reach = highest if math.isfinite(highest) else float(expert.max())
        return cls(units.offset, units.offset + (reach if reach > 0 else units.span))

    def rgb(self, expert: np.ndarray) -> np.ndarray:
        """RGB (L, 3) in [0, 1] of experts (L, C) in image units: the first three of several channels, else grey."""
        shown = np.clip((expert - self.black) / (self.white - self.black), 0, 1)
        if shown.shape[1] >= 3:
            return shown[:, :3]
        return np.repeat(shown.mean(1, keepdims=True), 3, 1)

    def expert(self, colour: np.ndarray, channels: int) -> np.ndarray:
        """The expert (C,) in image units with the given display colour (3,) in [0, 1]."""
        rgb = np.asarray(colour, np.float64)[:3]
        values = np.full(channels, rgb.mean())
        if channels >= 3:
            values[:3] = rgb
        return values * (self.white - self.black) + self.black
