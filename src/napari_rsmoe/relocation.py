"""Move the kernels that are least needed to where the error is largest."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from . import engine
from .starts.start import SIGMA_RANGE, draw_pixels

ERROR_POWER = 2.0  # above 1 it seeks out the worst places; 2 and 3 were best, see docs/fitting.md
NEIGHBOURS = 3  # kernels whose mean distance sets the scale of a new one
SPREAD = 0.5  # scale of a new kernel, in that distance


def needed(geometry: torch.Tensor, experts: torch.Tensor, value: torch.Tensor, tau: float) -> torch.Tensor:
    """How much each kernel's colour differs from the image that it helps to draw.

    The sum over pixels of gate times squared difference of expert and value: where it is small, the neighbours
    would draw the same without this kernel.

    Parameters
    ----------
    geometry, experts : torch.Tensor
        The mixture, (L, 6) and (L, C).
    value : torch.Tensor
        (C, H, W), the mixture drawn.
    tau : float
        Culling margin in nats.

    Returns
    -------
    torch.Tensor
        (L,) float32, not negative but for rounding.
    """
    ones = torch.ones_like(value[:1])
    maps = torch.cat([ones, value, value.square().sum(0, keepdim=True)])
    mass, *weighted, square = engine.gate_sums(geometry, maps, tau=tau).unbind(1)
    return mass * experts.square().sum(1) - 2 * (experts * torch.stack(weighted, 1)).sum(1) + square


def relocate(
    geometry: torch.Tensor,
    experts: torch.Tensor,
    state: torch.Tensor,
    pixels: np.ndarray,
    weight: np.ndarray | None,
    count: int,
    tau: float,
    rng: np.random.Generator,
    *,
    block: int = 1,
    linear: bool = False,
) -> None:
    """Give the `count` least needed kernels of an SMoE new places, drawn by the squared error; all in place.

    Parameters
    ----------
    geometry, experts, state : torch.Tensor
        The mixture and its optimiser state, as `engine.fit_steps` takes them.
    pixels : numpy.ndarray
        (H, W, C) float32, the image being fitted.
    weight : numpy.ndarray or None
        (H, W) weights of the pixels.
    count : int
        How many, below the number of kernels and of pixels.
    tau : float
        Culling margin in nats.
    rng : numpy.random.Generator
        Draws the places.
    block : int
        Side of the squares whose means are compared with the image; see `engine.fit_steps`.
    linear : bool
        Whether experts are affine in position. New ones begin flat; idle ones are found by their value at the centre.
    """
    height, width, channels = pixels.shape
    value = engine.render(geometry, experts, height, width, tau=tau, linear=linear)
    need = needed(geometry, experts[:, :channels], value, tau)
    moved = torch.argsort(need, stable=True)[:count].numpy()

    if block > 1:
        means = torch.nn.functional.avg_pool2d(value, block)
        value = means.repeat_interleave(block, 1).repeat_interleave(block, 2)
    error = np.square(value.permute(1, 2, 0).numpy() - pixels).sum(2)
    if weight is not None:
        error *= weight
    likely = gaussian_filter(error, 1.0).astype(np.float64).ravel() ** ERROR_POWER
    y, x = np.divmod(draw_pixels(likely + 1e-12 * max(likely.max(), 1e-30), count, rng), width)

    stay = np.setdiff1d(np.arange(len(geometry)), moved)
    distances, nearest = cKDTree(geometry[stay, :2].numpy()).query(
        np.column_stack([y, x]), k=np.arange(1, min(NEIGHBOURS, len(stay)) + 1)
    )
    sigma = np.clip(SPREAD * distances.mean(1), *SIGMA_RANGE)

    fresh = np.zeros((count, 6), np.float32)
    fresh[:, 0], fresh[:, 1] = y, x
    fresh[:, [2, 4]] = 1 / sigma[:, None]
    fresh[:, 5] = geometry[stay[nearest[:, 0]], 5]
    geometry[moved] = torch.from_numpy(fresh)
    experts[moved] = 0
    experts[moved, :channels] = torch.from_numpy(pixels[y, x])
    state[:, :, moved] = 0
