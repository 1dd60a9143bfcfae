"""Models of an image finer than its pixels, with all that is needed to draw them at any size and sharpness."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..arrays import Floats
from ..denoising.result import Estimate
from ..image.inputs import Inputs
from ..image.resize import interpolated
from ..model.drawing import draw
from ..model.model import Model
from ..model.raster import Numbers, Raster
from .refinement import Sizes, refine, unrefined
from .sharpening import note_overshoot, sharpened


@dataclass(frozen=True)
class Enlargement:
    """Models of an image, drawn and refined.

    Attributes
    ----------
    models : list of Model
        The models, finer than the pixels.
    inputs : Inputs
        The image that they were fitted to, without its noise.
    left : ndarray of float32, shape (H, W, C), or None
        Standard deviation of the error that the noise has left in it; None: there was none.
    noise : float
        Standard deviation of the noise that was removed, in units of the image.
    reduction : float
        How the pixels came about; see `image.reduction.Reduction.of`.
    rounds : int
        Rounds of refinement; 0: the models are drawn as they are.
    device : str
        Where to draw.
    """

    models: list[Model]
    inputs: Inputs
    left: Floats | None
    noise: float
    reduction: float
    rounds: int
    device: str
    _drawn: dict[tuple[int, int], tuple[Floats, Estimate]] = field(default_factory=dict, repr=False)

    def estimate(self, scale: float | Numbers, sharpen: float = 1.0) -> Estimate:
        """The enlarged image (H, W, C) and its error bar, in the engine's range."""
        height, width, channels = self.inputs.pixels.shape
        raster = Raster.plan((height, width), channels, scale=scale)
        if raster.shape not in self._drawn:
            self._drawn.clear()  # One size is kept, for another sharpness.
            plain = self._draw(raster, 1.0)
            self._drawn[raster.shape] = plain, self._refined(plain, raster)
        plain, found = self._drawn[raster.shape]
        if sharpen == 1:
            return found
        change = self._draw(raster, sharpen) - plain
        image = sharpened(found.image, change, (1 / raster.step[0], 1 / raster.step[1]))
        note_overshoot(image, self.inputs.pixels, sharpen)
        return Estimate(image, found.std)

    def _draw(self, raster: Raster, sharpen: float) -> Floats:
        """The mean of the models (H, W, C), in the engine's range."""
        layout = self.models[0].layout
        drawn = draw(self.models, raster, sharpen=sharpen, device=self.device, dtype=layout.exact_type)
        values = layout.channels_last(drawn)
        return self.inputs.layout.unit(values if values.ndim == 3 else values[..., None])

    def _refined(self, drawn: Floats, raster: Raster) -> Estimate:
        """The drawing (H, W, C) in agreement with the pixels, and its error bar."""
        left, small = self._left(raster.shape), self.inputs.pixels
        if max(raster.step) > 1:
            return unrefined(drawn, left)
        sizes = Sizes.of(raster.shape, (small.shape[0], small.shape[1]), self.reduction)
        if self.rounds == 0 or self.inputs.extreme:
            return unrefined(drawn, left, sizes)
        return refine(drawn, small, self.inputs.weight, sizes, self.rounds, left)[0]

    def _left(self, shape: tuple[int, int]) -> Floats | None:
        """What the noise has left, at the size of the drawing."""
        if self.left is None:
            return None
        return np.moveaxis(interpolated(np.moveaxis(self.left, -1, 0), shape), 0, -1)
