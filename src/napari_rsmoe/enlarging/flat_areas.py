"""Total variation beside kernels and patches: it restores flat areas with sharp borders, and not lines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .. import engine
from ..noise.noise_model import PoissonGaussian
from .deconvolution import Blur

Array = NDArray[np.float64]
WEIGHT = 0.25
"""Weight of total variation relative to the standard deviation of the noise. More flattens texture, less leaves
noise."""
STEPS, INNER = 30, 10
"""Steps of the deconvolution, and of the denoising within each. With more, little changes."""
MOST = 0.4
"""Share of total variation in the result at most."""
APART = 0.02
"""Squared difference that both make in the blurred image, relative to the variance of the noise, at which the share is
half of that. Where they differ more, one of them does not explain what was measured: total variation flattens lines."""
STEEP = 4
"""Exponent with which the share falls with this difference. With less, lines lose; with more, chance decides."""


def with_flat_areas(
    light: Array, counted: Array, noise: PoissonGaussian, blur: Blur, report: Callable[[float], bool]
) -> Array:
    """Blend a deconvolved plane with a deconvolution by total variation, as far as both explain the image alike.

    Parameters
    ----------
    light : ndarray of float64
        The plane with margin, without light 0.
    counted : ndarray of float64
        What was measured, with its noise and margin.
    noise : PoissonGaussian
        Its noise.
    blur : Blur
        The convolution.
    report : callable
        Called with the fraction that is done; where it returns True, the plane stays as it is.
    """
    variance = noise.variance(blur(light))
    level = float(np.sqrt(variance.mean()))
    if level == 0:
        return light
    varying = least_variation(counted, WEIGHT * level, blur, report)
    if varying is None:
        return light
    difference = varying - light
    apart = float(np.mean(blur.inner(np.square(blur(difference)) / np.maximum(variance, (0.1 * level) ** 2))))
    return light + MOST / (1 + (apart / APART) ** STEEP) * difference


def least_variation(counted: Array, weight: float, blur: Blur, report: Callable[[float], bool]) -> Array | None:
    """The positive plane with little total variation [1]_ whose blurred image is near the counts, by FISTA [2]_.

    None if the report asks to stop.

    References
    ----------
    .. [1] L. I. Rudin, S. Osher and E. Fatemi, "Nonlinear total variation based noise removal algorithms", Physica D
       60, 1992. :doi:`10.1016/0167-2789(92)90242-F`
    .. [2] A. Beck and M. Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear inverse problems",
       SIAM Journal on Imaging Sciences 2, 2009. :doi:`10.1137/080716542`
    """
    from skimage.restoration import denoise_tv_chambolle  # here, as loading it takes long

    light = ahead = counted
    pace = 1.0
    for number in range(STEPS):
        engine.pause()
        if report(number / STEPS):
            return None
        step = ahead - blur.back(blur(ahead) - counted)
        before, light = light, np.maximum(denoise_tv_chambolle(step, weight, max_num_iter=INNER), 0.0)
        slower, pace = pace, (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead = light + (slower - 1) / pace * (light - before)
    return np.asarray(light)
