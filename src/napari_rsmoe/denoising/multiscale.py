"""Filter correlated noise from coarse to fine pyramid levels, as it is nearly white at half the resolution."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates

from .. import engine
from ..arrays import Array, Floats
from ..image.resize import resized, with_low_frequencies
from .nonlocal_bayes import Refined, refine

LEVELS = 2
"""Pyramid levels that are filtered before the image itself, each of half the resolution of the next.

The noise of pixels 4 px apart is hardly correlated, so more levels gain nothing."""
LEFT = 0.3
"""Fraction of the noise power that is left in the frequencies of a level that has been filtered."""


def refine_scales(
    noisy: Floats, pilot: Floats, variance: Floats, spectrum: Array, levels: int | None = None
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
        coarse = refine_scales(smaller[0], smaller[1], np.maximum(smaller[2], 0), _halved(spectrum), levels - 1)
        noisy, pilot = (with_low_frequencies(planes, coarse.image) for planes in (noisy, pilot))
        frequency = np.abs(np.fft.fftfreq(spectrum.shape[-1]))
        low = np.maximum(frequency[:, None], frequency) < 0.25
        left = np.where(low, LEFT, 1.0) * spectrum
    whole, rest = (each.mean((1, 2), keepdims=True).astype(np.float32) for each in (spectrum, left))
    refined = refine(noisy, pilot, variance * rest, patch_correlation(left, side))
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
