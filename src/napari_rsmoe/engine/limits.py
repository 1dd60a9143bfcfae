"""Bounds that a fit keeps every kernel within, so that no step of the optimiser can lead it astray."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of a kernel after each step of `engine.fit_steps`; what lies beyond is moved to the bound.

    Lengths are in pixels of the raster that is drawn. `csrc/common/steering.h` applies them.
    """

    border: float = 20.0
    """Distance that a centre may lie outside the image. A larger one lets kernels drift out of reach of every pixel;
    with 0, a kernel could not describe an edge that leaves the image."""
    step: float = 8.0
    """Largest move of a centre in one step, half a tile. Longer moves would leave the lists of the tiles, which are
    rebuilt only every few steps; much shorter ones slow down the fit of large kernels."""
    smallest_scale: float = 0.25
    """Smallest standard deviation along any axis. Below it a kernel can fall between two pixel centres."""
    largest_scale: float = 200.0
    """Largest standard deviation along any axis. Beyond twice the image's sides a kernel is flat in all of it."""
    largest_logit: float = 8.0
    """Largest absolute logit. The weights of two kernels differ at most by a factor of exp(16), which keeps gates
    within the range of float32."""

    @classmethod
    def of_raster(cls, height: int, width: int) -> Limits:
        """Bounds for a raster of this size: scales reach at least twice its longer side."""
        return cls(largest_scale=max(cls.largest_scale, 2.0 * max(height, width)))

    def values(self) -> list[float]:
        """The five numbers in the order in which the operators take them."""
        return [self.border, self.step, self.smallest_scale, self.largest_scale, self.largest_logit]
