"""Quantiles of the values of large images, found in bands that a job can be stopped between."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..progress import pause

BAND = 1 << 20
"""Values that are looked at at once. More take longer to be stopped; fewer take more time in all."""
SAMPLE = 1 << 16
"""Values of the sample that brackets a quantile, at most. A larger one takes longer to sort, a smaller one brackets
more."""
SHARE = 16
"""One in so many values is in the sample of fewer values, for the same reasons."""
FEWEST = 1 << 15
"""Values from which a sample is taken; all of fewer are partly sorted in less time."""
DEVIATIONS = 6.0
"""Half width of the first bracket, in standard deviations of the rank of a quantile in a random sample."""


def quantiles(values: NDArray[Any], shares: Sequence[float]) -> list[float]:
    """The values that these fractions of all values lie below; to the bit what `numpy.quantile` finds.

    A sample brackets each quantile, and only the values in the bracket are sorted. The bracket is widened where the
    sample was not like the whole.

    Parameters
    ----------
    values : ndarray
        Floats of any shape, finite; at least one.
    shares : sequence of float
        Each 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe.image.quantiles import quantiles
    >>> quantiles(np.arange(11.0), [0.5, 0.75])
    [5.0, 7.5]
    """
    flat = values.reshape(-1)
    if flat.size <= FEWEST:
        return [float(each) for each in np.quantile(flat, shares)]
    sample = _sample(flat)
    return [_quantile(flat, sample, share) for share in shares]


def smallest(values: NDArray[Any], count: int) -> NDArray[np.intp]:
    """The places, ascending, of the smallest of many different values (N,); fewer than N."""
    if values.size <= FEWEST or count == 0:
        return np.sort(np.argpartition(values, count)[:count])
    sample = _sample(values)
    bound, _ = _ends(values, sample, count, count / (values.size - 1))
    chosen = []
    for start in range(0, values.size, BAND):
        pause()
        chosen.append(start + np.flatnonzero(values[start : start + BAND] < bound))
    below = np.concatenate(chosen)
    # Of equal values at the bound the first ones are taken.
    return np.sort(np.concatenate([below, np.flatnonzero(values == bound)[: count - len(below)]]))


def _sample(values: NDArray[Any]) -> NDArray[Any]:
    """Some of the values (N,), in ascending order."""
    step = max(SHARE, values.size // SAMPLE)
    return np.sort(values[:: step | 1])  # An odd step does not fall in with the rows of the image.


def _quantile(flat: NDArray[Any], sample: NDArray[Any], share: float) -> float:
    rank = share * (flat.size - 1)
    first = math.floor(rank)
    return float(np.quantile(_ends(flat, sample, first, share), rank - first))


def _ends(flat: NDArray[Any], sample: NDArray[Any], first: int, share: float) -> NDArray[Any]:
    """The values of rank `first`, from 0, and of the next, which lie about where a share of all lies below."""
    wanted = [first, min(first + 1, flat.size - 1)]
    middle, last = share * (len(sample) - 1), len(sample) - 1
    reach = DEVIATIONS * math.sqrt(len(sample) * share * (1 - share)) + DEVIATIONS
    while True:
        low = sample[math.floor(middle - reach)] if middle >= reach else -math.inf
        high = sample[math.ceil(middle + reach)] if middle + reach <= last else math.inf
        below, within = 0, []
        for start in range(0, flat.size, BAND):
            pause()
            band = flat[start : start + BAND]
            below += int(np.count_nonzero(band < low))
            within.append(band[(band >= low) & (band <= high)])
        found = np.concatenate(within)
        ranks = [each - below for each in wanted]
        if ranks[0] >= 0 and ranks[1] < len(found):
            pause()
            return found[:1].repeat(2) if low == high else np.partition(found, ranks)[ranks]
        reach *= 4
