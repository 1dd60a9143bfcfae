"""Fuse models of several kernel counts into one image: each place takes the counts of the lowest estimated risk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import engine
from ..arrays import Floats
from ..image.blur import blurred

RISK_BLUR = 6.0
"""Standard deviation, in pixels, of the window in which the squared difference to the noisy image is averaged.

In a smaller window the noise decides which count seems best; a larger one mixes flat places and texture."""
LEVERAGE_BLUR = 12.0
"""The same for the fraction of the noise that models follow, which varies less from place to place."""
SELECTIVITY = 8.0
"""The weight of a count is exp(-SELECTIVITY * (risk - least risk) / noise variance): at 0 all counts weigh the same."""
LEAST_VARIANCE = np.float32(0.01)
"""Fraction of the mean noise variance that counts as noise variance where there is less."""
STRIP = 1 << 16
"""Pixels of the strips in which renders are added. Larger ones leave the cache of the processor."""


@dataclass(frozen=True)
class Fused:
    """A fused image and the spread of its models.

    Attributes
    ----------
    image : ndarray of float32, shape (C, H, W)
        The weighted mean of the models.
    spread : ndarray of float32, shape (C, H, W)
        Variance of the models around the fused image, with the weights of the fusion.
    """

    image: Floats
    spread: Floats


class Group:
    """Renders of the models of one kernel count, kept as running sums; arrays are (C, H, W).

    Each model is fitted to the noisy image plus a small known disturbance. The fraction of the disturbance that comes
    back in the render estimates the fraction of the noise that the model follows: the Monte-Carlo divergence of [1]_.

    References
    ----------
    .. [1] S. Ramani, T. Blu, M. Unser. Monte-Carlo SURE: a black-box optimization of regularization parameters for
       general denoising algorithms. IEEE Transactions on Image Processing 17, 2008. :doi:`10.1109/TIP.2008.2001404`
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count = 0
        self._sum, self._squares, self._product, self._disturbances = np.zeros((4, *shape), np.float32)

    def add(self, render: Floats, disturbance: Floats) -> None:
        """Add the render of a model, and the disturbance that was added to the image that it was fitted to."""
        self.count += 1
        step = max(1, STRIP // render.shape[2])
        for first in range(0, render.shape[1], step):
            rows = (slice(None), slice(first, first + step))
            drawn, added = render[rows], disturbance[rows]
            self._sum[rows] += drawn
            self._squares[rows] += drawn * drawn
            self._product[rows] += drawn * added
            self._disturbances[rows] += added

    @property
    def mean(self) -> Floats:
        """Mean of the renders."""
        return self.mean_of(slice(None))

    def mean_of(self, rows: slice) -> Floats:
        """The same, of some rows."""
        mean: Floats = self._sum[:, rows] / np.float32(self.count)
        return mean

    @property
    def variance(self) -> Floats:
        """Sample variance of the models at each pixel; zero for one model."""
        if self.count < 2:
            return np.zeros_like(self._sum)
        spread = self._squares - self._sum * self.mean
        return np.maximum(spread, 0).astype(np.float32) / np.float32(self.count - 1)

    @property
    def response(self) -> Floats:
        """Covariance of render and disturbance at each pixel, which is noisy; needs at least two models."""
        product: Floats = self._product - self.mean * self._disturbances
        return product / np.float32(self.count - 1)


def fuse(groups: list[Group], noisy: Floats, variance: Floats, strength: float, used: Floats | None) -> Fused:
    """Weight the groups, place by place and plane by plane, by Stein's unbiased estimate of their risk.

    The squared difference of the noisy image and an estimate is, on average, the risk plus the variance of the noise
    minus twice the covariance of noise and estimate. The covariance is estimated from the models' response to the
    disturbances.

    Parameters
    ----------
    groups : list of Group
        Groups of at least one model each. Groups of one model are left out if other groups have more; if all have
        one, they weigh the same.
    noisy : ndarray of float32, shape (C, H, W)
        The noisy image.
    variance : ndarray of float32, shape (C, H, W)
        Variance of its noise.
    strength : float
        Standard deviation of the disturbances, as a multiple of that of the noise.
    used : ndarray of float32, shape (H, W), or None
        1 where the pixel counts, 0 where it does not; None: all count.
    """
    if max(group.count for group in groups) > 1:
        groups = [group for group in groups if group.count > 1]
    means = [group.mean for group in groups]
    noise = float(variance.mean(dtype=np.float64))
    if groups[0].count < 2 or noise <= 0:
        image: Floats = np.stack(means).mean(0)
        return Fused(image, _spread(groups, means, np.ones((len(groups), 1, 1, 1)) / len(groups), image))
    least: Floats = np.maximum(variance, LEAST_VARIANCE * np.float32(noise)).astype(np.float32)
    risks = np.empty((len(groups), *noisy.shape), np.float32)
    for risk, group, mean in zip(risks, groups, means, strict=True):
        engine.pause()
        # The covariance as a fraction of the noise variance varies less from place to place.
        relative = np.divide(group.response, least * strength, dtype=np.float32)
        share = np.clip(blurred(relative, used, LEVERAGE_BLUR), 0, 1)
        risk[:] = blurred(np.square(noisy - mean), used, RISK_BLUR) + 2 * share * variance
    engine.pause()
    weights = np.exp((risks.min(0) - risks) * (np.float32(SELECTIVITY) / least))
    weights /= weights.sum(0)
    image = np.zeros(noisy.shape, np.float32)
    for weight, mean in zip(weights, means, strict=True):
        engine.pause()
        image += weight * mean
    return Fused(image, _spread(groups, means, weights, image))


def _spread(groups: list[Group], means: list[Floats], weights: NDArray[np.floating], image: Floats) -> Floats:
    spread = np.zeros_like(image)
    for weight, mean, group in zip(weights, means, groups, strict=True):
        engine.pause()
        spread += weight * (group.variance + np.square(mean - image))
    return spread
