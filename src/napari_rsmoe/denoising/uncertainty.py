"""The error bar: how far the denoised image is from the truth at each pixel, without knowing the truth."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, stdtrit

from ..arrays import Floats
from ..image.blur import blurred
from ..image.opponent import Opponent
from ..progress import pause

SPREAD_BLUR = 3.0
"""Standard deviation, in pixels, of the window in which the spread of the models is averaged."""
FACTOR = 1.58
"""Squared error, in units of the noise variance, of a place where all the factors below are 1."""
COLOUR_FACTOR = 0.75 / 1.58
"""The same for colour differences, relative to brightness: they have less content, and so less of it is lost."""
SPREAD_POWER = 0.46
"""The squared error grows with this power of the spread: 0 would not look at where content is hard."""
LEVERAGE_POWER = 0.6
"""The squared error grows with this power of the leverage, the share of the noise that is left."""
LEFT_RATE = 2.0
"""The squared error is multiplied by exp(LEFT_RATE * c), where c is the correlation of neighbours in the residual."""
REFERENCE_NOISE = 0.135
"""Standard deviation of white noise, as a fraction of the range of the image, at which `FACTOR` holds."""
NOISE_POWER = -0.11
"""The squared error, in units of the noise variance, grows with this power of that variance: where noise is weaker, a
larger part of the error is content that was lost. At 0 the bars would be too short there, and too long where noise is
strong."""
CORRELATED = np.float32(1.8)
"""Takes the place of these two factors if the noise is correlated, as c then says nothing about content."""
REFERENCE_MODELS, MOST_MODELS = 6.0, 10
"""Number of models at which `FACTOR` holds, and from which more change nothing. With a larger limit the bars of the
preset `best` are too short."""
MODELS_POWER = -0.19
"""The squared error grows with this power of the number of models, which average their errors. At 0 the bars of the
preset `best` would be too long, and those of `fast` too short."""
PHOTONS = 1.7
"""Factor of the squared error of white photon noise. Single frames of microscopes differ from their truth by more than
their noise, as the light of a frame changes; where it does not, the bars are too long by its root."""
FREEDOM = 6
"""Degrees of freedom of the distribution of errors, a Student's t. Errors are large more often with fewer."""
HELPED = (-0.2, -0.8, 2.77, 7.22)
"""Logarithm of the squared error of a plane that neighbours have helped, relative to the law for single images: a
constant, and what it grows by with the logarithm of the power of the residual in windows, with that of its whole power,
and with the correlation of neighbours. By maximum likelihood on films of Kodak 03, 07, 11, 15, 19 and 23."""
HELPED_WINDOW = 1.0
"""Standard deviation, in pixels, of these windows. In larger ones nothing is left; single pixels hold the whole
power."""
MOST_HELPED = np.float32(0.8)
"""Logarithm beyond which this correction is not believed; on the films that were measured it is up to 0.6."""
ONE_STD = float(ndtr(1.0))
"""Probability that an error is not above one standard deviation."""
LEAST_NOISE = np.float32(1e-12)
"""Variance below which the noise counts as having this; it only keeps divisions finite."""
LEAST_SPREAD = np.float32(1e-5)
"""Spread, in units of the noise variance, that is added so that no pixel is claimed to be without error."""
LEAST_LEVERAGE = np.float32(1e-4)
"""Leverage that is added for the same reason."""


def error_variance(
    image: Floats,
    noisy: Floats,
    variance: Floats,
    spread: Floats,
    leverage: Floats,
    opponent: Opponent,
    *,
    correlation: Floats | None,
    models: int,
    photons: bool,
) -> Floats:
    """Estimate the mean squared error of a denoised image at each pixel.

    Three quantities are measured in the noisy image alone. The spread of the models is large where content is hard, at
    edges and in texture. The leverage is the share of the noise that is left in the final image. And where content
    was lost, neighbours in the residual are correlated, as those of white noise are not; this correlation recalibrates
    each plane. The error is a product of powers of the three and of the noise, whose constants were chosen on images
    with ground truth.

    Parameters
    ----------
    image, noisy : ndarray of float32, shape (C, H, W)
        The final image, and the noisy one, which is the same where pixels do not count.
    variance : ndarray of float32, shape (C, H, W)
        Variance of the noise, positive.
    spread : ndarray of float32, shape (C, H, W)
        Variance of the models.
    leverage : ndarray of float32, shape (C, H, W)
        Covariance of the noise and the final image as a share of the noise variance.
    opponent : Opponent
        The transform that made the planes.
    correlation : ndarray of float32, shape (C,), or None
        Correlation of neighbours in the residual, as `residual_correlation` measures it. None: the noise is not white,
        so that neighbours are correlated anyway, and a constant takes the place of this correlation.
    models : int
        Number of models.
    photons : bool
        Whether the noise grows with brightness.

    Returns
    -------
    ndarray of float32, shape (C, H, W)
    """
    noise = np.maximum(variance, LEAST_NOISE)
    error = noise * np.float32(FACTOR) * opponent.by_plane(1.0, COLOUR_FACTOR)
    pause()
    wide = blurred(spread, None, SPREAD_BLUR) / noise
    pause()
    error *= np.power(wide + LEAST_SPREAD, np.float32(SPREAD_POWER))
    pause()
    error *= np.power(leverage + LEAST_LEVERAGE, np.float32(LEVERAGE_POWER))
    pause()
    error *= np.float32((min(models, MOST_MODELS) / REFERENCE_MODELS) ** MODELS_POWER)
    if correlation is None:
        return error * CORRELATED
    error *= np.exp(np.float32(LEFT_RATE) * correlation)[:, None, None]
    error *= np.power(noise / np.float32(REFERENCE_NOISE**2), np.float32(NOISE_POWER))
    return error * np.float32(PHOTONS if photons else 1.0)


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


def residual_correlation(image: Floats, noisy: Floats, variance: Floats) -> Floats:
    """Correlation of neighbours in the residual of each plane, (C,), from -1 to 1; arguments as of `error_variance`."""
    residual = (noisy - image) / np.sqrt(np.maximum(variance, LEAST_NOISE))
    pause()
    sums = np.zeros(len(residual))
    pairs = 0
    for first, second in ((residual[:, 1:], residual[:, :-1]), (residual[..., 1:], residual[..., :-1])):
        pause()
        sums += (first * second).sum((1, 2), dtype=np.float64)
        pairs += first[0].size
    return np.clip(sums / max(pairs, 1), -1, 1).astype(np.float32)


def helped_correlation(image: Floats, noisy: Floats, variance: Floats, leverage: Floats, used: Floats | None) -> Floats:
    """The correlation that stands for the error of a plane that neighbours have helped, (C,).

    The noise of an average is weak, so that a larger part of the residual is content: what was lost of texture is alike
    in neighbouring pixels and cancels in windows, and leaves more power than noise with that leverage would have.

    Parameters
    ----------
    image, noisy, variance, leverage
        As of `error_variance`.
    used : ndarray of float32, shape (H, W), or None
        1 where pixels count, 0 where they do not; None: all count.
    """
    correlation = residual_correlation(image, noisy, variance)
    residual: Floats = ((noisy - image) / np.sqrt(np.maximum(variance, LEAST_NOISE))).astype(np.float32)
    counted: Floats = np.ones(image.shape[1:], np.float32) if used is None else used
    pause()
    in_windows = np.square(blurred(residual, None, HELPED_WINDOW)) * np.float32(4 * np.pi * HELPED_WINDOW**2)
    powers = [
        np.sum(counted * each, (1, 2), dtype=np.float64) + LEAST_NOISE
        for each in (in_windows, np.square(residual), np.ones_like(residual), 1 - leverage)
    ]
    constant, windows, whole, neighbours = HELPED
    more = constant + windows * np.log(powers[0] / powers[2]) + whole * np.log(powers[1] / powers[3])
    more = np.clip(more + neighbours * correlation, -MOST_HELPED, MOST_HELPED)
    return (correlation + more / LEFT_RATE).astype(np.float32)
