"""Similar patches of a drawing as exemplars for each other, in turn with what the pixels of the image determine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import engine
from ..arrays import Array, Floats
from ..image.blocks import Part
from ..image.opponent import Opponent
from ..image.pixelwise import ALL
from ..image.reduction import Reduction

STRIDE = 4
"""Pixels between reference patches along both axes. More lose single details, fewer take more time for no gain. They
are at least one more than those for each pixel of the image: else all lie alike in the pixels, which loses 0.01 dB."""
WIDE_STRIDE, FEW_ROUNDS = 6, 2
"""The same for so few rounds, which are for speed: half the time, and 0.003 dB less."""
REACH = 18
"""Pixels along each axis within which similar patches are searched."""
GROUP = 60
"""Patches of a group. Fewer follow the errors of the models more, more mix unlike content (and take more time)."""
GROWS_FROM = 3
"""Pixels for each pixel of the image from which groups are larger in the first round, twice as large for one more: the
errors of the models reach as far as a patch there."""
SAME = 0.2
"""Squared distance, as a fraction of the expected error, up to which a member of a group needs no group of its own."""
NEGLIGIBLE = 0.5
"""Variance within a group, as a fraction of that of the expected error, that is neglected. Above it weak texture is
lost, below it time is spent."""
FIRST, LAST = 2.0, 0.35
"""Expected error in the first and in the last round, in root mean squares of what of the drawing means over the area of
a pixel do not determine. Larger ones smooth fine detail, smaller ones leave what the models draw wrong."""
LEAST = 5e-4
"""Expected error at least, as a fraction of the range of the image: below it single precision is lost in the filter."""


def stride_of(factor: float) -> int:
    """Pixels between reference patches for so many pixels for each pixel of the image; see `STRIDE`."""
    return max(STRIDE, round(factor) + 1)


@dataclass(frozen=True)
class Refined:
    """Planes in agreement with the pixels.

    Attributes
    ----------
    planes : ndarray of float32, shape (C, H, W)
        The enlarged planes.
    amount : ndarray of float64, shape (planes,)
        Root mean square of what means over the area of a pixel do not determine in the drawing, of the planes that are
        filtered.
    """

    planes: Floats
    amount: Array


def refined(
    planes: Floats,
    small: Floats,
    reduction: Reduction,
    areas: Reduction,
    opponent: Opponent,
    weight: Floats | None,
    rounds: int,
    factor: float,
    amount: Array | None = None,
    core: Part = ALL,
) -> Refined:
    """Refine what models draw of the pixels of an image.

    In turn the planes are corrected by what they differ from the small ones once they are reduced, and filtered as by
    non-local Bayes [1]_: the directions in which similar patches differ are kept, what is weaker than the expected
    error is taken away. The expected error falls from round to round, as in [2]_; it follows from the amount of detail
    that means over the area of a pixel do not determine, so that it needs no constant in units of the image, and is the
    same for every reduction. Colour differences, which hold little detail, are corrected once and not filtered.

    Parameters
    ----------
    planes : ndarray of float32, shape (C, H, W)
        What the models draw, as planes of `opponent`, in the engine's range.
    small : ndarray of float32, shape (C, h, w)
        The image in the same planes.
    reduction : Reduction
        From the size of `planes` to that of `small`.
    areas : Reduction
        The same by the mean over the area of each pixel.
    opponent : Opponent
        The transform that made the planes.
    weight : ndarray of float32, shape (h, w), or None
        Weight of each pixel; 0 where it does not count.
    rounds : int
        Number of rounds; with 0 the planes are corrected only.
    factor : float
        Pixels of `planes` for each of `small` along an axis.
    amount : ndarray of float64, shape (planes,), optional
        As of `Refined`, in the whole image, if this is a block of it.
    core : (slice, slice)
        The rows and columns of `planes` in which it is measured otherwise. At the borders of a block, which are not
        those of the image, pixels are missing, and do not determine anything.

    References
    ----------
    .. [1] M. Lebrun, A. Buades and J.-M. Morel, "A nonlocal Bayesian image denoising algorithm", SIAM Journal on
       Imaging Sciences 6, 2013. :doi:`10.1137/120874989`
    .. [2] K. Egiazarian and V. Katkovnik, "Single image super-resolution via BM3D sparse coding", EUSIPCO 2015.
       :doi:`10.1109/EUSIPCO.2015.7362905`
    """
    bright = slice(None) if opponent.identity else slice(0, 1)
    if min(planes.shape[1:]) < 2 * engine.PATCH_SIDE:
        rounds = 0
    if amount is None:
        detail = areas.undetermined(planes[bright])
        amount = np.sqrt(np.mean(np.square(detail[(slice(None), *core)]), axis=(1, 2), dtype=np.float64))
    stride = WIDE_STRIDE if rounds <= FEW_ROUNDS else stride_of(factor)
    groups = np.geomspace(GROUP * max(1.0, 1 + factor - GROWS_FROM), GROUP, rounds)
    planes = planes.copy()
    for expected, group in zip(np.geomspace(FIRST, LAST, rounds), groups, strict=True):
        engine.pause()
        error = np.maximum(expected * amount, LEAST).astype(np.float32)
        agreeing = reduction.added(planes[bright], small[bright], weight)
        planes[bright] = filtered(agreeing, error[:, None, None], round(group), stride)
    engine.pause()
    return Refined(reduction.added(planes, small, weight), amount)


def filtered(planes: Floats, error: Floats, group: int, stride: int = STRIDE) -> Floats:
    """Filter planes (C, H, W) that are their own pilot by expected errors that broadcast to them."""
    side = engine.PATCH_SIDE**2
    white = np.tile(np.eye(side, dtype=np.float32), (len(planes), 1, 1))
    variance = np.broadcast_to(np.square(error), planes.shape)
    return engine.filter_patches(
        planes,
        planes,
        np.ascontiguousarray(variance, np.float32),
        white,
        stride=stride,
        reach=REACH,
        fewest=group,
        most=group,
        similar=0.0,
        same=SAME,
        negligible=NEGLIGIBLE,
    )[0]
