"""What a way to remove noise is to the benchmarks: a function with a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Noisy:
    """A noisy image and what is known of it.

    Attributes
    ----------
    image : ndarray of float32, (H, W) or (H, W, 3)
        On [0, 1].
    sigma : float
        True standard deviation of the noise before clipping; of a pair, of the difference to its truth.
    clipped : bool
        Whether `sigma` is of even noise that was cut off at 0 and 1.
    clean : ndarray
        The truth, on [0, 1]; for methods that say that they were told it.
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
        As the input.
    plain : callable or None
        Gives the same before the bend of clipping was undone, where the method does that itself.
    share : float
        Of the work that this result took, where one call gives several.
    """

    image: np.ndarray
    plain: Callable[[], np.ndarray] | None = None
    share: float = 1.0


Told = Literal["nothing", "noise", "truth"]
Denoise = Callable[[Noisy, int], np.ndarray | Denoised | dict[str, Denoised]]
"""Takes a noisy image and a seed; a dictionary fills several rows."""


@dataclass(frozen=True)
class Denoiser:
    """A way to remove noise.

    Attributes
    ----------
    name : str
        For tables.
    run : callable
        The function.
    module : str
        Full name of the module whose code decides the result.
    told : {"nothing", "noise", "truth"}
        What it is told besides the image: nothing (blind), the level or model of the noise, or the truth (to choose
        its best setting: an oracle, which no user has).
    colour, grey : bool
        Which images it takes.
    pairs_only : bool
        For pairs of real images: of no use where the noise was added.
    """

    name: str
    run: Denoise
    module: str
    told: Told = "noise"
    colour: bool = True
    grey: bool = True
    pairs_only: bool = False
