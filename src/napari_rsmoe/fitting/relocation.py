"""Move the kernels that are least needed to where the error is largest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from .. import engine
from .settings import FitSettings
from .starts.start import SIGMA_RANGE
from .state import FitState
from .target import FitTarget

ERROR_POWER = 2.0
"""Power of the squared error by which places are drawn. Above 1 the worst places get most of the kernels; 2 and 3 were
best, see docs/trials/fitting.md."""
CANDIDATES = 4
"""Kernels that are tried for removal, for each that moves. More make the choice better and each one slower."""
NEIGHBOURS = 3
"""Nearest kernels whose mean distance sets the scale of a new kernel."""
SPREAD = 0.5
"""Scale of a new kernel as a fraction of that distance. Larger ones disturb their neighbours, smaller ones change too
few pixels to be drawn to the right place."""
LEAST_CHANCE = 1e-12
"""Chance of a pixel without error, as a fraction of that of the worst pixel, so that there are always enough places."""


@dataclass(frozen=True)
class Moves:
    """How many kernels move, and whether anywhere or within squares.

    A kernel moves within its square in a block of a larger image: the whole image has the same squares, so the kernels
    that move are the same whatever the block.

    Attributes
    ----------
    counts : torch.Tensor
        (squares,) int64, kernels that move in each square.
    kernels, pixels : torch.Tensor
        (L,) and (H W,) int64, the square of each kernel and of each pixel.
    """

    counts: torch.Tensor
    kernels: torch.Tensor
    pixels: torch.Tensor

    @classmethod
    def within(cls, geometry: torch.Tensor, shape: tuple[int, int], side: int, share: float) -> Moves:
        """A share of the kernels of each square of `side` pixels, from the upper left corner on."""
        height, width = shape
        columns = -(-width // side)
        rows, across = (geometry[:, k].round().clamp(0, shape[k] - 1).long() // side for k in (0, 1))
        y, x = (torch.arange(length, device=geometry.device, dtype=torch.int64) // side for length in (height, width))
        pixels = (y[:, None] * columns + x).ravel()
        kernels = rows * columns + across
        there, room = (torch.bincount(each, minlength=columns * -(-height // side)) for each in (kernels, pixels))
        counts = (share * there).round().long()
        return cls(counts.minimum((there - 1).clamp_min(0)).minimum(room), kernels, pixels)

    def lowest(self, values: torch.Tensor, squares: torch.Tensor, factor: int = 1) -> torch.Tensor:
        """Numbers of the lowest values of each square, `factor` times as many as move there; in ascending order."""
        order = torch.argsort(values, stable=True)
        order = order[torch.argsort(squares[order], stable=True)]
        there = torch.bincount(squares, minlength=len(self.counts))
        first = there.cumsum(0) - there
        own = squares[order]
        rank = torch.arange(len(order), device=order.device, dtype=torch.int64) - first[own]
        most = (factor * self.counts).minimum((there - 1).clamp_min(0)) if factor > 1 else self.counts
        return order[rank < most[own]].sort().values


def relocate(
    state: FitState,
    target: FitTarget,
    moves: int | Moves,
    arrivals: torch.Tensor,
    settings: FitSettings,
    *,
    wait: bool = True,
) -> torch.Tensor:
    """Give idle kernels of an SMoE new places, drawn by the squared error.

    Changes geometry, experts and moments of the state in place. All tensors live on one device; nothing is copied to
    or from it.

    Parameters
    ----------
    state : FitState
        The mixture and its optimiser state. Of linear experts only the value at the centre decides which kernels are
        idle; relocated kernels begin flat.
    target : FitTarget
        The image being fitted.
    moves : int or Moves
        How many kernels move, below their number and at most the number of pixels; or how many within which squares.
    arrivals : torch.Tensor
        (H W,) float32, independent draws from the standard exponential distribution, which decide the places.
    settings : FitSettings
        Of the fit: `tau`, `linear` and `oversample` matter here.
    wait : bool
        As for `engine.render`.

    Returns
    -------
    torch.Tensor
        () bool. False: the engine would have had to wait, and the kernels are spoilt.
    """
    geometry, experts, image = state.geometry, state.experts, target.image
    channels, height, width = image.shape
    tau, linear = settings.tau, settings.linear
    value = engine.render(geometry, experts, height, width, tau=tau, linear=linear, wait=wait)
    need = needed(geometry, experts[:, :channels], value, tau, wait=wait)
    error = _squared_error(value, target, settings.oversample)

    candidates, others = _candidates(need, moves)
    without = engine.render(geometry[others], experts[others], height, width, tau=tau, linear=linear, wait=wait)
    # All candidates were left out at once: each answers for the harm in its share of the gates among them.
    harm_map = _squared_error(without, target, settings.oversample) - error
    harm = engine.gate_sums(geometry[candidates], harm_map[None], tau=tau, wait=wait)[:, 0]
    if isinstance(moves, Moves):
        moved = candidates[moves.lowest(harm, moves.kernels[candidates])]
    else:
        moved = candidates[torch.argsort(harm, stable=True)[:moves]].sort().values

    y, x = _places(error, arrivals, moves)
    distance, nearest = neighbours(torch.stack([y, x], 1), geometry[:, :2], moved)
    fresh = geometry.new_zeros(len(moved), 6)
    fresh[:, 0], fresh[:, 1] = y, x
    fresh[:, 2] = fresh[:, 4] = 1 / (SPREAD * distance).clamp(*SIGMA_RANGE)
    fresh[:, 5] = geometry[nearest, 5]
    colours = experts.new_zeros(len(moved), experts.shape[1])
    colours[:, :channels] = image[:, y, x].T
    geometry.index_copy_(0, moved, fresh)
    experts.index_copy_(0, moved, colours)
    state.moments.index_fill_(2, moved, 0)
    return value[0, 0, 0].isfinite() & need[0].isfinite() & without[0, 0, 0].isfinite() & harm[0].isfinite()


def _squared_error(drawn: torch.Tensor, target: FitTarget, block: int) -> torch.Tensor:
    """Weighted squared error (H, W) of a drawing (C, H, W), which is compared by the means of its blocks."""
    error = (_block_means(drawn, block) - target.image).square().sum(0)
    return error if target.weight is None else error * target.weight


def _candidates(need: torch.Tensor, moves: int | Moves) -> tuple[torch.Tensor, torch.Tensor]:
    """Numbers of the kernels that are tried for removal, those that are needed least, and of the others."""
    if isinstance(moves, Moves):
        candidates = moves.lowest(need, moves.kernels, CANDIDATES)
        stays = torch.ones(len(need), dtype=torch.bool, device=need.device).index_fill_(0, candidates, False)
        return candidates, stays.nonzero()[:, 0]
    order = torch.argsort(need, stable=True)
    split = min(CANDIDATES * moves, len(order) - 1)
    return order[:split].sort().values, order[split:].sort().values


def _places(error: torch.Tensor, arrivals: torch.Tensor, moves: int | Moves) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns of different pixels, drawn by the blurred error (H, W) in raster order."""
    likely = blurred(error).double().ravel() ** ERROR_POWER
    likely += LEAST_CHANCE * likely.max().clamp_min(1e-30)
    # Pixels race: each arrives after an exponential time at the rate of its chance, and the first ones win; see
    # `starts.start.draw_pixels`.
    if isinstance(moves, Moves):
        place = moves.lowest(arrivals / likely, moves.pixels)
    else:
        place = torch.topk(arrivals / likely, moves, largest=False).indices.sort().values
    width = error.shape[1]
    return place // width, place % width


def needed(
    geometry: torch.Tensor, experts: torch.Tensor, value: torch.Tensor, tau: float, *, wait: bool = True
) -> torch.Tensor:
    """How much each kernel's colour differs from the image that it helps to draw.

    The sum over pixels of gate times squared difference of expert and value. Where it is small, the neighbours would
    draw the same without this kernel.

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
    """Do what `gaussian_filter` does on any device; on the CPU it is four times as slow."""
    radius = 4
    weights = np.exp(-0.5 * np.arange(-radius, radius + 1.0) ** 2)
    for _ in range(2):  # along y, then along x
        length = len(plane)
        rows = torch.arange(-radius, length + radius, dtype=torch.int64, device=plane.device) % (2 * length)
        padded = plane[torch.minimum(rows, 2 * length - 1 - rows)]
        total = torch.zeros_like(plane)
        for offset, part in enumerate((weights / weights.sum()).tolist()):
            total.add_(padded[offset : offset + length], alpha=part)
        plane = total.T
    return plane


def neighbours(places: torch.Tensor, centers: torch.Tensor, without: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the centres (L, 2) next to each place (K, 2), leaving out the kernels `without`.

    Returns
    -------
    distance : torch.Tensor
        (K,) float32, mean distance of the `NEIGHBOURS` nearest.
    nearest : torch.Tensor
        (K,) int64, the nearest.
    """
    if centers.device.type != "cpu":
        return neighbours_on_device(places, centers, without)
    from scipy.spatial import cKDTree  # here, as loading it takes a tenth of a second, and denoising does without

    stay = np.setdiff1d(np.arange(len(centers)), without.numpy())
    count = min(NEIGHBOURS, len(stay))
    distances, nearest = cKDTree(centers.numpy()[stay]).query(places.numpy(), k=np.arange(1, count + 1))
    return torch.from_numpy(distances.mean(1)).float(), torch.from_numpy(stay[nearest[:, 0]])


def neighbours_on_device(
    places: torch.Tensor, centers: torch.Tensor, without: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Do the same without a tree: compute all distances, in parts of bounded memory."""
    count = min(NEIGHBOURS, len(centers) - len(without))
    apart, nearest = [], []
    for part in places.float().split(max(1, (1 << 25) // len(centers))):
        distances = torch.cdist(part, centers, compute_mode="donot_use_mm_for_euclid_dist")
        distances.index_fill_(1, without, torch.inf)
        closest = torch.topk(distances, count, largest=False)
        apart.append(closest.values.mean(1))
        nearest.append(closest.indices[:, 0])
    return torch.cat(apart), torch.cat(nearest)
