"""Feedback: give part of the residual back to an estimate, and remove the noise that comes with it."""

from __future__ import annotations

from itertools import cycle

import numpy as np

from .. import engine
from ..arrays import Floats
from ..image.blur import blurred
from ..image.opponent import Opponent
from .nonlocal_bayes import Pass, Refined, floored, has_group

MODELS_PER_PASS = 5
"""Models of the ensemble for each pass: the effort grows with the number of models, as the gain of a pass does not
depend on it. Fewer models for each pass make the presets slower."""
MOST_PASSES = 3
"""Passes at most. A fourth one gains nothing."""
MIRRORED: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,))
"""Axes along which the image is mirrored in each pass, so that reference patches lie at other places than before."""
RETURNED = np.float32(0.12)
"""Fraction of the residual that is given back before each pass. More brings back more lost content, and more noise."""
PASS = Pass(strength=0.44, stride=5)
"""Each pass. Its strength is relative to the noise that is estimated to be left, instead of to the whole noise."""
COLOUR = 1.4
"""Threshold of colour differences, relative to brightness: they have less content."""
GROUP = 60
"""Patches of a group. More make its covariance more certain; fewer are more similar."""
NEGLIGIBLE = 0.2
"""Variance within a group, as a fraction of the threshold, that is neglected. Above it weak texture is lost; below it
time is spent on noise."""
SAME = 0.5
"""Squared distance, in units of the threshold, up to which a patch is in the group of another one only."""
WIDTH = 5.0
"""Standard deviation, in pixels, of the window in which the residual is compared with the noise."""
PILOT = np.float32(0.14)
"""Share of the first estimate in the result. Its errors are larger, but other ones."""


def passes_for(models: int) -> tuple[Pass, ...]:
    """The passes that an ensemble of so many models is worth."""
    return (PASS,) * min(MOST_PASSES, models // MODELS_PER_PASS)


def refine_by_feedback(
    noisy: Floats,
    refined: Refined,
    pilot: Floats,
    variance: Floats,
    used: Floats | None,
    opponent: Opponent,
    passes: tuple[Pass, ...],
) -> Refined:
    """Improve an estimate by feedback of its residual.

    Each pass adds an eighth of the residual, in which lost content is, to the estimate. Then groups of similar patches
    of this image keep the directions of their own covariance that are stronger than a threshold. The threshold follows
    the noise that is left: where the residual has less power than the noise, noise is left in the estimate. So other
    content is found than with the covariance of the pilot. Feedback is due to [1]_; filtering patches by the
    singular values of their group, with the noise that is left measured again, to [2]_.

    Parameters
    ----------
    noisy : ndarray of float32, shape (C, H, W)
        Noisy image, with white noise.
    refined : Refined
        Its estimate by `nonlocal_bayes.refine`.
    pilot : ndarray of float32, shape (C, H, W)
        The pilot of that estimate, of which the result contains a small share.
    variance : ndarray of float32, shape (C, H, W)
        Variance of the noise at each pixel.
    used : ndarray of float32, shape (H, W), or None
        1 where the noisy image counts, 0 where it does not; None: everywhere.
    opponent : Opponent
        The transform that made the planes.
    passes : tuple of Pass
        Settings of each pass; without any, the estimate is returned.

    Returns
    -------
    Refined
        Its leverage is that of the estimate.

    References
    ----------
    .. [1] S. Osher, M. Burger, D. Goldfarb, J. Xu and W. Yin, "An iterative regularization method for total
       variation-based image restoration", Multiscale Modeling and Simulation 4, 2005. :doi:`10.1137/040605412`
    .. [2] S. Gu, L. Zhang, W. Zuo and X. Feng, "Weighted nuclear norm minimization with application to image
       denoising", CVPR 2014. :doi:`10.1109/CVPR.2014.366`
    """
    if not passes or not has_group(pilot.shape):
        return refined
    noise, image = floored(variance), refined.image
    for each, axes in zip(passes, cycle(MIRRORED)):
        seen, last, left = (np.flip(array, axes) for array in (noisy, image, noise))
        counted = None if used is None else np.flip(used, axes)
        image = np.flip(fed_back(seen, last, left, counted, opponent, each), axes)
    return Refined(image + PILOT * (pilot - image), refined.leverage)


def fed_back(
    noisy: Floats, image: Floats, noise: Floats, used: Floats | None, opponent: Opponent, step: Pass
) -> Floats:
    """The estimate (C, H, W) after one pass; arguments as of `refine_by_feedback`, but `noise`: `floored` variance."""
    white = np.tile(np.eye(engine.PATCH_SIDE**2, dtype=np.float32), (len(noisy), 1, 1))
    image = image + RETURNED * (noisy - image)
    power = blurred(np.square(noisy - image), used, WIDTH)
    left = floored(np.abs(noise - power) * (np.float32(step.strength) * opponent.by_plane(1.0, COLOUR)))
    filtered, _ = engine.filter_patches(
        image,
        image,
        left,
        white,
        stride=step.stride,
        reach=step.reach,
        fewest=GROUP,
        most=GROUP,
        similar=0.0,
        same=SAME,
        negligible=NEGLIGIBLE,
        steep=True,
    )
    return filtered
