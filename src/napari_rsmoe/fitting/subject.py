"""The image of a fit in the units in which it is fitted, and the PSNR that belongs to an error in these units."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Floats
from ..image.format import ImageFormat, channels_last
from ..image.inputs import Inputs
from ..image.value_range import data_range, signal_range
from ..model.experts import Mode

UNEQUAL = 4.0
"""Width of the widest range of a channel, relative to that of another, from which each channel is fitted in the unit of
its own range. Below, channels share a unit, as those of photographs should."""


@dataclass(frozen=True)
class Subject:
    """An image to be fitted. Build it with `Subject.of`.

    Attributes
    ----------
    pixels : ndarray of float32, shape (H, W, C)
        The image in the units of the fit.
    layout : ImageFormat
        Format of the image and of its models.
    lows, spans : ndarray of float32, shape (C,), or None
        Value of each channel that is 0 in the fit, and width of its unit, both in units of `layout`; None: 0 and 1.
    data_range : float
        Range that a PSNR refers to, in units of the image.
    peak : float
        The same in the units of the fit.
    """

    pixels: Floats
    layout: ImageFormat
    lows: Floats | None
    spans: Floats | None
    data_range: float
    peak: float

    @classmethod
    def of(cls, inputs: Inputs, mode: Mode, given_range: float | None = None) -> Subject:
        """The subject of a fit; by default its data range is that of the signal (`value_range.data_range`)."""
        pixels, layout = inputs.fitted()
        widest = 1.0
        lows = spans = None
        ranges = np.array([signal_range(channel) for channel in np.moveaxis(pixels, -1, 0)])
        widths = ranges[:, 1] - ranges[:, 0]
        varied = widths[widths > 0]
        if varied.size and varied.max() > UNEQUAL * varied.min():
            widest = float(varied.max())
            lows = (np.zeros(len(widths)) if mode == "rbf" else ranges[:, 0]).astype(np.float32)
            spans = np.where(widths > 0, widths, widest).astype(np.float32)
            pixels = np.ascontiguousarray((pixels - lows) / spans, np.float32)
        unit = layout.span * widest
        own = unit if spans is not None else data_range(layout.dtype, layout.low, layout.high) or layout.span
        chosen = own if given_range is None else given_range
        return cls(pixels, layout, lows, spans, chosen, chosen / unit)

    def of_block(self, inputs: Inputs) -> Subject:
        """A block of the image, in the same units."""
        pixels, _ = inputs.fitted()
        if self.spans is not None and self.lows is not None:
            pixels = np.ascontiguousarray((pixels - self.lows) / self.spans, np.float32)
        return replace(self, pixels=pixels)

    def experts(self, experts: Floats, *, linear: bool) -> Floats:
        """Experts of a fit, (L, C) or linear (L, 3 C), in units of `layout`."""
        if self.spans is None or self.lows is None:
            return experts
        channels = len(self.spans)
        values = experts.reshape(len(experts), 3 if linear else 1, channels) * self.spans
        values[:, 0] += self.lows
        return np.asarray(values.reshape(experts.shape), np.float32)

    def units(self, drawn: np.ndarray) -> Floats:
        """A drawing in the format of the image, in the units of the fit, (H, W, C)."""
        values = self.layout.unit(channels_last(drawn, self.layout.channel_axis))
        if self.spans is None or self.lows is None:
            return values
        return np.asarray((values - self.lows) / self.spans, np.float32)

    def quality(self, drawn: np.ndarray, weight: Floats | None) -> float:
        """PSNR in dB of a drawing in the format of the image; `weight` is (H, W), or None if all pixels count."""
        squares = np.square(self.units(drawn).astype(np.float64) - self.pixels).mean(2)
        return self.psnr(float(np.average(squares, weights=weight)))

    def psnr(self, error: float) -> float:
        """PSNR in dB of a mean squared error in the units of the fit; infinite without error."""
        return math.inf if error == 0 else 20 * math.log10(self.peak) - 10 * math.log10(error)

    def error(self, psnr: float) -> float:
        """Undo `psnr`."""
        return float(10 ** (-psnr / 10)) * self.peak**2
