"""Plain twin of ``csrc/cpu/patches.h`` in float64: one group after the other, inverses written out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

SIDE = 8
LEVERAGE_FLOOR = 0.01
COLOURS = 3
LEAST_SPREAD = 1e-5


def corners(length: int, stride: int) -> list[int]:
    """Where reference patches begin: every `stride` px, and at the end."""
    return sorted({min(at, length - SIDE) for at in range(0, length - SIDE + stride, stride)})


def in_order(ys: list[int], xs: list[int], stride: int, reach: int) -> Iterator[tuple[int, int]]:
    """Reference patches square by square: every second square along both axes, then the others."""
    side = -(-(2 * reach + SIDE) // stride)
    for odd_y, odd_x in ((0, 0), (0, 1), (1, 0), (1, 1)):
        for top in range(odd_y * side, len(ys), 2 * side):
            for left in range(odd_x * side, len(xs), 2 * side):
                yield from ((y, x) for y in ys[top : top + side] for x in xs[left : left + side])


def strongest(x: np.ndarray, negligible: float) -> np.ndarray:
    """P^T P, which leaves at most `negligible` of each diagonal element of x^T x (Cholesky with pivots)."""
    rest = x.T @ x
    least = max(negligible, 1e-6 * np.trace(rest))
    kept = np.zeros_like(rest)
    while rest.diagonal().max() > least:
        i = int(rest.diagonal().argmax())
        row = rest[i] / np.sqrt(rest[i, i])
        kept += np.outer(row, row)
        rest -= np.outer(row, row)
        rest[i] = rest[:, i] = 0
    return kept


def filter_group(
    y: np.ndarray, x: np.ndarray, v: np.ndarray, correlation: np.ndarray, negligible: float, steep: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Blocks (N, K, 64), planes or colours, by the principal components of the pilots; and their leverage (N, 64)."""
    blocks, count, size = y.shape
    scale = np.sqrt(v.mean((1, 2)))
    rest = (x - x.mean(1, keepdims=True)) / scale[:, None, None]
    vectors = np.linalg.eigh(np.einsum("pki,qki->pq", rest, rest))[1] if blocks > 1 else np.ones((1, 1))
    filtered, leverage = np.zeros(y.shape), np.zeros((blocks, size))
    for vector in vectors.T:
        y_one, x_one = (np.tensordot(vector / scale, each, 1) for each in (y, x))
        deviation = np.sqrt(np.square(vector / scale) @ v.mean(1))
        signal = strongest((x_one - x_one.mean(0)) / deviation / np.sqrt(count), negligible)
        gain = np.eye(size) - np.linalg.inv(signal + correlation) @ correlation
        gain = 3 * gain @ gain - 2 * gain @ gain @ gain if steep else gain
        centred = (y_one - y_one.mean(0)) / deviation
        own = 1 / count + (1 - 1 / count) * np.diagonal(correlation @ gain)
        filtered += (vector * scale)[:, None, None] * (y_one.mean(0) + deviation * (centred @ gain))
        leverage += np.outer(np.square(vector), own)
    return filtered, leverage


def filter_patches(
    noisy: np.ndarray, pilot: np.ndarray, variance: np.ndarray, correlation: np.ndarray,
    *, stride: int, reach: int, fewest: int, most: int, similar: float, same: float, negligible: float,
    steep: bool = False,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    noisy, pilot, variance = (each.astype(np.float64) for each in (noisy, pilot, variance))
    stacks = [each if each.ndim == 4 else each[None] for each in (noisy, pilot, variance)]
    noisy, pilot, variance = (each[0] for each in stacks)
    channels, height, width = noisy.shape
    through = [np.lib.stride_tricks.sliding_window_view(each, (SIDE, SIDE), (2, 3)) for each in stacks]
    views = [each[0] for each in through]
    trust = 1 / variance.mean((1, 2))
    mixed = len(stacks[0]) == 1 and channels == COLOURS and (correlation == np.eye(SIDE * SIDE)).all()
    spread = np.ptp(noisy, (1, 2))
    mixed = mixed and spread.min() > LEAST_SPREAD * spread.max()
    estimate, leverage, weights = np.zeros((3, *noisy.shape))
    covered: set[tuple[int, int]] = set()
    for y, x in in_order(corners(height, stride), corners(width, stride), stride, reach):
        if (y, x) in covered:
            continue
        top, left = max(y - reach, 0), max(x - reach, 0)
        window = views[1][:, top : y + reach + 1, left : x + reach + 1]
        gaps = np.square(window - views[1][:, y, x][:, None, None]).sum((3, 4))
        distance = np.einsum("c,cyx->yx", trust, gaps)
        down, across = np.add(np.indices(distance.shape).reshape(2, -1), [[top - y], [left - x]])
        order = np.lexsort((across, down, down**2 + across**2, distance.ravel()))[:most]
        energy = SIDE * SIDE * (trust * variance[:, y + SIDE // 2, x + SIDE // 2]).sum()
        count = max(min(fewest, len(order)), int((distance.ravel()[order] <= similar * energy).sum()))
        ys, xs = np.unravel_index(order[:count], distance.shape)
        near = distance[ys, xs] <= same * energy
        ys, xs = ys + top, xs + left
        covered |= set(zip(ys[near].tolist(), xs[near].tolist(), strict=True))
        groups = [each[:, :, ys, xs].reshape(*each.shape[:2], count, -1) for each in through]
        if mixed:
            filtered, own = filter_group(*(each[0] for each in groups), correlation[0], negligible, steep)
        else:
            each_channel = [
                filter_group(*(each[:, c] for each in groups), correlation[c], negligible, steep)
                for c in range(channels)
            ]
            filtered, own = (np.stack([result[0] for result in part]) for part in zip(*each_channel, strict=True))
        weight = 1 / (own + LEVERAGE_FLOOR).reshape(channels, SIDE, SIDE)
        for k in range(count):
            place = (slice(None), slice(ys[k], ys[k] + SIDE), slice(xs[k], xs[k] + SIDE))
            estimate[place] += weight * filtered[:, k].reshape(channels, SIDE, SIDE)
            leverage[place] += weight * own.reshape(channels, SIDE, SIDE)
            weights[place] += weight
    return estimate / weights, leverage / weights
