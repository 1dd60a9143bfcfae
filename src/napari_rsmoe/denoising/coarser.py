"""Coarser levels: find at half the resolution what noise an estimate still has in its low frequencies."""

from __future__ import annotations

import numpy as np

from ..arrays import Floats
from ..image.blur import blurred
from ..image.opponent import Opponent
from ..image.resample import enlarged_planes, pooled, pooled_planes
from .feedback import PASS, fed_back
from .nonlocal_bayes import PASSES, Pass, Refined, filtered, floored, has_group

LEVELS = 2
"""Levels, each of half the resolution of the one before. A third one gains nothing that can be measured."""
FACTOR = 2
"""Pixels along each axis whose mean is a pixel of the coarser level."""
TRUSTED = np.float32(0.04)
"""Leverage of an estimate at which half of what the coarser level finds is believed.

Where the leverage is lower, there is little content, and what is left of the noise is in low frequencies. Where it is
higher, there is texture, which the coarser level takes for noise. With more, texture is lost; with less, noise stays in
flat places."""
WINDOW = 3.0
"""Standard deviation, in pixels, of the window in which the leverage is averaged.

In a smaller one the correction has edges of its own; in a larger one, flat places beside texture are not corrected."""


def refine_coarser(
    noisy: Floats, estimate: Refined, variance: Floats, used: Floats | None, opponent: Opponent, levels: int = LEVELS
) -> Refined:
    """Correct the low frequencies of an estimate by filtering the image at half the resolution.

    A patch sees no blob of noise that is as large as itself, so flat places keep such blobs. At half the resolution
    they are smaller than a patch, and white noise is still white, with a quarter of its variance. There the estimate is
    the pilot of one pass of the filter, the next level corrects the result in the same way, and one pass of feedback
    follows. What this changes is enlarged and added where the leverage of the estimate is low. Filtering on several
    levels is due to [1]_; that details must not follow the coarse level everywhere, to [2]_.

    Parameters
    ----------
    noisy : ndarray of float32, shape (C, H, W)
        Noisy image, with white noise.
    estimate : Refined
        Its estimate.
    variance : ndarray of float32, shape (C, H, W)
        Variance of the noise at each pixel.
    used : ndarray of float32, shape (H, W), or None
        1 where the noisy image counts, 0 where it does not; None: everywhere.
    opponent : Opponent
        The transform that made the planes.
    levels : int
        Coarser levels that are filtered, if they are large enough for a group.

    Returns
    -------
    Refined
        Its leverage is that of the estimate.

    References
    ----------
    .. [1] M. Lebrun, M. Colom, J.-M. Morel. The Noise Clinic: a blind image denoising algorithm. Image Processing On
       Line 5, 2015. :doi:`10.5201/ipol.2015.125`
    .. [2] G. Facciolo, N. Pierazzo, J.-M. Morel. Conservative scale recomposition for multiscale denoising (the devil
       is in the high frequency detail). SIAM Journal on Imaging Sciences 10, 2017. :doi:`10.1137/17M1111826`
    """
    pilot = pooled_planes(estimate.image, FACTOR)
    if not has_group(pilot.shape):
        return estimate
    coarse, noise = pooled_planes(noisy, FACTOR), floored(pooled_planes(variance, FACTOR) / np.float32(FACTOR**2))
    share = None if used is None else pooled(used, FACTOR)
    found = filtered(coarse, pilot, noise, PASSES[-1])
    if levels > 1:
        found = refine_coarser(coarse, found, noise, share, opponent, levels - 1)
    image = fed_back(coarse, found.image, noise, share, opponent, PASS)
    leverage = blurred(estimate.leverage, None, WINDOW)
    believed = 1 / (1 + np.square(leverage / TRUSTED))
    return Refined(estimate.image + believed * _fine(image - pilot, noisy.shape), estimate.leverage)


def coarser_passes(shape: tuple[int, ...], levels: int = LEVELS) -> list[tuple[tuple[int, ...], tuple[Pass, ...]]]:
    """The shape of each level below planes (C, H, W), and the passes of the filter there, for the progress."""
    passes: list[tuple[tuple[int, ...], tuple[Pass, ...]]] = []
    for _ in range(levels):
        shape = (shape[0], *(-(-length // FACTOR) for length in shape[1:]))
        if has_group(shape):
            passes.append((shape, (PASSES[-1], PASS)))
    return passes


def _fine(planes: Floats, shape: tuple[int, ...]) -> Floats:
    """Planes at twice the resolution, cut to a shape (C, H, W)."""
    whole = (FACTOR * planes.shape[1], FACTOR * planes.shape[2])
    return enlarged_planes(planes, whole)[:, : shape[1], : shape[2]]
