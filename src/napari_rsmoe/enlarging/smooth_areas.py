"""A smooth deconvolution beside a sharp one: it counts where the light is smooth, and where the image does not fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter

from .. import engine
from .deconvolution import Blur, richardson_lucy
from .through_blur import Measured

Array = NDArray[np.float64]
ITERATIONS = 12
"""Iterations of Richardson and Lucy's method. With 8 wide lines stay wider than they are, with 30 they become narrower;
in between little changes."""
SMOOTH, STEEP, MOST = 0.75, 16, 0.85
"""Detail that the smooth deconvolution has, relative to the sharp one, at which it counts half, the exponent with which
its share rises, and its largest share. Simulated beads, cells and thin filaments have 0.4 to 0.65, filaments wider than
the blur 0.8 to 1.2."""
UNFIT, UNFIT_STEEP = 1.15, 8
"""Misfit of the sharp deconvolution at which the smooth one counts half, and the exponent with which its share rises.
With the right point spread function it is 0.2 to 0.9, with one that is a fifth too wide 1.3 to 6 from 3000 photons
on."""
COARSER = 0.82
"""Misfit of the smooth deconvolution, relative to the sharp one, below which the sharp one has failed and the function
is not to blame. On bright single points it is 0.3 to 0.75, through wrong point spread functions 0.94 to 5."""
BLURRED = (0.3, 0.5)
"""Detail that the smooth deconvolution has, relative to the sharp one, between which the misfit counts more, by the
root of what is missing to the latter. Sharp structures have at least that; less shows that a deconvolution exaggerates,
as it does through a point spread function that is too wide."""
ACCURATE = 3.5e-3
"""Standard deviation, as a fraction of the range, that is allowed for besides the noise. With less, images nearly
without noise seem not to fit, as no deconvolution ends; with more, a wrong point spread function shows less."""
WEAKENED = 0.3
"""How much higher that is where the noise is strong, for each unit of its variance relative to the detail: patches lose
detail in it, the smooth deconvolution keeps some noise."""
CERTAIN, NOISY = 0.9, 3.0
"""How much less the squared error is where the smooth deconvolution counts since the light is smooth, and the weight of
the variance of the noise beside the detail by which this is less: what noise hides stays unknown."""
DOUBTED, NEAR = 0.1, 1.0
"""What of the squared distance of the smooth deconvolution from the sharp one is added to the squared error where the
image does not fit, and the standard deviation in pixels of the window in which it is averaged."""
TINY = 1e-6
"""Misfit that counts as none."""
STOPPED = 1e-3
"""Mean square over all frequencies of what optics pass or stop that is assumed at least: less is not measured well."""


@dataclass(frozen=True)
class Smoothed:
    """A deconvolution with the share of a smooth one.

    Attributes
    ----------
    light, variance : ndarray of float64
        The blend, and the square of its expected error.
    misfit : float
        As of `misfit`, of the sharp deconvolution; more if it exaggerates detail.
    coarse : float
        As of `misfit`, of the smooth deconvolution.
    """

    light: Array
    variance: Array
    misfit: float
    coarse: float

    @property
    def fits(self) -> bool:
        """Whether the point spread function explains the image.

        If even the smooth deconvolution fits better than the sharp one, the latter has failed, as on bright single
        points, and not the function.
        """
        return self.misfit <= UNFIT or self.coarse < COARSER * self.misfit


def with_smooth_areas(light: Array, variance: Array, patches: Array, measured: Measured) -> Smoothed:
    """Blend a sharp deconvolution with a smooth one: Richardson and Lucy's method, ended early.

    What the blur has taken away completely, models and patches draw as sharp as it can be. This is right for points,
    thin lines and borders, and wrong for structures that are wider than the blur. They are told by the smooth
    deconvolution: of sharp structures it has half of the detail only, of smooth ones nearly all. If the point spread
    function is wrong, the sharp deconvolution is wrong throughout and does not explain the image, and the smooth one is
    less so.

    Parameters
    ----------
    light, variance : ndarray of float64
        The sharp deconvolution, and the square of its expected error.
    patches : ndarray of float64
        The light after `through_blur.agreed`, by which both signs are measured.
    measured : Measured
        What was measured.
    """
    blur = measured.blur
    smooth = richardson_lucy(measured.clean, blur, ITERATIONS)
    whole, kept = (_detail(plane, blur) for plane in (patches, smooth))
    exaggerated = BLURRED[1] / float(np.clip(kept / whole, *BLURRED)) if whole > 0 else 1.0
    found = misfit(patches, measured) * float(np.sqrt(exaggerated))
    coarse = misfit(smooth, measured)
    doubts = (UNFIT / max(found, TINY)) ** UNFIT_STEEP + (COARSER * found / max(coarse, TINY)) ** STEEP
    wrong = 1 / (1 + doubts)
    hidden = float(np.mean(blur.inner(measured.variance_of(smooth))))
    even = 0.0
    if whole > 0 and kept > 0:
        with np.errstate(over="ignore"):  # An image of one value has the detail of rounding.
            even = MOST / (1 + np.float64(SMOOTH * (whole + WEAKENED * hidden) / kept) ** STEEP)
    change = smooth - light
    certain = CERTAIN * even * whole / (whole + NOISY * hidden)
    variance = (1 - certain) * variance + DOUBTED * wrong * gaussian_filter(np.square(change), NEAR)
    return Smoothed(light + (1 - (1 - even) * (1 - wrong)) * change, variance, found, coarse)


def misfit(light: Array, measured: Measured) -> float:
    """Squared distance of what was measured from the blurred light, relative to the noise.

    It is measured at the frequencies that the optics pass, as a wrong light shows nowhere else, and is 1 for the truth;
    a deconvolution follows some of the noise, which makes it less. The noise counts as at least as strong as what is
    left at the other frequencies, in case it was told too weak. Without noise there is no measure, and it is 0.

    Parameters
    ----------
    light : ndarray of float64
        The light.
    measured : Measured
        What was measured.
    """
    if measured.noise.gain == measured.noise.read == 0:
        return 0.0
    blur, used = measured.blur, measured.used
    seen = blur(light)
    engine.pause()
    rest = rfft2((measured.counted - seen) * np.sqrt(used / (measured.variance_of(seen) + ACCURATE**2)))
    counting = max(float(np.mean(blur.inner(used))), 1e-9)
    passed = np.abs(blur.transfer)
    powers = []
    for weight in (passed, np.clip(1 - 2 * passed, 0, 1)):
        share = float(irfft2(np.square(weight).astype(np.complex128), blur.shape)[0, 0])
        power = float(np.mean(blur.inner(np.square(irfft2(weight * rest, blur.shape)))))
        powers.append(power / (max(share, STOPPED) * counting))
    return powers[0] / max(powers[1], 1.0)


def _detail(light: Array, blur: Blur) -> float:
    """Mean square of what the blur takes away."""
    return float(np.mean(blur.inner(np.square(light - blur(light)))))
