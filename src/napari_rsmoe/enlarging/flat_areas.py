"""Deconvolution by total variation: it restores flat areas with sharp borders, and not lines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2

from .. import engine
from .deconvolution import Blur

Array = NDArray[np.float64]
STEPS = 40
"""Steps of the solution. With fewer, borders stay soft; with many more, texture is flattened."""
DATA, LIGHT = 0.1, 0.01
"""Penalties of the two constraints on the data and on the sign of light, relative to the median precision of the data.
Larger ones begin slower, smaller ones end slower."""
STEP = 4.0
"""Difference between neighbours that is taken away in one step, relative to the detail of the light. It sets how fast
the solution is reached, not which."""


def least_variation(
    start: Array, counted: Array, precision: Array, weight: float, detail: float, blur: Blur,
    report: Callable[[float], bool],
) -> Array | None:  # fmt: skip
    """The positive plane with little total variation [1]_ whose blurred image is near the counts.

    Minimises the squared distance from the counts, each by its precision, and total variation, by the alternating
    direction method of multipliers as in [2]_, in a fixed number of steps. None if the report asks to stop.

    Parameters
    ----------
    start : ndarray of float64
        The plane with margin that the solution begins with.
    counted : ndarray of float64
        What was measured, with its noise and margin.
    precision : ndarray of float64
        1 over the variance of its noise; 0 where it does not count.
    weight : float
        Weight of total variation, relative to half of the squared distance.
    detail : float
        Root mean square of the detail of the light; see `STEP`.
    blur : Blur
        The convolution.
    report : callable
        Called with the fraction that is done.

    References
    ----------
    .. [1] L. I. Rudin, S. Osher and E. Fatemi, "Nonlinear total variation based noise removal algorithms", Physica D
       60, 1992. :doi:`10.1016/0167-2789(92)90242-F`
    .. [2] M. A. T. Figueiredo and J. M. Bioucas-Dias, "Restoration of Poissonian images using alternating direction
       optimization", IEEE Transactions on Image Processing 19, 2010. :doi:`10.1109/TIP.2010.2053941`
    """
    typical = float(np.median(precision[precision > 0]))
    data, sign, step = DATA * typical, LIGHT * typical, STEP * detail
    variation = weight / step
    transfer = blur.transfer
    whole = data * np.square(np.abs(transfer)) + variation * _laplacian(blur.shape) + sign
    blurred, differences, light = blur(start), _differences(start), np.maximum(start, 0.0)
    rests = [np.zeros_like(each) for each in (blurred, differences, light)]
    for number in range(STEPS):
        engine.pause()
        if report(number / STEPS):
            return None
        wanted = variation * _gathered(differences - rests[1]) + sign * (light - rests[2])
        found = (data * np.conj(transfer) * rfft2(blurred - rests[0]) + rfft2(wanted)) / whole
        plane = irfft2(found, blur.shape)
        near = irfft2(transfer * found, blur.shape) + rests[0]
        blurred = (precision * counted + data * near) / (precision + data)
        rests[0] = near - blurred
        near = _differences(plane) + rests[1]
        length = np.maximum(np.hypot(near[0], near[1]), np.finfo(np.float64).tiny)
        differences = near * np.maximum(1 - step / length, 0.0)
        rests[1] = near - differences
        near = plane + rests[2]
        light = np.maximum(near, 0.0)
        rests[2] = near - light
    return np.asarray(light)


def _differences(plane: Array) -> Array:
    """Differences of a plane from the next pixel along both axes (2, H, W), around its ends."""
    return np.stack([np.roll(plane, -1, axis) - plane for axis in (0, 1)])


def _gathered(differences: Array) -> Array:
    """The adjoint of `_differences`."""
    return np.asarray(sum(np.roll(each, 1, axis) - each for axis, each in enumerate(differences)))


def _laplacian(shape: tuple[int, int]) -> Array:
    """The transform of `_gathered` after `_differences`."""
    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    return np.asarray(4 - 2 * np.cos(2 * np.pi * rows) - 2 * np.cos(2 * np.pi * columns))
