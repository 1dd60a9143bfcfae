"""Similar patches of a deconvolved image as exemplars for each other, in turn with the photons that were counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from .. import engine
from ..noise.noise_model import PoissonGaussian
from .deconvolution import Blur
from .exemplars import filtered

Array = NDArray[np.float64]
NOISE = 2.5
"""Expected error in the first round, in standard deviations of the noise. More smooths, less leaves noise."""
DETAIL = 0.2
"""Expected error in the first round, as a fraction of what the blur takes away. More splits and sharpens what the
photons do not show, less leaves the errors of the models."""
LAST = 0.25
"""Expected error in the last round, relative to the first. More smooths, less keeps what is left of noise."""
GROUP = 40
"""Patches of a group. More smooth single structures, fewer follow the noise."""
NEAR = 2.0
"""Standard deviation in pixels of the window in which light and detail are averaged."""
SOLVED = 8
"""Steps of conjugate gradients for each round. With more, little changes."""
QUIET = 1e-3
"""Standard deviation of the noise that is assumed at least, as a fraction of the range."""
HIDDEN, WRONG, LEFT = 2.0, 0.03, 0.003
"""Squared error of the result: relative to the variance of detail that noise hides, to the square of what the blur
takes away, and to the variance of the noise."""


@dataclass(frozen=True)
class Measured:
    """A blurred plane as it was measured. All planes have a margin and count light from 0 on.

    Attributes
    ----------
    counted : ndarray of float64
        What was measured, with its noise.
    clean : ndarray of float64
        The same without its noise, above 0.
    used : ndarray of float64
        1 where it counts, 0 where it does not.
    noise : PoissonGaussian
        Its noise.
    blur : Blur
        The convolution.
    """

    counted: Array
    clean: Array
    used: Array
    noise: PoissonGaussian
    blur: Blur

    def variance_of(self, light: Array) -> Array:
        """The variance of the noise where the light is so bright."""
        return self.noise.variance(light) + QUIET**2

    def unsure(self, light: Array) -> tuple[Array, Array]:
        """Variance of the noise around each pixel, and the square of what the blur takes away of the light there."""
        return (
            self.variance_of(gaussian_filter(light, NEAR)),
            np.asarray(gaussian_filter(np.square(light - self.blur(light)), NEAR)),
        )

    def error_of(self, light: Array) -> Array:
        """The standard deviation of the error of a deconvolved plane, where nothing else tells it.

        Detail of power d that the blur takes away, seen through noise of variance n, leaves the variance
        n d / (n + d), as the best linear estimate does. Where there is no light, there is only read noise.
        """
        dark = replace(self, noise=replace(self.noise, offset=0.0))
        variance, detail = dark.unsure(light)
        hidden = variance * detail / (variance + detail)
        return np.asarray(np.sqrt(HIDDEN * hidden + WRONG * detail + LEFT * variance))


def agreed(light: Array, measured: Measured, rounds: int, report: Callable[[float], bool]) -> Array:
    """Bring a deconvolved plane into agreement with what was measured, and with its own similar patches.

    In turn, the light is found that explains the measured values as well as their noise lets expect and that is near
    the present estimate (least squares with the variance of photons and of the camera at each pixel), and similar
    patches are filtered by the error that is expected of it. This error falls from round to round. Splitting the two is
    due to [1]_.

    Parameters
    ----------
    light : ndarray of float64
        The deconvolved plane.
    measured : Measured
        What was measured.
    rounds : int
        Number of rounds.
    report : callable
        Called with the fraction that is done; where it returns True, no round follows.

    References
    ----------
    .. [1] S. V. Venkatakrishnan, C. A. Bouman and B. Wohlberg, "Plug-and-play priors for model based reconstruction",
       GlobalSIP 2013. :doi:`10.1109/GlobalSIP.2013.6737048`
    """
    if min(light.shape) < 2 * engine.PATCH_SIDE:
        return light
    for number, share in enumerate(np.geomspace(1.0, LAST, rounds)):
        engine.pause()
        if report(number / rounds):
            break
        variance, detail = measured.unsure(light)
        error = share**2 * (NOISE**2 * variance + DETAIL**2 * detail)
        precision = measured.used / measured.variance_of(measured.blur(light))
        explained = _nearest(light, measured.counted, precision, error, measured.blur)
        planes = np.ascontiguousarray(explained[None], np.float32)
        light = np.maximum(filtered(planes, np.sqrt(error)[None], GROUP)[0].astype(np.float64), 0.0)
    return light


def _nearest(light: Array, counted: Array, precision: Array, error: Array, blur: Blur) -> Array:
    """Minimise precision (blur(x) - counted)^2 + (x - light)^2 / error by conjugate gradients from x = light."""
    found = light
    rest = blur.back(precision * (counted - blur(light)))
    direction, power = rest, float(np.vdot(rest, rest))
    for _ in range(SOLVED):
        if power <= 0:
            break
        image = blur.back(precision * blur(direction)) + direction / error
        step = power / float(np.vdot(direction, image))
        found = found + step * direction
        rest = rest - step * image
        before, power = power, float(np.vdot(rest, rest))
        direction = rest + power / before * direction
    return found
