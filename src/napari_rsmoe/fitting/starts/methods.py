"""The initialisations by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...arrays import Floats
from .content import ContentPlaces, content_start
from .random import random_start
from .segmentation import segment_labels, segmentation_options, segmentation_start
from .start import Start

__all__ = [
    "START_METHODS",
    "Start",
    "content_start",
    "make_start",
    "prepared_start",
    "random_start",
    "segment_labels",
    "segmentation_options",
    "segmentation_start",
]

START_METHODS: dict[str, Callable[..., Start]] = {
    "content": content_start,
    "random": random_start,
    "segmentation": segmentation_start,
}
"""The initialisations by name; each is called as ``start(image, n_kernels, rng, **options)``."""


def make_start(name: str, image: Floats, n_kernels: int, rng: np.random.Generator, **options: Any) -> Start:
    """Compute an initialisation by its name.

    Parameters
    ----------
    name : str
        A key of `START_METHODS`.
    image : ndarray of float32, shape (H, W, C)
        Image to be fitted, values about [0, 1].
    n_kernels : int
        Number of kernels, at least 1.
    rng : numpy.random.Generator
        Random generator; the same state gives the same kernels.
    **options
        Options of that initialisation.

    Returns
    -------
    Start
        Positions, scales and colours of the kernels.

    Raises
    ------
    ValueError
        If the name is unknown, or the initialisation rejects its arguments.
    """
    try:
        method = START_METHODS[name]
    except KeyError:
        known = ", ".join(sorted(START_METHODS))
        raise ValueError(f"unknown start {name!r}; there are: {known}") from None
    return method(image, n_kernels, rng, **options)


def prepared_start(name: str, image: Floats, **options: Any) -> Callable[[int, np.random.Generator], Start]:
    """`make_start` for many models of one image, which must not change meanwhile: what they share is computed once.

    Parameters
    ----------
    name, image, **options
        As for `make_start`.

    Returns
    -------
    callable
        Called as ``start(n_kernels, rng)``, it returns what `make_start` would.
    """
    if name == "content" and not options:
        return ContentPlaces.of(image).start
    return lambda n_kernels, rng: make_start(name, image, n_kernels, rng, **options)
