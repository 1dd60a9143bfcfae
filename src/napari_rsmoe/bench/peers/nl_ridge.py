"""Linear combinations of similar patches by ridge regression, in a plain implementation after NL-Ridge.

References
----------
S. Herbreteau, C. Kervrann, "Towards a unified view of unsupervised non-local methods for image denoising: the NL-Ridge
approach", ICIP 2022, doi:10.1109/ICIP46576.2022.9897992.
"""

from __future__ import annotations

import numpy as np

from .denoiser import Noisy
from .similar_patches import Array, averaged, groups, patches

STRIDE, REACH = 4, 18
SETTINGS = ((15 / 255, 7, 18, 7, 55), (35 / 255, 9, 18, 9, 90), (np.inf, 11, 20, 9, 120))
"""Largest noise, side of patches and patches of a group in the first step, and in the second."""
CHUNK = 512
"""Groups that are filtered at once."""


def denoise(noisy: Noisy, seed: int) -> np.ndarray:
    """Denoise a grey image of known noise."""
    _, side, count, second_side, second_count = next(each for each in SETTINGS if noisy.sigma <= each[0])
    given = noisy.image.astype(np.float64)
    first = _step(given, None, side, count, noisy.sigma)
    return _step(given, first, second_side, second_count, noisy.sigma)


def _step(given: Array, pilot: Array | None, side: int, count: int, sigma: float) -> Array:
    """Mix the patches of each group; without a pilot by Stein's unbiased risk, else by the risk that the pilot has."""
    members = groups(given if pilot is None else pilot, side, STRIDE, REACH, count)
    own, guide = patches(given, side), patches(given if pilot is None else pilot, side)
    energy = side * side * sigma**2
    values, weights = np.empty((*members.shape, side * side)), np.empty(members.shape)
    unit = np.eye(count)
    for start in range(0, len(members), CHUNK):
        part = np.s_[start : start + CHUNK]
        group, model = own[members[part]], guide[members[part]]
        products = model @ model.transpose(0, 2, 1)
        if pilot is None:
            mixing = unit - energy * np.linalg.inv(products)
        else:
            mixing = np.linalg.solve(products + energy * unit, products)
        values[part] = mixing.transpose(0, 2, 1) @ group
        weights[part] = 1 / np.maximum(np.square(mixing).sum(1), 1e-6)
    return averaged(members, values, weights, given.shape, side)
