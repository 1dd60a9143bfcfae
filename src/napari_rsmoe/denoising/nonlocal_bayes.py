"""Non-local Bayes: filter groups of similar patches with the covariance of a first estimate."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .. import engine
from ..arrays import Floats

# Pixels along each axis within which similar patches are searched. More are found further away, at the cost of time.
REACH = 18
# The same for many models, if the noise is correlated, whose coarser levels see further.
FAR = 32
# The same for many models and white noise. In whole images structure repeats at such distances; further away hardly
# any is found. The filter takes as much time again as within `REACH`.
FARTHEST = 48
# Models of an ensemble from which on patches are searched that far: time grows with both. With fewer models the presets
# become slower.
MANY = 16
# Patches of a group at least. Fewer describe the covariance too badly, more mix unlike content.
FEWEST = 60
# Patches of a group at most. More average flat areas better, at the cost of time.
MOST = 400
# Squared distance on the pilot, as a fraction of the energy of the noise in a patch, up to which further patches join
# a group of the fewest. Above it groups mix unlike content.
SIMILAR = 0.07
# Squared distance in the same unit up to which a member of a group needs no group of its own. Above it fewer groups
# are formed, and details are blurred; 0 forms a group around every reference patch that is not repeated exactly.
SAME = 0.2
# Variance of the pilot at a pixel of the patches of a group, as a fraction of the noise variance, that is neglected.
# Above it weak texture is lost; below it noise of the pilot is followed, and time is spent on it.
NEGLIGIBLE = 0.03
# Fraction of the mean noise variance of a channel that is assumed where the noise is weaker, so that no patch divides
# by zero.
LEAST_VARIANCE = np.float32(0.01)
# Variance of the noise, for content that spans [0, 1], below which single precision cannot tell noise from content.
LEAST_NOISE = np.float32(1e-6)


@dataclass(frozen=True)
class Pass:
    """Settings of one pass of the filter.

    Attributes
    ----------
    strength : float
        Factor of the noise variance. Below 1, less is removed than the noise model predicts.
    stride : int
        Pixels between reference patches along both axes. Larger is faster, and single details are followed less.
    most : int
        Patches of a group at most.
    similar : float
        As of `SIMILAR`.
    same : float
        As of `SAME`.
    negligible : float
        As of `NEGLIGIBLE`.
    reach : int
        As of `REACH`.
    """

    strength: float
    stride: int
    most: int = MOST
    similar: float = SIMILAR
    same: float = SAME
    negligible: float = NEGLIGIBLE
    reach: int = REACH


# The first estimate has lost texture, so less is taken away at first; and its result only serves as the next pilot.
PASSES = (Pass(strength=0.7, stride=6), Pass(strength=1.0, stride=4))


def passes_after(models: int) -> tuple[Pass, ...]:
    """The passes that filter the fused image of so many models."""
    return PASSES if models < MANY else tuple(replace(each, reach=FARTHEST) for each in PASSES)


@dataclass(frozen=True)
class Refined:
    """An estimate and how far it follows the noise.

    Attributes
    ----------
    image : ndarray of float32, shape (C, H, W)
        The estimate, in the units of the noisy image.
    leverage : ndarray of float32, shape (C, H, W)
        Covariance of noise and estimate as a fraction of the noise variance, 0 to 1. Multiplied by that variance, it is
        the error variance that the Gaussian model of the patches predicts.
    """

    image: Floats
    leverage: Floats


def filter_tasks(shape: tuple[int, ...], passes: tuple[Pass, ...] = PASSES) -> int:
    """Number of tasks of the engine in `refine` for planes (C, H, W): squares of reference patches, and channels."""
    tasks = 0
    for each in passes:
        square = (2 * each.reach + engine.PATCH_SIDE + each.stride - 1) // each.stride
        down, across = (-(-(length - engine.PATCH_SIDE) // each.stride) + 1 for length in shape[1:])
        tasks += -(-down // square) * -(-across // square) + shape[0]
    return max(tasks, 1)


def has_group(shape: tuple[int, ...]) -> bool:
    """Whether planes (C, H, W) have enough patches for one group."""
    down, across = (length - engine.PATCH_SIDE + 1 for length in shape[1:])
    return min(down, across) >= 1 and down * across >= FEWEST


def floored(variance: Floats) -> Floats:
    """Variance (C, H, W) of the noise, raised where it is so small that patches could not be divided by it."""
    least = LEAST_VARIANCE * variance.mean((1, 2), keepdims=True) + LEAST_NOISE
    raised: Floats = np.maximum(variance, least)
    return raised


def refine(
    noisy: Floats,
    pilot: Floats,
    variance: Floats,
    correlation: Floats | None = None,
    passes: tuple[Pass, ...] = PASSES,
) -> Refined:
    """Estimate an image from its noisy version, given a first estimate.

    Non-local Bayes [1]_, with its first stage replaced by the given estimate, the pilot. The 8x8 patches that are most
    similar on the pilot to a reference patch form a group. As in BM3D [2]_ the pilot also decides how strongly the
    group is filtered, here by its covariance S within the group: for noise of covariance N, a patch y becomes
    mean + S (S + N)^-1 (y - mean). Directions of S that are far weaker than the noise are neglected. A patch that is
    nearly the same as an earlier reference patch gets no group of its own, as its group would be the same too. All
    estimates of a pixel are averaged, with larger weights for groups of small leverage. The result of one pass is the
    pilot of the next. Runs on the CPU.

    Parameters
    ----------
    noisy : ndarray of float32, shape (C, H, W)
        Noisy image, in the units of `variance`; the noise is independent between channels. Left-out pixels hold the
        pilot.
    pilot : ndarray of float32, shape (C, H, W)
        First estimate. Channels are grouped together and filtered one by one.
    variance : ndarray of float32, shape (C, H, W)
        Variance of the noise at each pixel, positive somewhere in each channel.
    correlation : ndarray of float32, shape (C, 64, 64), optional
        Correlation of the noise between the pixels of a patch, in raster order. By default the noise is white.
    passes : tuple of Pass
        Settings of each pass.

    Returns
    -------
    Refined
        The same to the bit for any number of threads. An image too small for one group is returned as the pilot.

    References
    ----------
    .. [1] M. Lebrun, A. Buades and J.-M. Morel, "A nonlocal Bayesian image denoising algorithm", SIAM Journal on
       Imaging Sciences 6, 2013. :doi:`10.1137/120874989`
    .. [2] K. Dabov, A. Foi, V. Katkovnik and K. Egiazarian, "Image denoising by sparse 3-D transform-domain
       collaborative filtering", IEEE Transactions on Image Processing 16, 2007. :doi:`10.1109/TIP.2007.901238`

    Examples
    --------
    >>> import numpy as np
    >>> noisy = np.random.default_rng(0).normal(0.5, 0.1, (1, 32, 32)).astype(np.float32)
    >>> flat = np.full_like(noisy, 0.5)
    >>> bool(refine(noisy, flat, np.full_like(noisy, 0.01)).image.std() < 0.02)
    True
    """
    if not has_group(pilot.shape):
        return Refined(pilot, np.zeros_like(pilot))
    noise, refined = floored(variance), Refined(pilot, np.zeros_like(pilot))
    for each in passes:
        refined = filtered(noisy, refined.image, noise, each, correlation)
    return refined


def filtered(noisy: Floats, pilot: Floats, noise: Floats, step: Pass, correlation: Floats | None = None) -> Refined:
    """The estimate of one pass of the filter.

    Parameters
    ----------
    noisy, pilot, noise : ndarray of float32, shape (C, H, W) or (P, C, H, W)
        The image, its first estimate and the variance of its noise, `floored`; or P planes, of which the first is
        estimated by groups that reach through all.
    step : Pass
        Settings of the pass.
    correlation : ndarray of float32, or None
        As for `refine`.
    """
    if correlation is None:
        correlation = np.tile(np.eye(engine.PATCH_SIDE**2, dtype=np.float32), (pilot.shape[-3], 1, 1))
    image, leverage = engine.filter_patches(
        noisy,
        pilot,
        noise * np.float32(step.strength),
        correlation,
        stride=step.stride,
        reach=step.reach,
        fewest=FEWEST,
        most=step.most,
        similar=step.similar,
        same=step.same,
        negligible=step.negligible,
    )
    return Refined(image, leverage)
