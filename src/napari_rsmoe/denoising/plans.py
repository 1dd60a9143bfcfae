"""The plan of an ensemble: the kernel counts and tile grids of its models."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..fitting.tensors import TILE
from ..model.model import Model
from ..ranges import check_kernels

SPARSEST, DENSEST = 200.0, 10.0
"""Pixels for each kernel in the models with the fewest and with the most kernels, at noise `REFERENCE_NOISE`.

Sparser models blur more content away, denser ones follow more of the noise."""
REFERENCE_NOISE = 0.1 / math.sqrt(3)
"""Noise, root mean square over the channels as a fraction of the image's range, at which these densities hold."""
NOISE_POWER = 0.5
"""Kernel counts fall with this power of the noise: at 0 they do not depend on it."""
NOISE_RANGE = (0.25, 4.0)
"""Noise, in units of `REFERENCE_NOISE`, below and above which kernel counts stay constant."""
MOST_COUNTS = 5
"""Largest number of different kernel counts. More leave fewer models of each, which makes the risk less exact."""
GOLDEN = (math.sqrt(5) - 1) / 2
"""Multiples of the golden ratio modulo 1 are spread evenly for any number of them."""


@dataclass(frozen=True)
class Plan:
    """A model to be fitted.

    Attributes
    ----------
    n_kernels : int
        Number of kernels requested from its initialisation.
    shift : (int, int)
        Pixels (y, x) by which its tile grid starts before the image.
    """

    n_kernels: int
    shift: tuple[int, int]


def plan_ensemble(shape: tuple[int, ...], models: int, n_kernels: int | None, strength: float) -> list[Plan]:
    """Plan the models of an ensemble, with kernel counts in turn and evenly shifted tile grids.

    Parameters
    ----------
    shape : tuple of int
        (H, W, C) of the image.
    models : int
        Number of models.
    n_kernels : int or None
        Kernels of each model; None: several counts, by the noise.
    strength : float
        Standard deviation of the noise, as a fraction of the image's range.

    Raises
    ------
    ValueError
        If a model would have more kernels than the image has pixels.
    """
    if n_kernels is not None:
        check_kernels(n_kernels, shape[0], shape[1])
    counts = kernel_counts(shape, models, strength) if n_kernels is None else [n_kernels]
    shifts = [(TILE * h // models, int(TILE * (h * GOLDEN % 1))) for h in range(models)]
    return [Plan(counts[h % len(counts)], shift) for h, shift in enumerate(shifts)]


def kernel_counts(shape: tuple[int, ...], models: int, strength: float) -> list[int]:
    """Kernel counts for an image, at least two models each, the middle ones first; arguments as above."""
    pixels, channels = shape[0] * shape[1], shape[2]
    steps = min(MOST_COUNTS, max(1, models // 2))
    noise = float(np.clip(strength / math.sqrt(channels) / REFERENCE_NOISE, *NOISE_RANGE)) ** NOISE_POWER
    # All counts include both ends of the range; fewer are the middles of equal parts of it.
    place = (np.arange(steps) + 0.5) / steps if steps < MOST_COUNTS else np.linspace(0, 1, steps)
    density = SPARSEST * (DENSEST / SPARSEST) ** place
    # From the middle outwards, so that the first few models of a job that is stopped already serve most images.
    density = density[np.argsort(np.abs(np.arange(steps) - (steps - 1) / 2 - 0.1), kind="stable")]
    return [max(1, round(pixels / (each * noise))) for each in density]


def planned_kernels(model: Model) -> int:
    """Number of kernels requested from the initialisation of a model, which may have returned fewer."""
    return int(model.metadata.get("planned_kernels", model.n_kernels))


def batches(plans: list[Plan], shape: tuple[int, int], tiles_at_once: int) -> list[list[int]]:
    """Numbers of the plans that are fitted at once: those of one kernel count, in the order of the first of each.

    Parameters
    ----------
    plans : list of Plan
        All models.
    shape : (int, int)
        (H, W) of the image.
    tiles_at_once : int
        Tiles that models fitted at once may have in all; one model is fitted in any case.
    """
    most = max(1, tiles_at_once // ((shape[0] // TILE + 2) * (shape[1] // TILE + 2)))
    by_count: dict[int, list[list[int]]] = {}
    order: list[list[int]] = []
    for number, plan in enumerate(plans):
        known = by_count.setdefault(plan.n_kernels, [])
        if not known or len(known[-1]) == most:
            known.append([])
            order.append(known[-1])
        known[-1].append(number)
    return order
