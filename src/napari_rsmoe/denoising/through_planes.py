"""Groups of similar patches that reach through the planes around a plane, and how far they are followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import engine
from ..arrays import Floats, Mask
from ..image.blur import blurred
from ..image.opponent import Opponent
from ..image.resample import enlarged_planes, pooled, pooled_planes
from ..noise.domain import StabilisedDomain
from .neighbours import Aligned
from .nonlocal_bayes import Pass, Refined, filtered, floored, has_group, refine

PILOT_PASS = Pass(strength=1.0, stride=8, most=150, negligible=0.06)
"""The pass that makes the estimate of a neighbour out of that of the plane before it. A second one gains nothing, and
neither do larger groups or weaker directions."""
PASS = Pass(strength=1.0, stride=6, same=0.4, negligible=0.06)
"""The pass through all planes. With a stride of 4 it takes twice the time and gains 0.01 dB. As groups through planes
are large, fewer of them and fewer directions are followed than in one plane: more take time and lose 0.03 dB."""
WINDOW = 8.0
"""Standard deviation, in pixels, of the window in which the risks of two estimates are compared.

In a smaller one the noise decides; in a larger one, places where planes differ share the fate of others."""
FOLLOWED = {True: np.float32(1.5), False: np.float32(1.2)}
"""How much more of the noise an estimate follows than its leverage says, as its models were fitted to the same noise:
along depth, and in time, where the average before blurs less.

With less, groups through planes are hardly ever taken; with more, also where they are worse."""
RELATED = (0.4, 0.8)
"""Share of the content around a place that the neighbours have too, below which they do not count, and above which they
count fully. With less, unrelated planes do harm; with more, those that are far apart do not help."""
RELATED_WINDOW = 16.0
"""Standard deviation, in pixels, of the window in which that is judged.

In a smaller one structures agree by chance; a larger one spreads a change over the plane."""
COARSE = 4
"""Side, in pixels, of the squares whose means are averaged in both windows for that. Larger ones show in the result;
smaller ones take more time."""
KEPT = np.float32(0.1)
"""Share of the first estimate that is kept in any case, as it errs otherwise."""
FAINT = np.float32(0.01)
"""Content, in noise variances, at and below which it is not known whether planes are related."""
LEAST_SHARE = np.float32(1e-6)
"""Share of the pixels of a square that counts at least, so that means are finite where none counts."""
LEAST_SQUARE = np.float32(1e-12)
"""Keeps the division finite where both estimates are equal."""


@dataclass(frozen=True)
class Around:
    """A plane and its neighbours as they were before they were averaged, in the domain of the plane.

    Attributes
    ----------
    pixels : ndarray of float32, shape (H, W, C)
        The plane.
    noise : StabilisedDomain
        Its noise.
    neighbours : sequence of Aligned
        Planes with noise of their own, brought onto it, the nearest first.
    offsets : sequence of int
        Their places, relative to the plane; 0: unknown.
    depth : bool
        Whether they lie above and below the plane, and not before and after it in time.
    """

    pixels: Floats
    noise: StabilisedDomain
    neighbours: Sequence[Aligned]
    offsets: Sequence[int]
    depth: bool

    @property
    def passes(self) -> tuple[Pass, ...]:
        """The passes of the filter, for the progress."""
        return (*(PILOT_PASS for _ in self.neighbours), PASS) if self.neighbours else ()


def refine_through(
    refined: Refined, left: Floats, around: Around, used: Floats | None, opponent: Opponent, power: float
) -> Refined:
    """Improve the estimate of a plane by groups of patches that reach through its neighbours.

    The estimate of a neighbour is that of the plane before it, filtered once with the neighbour's own pixels. A patch
    is then the same square in all planes. Each group of patches, which are similar in the plane itself, is filtered by
    the principal components that the estimates have through the planes, as in [1]_, where the transform is fixed and
    cubes are compared. So structure that changes from plane to plane is not blurred, but what planes have in common is
    found under the noise of all of them.

    The result lies between both estimates: at each place where Stein's estimate of the risk [2]_ is least, and the
    nearer to the first, the less of the content the neighbours share. Where they show something else, it is the first.

    Parameters
    ----------
    refined : Refined
        The estimate (C, H, W), found in the average of the planes.
    left : ndarray of float32, shape (C, H, W)
        Variance of the noise of that average.
    around : Around
        The planes.
    used : ndarray of float32, shape (H, W), or None
        1 where the plane counts, 0 where it does not; None: everywhere.
    opponent : Opponent
        The transform that made the planes (C, H, W).
    power : float
        Variance of the noise, relative to that of `around`.

    Returns
    -------
    Refined
        Its leverage is relative to `left`.

    References
    ----------
    .. [1] M. Maggioni, V. Katkovnik, K. Egiazarian, A. Foi. Nonlocal transform-domain filter for volumetric data
       denoising and reconstruction. IEEE Transactions on Image Processing 22, 2013. :doi:`10.1109/TIP.2012.2210725`
    .. [2] C. Stein. Estimation of the mean of a multivariate normal distribution. Annals of Statistics 9, 1981.
       :doi:`10.1214/aos/1176345632`
    """
    if not has_group(refined.image.shape):
        return refined
    variance = around.noise.plane_variance * np.float32(power)
    own = opponent.planes(around.pixels)
    if used is not None:
        own = np.where(used > 0, own, refined.image)
    seen = [_planes_of(each, refined.image, opponent) for each in around.neighbours]
    related = _related(refined.image, seen, variance, used)
    if not related.any():
        return refined
    stacks = [(own, refined.image, floored(variance))]
    pilots = {0: refined.image}
    for each, planes, offset in zip(around.neighbours, seen, around.offsets, strict=True):
        start = pilots.get(offset - int(np.sign(offset)), refined.image)
        theirs = variance * _relative(each, around.noise, opponent)
        pilots[offset] = refine(planes, start, theirs, passes=(PILOT_PASS,)).image
        stacks.append((planes, pilots[offset], floored(theirs)))
    noisy, pilot, noise = (np.stack(parts) for parts in zip(*stacks, strict=True))
    through = filtered(noisy, pilot, noise, PASS)
    followed = FOLLOWED[around.depth] * refined.leverage * left
    share = _least_risk(own, refined.image, through, followed, variance, used) * (1 - KEPT) * related
    before, after = refined.leverage * left, through.leverage * variance
    follows = (before + share * (after - before)) / np.maximum(left, LEAST_SQUARE)
    mixed = (refined.image + share * (through.image - refined.image)).astype(np.float32)
    return Refined(mixed, np.minimum(follows, np.float32(1)))


def _planes_of(neighbour: Aligned, estimate: Floats, opponent: Opponent) -> Floats:
    """The planes (C, H, W) of a neighbour; where it shows nothing, the estimate of the plane before it."""
    finite: Mask = np.asarray(np.isfinite(neighbour.pixels).all(2))
    return np.where(finite, opponent.planes(np.where(finite[..., None], neighbour.pixels, 0)), estimate)


def _relative(neighbour: Aligned, noise: StabilisedDomain, opponent: Opponent) -> Floats | np.float32:
    """Variance of the noise of the planes of a neighbour, relative to that of the plane."""
    if isinstance(neighbour.ratio, float):
        return np.float32(neighbour.ratio)
    return opponent.plane_variance(noise.variance * neighbour.ratio) / opponent.plane_variance(noise.variance)


def _least_risk(
    noisy: Floats, first: Floats, second: Refined, followed: Floats, variance: Floats, used: Floats | None
) -> Floats:
    """The share of the second estimate in the mixture whose estimated risk is least in the window of each pixel.

    `followed` is the covariance of the first estimate with its noise, which the second one knows by its leverage.
    """
    step = second.image - first
    gain = step * (noisy - first) + followed - second.leverage * variance
    share: Floats = blurred(gain, used, WINDOW) / (blurred(np.square(step), used, WINDOW) + LEAST_SQUARE)
    return np.clip(share, 0, 1)


def _related(estimate: Floats, neighbours: Sequence[Floats], variance: Floats, used: Floats | None) -> Floats:
    """Whether neighbours (N, C, H, W) share the content around each pixel of an estimate (C, H, W): from 0 to 1."""
    low, high = RELATED
    content = _fine(estimate, used)
    energy = _in_window(np.square(content) + FAINT * variance, used, RELATED_WINDOW)
    shared = np.zeros_like(energy)
    for each in neighbours:  # Their noise is independent of the content, so it averages out.
        common = _in_window(content * _fine(each, used), used, RELATED_WINDOW)
        shared += np.clip(common / energy, 0, 1) / np.float32(len(neighbours))
    related = np.clip((shared - np.float32(low)) / np.float32(high - low), 0, 1)
    return enlarged_planes(related, estimate.shape[1:])


def _fine(planes: Floats, used: Floats | None) -> Floats:
    """What planes (C, H, W) have beside their averages around each pixel."""
    return planes - enlarged_planes(_in_window(planes, used, WINDOW), planes.shape[1:])


def _in_window(planes: Floats, used: Floats | None, width: float) -> Floats:
    """Averages of planes (C, H, W) in a wide window, one for each square of `COARSE` px."""
    engine.pause()
    if used is None:
        return blurred(pooled_planes(planes, COARSE), None, width / COARSE)
    share: Floats = np.maximum(pooled(used, COARSE), LEAST_SHARE)
    return blurred((pooled_planes(planes * used, COARSE) / share).astype(np.float32), share, width / COARSE)
