"""Filter correlated noise from coarse to fine pyramid levels, as it is nearly white at half the resolution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import map_coordinates

from .. import engine
from ..arrays import Array, Floats
from ..image.resize import resized, with_low_frequencies
from .nonlocal_bayes import FAR, PASSES, Pass, Refined, has_group, refine
from .residual import REMEASURED, noise_left_out

LEVELS = 2
"""Pyramid levels that are filtered before the image itself, each of half the resolution of the next.

The noise of pixels 4 px apart is hardly correlated, so more levels gain nothing."""
LEFT = 0.2
"""Fraction of the noise power that is left in the frequencies of a level that has been filtered."""
SIMILAR = 0.15
"""As `nonlocal_bayes.SIMILAR`, for correlated noise. Its energy lies in few frequencies, so the distances of equal
patches scatter more. With less, flat places keep noise; with more, weak content of enlarged images is lost."""
MOST = 1000
"""As `nonlocal_bayes.MOST`, for correlated noise, of which a group of patches averages less away."""
LEAST_CORRELATED = 0.7
"""Variance of correlated noise, relative to the first measurement, down to which a second one is believed. The first
one takes fine texture that fills whole blocks for noise; below this bound, content that the filter lost tells more."""


def passes_of_scales(passes: tuple[Pass, ...]) -> tuple[Pass, ...]:
    """The passes of the filter for white noise, with the groups that correlated noise needs."""
    return tuple(replace(each, similar=SIMILAR, most=MOST, reach=min(each.reach, FAR)) for each in passes)


def refine_scales_with_noise(
    noisy: Floats,
    pilot: Floats,
    variance: Floats,
    spectrum: Array,
    used: Floats | None,
    power: float | None,
    least: float = REMEASURED[0],
    passes: tuple[Pass, ...] = PASSES,
) -> tuple[Refined, float]:
    """Filter correlated noise by `refine_scales`, and filter again with the noise that the first result leaves out.

    Parameters
    ----------
    noisy, pilot, variance, spectrum, passes
        As `refine_scales` takes them.
    used, least
        As for `residual.noise_left_out`.
    power : float or None
        Variance of the noise relative to `variance`; None: it is measured.

    Returns
    -------
    Refined
        The estimate.
    float
        The power with which it was made.
    """
    if power is None:
        first = refine_scales(noisy, pilot, variance, spectrum, passes=passes)
        power = noise_left_out(noisy, first, variance, used, least) if has_group(noisy.shape) else 1.0
    return refine_scales(noisy, pilot, variance * np.float32(power), spectrum, passes=passes), power


def refine_scales(
    noisy: Floats,
    pilot: Floats,
    variance: Floats,
    spectrum: Array,
    levels: int | None = None,
    passes: tuple[Pass, ...] = PASSES,
) -> Refined:
    """`nonlocal_bayes.refine` for noise with a spectrum, on several pyramid levels.

    Blobs of noise that fill a patch are the same in all patches that overlap there, so a group of patches does not
    average them out. At half the resolution they are smaller than a patch. So the low frequencies of the image are
    filtered first, at half the resolution, and there in the same way. They replace those of the noisy image and of the
    pilot, and count as less noisy from then on. Non-local Bayes on several levels is due to [1]_; levels by the
    discrete cosine transform, which keeps white noise white, are due to [2]_.

    Parameters
    ----------
    noisy, pilot, variance : ndarray of float32, shape (C, H, W)
        As `refine` takes them.
    spectrum : ndarray of float64, shape (C, side, side)
        Power of the noise by frequency as `numpy.fft.fft2` orders it, in units of `variance`; 16 px a side at least.
    levels : int, optional
        How many coarser levels are filtered, if the image is large enough. By default `LEVELS`.
    passes : tuple of Pass
        Settings of each pass of `refine` on each level.

    Returns
    -------
    Refined
        Its leverage is that of all levels together, as a fraction of the whole noise.

    References
    ----------
    .. [1] M. Lebrun, M. Colom, J.-M. Morel. The Noise Clinic: a blind image denoising algorithm. Image Processing On
       Line 5, 2015. :doi:`10.5201/ipol.2015.125`
    .. [2] G. Facciolo, N. Pierazzo, J.-M. Morel. Conservative scale recomposition for multiscale denoising (the devil
       is in the high frequency detail). SIAM Journal on Imaging Sciences 10, 2017.
    """
    side = engine.PATCH_SIDE
    half = [(length + 1) // 2 for length in noisy.shape[1:]]
    left = spectrum
    levels = LEVELS if levels is None else levels
    if levels > 0 and min(half) >= 2 * side:
        smaller = [resized(planes, half) for planes in (noisy, pilot, variance)]
        coarse = refine_scales(smaller[0], smaller[1], np.maximum(smaller[2], 0), _halved(spectrum), levels - 1, passes)
        noisy, pilot = (with_low_frequencies(planes, coarse.image) for planes in (noisy, pilot))
        frequency = np.abs(np.fft.fftfreq(spectrum.shape[-1]))
        low = np.maximum(frequency[:, None], frequency) < 0.25
        left = np.where(low, LEFT, 1.0) * spectrum
    whole, rest = (each.mean((1, 2), keepdims=True).astype(np.float32) for each in (spectrum, left))
    refined = refine(noisy, pilot, variance * rest, patch_correlation(left, side), passes)
    return Refined(refined.image, refined.leverage * (rest / whole))


def patch_correlation(spectrum: Array, side: int) -> Floats:
    """Correlation of noise between the pixels of a square of `side` px, at most half the side of the spectrum.

    Of spectra (C, ...) it has the shape (C, side^2, side^2).
    """
    covariance = np.fft.ifft2(spectrum).real
    y, x = np.divmod(np.arange(side * side), side)
    correlation = covariance[:, y[:, None] - y, x[:, None] - x] / covariance[:, :1, :1]
    return correlation.astype(np.float32)


def _halved(spectrum: Array) -> Array:
    """Spectra at half the resolution."""
    side = spectrum.shape[-1]
    frequency = np.fft.fftfreq(side) * side / 2
    grid = np.meshgrid(frequency, frequency, indexing="ij")
    return np.stack([map_coordinates(each, grid, order=1, mode="grid-wrap") / 4 for each in spectrum])
