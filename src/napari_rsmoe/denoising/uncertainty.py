"""The error bar: how far the denoised image is from the truth at each pixel, without knowing the truth."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, stdtrit

from ..arrays import Array, Floats
from ..image.blur import blurred
from ..image.opponent import Opponent
from ..progress import pause

SPREAD_BLUR = 3.0
"""Standard deviation, in pixels, of the window in which the spread of the models is averaged."""
FACTOR = 2.38
"""Squared error, in units of the noise variance, of a place where all the factors below are 1."""
SPREAD_POWER = 0.4
"""The squared error grows with this power of the spread: 0 would not look at where content is hard."""
LEVERAGE_POWER = 0.587
"""The squared error grows with this power of the leverage, the share of the noise that is left."""
STEIN_RATE = 0.568
"""Logarithm of the squared error for each unit of the relative correlation of neighbours in the residual; see
`calibration`. With 0, bars of fine texture that was lost are too short, and those of smooth images too long."""
SHARED = np.float32(2.0)
"""How the share of the noise that an estimate has in common with neighbours falls with its leverage h: h / (1 + 2 h).
What follows each pixel of texture follows no neighbours."""
USUAL, SCATTER = -1.0, 1.0
"""Mean and standard deviation of the relative correlation in photographs. The fewer pixels there are to measure it, the
more this mean takes its place."""
LEAST_RELATIVE, MOST_RELATIVE = -2.0, 3.0
"""Ends of the range of the relative correlation. Below the first, the error would have less than nothing in common with
its neighbours; above the last, noise that was not recognised as correlated makes neighbours alike."""
COLOUR_LEVERAGE, COLOUR_POWER = 0.124, 0.92
"""Mean leverage of a colour difference with which its error is like that of brightness, and the power with which its
squared error grows. Less is left of colours, and coarser levels find most of it."""
CORRELATED = 0.15
"""Logarithm of the squared error if the noise is correlated, as the correlation of neighbours then says nothing."""
REFERENCE_MODELS, MOST_MODELS = 6.0, 8
"""Number of models at which `FACTOR` holds, and from which more change nothing. With a larger limit the bars of the
preset `best` are too short."""
MODELS_POWER = -0.16
"""The squared error grows with this power of the number of models, which average their errors. At 0 the bars of the
preset `best` would be too long, and those of `fast` too short."""
LIGHT, MOST_LIGHT = 0.06, 0.3
"""Standard deviation by which the light of a single frame of a microscope differs from that of its truth, as a fraction
of the light, and its limit in standard deviations of the noise. Frames fade, and lamps flicker; where they do not, bars
are too long in bright places. Without the limit they would be so most of all where photons are many."""
FREEDOM = 6
"""Degrees of freedom of the distribution of errors, a Student's t. Errors are large more often with fewer."""
HELPED = -0.4
"""Logarithm of the squared error of a plane that neighbours have helped, relative to that of a single image. By maximum
likelihood on films of Kodak 03, 07, 11, 15, 19 and 23. At 0 the bars of films are a fifth too long."""
ONE_STD = float(ndtr(1.0))
"""Probability that an error is not above one standard deviation."""
LEAST_NOISE = np.float32(1e-12)
"""Variance below which the noise counts as having this; it only keeps divisions finite."""
LEAST_SPREAD = np.float32(1e-5)
"""Spread, in units of the noise variance, that is added so that no pixel is claimed to be without error."""
LEAST_LEVERAGE = np.float32(1e-4)
"""Leverage that is added for the same reason."""


def error_variance(
    variance: Floats, spread: Floats, leverage: Floats, *, calibration: Floats | float, models: int
) -> Floats:
    """Estimate the mean squared error of a denoised image at each pixel.

    Three quantities are measured in the noisy image alone. The spread of the models is large where content is hard, at
    edges and in texture. The leverage is the share of the noise that is left in the final image. And what was lost of
    content makes neighbours in the residual alike, which recalibrates each plane. The error is a product of powers of
    them, whose constants were chosen on images with ground truth.

    Parameters
    ----------
    variance : ndarray of float32, shape (C, H, W)
        Variance of the noise, positive.
    spread : ndarray of float32, shape (C, H, W)
        Variance of the models.
    leverage : ndarray of float32, shape (C, H, W)
        Covariance of the noise and the final image as a share of the noise variance.
    calibration : ndarray of float32, shape (C,), or float
        Logarithm of the factor of each plane, as `calibration` finds it.
    models : int
        Number of models.

    Returns
    -------
    ndarray of float32, shape (C, H, W)
    """
    noise = np.maximum(variance, LEAST_NOISE)
    factor = FACTOR * (min(models, MOST_MODELS) / REFERENCE_MODELS) ** MODELS_POWER
    error = noise * (np.float32(factor) * np.exp(np.asarray(calibration, np.float32).reshape(-1, 1, 1)))
    pause()
    wide = blurred(spread, None, SPREAD_BLUR) / noise
    pause()
    error *= np.power(wide + LEAST_SPREAD, np.float32(SPREAD_POWER))
    pause()
    error *= np.power(leverage + LEAST_LEVERAGE, np.float32(LEVERAGE_POWER))
    return error


def with_light(std: Floats, light: Floats, noise: Floats) -> Floats:
    """The error bar (H, W, C) of an image of photons whose light may differ from that of the truth.

    Parameters
    ----------
    std : ndarray of float32, shape (H, W, C)
        The error bar without that.
    light : ndarray of float32, shape (H, W, C)
        The light at each pixel, in the same units.
    noise : ndarray of float32, shape (H, W, C)
        Standard deviation of the noise, in the same units.
    """
    changed, most = np.float32(LIGHT) * light, np.float32(MOST_LIGHT) * noise
    both = np.maximum(np.square(changed) + np.square(most), LEAST_NOISE)
    result: Floats = np.sqrt(np.square(std) + np.square(changed * most) / both)
    return result


def deviations(probability: float) -> float:
    """Standard deviations on either side of an estimate within which its error lies with a probability.

    Errors follow a Student's t distribution, scaled so that one standard deviation holds as many of them as one of a
    normal distribution does. Its tails are heavier: 90 % lie within 1.78, 99 % within 3.40 standard deviations.

    Examples
    --------
    >>> round(deviations(0.99), 2)
    3.4
    """
    return float(stdtrit(FREEDOM, (1 + probability) / 2) / stdtrit(FREEDOM, ONE_STD))


def calibration(
    image: Floats,
    noisy: Floats,
    variance: Floats,
    leverage: Floats,
    used: Floats | None,
    opponent: Opponent,
    *,
    helped: bool = False,
) -> Floats:
    """Logarithm of the factor by which the squared error of each plane differs from what its pixels tell, (C,).

    The covariance of neighbours in the residual is that of the error, from which twice what the estimate has in common
    with the noise of neighbours is taken away: Stein's estimate of the risk [1]_, a pixel apart, where it does not need
    the variance of the noise, of which a 5 % error would be more than the error of a denoised sky. Relative to the
    share of the noise that is left, it tells lost content from noise. Colour differences lose little content, and their
    error follows from their leverage.

    Parameters
    ----------
    image, noisy : ndarray of float32, shape (C, H, W)
        The final image, and the noisy one, with white noise.
    variance, leverage
        As of `error_variance`.
    used : ndarray of float32, shape (H, W), or None
        1 where pixels count, 0 where they do not; None: all count.
    opponent : Opponent
        The transform that made the planes.
    helped : bool
        Whether the noisy image is an average of a plane and its neighbours.

    References
    ----------
    .. [1] C. Stein. Estimation of the mean of a multivariate normal distribution. Annals of Statistics 9, 1981.
       :doi:`10.1214/aos/1176345632`
    """
    correlation, pairs = residual_correlation(image, noisy, variance, used)
    pause()
    shared = _means(leverage / (1 + SHARED * leverage), used)
    # The correlation of so many pairs of white noise scatters by one over the root of their number.
    scatter = 1 / (np.sqrt(max(pairs, 1)) * shared)
    relative = USUAL + (correlation / shared - USUAL) * SCATTER**2 / (SCATTER**2 + np.square(scatter))
    found = STEIN_RATE * np.clip(relative, LEAST_RELATIVE, MOST_RELATIVE)
    if not opponent.identity:
        found[1:] = _of_colours(leverage, used)
    return (found + HELPED * helped).astype(np.float32)


def correlated_calibration(leverage: Floats, used: Floats | None, opponent: Opponent) -> Floats:
    """The calibration (C,) where the noise is correlated; arguments as of `calibration`."""
    found = np.full(len(leverage), CORRELATED)
    if not opponent.identity:
        found[1:] += _of_colours(leverage, used)
    return found.astype(np.float32)


def _of_colours(leverage: Floats, used: Floats | None) -> Array:
    """The calibration of two colour differences by the leverages (3, H, W)."""
    return COLOUR_POWER * np.log(_means(leverage[1:], used) / COLOUR_LEVERAGE)


def _means(planes: Floats, used: Floats | None) -> Array:
    """Means (C,) of positive planes (C, H, W) over the pixels that count."""
    if used is None:
        return np.maximum(planes.mean((1, 2), dtype=np.float64), LEAST_LEVERAGE)
    sums = (planes * used).sum((1, 2), dtype=np.float64)
    return np.maximum(sums / max(float(used.sum(dtype=np.float64)), 1.0), LEAST_LEVERAGE)


def residual_correlation(
    image: Floats, noisy: Floats, variance: Floats, used: Floats | None = None
) -> tuple[Array, float]:
    """Correlation of neighbours in the residual of each plane, (C,), from -1 to 1, and the number of pairs.

    Arguments as of `calibration`.
    """
    residual = (noisy - image) / np.sqrt(np.maximum(variance, LEAST_NOISE))
    if used is not None:
        residual *= used
    pause()
    counted: Floats = np.ones(residual.shape[1:], np.float32) if used is None else used
    sums: Array = np.zeros(len(residual))
    pairs = 0.0
    for planes, pixels in ((residual, counted), (residual.transpose(0, 2, 1), counted.T)):
        pause()
        sums += (planes[:, 1:] * planes[:, :-1]).sum((1, 2), dtype=np.float64)
        pairs += float((pixels[1:] * pixels[:-1]).sum(dtype=np.float64))
    return np.clip(sums / max(pairs, 1.0), -1, 1), pairs
