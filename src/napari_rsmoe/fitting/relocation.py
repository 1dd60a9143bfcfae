"""Move the kernels that are least needed to where the error is largest."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from .. import engine
from .starts.start import SIGMA_RANGE

ERROR_POWER = 2.0  # above 1 it seeks out the worst places; 2 and 3 were best, see docs/trials/fitting.md
CANDIDATES = 4  # times as many kernels are tried for removal as are moved
NEIGHBOURS = 3  # kernels whose mean distance sets the scale of a new one
SPREAD = 0.5  # scale of a new kernel, in that distance


def relocate(
    geometry: torch.Tensor,
    experts: torch.Tensor,
    state: torch.Tensor,
    image: torch.Tensor,
    weight: torch.Tensor | None,
    count: int,
    tau: float,
    arrivals: torch.Tensor,
    *,
    block: int = 1,
    linear: bool = False,
    wait: bool = True,
) -> torch.Tensor:
    """Give `count` idle kernels of an SMoE new places, drawn by the squared error; all in place.

    The idle ones are found in two turns: those whose colour differs least from the image that they help to draw are
    left out all together, and of them those go whose absence does the least harm.

    All tensors live on one device; nothing is copied to or from it.

    Parameters
    ----------
    geometry, experts, state : torch.Tensor
        The mixture and its optimiser state, as `engine.fit_steps` takes them.
    image : torch.Tensor
        (C, H, W) float32, the image being fitted.
    weight : torch.Tensor or None
        (H, W) weights of the pixels.
    count : int
        How many, below the number of kernels and at most that of pixels.
    tau : float
        Culling margin in nats.
    arrivals : torch.Tensor
        (H W,) float32, independent draws from the standard exponential distribution, which decide the places.
    block : int
        Side of the squares whose means are compared with the image; see `engine.fit_steps`.
    linear : bool
        Whether experts are affine in position. New ones begin flat; idle ones are found by their value at the centre.
    wait : bool
        As for `engine.render`.

    Returns
    -------
    torch.Tensor
        () bool. False: the engine would have had to wait, and the kernels are spoilt.
    """
    channels, height, width = image.shape
    value = engine.render(geometry, experts, height, width, tau=tau, linear=linear, wait=wait)
    need = needed(geometry, experts[:, :channels], value, tau, wait=wait)

    def error_of(drawn: torch.Tensor) -> torch.Tensor:
        error = (_block_means(drawn, block) - image).square().sum(0)
        return error if weight is None else error * weight

    error = error_of(value)
    order = torch.argsort(need, stable=True)
    split = min(CANDIDATES * count, len(order) - 1)
    candidates, others = order[:split].sort().values, order[split:].sort().values
    without = engine.render(geometry[others], experts[others], height, width, tau=tau, linear=linear, wait=wait)
    # Where several were left out, each answers for the harm in the share that it had among them.
    harm = engine.gate_sums(geometry[candidates], (error_of(without) - error)[None], tau=tau, wait=wait)[:, 0]
    moved = candidates[torch.argsort(harm, stable=True)[:count]].sort().values

    likely = blurred(error).double().ravel() ** ERROR_POWER
    likely += 1e-12 * likely.max().clamp_min(1e-30)
    # A race, as in `starts.start.draw_pixels`.
    place = torch.topk(arrivals / likely, count, largest=False).indices.sort().values
    y, x = place // width, place % width

    distance, nearest = neighbours(torch.stack([y, x], 1), geometry[:, :2], moved)
    fresh = geometry.new_zeros(count, 6)
    fresh[:, 0], fresh[:, 1] = y, x
    fresh[:, 2] = fresh[:, 4] = 1 / (SPREAD * distance).clamp(*SIGMA_RANGE)
    fresh[:, 5] = geometry[nearest, 5]
    colours = experts.new_zeros(count, experts.shape[1])
    colours[:, :channels] = image[:, y, x].T
    geometry.index_copy_(0, moved, fresh)
    experts.index_copy_(0, moved, colours)
    state.index_fill_(2, moved, 0)
    return value[0, 0, 0].isfinite() & need[0].isfinite() & without[0, 0, 0].isfinite() & harm[0].isfinite()


def needed(
    geometry: torch.Tensor, experts: torch.Tensor, value: torch.Tensor, tau: float, *, wait: bool = True
) -> torch.Tensor:
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
    wait : bool
        As for `engine.render`.

    Returns
    -------
    torch.Tensor
        (L,) float32, not negative but for rounding.
    """
    ones = torch.ones_like(value[:1])
    maps = torch.cat([ones, value, value.square().sum(0, keepdim=True)])
    mass, *weighted, square = engine.gate_sums(geometry, maps, tau=tau, wait=wait).unbind(1)
    return mass * experts.square().sum(1) - 2 * (experts * torch.stack(weighted, 1)).sum(1) + square


def _block_means(value: torch.Tensor, block: int) -> torch.Tensor:
    """Each pixel of (C, H, W) replaced by the mean of its square of `block` x `block` pixels."""
    if block == 1:
        return value
    means = torch.nn.functional.avg_pool2d(value, block)
    return means.repeat_interleave(block, 1).repeat_interleave(block, 2)


def blurred(plane: torch.Tensor) -> torch.Tensor:
    """Blur (H, W) with a Gaussian of 1 px, mirrored at the border."""
    if plane.device.type == "cpu":
        return torch.from_numpy(gaussian_filter(plane.numpy(), 1.0))
    return blurred_on_device(plane)


def blurred_on_device(plane: torch.Tensor) -> torch.Tensor:
    """Do what `gaussian_filter` does, four times as slow on the CPU."""
    radius = 4
    weights = np.exp(-0.5 * np.arange(-radius, radius + 1.0) ** 2)
    for _ in range(2):  # along y, then along x
        length = len(plane)
        rows = torch.arange(-radius, length + radius, device=plane.device) % (2 * length)
        padded = plane[torch.minimum(rows, 2 * length - 1 - rows)]
        total = torch.zeros_like(plane)
        for offset, part in enumerate((weights / weights.sum()).tolist()):
            total.add_(padded[offset : offset + length], alpha=part)
        plane = total.T
    return plane


def neighbours(places: torch.Tensor, centers: torch.Tensor, without: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The centres (L, 2) next to places (K, 2), of all but those `without`.

    Returns
    -------
    distance : torch.Tensor
        (K,) float32, mean distance of the `NEIGHBOURS` nearest.
    nearest : torch.Tensor
        (K,) int64, the nearest.
    """
    if centers.device.type != "cpu":
        return neighbours_on_device(places, centers, without)
    stay = np.setdiff1d(np.arange(len(centers)), without.numpy())
    count = min(NEIGHBOURS, len(stay))
    distances, nearest = cKDTree(centers.numpy()[stay]).query(places.numpy(), k=np.arange(1, count + 1))
    return torch.from_numpy(distances.mean(1)).float(), torch.from_numpy(stay[nearest[:, 0]])


def neighbours_on_device(
    places: torch.Tensor, centers: torch.Tensor, without: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Do the same without a tree: all distances, in parts of bounded memory."""
    count = min(NEIGHBOURS, len(centers) - len(without))
    apart, nearest = [], []
    for part in places.float().split(max(1, (1 << 25) // len(centers))):
        distances = torch.cdist(part, centers, compute_mode="donot_use_mm_for_euclid_dist")
        distances.index_fill_(1, without, torch.inf)
        closest = torch.topk(distances, count, largest=False)
        apart.append(closest.values.mean(1))
        nearest.append(closest.indices[:, 0])
    return torch.cat(apart), torch.cat(nearest)
