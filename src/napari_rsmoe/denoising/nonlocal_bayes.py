"""Filter groups of alike patches, which a first estimate finds and describes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import engine
from ..arrays import Floats

STRENGTHS = (0.7, 1.0)
"""What the noise variance is multiplied by, pass after pass: the first estimate has lost texture, so at first less."""
STRIDE = 4  # px between reference patches
REACH = 18  # px that an alike patch may lie away
FEWEST, MOST = 60, 200  # patches of a group
ALIKE = 0.05  # patches this close on the pilot, in noise variances, are taken beyond the fewest
LEAST_VARIANCE = np.float32(0.01)  # of the mean noise variance, that counts as noise where there is less
LEAST_NOISE = np.float32(1e-6)  # variance; single precision cannot tell less from content that spans [0, 1]


@dataclass(frozen=True)
class Refined:
    """An estimate and how far it follows the noise.

    Attributes
    ----------
    image : ndarray of float32, shape (C, H, W)
    leverage : ndarray of float32, shape (C, H, W)
        Covariance of noise and estimate as a share of the noise variance. Times that variance it is the variance that
        the Gaussian model of the patches leaves to each pixel.
    """

    image: Floats
    leverage: Floats


def refine(
    noisy: Floats,
    pilot: Floats,
    variance: Floats,
    correlation: Floats | None = None,
    strengths: tuple[float, ...] = STRENGTHS,
) -> Refined:
    """Estimate an image from its noisy version, given a first estimate.

    Non-local Bayes (Lebrun, Buades and Morel, SIAM Journal on Imaging Sciences 2013), its first stage replaced by the
    given estimate, the pilot. Around every fourth pixel the 8x8 patches most alike on the pilot make a group; as in
    BM3D (Dabov et al., IEEE Trans. Image Processing 2007) the pilot also says how strongly the group may be filtered,
    here by its covariance S in the group: with noise of covariance N, patches become y - N (S + N)^-1 (y - mean). All
    estimates of a pixel are averaged, those of little leverage most. The next pass takes the result as its pilot.
    Computed on the CPU.

    Parameters
    ----------
    noisy : ndarray of float32, shape (C, H, W)
        Noisy image; the noise is independent between channels. Pixels that do not count hold the pilot.
    pilot : ndarray of float32, shape (C, H, W)
        First estimate. Channels are filtered by themselves and grouped together.
    variance : ndarray of float32, shape (C, H, W)
        Variance of the noise at each pixel, positive somewhere in each channel.
    correlation : ndarray of float32, shape (C, 64, 64), or None
        Of the noise between the pixels of a patch, in raster order; None for white noise.
    strengths : tuple of float
        What the variance is multiplied by in each pass.

    Returns
    -------
    Refined
        The same to the bit for any number of threads. An image too small for a group is returned as the pilot is.
    """
    side = engine.PATCH_SIDE
    down, across = (length - side + 1 for length in pilot.shape[1:])
    if min(down, across) < 1 or down * across < FEWEST:
        return Refined(pilot, np.zeros_like(pilot))
    if correlation is None:
        correlation = np.tile(np.eye(side * side, dtype=np.float32), (len(pilot), 1, 1))
    floor = LEAST_VARIANCE * variance.mean((1, 2), keepdims=True) + LEAST_NOISE
    image, leverage = pilot, np.zeros_like(pilot)
    for strength in strengths:
        image, leverage = engine.filter_patches(
            noisy,
            image,
            np.maximum(variance, floor) * np.float32(strength),
            correlation,
            stride=STRIDE,
            reach=REACH,
            fewest=FEWEST,
            most=MOST,
            alike=ALIKE,
        )
    return Refined(image, leverage)
