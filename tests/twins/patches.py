"""Plain twin of ``csrc/cpu/patches.h`` in float64: one group after the other, inverses written out."""

from __future__ import annotations

import numpy as np

SIDE = 8
LEVERAGE_FLOOR = 0.05


def corners(length: int, stride: int) -> list[int]:
    """Where reference patches begin: every `stride` px, and at the end."""
    return sorted({min(at, length - SIDE) for at in range(0, length - SIDE + stride, stride)})


def filter_patches(
    noisy: np.ndarray, pilot: np.ndarray, variance: np.ndarray, correlation: np.ndarray,
    *, stride: int, reach: int, fewest: int, most: int, alike: float,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    noisy, pilot, variance = (each.astype(np.float64) for each in (noisy, pilot, variance))
    channels, height, width = noisy.shape
    views = [np.lib.stride_tricks.sliding_window_view(each, (SIDE, SIDE), (1, 2)) for each in (noisy, pilot, variance)]
    trust = 1 / variance.mean((1, 2))
    estimate, leverage, weights = np.zeros((3, *noisy.shape))
    for y in corners(height, stride):
        for x in corners(width, stride):
            top, left = max(y - reach, 0), max(x - reach, 0)
            window = views[1][:, top : y + reach + 1, left : x + reach + 1]
            gaps = np.square(window - views[1][:, y, x][:, None, None]).sum((3, 4))
            distance = np.einsum("c,cyx->yx", trust, gaps)
            down, across = np.add(np.indices(distance.shape).reshape(2, -1), [[top - y], [left - x]])
            order = np.lexsort((across, down, down**2 + across**2, distance.ravel()))[:most]
            limit = alike * SIDE * SIDE * (trust * variance[:, y + SIDE // 2, x + SIDE // 2]).sum()
            count = max(min(fewest, len(order)), int((distance.ravel()[order] <= limit).sum()))
            ys, xs = np.unravel_index(order[:count], distance.shape)
            ys, xs = ys + top, xs + left
            for c in range(channels):
                y_group, x_group, v_group = (view[c, ys, xs].reshape(count, -1) for view in views)
                deviation = np.sqrt(v_group.mean(0))
                noise = correlation[c] * np.outer(deviation, deviation)
                centred = x_group - x_group.mean(0)
                gain = np.linalg.inv(centred.T @ centred / count + noise) @ noise
                filtered = y_group - (y_group - y_group.mean(0)) @ gain
                own = 1 - (1 - 1 / count) * np.einsum("ij,ji->i", noise, gain) / np.diag(noise)
                weight = 1 / (own.mean() + LEVERAGE_FLOOR)
                for k in range(count):
                    place = (c, slice(ys[k], ys[k] + SIDE), slice(xs[k], xs[k] + SIDE))
                    estimate[place] += weight * filtered[k].reshape(SIDE, SIDE)
                    leverage[place] += weight * own.reshape(SIDE, SIDE)
                    weights[place] += weight
    return estimate / weights, leverage / weights
