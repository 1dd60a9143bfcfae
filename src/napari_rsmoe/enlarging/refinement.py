"""The refinement of what models draw, and its error bar, of an image or of a block of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from ..arrays import Array, Floats
from ..denoising.result import Estimate
from ..image.blocks import Part
from ..image.blur import blurred
from ..image.opponent import Opponent
from ..image.pixelwise import ALL
from ..image.reduction import Reduction
from ..image.resize import interpolated_at, pixel_places
from .error_bar import WINDOW, error_of, power_around
from .exemplars import WIDE_STRIDE, refined, stride_of

SHARPER = 0.2
"""How much fine detail is strengthened, relative to itself, for each output pixel beyond the first that a pixel of the
image has along an axis. Less leaves drawings too soft, more adds sharpness that is not there."""
MODELS_SHARE = 0.02
"""Share of the models in the result for each round of refinement. The more rounds, the more texture is lost in patches
of which some is in the models. Less loses more of it, more brings errors of the models back."""
FINE = 0.3
"""Standard deviation, in pixels of the image, of the Gaussian average from which fine detail differs."""
MOST_REFINED = 4.0
"""Output pixels for each pixel of the image, along an axis, up to which similar patches are compared. A patch of a
larger drawing lies within one or two pixels of the image, and holds nothing that others could show."""


@dataclass(frozen=True)
class Sizes:
    """The sizes between which a drawing is refined: its own, one in the middle, and that of the image.

    Attributes
    ----------
    to_middle : Reduction or None
        From the drawing to the size at which similar patches are compared; None: that is its own.
    to_pixels : Reduction
        From there to the pixels of the image.
    to_areas : Reduction
        The same by the mean over the area of each pixel: whatever made the pixels, it tells which detail is unsure.
    factor : float
        Pixels of the size in the middle for each pixel of the image, along the axis along which there are more.
    middle_at : tuple of ndarray
        Rows and columns of the size in the middle at which the pixels of the drawing lie.
    """

    to_middle: Reduction | None
    to_pixels: Reduction
    to_areas: Reduction
    factor: float
    middle_at: tuple[NDArray[np.float64], NDArray[np.float64]]

    @classmethod
    def of(cls, large: tuple[int, int], small: tuple[int, int], kind: str | float) -> Sizes:
        """The sizes for an image (h, w) that is drawn at (H, W)."""
        height, width = (min(new, round(old * MOST_REFINED)) for new, old in zip(large, small, strict=True))
        to_middle = None if (height, width) == large else Reduction.of(large, (height, width))
        at = (pixel_places(height, large[0]), pixel_places(width, large[1]))
        middle, factor = (height, width), max(height / small[0], width / small[1])
        return cls(to_middle, Reduction.of(middle, small, kind), Reduction.of(middle, small), factor, at)

    @property
    def grid(self) -> int:
        """Parts of a drawing begin at multiples of it, so that reference patches lie where those of the whole lie."""
        return math.lcm(stride_of(self.factor), WIDE_STRIDE)

    def part(self, drawn: Part) -> tuple[Sizes, Part]:
        """The same of a part of the drawing, and the part of the image whose pixels lie in it.

        `drawn` begins at multiples of `grid`, so that patches are compared at the same places as in the whole.
        """
        to_middle, middle = self.to_middle, drawn
        if to_middle is not None:
            _, inner = to_middle.part(*drawn)
            first = [-(-each.start // self.grid) * self.grid for each in inner]
            middle = (slice(first[0], inner[0].stop), slice(first[1], inner[1].stop))
            to_middle = Reduction(to_middle.down.some(middle[0], drawn[0]), to_middle.across.some(middle[1], drawn[1]))
        to_pixels, pixels = self.to_pixels.part(*middle)
        rows, columns = (at[own] - inner.start for at, own, inner in zip(self.middle_at, drawn, middle, strict=True))
        return Sizes(to_middle, to_pixels, self.to_areas.part(*middle)[0], self.factor, (rows, columns)), pixels

    def middle_of(self, part: Part) -> Part:
        """Rows and columns of the size in the middle for a part of the drawing."""
        if self.to_middle is None:
            return part
        y, x = (
            slice(math.floor(at[each.start]), math.ceil(at[each.stop - 1]) + 1)
            for at, each in zip(self.middle_at, part, strict=True)
        )
        return y, x

    def hidden(self, planes: Floats, opponent: Opponent) -> Floats:
        """Mean square of what of planes (C, H, W) of the middle size pixels leave unsure, (H, W, C) of the drawing."""
        power = power_around(opponent.image(self.to_areas.undetermined(planes)), WINDOW * self.factor)
        if self.to_middle is None:
            return power
        return np.moveaxis(interpolated_at(np.moveaxis(power, -1, 0), self.middle_at), 0, -1)


def refine(
    drawn: Floats,
    pixels: Floats,
    weight: Floats | None,
    sizes: Sizes,
    rounds: int,
    left: Floats | None,
    amount: Array | None = None,
    core: Part | None = None,
) -> tuple[Estimate, Array]:
    """Bring a drawing (H, W, C) into agreement with the pixels (h, w, C).

    Parameters
    ----------
    drawn, pixels : ndarray of float32
        What models draw, and the image, in the engine's range.
    weight : ndarray of float32, shape (h, w), or None
        Weight of each pixel.
    sizes : Sizes
        The sizes of both.
    rounds : int
        Rounds of refinement.
    left : ndarray of float32, shape (H, W, C), or None
        Standard deviation of the error that noise has left.
    amount : ndarray, optional
        As for `exemplars.refined`.
    core : (slice, slice), optional
        As there, of the drawing; by default all of it.

    Returns
    -------
    estimate : Estimate
        The refined drawing and its error bar.
    amount : ndarray
        As of `exemplars.Refined`.
    """
    opponent = Opponent.of(pixels.shape[2])
    planes, target = opponent.planes(drawn), opponent.planes(pixels)
    first = planes if sizes.to_middle is None else sizes.to_middle.reduced(planes)
    middle = ALL if core is None else sizes.middle_of(core)
    both, factor = (sizes.to_pixels, sizes.to_areas), sizes.factor
    done = refined(first, target, *both, opponent, weight, rounds, factor, amount, middle)
    found = with_fine_detail(done.planes, first, MODELS_SHARE * rounds, factor, opponent)
    found = sizes.to_pixels.added(found, target, weight)
    planes = found if sizes.to_middle is None else sizes.to_middle.added(planes, found)
    return Estimate(opponent.image(planes), error_of(sizes.hidden(found, opponent), left)), done.amount


def with_fine_detail(refined: Floats, drawn: Floats, share: float, factor: float, opponent: Opponent) -> Floats:
    """Bring back some of the detail that is lost in averages over models and over similar patches.

    Parameters
    ----------
    refined, drawn : ndarray of float32, shape (C, H, W)
        Planes of `opponent` after and before refinement.
    share : float
        Share of the drawn planes in the result.
    factor : float
        Pixels of them for each pixel of the image along an axis. The more, the weaker is the detail.
    opponent : Opponent
        Colour differences, which hold little detail, are left as they are.
    """
    planes, bright = refined.copy(), slice(None) if opponent.identity else slice(0, 1)
    mixed = refined[bright] + np.float32(share) * (drawn[bright] - refined[bright])
    fine = mixed - blurred(mixed, None, FINE * factor)
    size = (1, *[2 * round(factor / 2) + 1] * 2)  # Edges get steeper, and no brighter than what is beside them.
    lowest, highest = minimum_filter(mixed, size, mode="nearest"), maximum_filter(mixed, size, mode="nearest")
    planes[bright] = np.clip(mixed + np.float32(SHARPER * (factor - 1)) * fine, lowest, highest)
    return planes


def unrefined(drawn: Floats, left: Floats | None, sizes: Sizes | None = None) -> Estimate:
    """A drawing as it is, and its error bar; without sizes the pixels determine all of it."""
    if sizes is None:
        return Estimate(drawn, error_of(np.zeros_like(drawn), left))
    opponent = Opponent.of(drawn.shape[2])
    planes = opponent.planes(drawn)
    middle = planes if sizes.to_middle is None else sizes.to_middle.reduced(planes)
    return Estimate(drawn, error_of(sizes.hidden(middle, opponent), left))
