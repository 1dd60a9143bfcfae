"""The initialisation of the paper: kernels of one size at random positions."""

from __future__ import annotations

import numpy as np

from ...arrays import Floats
from .start import Start, check_request


def random_start(image: Floats, n_kernels: int, rng: np.random.Generator, *, sigma: float = 5.0) -> Start:
    """Draw positions uniformly from the area of the image.

    Parameters
    ----------
    image : ndarray of float32, shape (H, W, C)
        Image to be fitted.
    n_kernels : int
        Number of kernels, at least 1; may exceed the number of pixels.
    rng : numpy.random.Generator
        Random generator; the same state gives the same kernels.
    sigma : float
        Standard deviation of every kernel, in px; 5 in the paper.

    Returns
    -------
    Start
        `n_kernels` kernels; experts are the colours of the pixels they fall on.

    Raises
    ------
    ValueError
        For an image or a number that cannot be used, or `sigma` not positive and finite.
    """
    check_request(image, n_kernels)
    if not 0 < sigma < np.inf:
        raise ValueError(f"sigma must be positive and finite, not {sigma}")
    size = np.array(image.shape[:2])
    centers = rng.uniform(-0.5, size - 0.5, (n_kernels, 2)).astype(np.float32)
    y, x = np.clip(np.rint(centers).astype(np.int64), 0, size - 1).T
    return Start(centers, np.full(n_kernels, sigma, np.float32), image[y, x])
