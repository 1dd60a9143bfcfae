"""The level of the noise in an image, and what clipping at the ends of the range does to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

from .errors import ImageError

Array = NDArray[np.float64]

PATCH = 7  # px, side of the patches whose covariance is taken
MOST_PATCHES = 20_000  # a sample of so many patches is enough
LOCAL_MEAN = 2.0  # px, of the blur from which the noise at a pixel is told where it depends on the value
LEAST_VARIANCE = 0.05  # of noise at the ends of the range, against that in the middle
ROUNDS = 3  # of choosing flat patches
CLIPPED_SHARE = 0.002  # share of a channel's pixels at one end of its range that speaks for clipping


def estimate_noise(pixels: NDArray[np.float32]) -> float:
    """Estimate the standard deviation of additive white noise.

    The patches of an image lie near a subspace of few dimensions; white noise fills all of them alike. So the small
    eigenvalues of the covariance of the patches are the variance of the noise: the longest tail of the spectrum
    whose mean does not exceed its median (Chen, Zhu and Heng, ICCV 2015). It is taken again over the patches that
    are flat by the estimate so far. Where values were cut off at the ends of the range, which shrinks the noise
    there, the patches with the fewest such pixels are taken, and the shrinkage that is left is undone.

    Parameters
    ----------
    pixels : ndarray of float32, shape (H, W, C)
        The image, finite. Channels that do not vary are left out.

    Returns
    -------
    float
        In the units of the image: root mean square over the channels that vary; 0 if none does, and for images too
        small to tell noise from content (fewer than 4 patches, or a side under 3 px).

    Raises
    ------
    ImageError
        If `pixels` is not a non-empty finite (H, W, C) array.
    """
    if pixels.ndim != 3 or pixels.size == 0 or not np.isfinite(pixels).all():
        raise ImageError(f"A finite, non-empty image (H, W, C) is needed, not shape {pixels.shape}.")
    channels = [c for c in range(pixels.shape[2]) if np.ptp(pixels[..., c]) > 0]
    if not channels:
        return 0.0
    variances = [_channel_variance(pixels[..., c].astype(np.float64)) for c in channels]
    # Rounded, as the last bits of eigenvalues may depend on the number of threads.
    return float(f"{np.sqrt(np.mean(variances)):.6g}")


def clipped_ends(pixels: NDArray[np.float32]) -> tuple[bool, bool]:
    """Whether values seem to be cut off at 0 and at 1, the ends of the engine's range (H, W, C)."""
    low = bool(np.mean(pixels <= 0) > CLIPPED_SHARE)
    high = bool(np.mean(pixels >= 1) > CLIPPED_SHARE)
    return low, high


def clipped_moments(value: Array, sigma: float, ends: tuple[bool, bool] = (True, True)) -> tuple[Array, Array]:
    """Mean and variance of ``clip(value + sigma n, 0, 1)`` for standard normal n.

    Parameters
    ----------
    value : ndarray of float64
        True values.
    sigma : float
        Standard deviation of the noise, positive.
    ends : (bool, bool)
        Whether values are cut off at 0 and at 1.
    """
    a = (0.0 - value) / sigma if ends[0] else np.full_like(value, -np.inf)
    b = (1.0 - value) / sigma if ends[1] else np.full_like(value, np.inf)
    below, above = ndtr(a), ndtr(-b)
    inside = 1 - below - above
    density_a, density_b = _density(a), _density(b)
    mean = value * inside + sigma * (density_a - density_b) + above
    a_part = np.where(np.isfinite(a), a, 0) * density_a
    b_part = np.where(np.isfinite(b), b, 0) * density_b
    square = (
        (value**2 + sigma**2) * inside
        + 2 * value * sigma * (density_a - density_b)
        + sigma**2 * (a_part - b_part)
        + above
    )
    return mean, np.maximum(square - mean**2, 0)


def straighten(mean: NDArray[np.float32], sigma: float, ends: tuple[bool, bool]) -> NDArray[np.float32]:
    """Undo the bend that clipping puts into the mean: from E[clip(v + sigma n)] back to v in [0, 1].

    Parameters
    ----------
    mean : ndarray of float32
        Denoised values, in the engine's range [0, 1].
    sigma : float
        Standard deviation of the noise before clipping, in the same units.
    ends : (bool, bool)
        Whether the image was cut off at 0 and at 1; with neither the values are returned as they are.
    """
    if sigma <= 0 or not any(ends):
        return mean
    # Outside [0, 1] the curve is flat: there is nothing to gain by going further than the range itself.
    values = np.linspace(0, 1, 1025)
    bent, _ = clipped_moments(values, sigma, ends)
    straight = np.interp(mean, bent, values)
    if not ends[0]:
        straight = np.where(mean < bent[0], mean, straight)
    if not ends[1]:
        straight = np.where(mean > bent[-1], mean, straight)
    return straight.astype(np.float32)


def noise_variance(pixels: NDArray[np.float32], sigma: float, ends: tuple[bool, bool]) -> NDArray[np.float32]:
    """Variance of the noise at each pixel of an image (H, W, C) in [0, 1]: less where clipping cut it off."""
    if sigma <= 0 or not any(ends):
        return np.full(pixels.shape, sigma**2, np.float32)
    mean, variance = clipped_moments(np.linspace(-0.5, 1.5, 801), sigma, ends)
    local = gaussian_filter(pixels, (LOCAL_MEAN, LOCAL_MEAN, 0))
    least = LEAST_VARIANCE * sigma**2
    return np.maximum(np.interp(local, mean, variance), least).astype(np.float32)


def _density(z: Array) -> Array:
    density: Array = np.exp(-0.5 * np.square(z)) / np.sqrt(2 * np.pi)
    return density


def _channel_variance(plane: Array) -> float:
    """Noise variance of one channel (H, W) that is not constant."""
    side = min(PATCH, *plane.shape)
    if side < 3:
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(plane, (side, side))
    count = windows.shape[0] * windows.shape[1]
    if count < 4:
        return 0.0
    y, x = np.divmod(np.arange(0, count, max(1, count // MOST_PATCHES)), windows.shape[1])
    patches = windows[y, x].reshape(len(y), side * side)
    low, span = plane.min(), np.ptp(plane)
    cut = (plane <= low).mean() > CLIPPED_SHARE, (plane >= low + span).mean() > CLIPPED_SHARE
    if not any(cut):
        return _tail_variance(patches)
    unit = (patches - low) / span
    ended = np.zeros(len(unit))
    for end, is_cut in ((unit <= 0, cut[0]), (unit >= 1, cut[1])):
        if is_cut:
            ended += end.mean(1)
    # Flat saturated areas hold no noise at all; a few cut pixels hardly matter and are allowed for.
    limit = max(float(np.quantile(ended, 0.25)), 0.02)
    chosen = ended <= limit
    if chosen.sum() < side * side:
        chosen = ended < 1
    observed = _tail_variance(unit[chosen])
    return _unclipped_variance(unit[chosen].mean(1), observed, cut) * span**2


def _tail_variance(patches: Array) -> float:
    """Noise variance of patches, shape (N, side^2): of all at first, then of those in which noise outweighs content."""
    variance = _longest_even_tail(patches)
    side = round(patches.shape[1] ** 0.5)
    grid = patches.reshape(-1, side, side)
    energy = np.square(np.diff(grid, axis=1)).sum((1, 2)) + np.square(np.diff(grid, axis=2)).sum((1, 2))
    terms = 2 * side * (side - 1)
    for _ in range(ROUNDS):
        # Differences of white noise have twice its variance; a patch's mean square of them scatters by about
        # 2 / sqrt(terms), as neighbouring differences are correlated.
        flat = energy / terms < 2 * variance * (1 + 2 * 2 / np.sqrt(terms))
        if flat.sum() < max(10 * side * side, 0.01 * len(flat)):
            break
        variance = _longest_even_tail(patches[flat])
    return variance


def _longest_even_tail(patches: Array) -> float:
    """Mean of the longest tail of the eigenvalues of the covariance whose mean does not exceed its median."""
    centred = patches - patches.mean(0)
    # Not through BLAS, whose last bits may depend on the number of threads.
    covariance = np.einsum("ni,nj->ij", centred, centred) / (len(centred) - 1)
    values = np.maximum(np.linalg.eigvalsh(covariance), 0)  # ascending
    for count in range(len(values), 1, -1):
        tail = values[:count]
        if tail.mean() <= np.median(tail):
            return float(tail.mean())
    return float(values[0])


def _unclipped_variance(means: Array, observed: float, ends: tuple[bool, bool]) -> float:
    """Variance of the noise whose clipped variance, averaged over patches of these means, is as observed."""
    grid = np.linspace(-0.5, 1.5, 801)

    def shrunk(sigma: float) -> float:
        mean, variance = clipped_moments(grid, sigma, ends)
        return float(np.interp(means, mean, variance).mean())

    low, high = np.sqrt(observed), 4 * np.sqrt(observed) + 1e-12
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if shrunk(middle) < observed else (low, middle)
    return float(0.5 * (low + high)) ** 2
