"""The image to which a fit compares its rendering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..arrays import Floats
from .tensors import enlarge, to_tiles


@dataclass(frozen=True)
class FitTarget:
    """An image on the rendered raster, which may be finer than the image by an integer factor.

    Attributes
    ----------
    image : torch.Tensor
        (C, H, W) float32.
    weight : torch.Tensor or None
        (H, W) float32, the weight of each pixel; None if all count the same.
    tiles : torch.Tensor
        (tiles, C, 256), the image as `engine.fit_steps` takes it; with a first dimension more for several images.
    tile_weight : torch.Tensor or None
        (tiles, 256), the weights in the same order.
    values : float
        Sum of the weights times the number of channels, by which a sum of squared errors becomes their mean.
    """

    image: torch.Tensor
    weight: torch.Tensor | None
    tiles: torch.Tensor
    tile_weight: torch.Tensor | None
    values: float

    @classmethod
    def of(cls, pixels: Floats, weight: Floats | None, oversample: int, device: torch.device) -> FitTarget:
        """Build the target from pixels (H, W, C) and weights (H, W), on a raster `oversample` times as fine."""
        pixels = enlarge(pixels, oversample)
        height, width, channels = pixels.shape
        image = torch.from_numpy(np.moveaxis(pixels, 2, 0)).to(device)
        tiles = to_tiles(pixels).to(device)
        if weight is None:
            return cls(image, None, tiles, None, float(height * width) * channels)
        weight = enlarge(weight, oversample)
        tile_weight = to_tiles(weight[..., None])[:, 0].contiguous().to(device)
        total = float(weight.sum(dtype=np.float64))
        return cls(image, torch.from_numpy(weight).to(device), tiles, tile_weight, total * channels)

    @classmethod
    def stacked(cls, targets: Sequence[FitTarget]) -> FitTarget:
        """Stack targets of one shape for a fit of several models; `image` and `weight` are those of the first."""
        weights = [target.tile_weight for target in targets if target.tile_weight is not None]
        return replace(
            targets[0],
            tiles=torch.stack([target.tiles for target in targets]),
            tile_weight=torch.stack(weights) if weights else None,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the raster."""
        return self.image.shape[1], self.image.shape[2]
