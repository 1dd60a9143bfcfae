"""Filter noise that neighbours share from coarse to fine: seen from further away it is nearly white."""

from __future__ import annotations

from math import sqrt

import numpy as np
from scipy.fft import dctn, idctn
from scipy.ndimage import map_coordinates

from .. import engine
from ..arrays import Array, Floats
from ..image.resize import resized
from .nonlocal_bayes import Refined, refine

SCALES = 2  # coarser ones, each of half as many pixels a side: pixels 4 px apart hardly share their noise
LEFT = 0.3  # of its power, that noise is counted with where a coarser scale was filtered


def refine_scales(
    noisy: Floats, pilot: Floats, variance: Floats, spectrum: Array, scales: int | None = None
) -> Refined:
    """`nonlocal_bayes.refine` for noise with a spectrum, at several scales.

    Blobs of noise that fill a patch are the same in all patches that overlap there, so a group does not average them
    out; at half the resolution they are smaller than a patch. So the low frequencies of the image are filtered first,
    at half the resolution, and there by the same rule. They replace those of the noisy image and of the pilot, and
    their noise counts less from then on. Several scales for non-local Bayes: Lebrun, Colom and Morel (IEEE Trans. Image
    Processing 2015); scales by the discrete cosine transform, which keeps the noise as it is: Facciolo, Pierazzo and
    Morel (SIAM Journal on Imaging Sciences 2017).

    Parameters
    ----------
    noisy, pilot, variance : ndarray of float32, shape (C, H, W)
        As `refine` takes them.
    spectrum : ndarray of float64, shape (C, side, side)
        Power of the noise by frequency as `numpy.fft.fft2` orders it, in units of `variance`; 16 px a side at least.
    scales : int, optional
        How many coarser scales are filtered, if the image is large enough. Default: SCALES.

    Returns
    -------
    Refined
        Its leverage is that of all scales, as a share of the whole noise.
    """
    side = engine.PATCH_SIDE
    half = [(length + 1) // 2 for length in noisy.shape[1:]]
    left = spectrum
    scales = SCALES if scales is None else scales
    if scales > 0 and min(half) >= 2 * side:
        smaller = [resized(planes, half) for planes in (noisy, pilot, variance)]
        coarse = refine_scales(smaller[0], smaller[1], np.maximum(smaller[2], 0), _halved(spectrum), scales - 1)
        noisy, pilot = (_with_low(planes, coarse.image) for planes in (noisy, pilot))
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


def _with_low(planes: Floats, coarse: Floats) -> Floats:
    """Planes with the low frequencies of others that have fewer pixels."""
    frequencies = dctn(planes, axes=(1, 2), norm="ortho")
    scale = sqrt(planes[0].size / coarse[0].size)
    frequencies[:, : coarse.shape[1], : coarse.shape[2]] = scale * dctn(coarse, axes=(1, 2), norm="ortho")
    return np.asarray(idctn(frequencies, axes=(1, 2), norm="ortho"), np.float32)
