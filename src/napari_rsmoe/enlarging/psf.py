"""Point spread functions: of a given width, from the data of a lens, as an array, or measured from beads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter, shift
from scipy.special import j1

from ..errors import ImageError
from ..image.other_arrays import plain

Array = NDArray[np.float64]
REACH = 4.0
"""Standard deviations of a Gaussian from its centre to its end; beyond lie 3e-4 of its light."""
RINGS = 5.0
"""Radii of the first dark ring of an Airy pattern from its centre to its end; beyond lie 4 % of its light."""
FINER = 5
"""Points along each axis at which the light in a pixel is summed."""
FIRST_ZERO = 3.8317
"""First zero of the Bessel function J1: where the first dark ring lies."""
WIDEST = 64.0
"""Largest standard deviation of a Gaussian in pixels; with wider ones nothing of the image is left."""
NARROWEST = 1e-3
"""Smallest standard deviation of a Gaussian in pixels; all narrower ones lie within a pixel just the same."""
BEAD_SIDE = 21
"""Side in pixels of the parts of an image that are averaged around beads."""
FEWEST_BEADS = 3
"""Beads at least of which a point spread function is measured."""
ALONE = 5
"""Side in pixels of the window in which a bead is the brightest; where a part has two of them, they touch."""
CORE = 0.2
"""Height above the background, relative to that of the bead, from which light counts for its centre. With less, noise
moves the centre; with more, few pixels decide."""
SEEN = 2.0
"""Standard deviations of what noise has left at the border from which the light of averaged beads counts."""
BEAD_CONTRAST = 0.3
"""Height of a bead above the background, as a fraction of that of the brightest one, from which it is used."""


def point_spread(psf: Any) -> Array:
    """The point spread function that a user gives, as an array.

    Parameters
    ----------
    psf : float, (float, float, float), str or array-like
        Standard deviation of a Gaussian in pixels; numerical aperture, wavelength and pixel size, the last two in the
        same unit (see `airy`); the same numbers as a text with commas; or values (Y, X), the middle one at the centre.

    Returns
    -------
    ndarray of float64, shape (odd, odd)
        Non-negative, with the sum 1.

    Raises
    ------
    ValueError
        If it is none of these.

    Examples
    --------
    >>> point_spread(1.0).shape
    (9, 9)
    >>> bool(point_spread((1.4, 520, 65)).max() > point_spread((0.7, 520, 65)).max())
    True
    """
    if isinstance(psf, str):
        try:
            psf = tuple(float(part) for part in psf.split(","))
        except ValueError:
            psf = ()
    try:
        values = np.asarray(plain(psf))
    except ValueError:  # Rows of different lengths.
        values = np.zeros(0)
    if values.dtype.kind not in "iuf" or values.dtype.kind == "b":
        values = np.zeros(0)
    if values.size == 1 and values.ndim < 2:
        return _gaussian(float(values.reshape(())))
    if values.shape == (3,):
        return airy(*map(float, values))
    if values.ndim != 2 or min(values.shape) < 1 or not np.isfinite(values).all():
        raise ValueError(
            "psf must be the standard deviation of a Gaussian in pixels, the numerical aperture, wavelength and pixel "
            "size as NA,WAVELENGTH,PIXEL with the last two in the same unit, or an image (Y, X) of a point."
        )
    if values.min() < 0 or values.max() <= 0:
        raise ValueError("psf must hold no negative values and some light; subtract its background first.")
    spread = np.pad(values.astype(np.float64), [(0, 1 - length % 2) for length in values.shape])
    spread = np.ldexp(spread, -math.frexp(spread.max())[1])  # The largest numbers have no sum.
    return np.asarray(spread / spread.sum())


def _gaussian(sigma: float) -> Array:
    if not 0 < sigma <= WIDEST:
        raise ValueError(f"psf={sigma:g}, the standard deviation of a Gaussian in pixels, must be above 0 and at most "
                         f"{WIDEST:g}.")  # fmt: skip
    reach = max(1, math.ceil(REACH * sigma))
    line = np.exp(-0.5 * np.square(_points(reach) / max(sigma, NARROWEST))).reshape(-1, FINER).sum(1)
    return np.asarray(np.outer(line, line) / line.sum() ** 2)


def _points(reach: int) -> Array:
    """Points of `FINER` to a pixel, from -reach to reach."""
    return (np.arange((2 * reach + 1) * FINER) + 0.5) / FINER - 0.5 - reach


def airy(na: float, wavelength: float, pixel: float) -> Array:
    """The point spread function of a lens in focus, in the paraxial approximation [1]_.

    SciPy's Bessel function gives it. Of the libraries for microscopes, those that are maintained need the refractive
    index and more, and none is kept well enough to depend on. At high apertures light is polarised, and the point is
    wider: by 3 % at an aperture of 0.5, by 20 % at 1.4. Measure it from beads there.

    Parameters
    ----------
    na : float
        Numerical aperture.
    wavelength, pixel : float
        Wavelength of the light that is measured, and side of a pixel in the object, in the same unit.

    References
    ----------
    .. [1] M. Born, E. Wolf. Principles of Optics, 7th edition, section 8.5.2. Cambridge University Press, 1999.
       :doi:`10.1017/CBO9781139644181`
    """
    if not (0 < na < 2 and math.isfinite(wavelength) and wavelength > 0 and math.isfinite(pixel) and pixel > 0):
        raise ValueError(
            f"psf={na:g},{wavelength:g},{pixel:g} must be the numerical aperture (below 2), the wavelength and the "
            "pixel size, positive and the last two in the same unit."
        )
    scale = 2 * math.pi * na * pixel / wavelength  # Radians of the argument of J1 for each pixel.
    if not scale > 1 / WIDEST:
        raise ValueError(f"psf={na:g},{wavelength:g},{pixel:g}: the wavelength is more than {WIDEST:g} times the pixel "
                         "size; are both in the same unit?")  # fmt: skip
    points = _points(max(1, math.ceil(RINGS * FIRST_ZERO / scale)))
    argument = np.maximum(scale * np.hypot(points[:, None], points[None]), 1e-9)
    light = np.square(2 * j1(argument) / argument)
    side = len(points) // FINER
    spread = light.reshape(side, FINER, side, FINER).sum((1, 3))
    return np.asarray(spread / spread.sum())


def measure_psf(image: Any) -> Array:
    """Measure the point spread function from an image of single beads that are smaller than it.

    The parts around all bright beads that stand alone are centred by their centre of mass and averaged [1]_, each by
    its light. What does not stand out from the noise that is left is 0.

    Parameters
    ----------
    image : array-like
        (Y, X) image of beads, best the mean of several.

    Returns
    -------
    ndarray of float64, shape (21, 21)
        Non-negative, with the sum 1: `deblur` takes it as `psf`.

    Raises
    ------
    ImageError
        If there are fewer than three beads.

    References
    ----------
    .. [1] R. Cole, T. Jinadasa, C. Brown. Measuring and interpreting point spread functions to determine confocal
       microscope resolution and ensure quality control. Nature Protocols 6, 2011. :doi:`10.1038/nprot.2011.407`

    Examples
    --------
    >>> y, x = np.mgrid[:80, :80]
    >>> beads = sum(np.exp(-((y - b) ** 2 + (x - a) ** 2) / 8) for a, b in ((20, 20), (60, 21), (40, 60)))
    >>> psf = measure_psf(beads)
    >>> bool(abs(psf[10, 10] - point_spread(2.0).max()) < 0.002)
    True
    """
    pixels = np.asarray(plain(image), np.float64)
    if pixels.ndim != 2 or min(pixels.shape) < BEAD_SIDE or not np.isfinite(pixels).all():
        raise ImageError(f"Beads are measured in a finite image (Y, X) of at least {BEAD_SIDE} x {BEAD_SIDE} pixels.")
    half = BEAD_SIDE // 2
    smooth = gaussian_filter(pixels, 1.0)
    height = smooth - np.median(smooth)
    inner = np.zeros(pixels.shape, bool)
    inner[half:-half, half:-half] = True
    bright = height > BEAD_CONTRAST * height[inner].max(initial=0.0)
    peaks = (maximum_filter(smooth, ALONE) == smooth) & bright
    parts = []
    for y, x in np.argwhere((maximum_filter(smooth, BEAD_SIDE) == smooth) & bright & inner):
        around = np.s_[y - half : y + half + 1, x - half : x + half + 1]
        if np.count_nonzero(peaks[around]) > 1:
            continue
        part = pixels[around] - np.median(_border(pixels[around]))
        light = np.clip(part - CORE * part.max(), 0, None)
        place = np.arange(-half, half + 1)
        move = [-(light.sum(1 - axis) @ place) / light.sum() for axis in (0, 1)]
        parts.append((shift(part, move, order=3), light.sum()))
    if len(parts) < FEWEST_BEADS:
        raise ImageError(f"{len(parts)} single beads were found, and at least {FEWEST_BEADS} are needed.")
    mean = np.sum([part for part, _ in parts], 0) / sum(light for _, light in parts)
    spread = np.where(mean > SEEN * np.std(_border(mean)), mean, 0.0)
    return np.asarray(spread / spread.sum())


def _border(part: Array) -> Array:
    """The outermost pixels of a part."""
    return np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]])
