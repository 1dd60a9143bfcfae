"""Weighted nuclear norm minimisation, in a plain implementation of our own with the published settings.

It takes minutes for 256x256 px. Reference patches are 3 px apart, and similar ones are searched within 18 px.

References
----------
S. Gu, L. Zhang, W. Zuo, X. Feng, "Weighted nuclear norm minimization with application to image denoising", CVPR 2014,
doi:10.1109/CVPR.2014.366.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .denoiser import Noisy
from .similar_patches import Array, Indices, averaged, groups, patches

STRIDE, REACH = 3, 18
RETURNED = 0.1
"""Fraction of the residual that is given back before each iteration."""
CONSTANT = 2 * np.sqrt(2)
"""Of the weights of the singular values, c in the paper."""
REMATCH = 2
"""Iterations with the same groups."""
FEWER = 10
"""Patches by which groups shrink when they are formed again."""
CHUNK = 1024
"""Groups that are filtered at once."""


@dataclass(frozen=True)
class Setting:
    """Settings up to a noise level: side of patches, patches of a group, iterations, and scale of the noise left."""

    sigma: float
    side: int
    count: int
    iterations: int
    scale: float


SETTINGS = (
    Setting(20 / 255, 6, 70, 8, 0.54),
    Setting(40 / 255, 7, 90, 12, 0.56),
    Setting(60 / 255, 8, 120, 14, 0.58),
    Setting(np.inf, 9, 140, 14, 0.58),
)


def denoise(noisy: Noisy, seed: int) -> np.ndarray:
    """Denoise a grey image of known noise."""
    setting = next(each for each in SETTINGS if noisy.sigma <= each.sigma)
    given = noisy.image.astype(np.float64)
    image, side, count = given, setting.side, setting.count
    members = np.empty((0, 0), np.int64)
    for iteration in range(setting.iterations):
        image = image + RETURNED * (given - image)
        if iteration % REMATCH == 0:
            count -= FEWER
            members = groups(image, side, STRIDE, REACH, count)
        found = patches(image, side)
        power = np.square(patches(given, side) - found).mean(1)[members[:, 0]]
        left = setting.scale**2 * np.abs(noisy.sigma**2 - power) if iteration else np.full(len(members), noisy.sigma**2)
        values = _shrunk(found, members, left)
        image = averaged(members, values, np.ones(members.shape), given.shape, side)
    return image


def _shrunk(found: Array, members: Indices, left: Array) -> Array:
    """Shrink the singular values of every group, by more the smaller they are."""
    values = np.empty((*members.shape, found.shape[1]))
    for first in range(0, len(members), CHUNK):
        part = np.s_[first : first + CHUNK]
        group = found[members[part]]
        mean = group.mean(1, keepdims=True)
        centred = group - mean
        squares, vectors = np.linalg.eigh(centred.transpose(0, 2, 1) @ centred)
        weight = CONSTANT * np.sqrt(members.shape[1]) * left[part, None]
        rest = 1 - 4 * weight / np.maximum(squares, 1e-12)
        factor = np.where(rest > 0, (1 + np.sqrt(np.maximum(rest, 0))) / 2, 0)
        values[part] = (centred @ vectors * factor[:, None]) @ vectors.transpose(0, 2, 1) + mean
    return values
