"""Conversion of images and kernels to the tensors of the engine."""

from __future__ import annotations

import numpy as np
import torch

from .. import engine
from .settings import FitSettings
from .starts.start import Start

TILE = 16
"""Side of a tile in pixels of the raster that is drawn. The engine lists and computes kernels tile by tile."""


def learning_rates(settings: FitSettings, fraction: np.ndarray) -> torch.Tensor:
    """Learning rates of position, steering, logit and expert, (steps, 4) float32.

    `fraction` (steps,) holds the share of the fit that is done before each step, in [0, 1).
    """
    s = settings
    first = np.array([s.rate_position, s.rate_steering, s.rate_logit, s.rate_expert])
    final = np.array([s.final_position, s.final_steering, s.final_logit, s.final_expert])
    return torch.from_numpy((first * final ** fraction[:, None]).astype(np.float32))


def start_tensors(start: Start, shape: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Geometry (L, 6) and experts (L, C) of a start, sorted by tile, which keeps neighbours close in memory."""
    tile = np.clip(start.centers, 0, np.array(shape) - 1) // TILE
    order = np.lexsort((tile[:, 1], tile[:, 0]))
    geometry = np.zeros((len(order), 6), np.float32)
    geometry[:, :2] = start.centers[order]
    geometry[:, [2, 4]] = 1 / start.sigmas[order, None]
    return torch.from_numpy(geometry), torch.from_numpy(np.ascontiguousarray(start.experts[order]))


def shared_out(geometry: torch.Tensor, experts: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Divide experts (L, C) by the sum of all Gaussians at their centres if that exceeds 1.

    The initial sum of Gaussians then has the brightness of gates, which sum to one.
    """
    total = engine.render(geometry, geometry.new_ones(len(geometry), 1), *shape, normalised=False)[0]
    y, x = (geometry[:, axis].round().long().clamp(0, length - 1) for axis, length in enumerate(shape))
    return experts / total[y, x, None].clamp_min(1)


def enlarge(image: np.ndarray, factor: int) -> np.ndarray:
    """Repeat every pixel of (H, W) or (H, W, C) `factor` times along y and x."""
    return image if factor == 1 else image.repeat(factor, 0).repeat(factor, 1)


def to_tiles(pixels: np.ndarray) -> torch.Tensor:
    """Cut (H, W, C) into (tiles, C, 256), tiles in row-major order; tiles at the edge repeat the nearest pixels."""
    height, width, channels = pixels.shape
    padded = np.pad(pixels, ((0, -height % TILE), (0, -width % TILE), (0, 0)), mode="edge")
    rows, columns = padded.shape[0] // TILE, padded.shape[1] // TILE
    tiles = padded.reshape(rows, TILE, columns, TILE, channels).transpose(0, 2, 4, 1, 3)
    return torch.from_numpy(np.ascontiguousarray(tiles, np.float32).reshape(rows * columns, channels, TILE * TILE))
