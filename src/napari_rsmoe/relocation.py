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
    moved = _least_needed(geometry, experts[:, :channels], value, tau, count).numpy()

    value = _block_means(value, block)
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


def relocate_on_device(
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
    """Do what `relocate` does, with the same chances, where the tensors are; the host does not wait."""
    device = geometry.device
    image = torch.from_numpy(np.ascontiguousarray(pixels)).to(device)
    height, width, channels = image.shape
    value = engine.render(geometry, experts, height, width, tau=tau, linear=linear)
    moved = _least_needed(geometry, experts[:, :channels], value, tau, count)

    value = _block_means(value, block)
    error = (value.permute(1, 2, 0) - image).square().sum(2)
    if weight is not None:
        error *= torch.from_numpy(weight).to(device)
    likely = _blurred(_blurred(error.double()).T).T.ravel() ** ERROR_POWER
    likely = likely + 1e-12 * likely.max().clamp_min(1e-30)
    # The race of `draw_pixels`.
    arrivals = torch.from_numpy(rng.standard_exponential(height * width)).to(device) / likely
    place = torch.topk(arrivals, count, largest=False).indices.sort().values
    y, x = place // width, place % width

    neighbours = min(NEIGHBOURS, len(geometry) - count)
    apart, nearest = [], []
    for part in torch.stack([y, x], 1).float().split(max(1, (1 << 25) // len(geometry))):
        distances = torch.cdist(part, geometry[:, :2], compute_mode="donot_use_mm_for_euclid_dist")
        distances[:, moved] = torch.inf
        closest = torch.topk(distances, neighbours, largest=False)
        apart.append(closest.values.mean(1))
        nearest.append(closest.indices[:, 0])
    sigma = (SPREAD * torch.cat(apart)).clamp(*SIGMA_RANGE)

    fresh = torch.zeros(count, 6, device=device)
    fresh[:, 0], fresh[:, 1] = y, x
    fresh[:, 2] = fresh[:, 4] = 1 / sigma
    fresh[:, 5] = geometry[torch.cat(nearest), 5]
    geometry[moved] = fresh
    experts[moved] = 0
    experts[moved, :channels] = image[y, x]
    state[:, :, moved] = 0


def _least_needed(
    geometry: torch.Tensor, experts: torch.Tensor, value: torch.Tensor, tau: float, count: int
) -> torch.Tensor:
    """The `count` kernels that are least needed, (count,) int64."""
    return torch.argsort(needed(geometry, experts, value, tau), stable=True)[:count]


def _block_means(value: torch.Tensor, block: int) -> torch.Tensor:
    """Each pixel of (C, H, W) replaced by the mean of its square of `block` x `block` pixels."""
    if block == 1:
        return value
    means = torch.nn.functional.avg_pool2d(value, block)
    return means.repeat_interleave(block, 1).repeat_interleave(block, 2)


def _blurred(plane: torch.Tensor) -> torch.Tensor:
    """Blur along the first axis as `gaussian_filter(plane, 1.0)` does."""
    radius = 4
    weights = np.exp(-0.5 * np.arange(-radius, radius + 1.0) ** 2)
    rows = torch.from_numpy(np.pad(np.arange(len(plane)), radius, mode="symmetric")).to(plane.device)
    padded = plane[rows]
    total = torch.zeros_like(plane)
    for offset, part in enumerate((weights / weights.sum()).tolist()):
        total += part * padded[offset : offset + len(plane)]
    return total
