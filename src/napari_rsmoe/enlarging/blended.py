"""Deconvolutions of an image that err differently, blended: models, similar patches, total variation, a smooth one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from .. import engine
from .flat_areas import least_variation
from .smooth_areas import with_smooth_areas
from .through_blur import Measured

Array = NDArray[np.float64]
MODELS, CHANGED = 0.35, 0.2
"""Most that the models count beside the patches, and the squared change that patches make, relative to the detail, at
which they count half of that. Where patches change much, noise has hidden what they are chosen by."""
WEIGHT, APART = 0.55, 2.0
"""Weight of total variation, relative to 1 over the fourth power of the width of the blur in pixels and over the
geometric mean of detail and noise, and the factor by which one result has less and another one has more. More flattens
texture and small spots, less leaves noise; the narrower the blur, the more of the noise would be followed."""
SOME_LINES, ALL_LINES = 0.15, 0.2
"""Likeness to lines up to which the share of total variation is whole, and from which on there is none: it flattens
them. Simulated beads and cells have 0 to 0.06, discs of 2 to 5 px 0.13 to 0.15, filaments 0.23 to 0.35."""
CHANGE, FLATTENED, LEFT = 0.32, 0.6, 0.013
"""Squared error of the result: relative to the squared distance of the models from the patches, to the squared change
that total variation would make alone, by its share, and to the variance of the noise. By them, 0.60 to 0.84 of the
errors on simulated beads, filaments and cells lie within one standard deviation, 0.93 within two."""
NEAR = 1.0
"""Standard deviation in pixels of the window in which squared distances are averaged. Wider ones claim too much error
beside bright structures, and too little in them."""
UNSTABLE, STEEP = 0.6, 4
"""Squared distance between the two results of total variation, relative to how far models, patches and their mean are
apart, at which its share is halved, and the exponent with which it falls. What is flat looks alike in both: discs, and
beads with many photons, have 0.2 to 0.4, beads with few photons 0.5 to 0.7, points, which it flattens, 1 to 1.4."""
FLATTER = 0.6
"""Squared distance of total variation from the rest, relative to the detail that the blur takes away, at which its
share is halved. Where it changes more it flattens soft texture: simulated beads and cells have 0.06 to 0.7, a
micrograph full of soft texture 3.6."""
LEAST_NOISE = 0.05
"""Standard deviation of the noise that is assumed at least, relative to that of the whole image. Without it a few dark
pixels would decide."""
BOTH = 0.245
"""Share of two estimates of the squared error in the error bar, for each pixel of the width of the blur: by how far
deconvolutions are apart, which misses what all of them miss (soft texture), and by detail and noise, which claims too
much on dark backgrounds. The wider the blur, the more of what it hides is missing everywhere."""
WIDTHS = (0.8, 3.0)
"""Widths of the blur in pixels between which this was measured; narrower and wider ones count as these."""


@dataclass(frozen=True)
class Blend:
    """A deconvolved plane with margin.

    Attributes
    ----------
    light, std : ndarray of float64
        The light, without light 0, and the standard deviation of its error.
    fits : bool
        Whether the point spread function explains the image.
    """

    light: Array
    std: Array
    fits: bool


def blended(models: Array, patches: Array, measured: Measured, report: Callable[[float], bool]) -> Blend:
    """Blend what models draw, what similar patches make of it, and deconvolutions for flat and for smooth areas.

    Parameters
    ----------
    models, patches : ndarray of float64
        The light by the mean of models, and after `through_blur.agreed`.
    measured : Measured
        What was measured.
    report : callable
        As of `with_flat_areas`.
    """
    light, variance = with_flat_areas(models, patches, measured, report)
    if variance is None:
        return Blend(light, measured.error_of(light), True)
    variance = BOTH * float(np.clip(measured.blur.width, *WIDTHS)) * (variance + np.square(measured.error_of(light)))
    smoothed = with_smooth_areas(light, variance, patches, measured)
    return Blend(smoothed.light, np.sqrt(smoothed.variance), smoothed.fits)


def with_flat_areas(
    models: Array, patches: Array, measured: Measured, report: Callable[[float], bool]
) -> tuple[Array, Array | None]:
    """Blend models and patches, and a deconvolution by total variation.

    Parameters
    ----------
    models, patches, measured
        As of `blended`.
    report : callable
        Called with the fraction that is done; where it returns True, total variation does not count.

    Returns
    -------
    light : ndarray of float64
        The blend.
    variance : ndarray of float64 or None
        Of its error, by how far the three are apart; None if there is nothing to compare.
    """
    blur, used = measured.blur, measured.used
    seen = blur(patches)
    detail = float(np.mean(blur.inner(np.square(patches - seen))))
    if detail == 0 or not used.any():
        return patches, None
    near, of_pixel = measured.variance_of(gaussian_filter(seen, NEAR)), measured.variance_of(seen)
    level = float(np.sqrt(of_pixel.mean()))
    changed = float(np.mean(blur.inner(np.square(models - patches)))) / detail
    light = patches + MODELS * changed / (changed + CHANGED) * (models - patches)
    share = np.clip((ALL_LINES - lines(blur.inner(light), blur.width)) / (ALL_LINES - SOME_LINES), 0, 1)
    variance = CHANGE * gaussian_filter(np.square(models - patches), NEAR) + LEFT * near
    if share == 0:
        return light, variance
    precision = used / np.maximum(of_pixel, (LEAST_NOISE * level) ** 2)
    weight = WEIGHT / (float(np.clip(blur.width, *WIDTHS)) ** 4 * np.sqrt(level * np.sqrt(detail)))
    start = np.where(used > 0, measured.counted, seen)
    length = float(np.sqrt(detail))

    def flat(weight: float, begun: float) -> Array | None:
        def half(done: float) -> bool:
            return report(begun + done / 2)

        return least_variation(start, measured.counted, precision, weight, length, blur, half)

    lighter, heavier = flat(weight / APART, 0.0), flat(weight * APART, 0.5)
    if lighter is None or heavier is None:
        return light, None
    difference = (lighter + heavier) / 2 - light
    apart = float(np.mean(blur.inner(np.square(difference)))) / detail
    unstable = float(np.mean(blur.inner(np.square(heavier - lighter)))) / detail
    unstable /= max(apart + changed, float(np.finfo(np.float64).tiny))
    share = share / (1 + (unstable / UNSTABLE) ** STEEP + (apart / FLATTER) ** STEEP)
    variance += FLATTENED * share * gaussian_filter(np.square(difference), NEAR)
    return light + share * difference, variance


def lines(light: NDArray[np.floating], width: float) -> float:
    """How much of a plane (H, W) is lines about as wide as the blur, on [0, 1].

    Where curvature has one direction there are lines or borders. Lines bend the light one way, bright ones downwards
    and dark ones upwards, borders both ways alike. So it is what is left of the squared curvature, with its sign,
    relative to all of it.

    Parameters
    ----------
    light : ndarray
        The plane.
    width : float
        Standard deviation of the Gaussian in pixels at which curvature is taken.
    """
    down, across, both = (gaussian_filter(light, width, order=order) for order in ((2, 0), (0, 2), (1, 1)))
    engine.pause()
    mean, spread = (down + across) / 2, np.hypot((down - across) / 2, both)
    whole = 2 * float(np.sum(np.square(mean) + np.square(spread)))
    # The larger curvature is |mean| + spread with the sign of the mean, the smaller one | |mean| - spread |.
    one_way = np.square(2 * np.minimum(np.abs(mean), spread))
    return abs(float(np.sum(np.sign(mean) * one_way))) / whole if whole > 0 else 0.0
