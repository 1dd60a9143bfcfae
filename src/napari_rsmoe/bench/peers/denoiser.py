"""A denoising method as the benchmarks see it: a named function, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Noisy:
    """A noisy image and what is known about it.

    Attributes
    ----------
    image : ndarray of float32, (H, W) or (H, W, 3)
        Values on [0, 1].
    sigma : float
        True standard deviation of the noise before clipping; for a pair, that of the difference to its truth.
    clipped : bool
        Whether the image is `clean` plus white noise, clipped to [0, 1].
    clean : ndarray
        The truth, on [0, 1]; only for methods whose `given` is "truth".
    """

    image: np.ndarray
    sigma: float
    clipped: bool
    clean: np.ndarray


@dataclass(frozen=True)
class Denoised:
    """A result that comes with more than the image.

    Attributes
    ----------
    image : ndarray
        The denoised image, like the input.
    plain : callable or None
        Returns the result without the correction of clipping, if the method corrects it.
    share : float
        Fraction of the work that this result took, if one call returns several results.
    """

    image: np.ndarray
    plain: Callable[[], np.ndarray] | None = None
    share: float = 1.0


Given = Literal["nothing", "noise", "truth"]
Denoise = Callable[[Noisy, int], np.ndarray | Denoised | dict[str, Denoised]]
"""Takes a noisy image and a seed; a dictionary of results fills several rows."""


@dataclass(frozen=True)
class Denoiser:
    """A denoising method.

    Attributes
    ----------
    name : str
        Name in tables.
    run : callable
        The function.
    module : str
        Full name of the module whose code decides the result.
    given : {"nothing", "noise", "truth"}
        What the method is given besides the image: nothing (blind), the level or model of the noise, or the truth. A
        method that is given the truth chooses its best setting by it, as an oracle that no user has.
    colour, grey : bool
        Whether it accepts colour images, and grey images.
    pairs_only : bool
        Whether it is only for pairs of real images, and not for added noise.
    """

    name: str
    run: Denoise
    module: str
    given: Given = "noise"
    colour: bool = True
    grey: bool = True
    pairs_only: bool = False
