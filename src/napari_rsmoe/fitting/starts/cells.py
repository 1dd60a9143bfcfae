"""Allocation of kernels to segments, and division of each segment into one cell per kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .start import Indices

Labels = NDArray[np.int32]
Weights = NDArray[np.float64]


def allocate(weights: Weights, count: int) -> Indices:
    """Allocate `count` kernels in proportion to weights (Webster's method).

    A segment gets ``round(t * weight)`` kernels, with the factor t for which the total is right. Every segment with
    more than about half the weight per kernel therefore gets at least one, even if there are more segments than
    kernels.

    Parameters
    ----------
    weights : ndarray of float64, shape (S,)
        One per segment, not negative, not all zero.
    count : int
        Number of kernels to allocate.

    Returns
    -------
    ndarray of int64, shape (S,)
        Sums to `count`.
    """

    def rounded(t: float) -> Indices:
        return np.floor(t * weights + 0.5).astype(np.int64)

    low, high = 0.0, (count + 1.0) / float(weights.max())  # At `high` the heaviest segment alone has too many.
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (middle, high) if rounded(middle).sum() <= count else (low, middle)
    given = rounded(low)
    # The remaining ties are between segments that would get their next kernel at the same t.
    left = count - int(given.sum())
    with np.errstate(divide="ignore"):
        next_turn = (given + 0.5) / weights
    given[np.argsort(next_turn, kind="stable")[:left]] += 1
    return given


def _spread_bits(values: Indices) -> Indices:
    """Insert a zero between any two bits of numbers below 2^32."""
    for shift, mask in (
        (16, 0x0000FFFF0000FFFF),
        (8, 0x00FF00FF00FF00FF),
        (4, 0x0F0F0F0F0F0F0F0F),
        (2, 0x3333333333333333),
        (1, 0x5555555555555555),
    ):
        values = (values | values << shift) & mask
    return values


def cut_cells(labels: Labels, weights: Weights, n_kernels: int, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Cut the segments into compact cells of about equal weight, one for each kernel.

    Parameters
    ----------
    labels : ndarray of int32, shape (H, W)
        Segments, 0 to S - 1.
    weights : ndarray of float64, shape (H, W)
        Positive.
    n_kernels : int
        Number of cells, L.
    rng : numpy.random.Generator
        Generator for the origin of the cuts.

    Returns
    -------
    pixels : ndarray of int64
        Flat indices of all pixels of segments that have cells, cell after cell.
    edges : ndarray of int64, shape (L + 1,)
        Cell j is ``pixels[edges[j]:edges[j + 1]]``. Where there are more cells than pixels some are empty;
        these stand for the pixel ``pixels[edges[j]]``, which lies in their segment. The last is not empty.
    """
    label = labels.ravel()
    counts = allocate(np.bincount(label, weights.ravel()).astype(np.float64), n_kernels)
    pixels = np.flatnonzero(counts[label])
    # Neighbours on a Z-order curve are neighbours in the image; moving its origin moves all cuts.
    y, x = np.divmod(pixels, labels.shape[1])
    shift_y, shift_x = rng.integers(0, max(labels.shape), 2)
    curve = _spread_bits(y + shift_y) << 1 | _spread_bits(x + shift_x)
    pixels = pixels[np.lexsort((curve, label[pixels]))]

    segments = np.flatnonzero(counts)  # The segments with cells.
    shares = counts[segments]
    ends = np.cumsum(np.bincount(label)[segments])
    firsts = np.concatenate([[0], ends[:-1]])
    mass = np.concatenate([[0.0], np.cumsum(weights.ravel()[pixels])])
    # Cell i of a segment begins where the fraction i / share of the weight of the segment has passed.
    owner = np.repeat(np.arange(segments.size), shares)
    rank = np.arange(n_kernels) - (np.cumsum(shares) - shares)[owner]
    first, end = firsts[owner], ends[owner]
    begin_mass = mass[first] + rank / shares[owner] * (mass[end] - mass[first])
    begins = np.searchsorted(0.5 * (mass[:-1] + mass[1:]), begin_mass)
    begins = np.where(rank == 0, first, np.clip(begins, first, end - 1))
    return pixels, np.append(begins, pixels.size)
