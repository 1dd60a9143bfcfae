"""Motion between two noisy planes: displacements of small windows, coarse to fine, or of the plane as a whole."""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter, map_coordinates, median_filter

from .. import engine
from ..arrays import Array, Floats, Mask
from ..image.resample import enlarged, pooled

SMOOTHING = 0.7
"""Standard deviation, in pixels of a level, of the blur before a plane is halved and before slopes are taken.

Less leaves noise in the slopes, which makes corrections too small; more takes away the detail that is followed."""
WINDOW = 10.0
"""Standard deviation, in pixels of a level, of the windows that have one displacement each.

In smaller windows noise moves the result; larger ones mix what moves differently."""
STEPS = 3
"""Corrections of the displacements on each level but the finest, where there is one. More take longer and change a few
hundredths of a pixel."""
COARSEST = 16
"""Least side in pixels of a level. Smaller ones have no content to be followed."""
OUTLIER = 3.0
"""Difference, in standard deviations of the noise, at which a pixel counts half for the motion of its window."""
MEDIAN = 5
"""Side, in pixels of a level, of the median that removes single displacements unlike all around them."""
STIFFNESS = 0.01
"""Fraction of the mean squared slope that is added to that of each window. So windows without content keep the
displacement that the coarser level has found for their surroundings."""
LARGEST_STEP = 1.5
"""Pixels of a level by which one correction changes a displacement at most; slopes say nothing about more."""
CORRELATED = 256
"""Side in pixels up to which a plane is halved before its shift as a whole is searched."""
AFFINE_STEPS = 4
"""Corrections of the motion of the whole plane."""
AFFINE_SIDE = 256
"""Side in pixels up to which a plane is halved before its motion as a whole is measured."""
CHOICE_WINDOW = 5.0
"""Standard deviation, in pixels, of the window in which kinds of motion are compared.

In a smaller window the noise decides; in a larger one, objects that move before others are given their motion."""
PENALTY = 0.1
"""Squared difference, in noise variances, by which a more flexible kind of motion must be better to be taken.

With less, noise is followed where all stands still; with more, small motions are missed."""
SLOPE_STEP = 8.0
"""Distance, in pixels, over which the slope of displacements is taken on either side of a place.

Over a shorter one their noise turns and stretches what follows them; over a longer one local rotation is missed."""
STEEPEST = 0.25
"""Slope of displacements up to which it is believed: 14 degrees, or a quarter more size, from plane to plane."""
INVERSIONS = 3
"""Repetitions in which displacements are inverted; neighbouring ones differ so little that few are enough."""
TINY = 1e-12
"""Keeps divisions finite where planes are constant."""


def displacements(reference: Floats, other: Floats, noise: float, start: Floats | None = None) -> Floats:
    """How far what lies at each pixel of a plane has moved in another one.

    The shift of the whole is taken from the phase correlation [1]_, if the planes agree better there. Displacements of
    windows are then refined by least squares [2]_ on levels of rising resolution, where pixels that differ by more than
    noise count less. An affine motion of the whole plane is fitted to the same planes. Of standing still, the affine
    motion and the motion of its window, each place takes the one with which the planes agree best.

    Parameters
    ----------
    reference, other : ndarray of float32, shape (H, W)
        The planes, in the same units.
    noise : float
        Root mean square of the standard deviations of the noise of both.
    start : ndarray of float32, shape (2, H, W), optional
        Expected displacements; by default those of the shift of the whole.

    Returns
    -------
    ndarray of float32, shape (2, H, W)
        Along y and x, px: pixel (y, x) of the reference lies at (y + d[0], x + d[1]) in the other plane.

    References
    ----------
    .. [1] C. Kuglin, D. Hines. The phase correlation image alignment method. IEEE Conference on Cybernetics and
       Society, 1975.
    .. [2] B. Lucas, T. Kanade. An iterative image registration technique with an application to stereo vision.
       International Joint Conference on Artificial Intelligence, 1981.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.ndimage import gaussian_filter, shift
    >>> plane = gaussian_filter(np.random.default_rng(0).normal(0, 9, (64, 64)), 3).astype(np.float32)
    >>> moved = displacements(plane, shift(plane, (0, 2.5), mode="mirror"), 0.01)
    >>> np.round(np.median(moved, (1, 2)), 1).tolist()
    [0.0, 2.5]
    """
    pyramid = [(reference, other)]
    while min(pyramid[-1][0].shape) >= 2 * COARSEST:
        pyramid.append((_halved(pyramid[-1][0]), _halved(pyramid[-1][1])))
    coarsest = len(pyramid) - 1
    if start is None:
        small = next((level for level, pair in enumerate(pyramid) if max(pair[0].shape) <= CORRELATED), coarsest)
        shift = _shift(*pyramid[small]) * np.float32(2**small)
        field = np.broadcast_to(shift[:, None, None], (2, *reference.shape)).astype(np.float32)
    else:
        field, coarsest = start, min(1, coarsest)
    for level in range(coarsest, -1, -1):
        engine.pause()
        a, b = pyramid[level]
        field = _resized(field, a.shape)
        # The blur before halving leaves about a quarter of the variance of the noise.
        field = _refined(a, b, field, noise / 2**level, STEPS if level else 1)
        if level:
            field = np.stack([median_filter(each, MEDIAN, mode="nearest") for each in field])
    level = next((k for k, pair in enumerate(pyramid) if max(pair[0].shape) <= AFFINE_SIDE), len(pyramid) - 1)
    a, b = pyramid[level]
    whole = _resized(_affine(a, b, _resized(field, a.shape), noise / 2**level), reference.shape)
    return _best(reference, other, [np.zeros_like(field), whole, field], noise)


def continued(reference: Floats, other: Floats, noise: float, start: Floats) -> Floats:
    """The expected displacements, or none, whichever agrees best at each place; arguments as of `displacements`."""
    return _best(reference, other, [np.zeros_like(start), start], noise) if start.any() else start


def moved(plane: Floats, field: Floats, order: int) -> Floats:
    """A plane (H, W) seen at displaced places, between pixels by splines of this order."""
    moves: Mask = np.asarray(field.any(0))
    if not moves.any():
        return plane
    engine.pause()
    if moves.all():
        whole: Floats = map_coordinates(plane, np.indices(plane.shape, np.float32) + field, order=order, mode="mirror")
        return whole
    seen = plane.copy()
    places = np.stack(np.nonzero(moves)).astype(np.float32) + field[:, moves]
    seen[moves] = map_coordinates(plane, places, order=order, mode="mirror")
    return seen


def inside(field: Floats) -> Mask:
    """Where displaced places lie within the plane, (H, W)."""
    if not field.any():
        return np.ones(field.shape[1:], bool)
    places = np.indices(field.shape[1:], np.float32) + field
    last = np.array(field.shape[1:], np.float32)[:, None, None] - 1
    within: Mask = np.asarray(((places >= 0) & (places <= last)).all(0))
    return within


def followed(places: Floats, field: Floats) -> Floats:
    """Where what lay at places (N, 2) of the other plane lies now, if displacements lead from here to there."""
    if not field.any():
        return places
    now = places
    for _ in range(INVERSIONS):
        there = np.stack([map_coordinates(each, now.T, order=1, mode="nearest") for each in field], 1)
        now = (places - there).astype(np.float32)
    return now


def stretch(places: Floats, field: Floats) -> Floats:
    """How displacements turn, stretch and shear the surroundings of places (N, 2) on the way into the other plane.

    Of the slopes on both sides of a place, the smaller one counts, and none if they have opposite signs. So a place
    beside the border of a moving object follows the motion of its own side.

    Returns
    -------
    ndarray of float32, shape (N, 2, 2)
        Derivatives of the place in the other plane, (y, x), by the place in this one, (y, x).
    """
    last = np.array(field.shape[1:], np.float32) - 1
    margin = np.minimum(np.float32(SLOPE_STEP), last / 2)
    at = np.clip(places, margin, last - margin)

    def displaced(where: Floats) -> Floats:
        return np.stack([map_coordinates(each, where.T, order=1, mode="nearest") for each in field], 1)

    here, slopes = displaced(at), np.empty((len(places), 2, 2), np.float32)
    for axis in range(2):
        step = np.zeros(2, np.float32)
        step[axis] = margin[axis]
        before, after = (here - displaced(at - step), displaced(at + step) - here)
        smaller = np.where(np.abs(before) < np.abs(after), before, after)
        slopes[:, :, axis] = np.where(before * after > 0, smaller, 0) / max(float(margin[axis]), 1.0)
    turned: Floats = np.eye(2, dtype=np.float32) + np.clip(slopes, -STEEPEST, STEEPEST)
    return turned


def _refined(reference: Floats, other: Floats, field: Floats, noise: float, steps: int) -> Floats:
    """Displacements of windows on one level, corrected by their least squares."""
    a, b = (gaussian_filter(each, SMOOTHING) for each in (reference, other))
    y, x = np.gradient(a)
    squares = [y * y, y * x, x * x]
    least = np.float32(STIFFNESS * float(squares[0].mean() + squares[2].mean()) / 2 + TINY)
    for _ in range(steps):
        difference = moved(b, field, 1) - a
        weight = _trust(difference, noise)
        yy, yx, xx, dy, dx = (_window(weight * each) for each in (*squares, y * difference, x * difference))
        yy, xx = yy + least, xx + least
        step = np.stack([yx * dx - xx * dy, yx * dy - yy * dx]) / (yy * xx - yx * yx)
        step = np.clip(step, -LARGEST_STEP, LARGEST_STEP)
        field = field + np.stack([enlarged(each, a.shape) for each in step])
    return field


def _window(values: Floats) -> Floats:
    """Means over windows, one for each 2 by 2 pixels: windows are so smooth that single pixels need none."""
    return gaussian_filter(pooled(values, 2), WINDOW / 2)


def _affine(reference: Floats, other: Floats, field: Floats, noise: float) -> Floats:
    """The affine motion of the whole plane with which the planes agree best, initialised by displacements."""
    a, b = (gaussian_filter(each, SMOOTHING) for each in (reference, other))
    y, x = np.gradient(a)
    down, across = (np.linspace(-1, 1, length, dtype=np.float32) for length in a.shape)
    basis = np.stack(np.broadcast_arrays(np.float32(1), down[:, None], across)).astype(np.float32)
    content = y * y + x * x
    motion, numbers = np.zeros_like(field), np.zeros((2, 3))
    for first in (True, False):  # The second time, displacements unlike the motion of the whole count less.
        weight = content if first else content / (1 + np.square(field - motion).sum(0))
        numbers = np.stack([_solved(basis, weight, each) for each in field])
        motion = np.tensordot(numbers.astype(np.float32), basis, 1)
    rows = np.concatenate([basis * y, basis * x])
    for _ in range(AFFINE_STEPS):
        difference = moved(b, motion, 1) - a
        numbers = numbers - _solved(rows, _trust(difference, noise), difference).reshape(2, 3)
        motion = np.tensordot(numbers.astype(np.float32), basis, 1)
    return motion


def _solved(rows: Floats, weight: Floats, values: Floats) -> Array:
    """Coefficients of `rows` (N, H, W) whose sum comes closest to the values, by weighted least squares."""
    # Sums of products are written out, as the last bits of BLAS may depend on the number of threads.
    weighted = [row * weight for row in rows]
    normal = np.array([[np.sum(a * b, dtype=np.float64) for b in rows] for a in weighted])
    right = np.array([np.sum(a * values, dtype=np.float64) for a in weighted])
    ridge = 1e-6 * np.trace(normal) / len(normal) + TINY
    return np.linalg.solve(normal + ridge * np.eye(len(normal)), right)


def _best(reference: Floats, other: Floats, kinds: list[Floats], noise: float) -> Floats:
    """At each place, the displacement with which the planes agree best; `kinds` begins with the simplest."""
    a, b = (gaussian_filter(each, SMOOTHING) for each in (reference, other))
    left = 1 / (4 * np.pi * SMOOTHING**2)  # of the variance of white noise
    scale = np.float32(1 / max(2 * noise * noise * left, TINY))
    best, least = kinds[0], np.full((1, 1), np.inf, np.float32)
    for number, kind in enumerate(kinds):
        # Splines of order 3 leave the noise nearly as strong as it is, so standing still has no disadvantage.
        square = pooled(np.square(moved(b, kind, 3) - a), 2)
        error = scale * gaussian_filter(square, CHOICE_WINDOW / 2) + np.float32(PENALTY * number)
        better = np.broadcast_to(error < least, error.shape)
        fine = np.repeat(np.repeat(better, 2, 0), 2, 1)[: a.shape[0], : a.shape[1]]
        best, least = np.where(fine, kind, best), np.where(better, error, least)
    return best


def _trust(difference: Floats, noise: float) -> Floats:
    """Weight of pixels, which falls as they differ by more than noise."""
    trust: Floats = np.float32(1) / (1 + np.square(difference) * np.float32(1 / max((OUTLIER * noise) ** 2, TINY)))
    return trust


def _shift(reference: Floats, other: Floats) -> Floats:
    """The shift of a plane as a whole, (y, x) in px; 0 if the planes do not agree better there."""
    size = reference.shape
    window = np.outer(*(np.hanning(length + 2)[1:-1] for length in size)).astype(np.float32)
    spectra = [rfft2(window * (gaussian_filter(each, SMOOTHING) - each.mean())) for each in (reference, other)]
    product = spectra[1] * np.conj(spectra[0])
    strength = np.abs(product)
    peak = irfft2(product / np.maximum(strength, TINY + 1e-3 * strength.max()), size)
    place = np.unravel_index(int(peak.argmax()), size)
    shift = np.array([at - length * (at > length // 2) for at, length in zip(place, size, strict=True)])
    if _mismatch(reference, other, shift) >= _mismatch(reference, other, np.zeros(2, int)):
        return np.zeros(2, np.float32)
    return shift.astype(np.float32)


def _mismatch(reference: Floats, other: Floats, shift: Array) -> float:
    """Mean squared difference of what both planes show, relative to their variance; infinite if that is too little."""
    own, theirs = [], []
    for length, step in zip(reference.shape, shift.tolist(), strict=True):
        own.append(slice(max(0, -step), length - max(0, step)))
        theirs.append(slice(max(0, step), length - max(0, -step)))
    a, b = reference[tuple(own)], other[tuple(theirs)]
    if 4 * a.size < reference.size:
        return float("inf")
    return float(np.square(a - b).mean() / max(float(a.var() + b.var()), TINY))


def _halved(image: Floats) -> Floats:
    return np.ascontiguousarray(gaussian_filter(image, 2 * SMOOTHING)[::2, ::2])


def _resized(field: Floats, shape: tuple[int, ...]) -> Floats:
    """Displacements on the grid of another level, in pixels of that level; grids have their first pixel in common."""
    if field.shape[1:] == shape:
        return field
    factor = np.float32(2.0 ** round(float(np.log2(max(shape) / max(field.shape[1:])))))
    for axis, length in enumerate(shape, 1):
        last = field.shape[axis] - 1
        places = np.minimum(np.arange(length, dtype=np.float32) / factor, np.float32(last))
        first = np.minimum(places.astype(np.intp), max(last - 1, 0))
        share = np.expand_dims(places - first.astype(np.float32), 2 - axis)
        low, high = np.take(field, first, axis), np.take(field, np.minimum(first + 1, last), axis)
        field = low + share * (high - low)
    return factor * field
