"""Neighbouring planes of a stack or film: brought onto a plane, and averaged with it where they show the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter

from .. import engine
from ..arrays import Array, Floats, Mask
from ..image.inputs import Inputs
from ..image.resample import enlarged, pooled
from ..noise.noise_model import NoiseModel

AGREEMENT_BLUR = 3.0
"""Standard deviation, in pixels of a level, of the window in which planes are compared.

In a smaller window the noise makes equal planes seem different; in a larger one small changes are missed."""
LEVELS = 3
"""Levels of half the resolution each, the planes themselves among them, on which planes are compared.

On coarser levels noise hides less, so that weak differences of large areas are found, but small ones count for more of
their surroundings."""
CHANGED = 2.0
"""Squared difference between a noisy and a denoised plane, in noise variances, above which something has changed.

It is 1 on average where they show the same."""
TOLERANCE = 0.3
"""Squared difference beyond that of the noise, relative to it, at which the weight of a neighbour has fallen to 1/e.

Smaller values average less noise away, larger ones blur what moves."""
SPOT = 1.5
"""Standard deviation, in pixels, of the spots that are looked for in the difference of two planes."""
CHANCE, CERTAIN = 7.0, 4.0
"""Square of a spot in the difference, in units of its variance, that may be chance among the places around a pixel, and
what lies beyond at which the weight of a neighbour has fallen to 1/e. With less, noise counts as spots; with more,
faint objects are averaged away that only one plane shows."""
SCENE = 32.0
"""Standard deviation, in pixels, of the window in which it is judged whether two planes show the same scene at all.

In a smaller window structures that are similar by chance are averaged; a larger one spreads a change over the plane."""
COARSE = 4
"""Side, in pixels, of the squares that this is judged for, and whether planes have the same noise."""
UNRELATED, RELATED = 0.2, 0.5
"""Share of the content of that window that agrees, below which a neighbour counts nothing, and above which fully."""
CONTENT = (0.02, 3.0)
"""Least and largest content that a pixel counts with in that share, in noise variances. Edges of strong contrast are
bounded, so that they do not decide alone; where there is no content, all pixels count the same."""
REPEATED = 0.25
"""Squared difference, relative to that of independent noise, below which two planes have the same noise.

A camera or a program has repeated a frame then, and its noise cannot be averaged away."""
LEAST_VARIANCE = np.float32(1e-3)
"""Fraction of the mean noise variance that counts as noise variance where there is less."""
LEAST_WEIGHT = np.float32(1e-3)
"""Least weight of finite pixels in a window that a mean difference is divided by."""


@dataclass(frozen=True)
class Neighbour:
    """A plane beside another one, for `napari_rsmoe.denoise`.

    Attributes
    ----------
    image : array-like or Inputs
        The plane, with the shape and the axes of the other one. NaN does not count.
    noise : NoiseModel, optional
        Its noise, in the engine's range of `image`, which is then given as Inputs; None: that of the other plane.
    offset : int, optional
        Its place in the series, relative to the other plane: what moves is expected to go on as before. 0: unknown.
    depth : bool
        Whether the planes lie one above the other, so that structure changes from plane to plane: then groups of
        similar patches reach into this plane.
    """

    image: Any
    noise: NoiseModel | None = None
    offset: int = 0
    depth: bool = False

    def part(self, part: tuple[slice, slice], sliced: Callable[[Any, tuple[slice, slice]], Any]) -> Neighbour:
        """Rows and columns of the plane; `sliced` takes them from an array in the axes of the image."""
        if not isinstance(self.image, Inputs):
            return replace(self, image=sliced(self.image, part))
        image, weight = self.image, self.image.weight
        own = replace(
            image,
            pixels=np.ascontiguousarray(image.pixels[part]),
            weight=None if weight is None else weight[part],
            given=sliced(image.given, part),
            missing=None,
        )
        return replace(self, image=own)


def as_neighbour(given: Any) -> Neighbour:
    """A neighbour, given as such or as array-like."""
    return given if isinstance(given, Neighbour) else Neighbour(given)


@dataclass(frozen=True)
class Aligned:
    """A neighbour that has been brought onto a plane.

    Attributes
    ----------
    pixels : ndarray of float32, shape (H, W, C)
        What it shows at the pixels of the plane, in the same domain; NaN where it shows nothing.
    ratio : ndarray of float32, shape (H, W, C), or 1.0
        Variance of its noise, relative to that of the plane.
    """

    pixels: Floats
    ratio: Floats | float = 1.0


def average(
    pixels: Floats, neighbours: Sequence[Aligned], variance: Floats, spectrum: Array | None = None
) -> tuple[Floats, Floats]:
    """Average a plane with its neighbours where they agree.

    The mean squared difference of two planes that show the same is the sum of the variances of their noise. The more it
    exceeds that in a small window, on any level of resolution, the less the neighbour weighs there, so that what moves
    or changes is not blurred. Where little of the content of a large window agrees, the planes show other scenes, and
    what agrees does so by chance. Noisier neighbours weigh less in proportion.

    Parameters
    ----------
    pixels : ndarray of float32, shape (H, W, C)
        The plane.
    neighbours : sequence of Aligned
        Its neighbours.
    variance : ndarray of float32, shape (H, W, C)
        Variance of the noise, which is independent between planes.
    spectrum : ndarray of float64, shape (side, side), optional
        Power of the noise by frequency, with a mean of 1. By default the noise is white.

    Returns
    -------
    ndarray of float32, shape (H, W, C)
        The average.
    ndarray of float32, shape (H, W, C) or (H, W, 1)
        Fraction of the noise variance that is left at each pixel.
    """
    total = pixels.copy()
    weights, squares = np.ones((2, *pixels.shape[:2], 1), np.float32)
    expected = np.maximum(variance, LEAST_VARIANCE * variance.mean())
    content = _content(pixels, expected)
    for each in neighbours:
        engine.pause()
        finite: Mask = np.asarray(np.isfinite(each.pixels).all(2, keepdims=True))
        difference = np.where(finite, each.pixels, pixels) - pixels
        sum_of_both = (1 + each.ratio) * expected
        agreed = agreement(difference, sum_of_both, finite, spectrum) * finite
        weight = agreed * _related(agreed, content) / np.float32(each.ratio)
        total += weight * np.where(finite, each.pixels, 0)
        weights = weights + weight
        squares = squares + np.square(weight) * each.ratio
    return total / weights, squares / np.square(weights)


def independent(pixels: Floats, neighbour: Aligned, variance: Floats) -> bool:
    """Whether a neighbour shows anything, and has noise of its own.

    Parameters
    ----------
    pixels, variance : ndarray of float32, shape (H, W, C)
        The plane, and the variance of its noise.
    neighbour : Aligned
        The neighbour.
    """
    finite: Mask = np.asarray(np.isfinite(neighbour.pixels).all(2, keepdims=True))
    difference = np.where(finite, neighbour.pixels, pixels) - pixels
    expected = np.maximum(variance, LEAST_VARIANCE * variance.mean())
    return bool(finite.any()) and not _repeated(difference, (1 + neighbour.ratio) * expected, finite)


def agreement(difference: Floats, variance: Floats, finite: Mask, spectrum: Array | None = None) -> Floats:
    """How far two planes agree at each pixel, (H, W, 1): 1 if they differ by noise only, towards 0 if by more.

    Parameters
    ----------
    difference : ndarray of float32, shape (H, W, C)
        Their difference, 0 where it is not known.
    variance : ndarray of float32, shape (H, W, C)
        Its variance if they show the same.
    finite : ndarray of bool, shape (H, W, 1)
        Where it is known.
    spectrum : ndarray of float64, optional
        As for `average`.
    """
    known = finite.astype(np.float32)
    weight = _without_spots(difference, variance)
    for level in range(LEVELS):
        power = np.float32(_power(spectrum, level))
        excess = np.maximum(_mean_square(difference, variance * power, known) - 1, 0)
        own: Floats = np.exp(excess / np.float32(-TOLERANCE))
        weight = np.minimum(weight, enlarged(own[..., 0], weight.shape)[..., None])
        if level == LEVELS - 1 or min(difference.shape[:2]) < 8 * AGREEMENT_BLUR:
            break
        # What disagrees on this level is left out of the next, or it would spoil all around it there.
        trust = known * own + LEAST_WEIGHT
        sums = pooled(trust, 2)
        difference = pooled(trust * difference, 2) / sums
        variance = pooled(trust * trust * variance, 2) / (4 * sums * sums)
        known = sums.clip(max=1)
    return weight


def _without_spots(difference: Floats, variance: Floats) -> Floats:
    """Weight that is small around spots of the size of a pointlike object that only one of two planes shows."""
    mean = gaussian_filter(difference, (SPOT, SPOT, 0))
    expected = gaussian_filter(variance, (SPOT, SPOT, 0)) / np.float32(4 * np.pi * SPOT**2)
    squares = (mean * mean / expected).max(2)
    reach = 2 * int(np.ceil(2 * SPOT)) + 1
    excess = np.maximum(maximum_filter(squares, reach) - np.float32(CHANCE), 0)
    weight: Floats = np.exp(excess / np.float32(-CERTAIN))[..., None]
    return weight


def _content(pixels: Floats, variance: Floats) -> Floats:
    """How much of a plane around each pixel is not noise, (H, W, 1), in noise variances; bounded."""
    rest = pixels - gaussian_filter(pixels, (2 * AGREEMENT_BLUR, 2 * AGREEMENT_BLUR, 0))
    known: Floats = np.ones((*pixels.shape[:2], 1), np.float32)
    content: Floats = (_mean_square(rest, variance, known) - 1).clip(*CONTENT)
    return content


def _related(agreed: Floats, content: Floats) -> Floats:
    """Whether two planes show the same scene, by the share of the content around each pixel that agrees."""
    parts = (gaussian_filter(pooled(each[..., 0], COARSE), SCENE / COARSE) for each in (agreed * content, content))
    share = enlarged(np.divide(*parts), content.shape)[..., None]
    related: Floats = np.clip((share - UNRELATED) / (RELATED - UNRELATED), 0, 1)
    return related


def unchanged(pixels: Floats, before: Floats, variance: Floats) -> NDArray[np.bool_]:
    """Where a noisy plane shows the same as the denoised plane before it, (H, W).

    Parameters
    ----------
    pixels, before, variance : ndarray of float32, shape (H, W, C)
        The planes, and the variance of the noise of the first. NaN in the other one does not count.
    """
    finite = np.isfinite(before).all(2, keepdims=True)
    known: Floats = np.asarray(finite, np.float32)
    expected = np.maximum(variance, LEAST_VARIANCE * variance.mean())
    difference = np.where(finite, before, pixels) - pixels
    same: NDArray[np.bool_] = _mean_square(difference, expected, known)[..., 0] < CHANGED
    return same


def shared_content(pixels: Floats, same: Mask, variance: Floats) -> float:
    """Share of the content of a noisy plane (H, W, C) that lies where it shows the same as another one, (H, W)."""
    content = _content(pixels, np.maximum(variance, LEAST_VARIANCE * variance.mean()))[..., 0]
    return float(content[same].sum(dtype=np.float64) / content.sum(dtype=np.float64))


def _repeated(difference: Floats, variance: Floats, finite: Mask) -> bool:
    """Whether two planes have the same noise, in most places."""
    squares = np.where(finite, np.square(difference) / variance, 0).mean(2)
    share = pooled(finite[..., 0].astype(np.float32), COARSE)
    means = gaussian_filter(pooled(squares, COARSE), AGREEMENT_BLUR / COARSE)
    weights = np.maximum(gaussian_filter(share, AGREEMENT_BLUR / COARSE), LEAST_WEIGHT)
    return float(np.median((means / weights)[share > 0])) < REPEATED


def _mean_square(difference: Floats, variance: Floats, known: Floats) -> Floats:
    """Mean squared difference around each pixel, (H, W, 1), in units of the given variance, weighted by `known`."""
    blur = (AGREEMENT_BLUR, AGREEMENT_BLUR, 0)
    if (known == 1).all():
        return gaussian_filter((np.square(difference) / variance).mean(2, keepdims=True), blur)
    share = np.maximum(gaussian_filter(known, blur), LEAST_WEIGHT)
    mean: Floats = gaussian_filter(known * (np.square(difference) / variance).mean(2, keepdims=True), blur) / share
    return mean


def _power(spectrum: Array | None, level: int) -> float:
    """Mean power of the noise in the frequencies of a level, relative to that of all."""
    if spectrum is None or level == 0:
        return 1.0
    frequency = np.abs(np.fft.fftfreq(len(spectrum)))
    low = np.maximum(frequency[:, None], frequency) <= 0.5 / 2**level
    return float(spectrum[low].mean())
