"""Give an estimate back the texture that it smoothed away: shrinkage of local spectra behind edge-aware windows."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2

Floats = NDArray[np.float32]

SIDE = 32  # px, side of a window
STRIDE = 4  # px between the centres of windows; divides SIDE
REACH = 5.0  # px, standard deviation of the windows in space
CONTRAST = 6.0  # squared difference of the guide, in noise variances, at which a window has fallen to 1 / e
STRENGTHS = (0.5, 1.0, 2.0, 4.0)  # below 1 where the guide has lost part of the power of the true image
COLOURED_FACTOR = 3.0  # on the strengths for correlated noise, whose spectrum is known only roughly
ANCHOR = 0.1  # weight of the guide itself in the final average; where no window reaches, it stands alone


def refine(
    noisy: Floats,
    guide: Floats,
    variance: Floats,
    spectrum: Floats | None = None,
    *,
    threads: int = 1,
) -> Floats:
    """Estimate an image from its noisy version, given a first estimate as a guide.

    Around every fourth pixel in each direction lies a window that falls off with distance and with the difference of
    the guide to its value at the centre, so it does not reach across edges (a bilateral window). Behind it, the mean
    of the noisy image is kept, and the rest is shrunk frequency by frequency by ``g / (g + s * noise)``,
    where g is the power of the guide (a Wiener filter; the dual-domain denoising of Knaus and Zwicker, ICIP 2013,
    with overlapping windows averaged). All windows that cover a pixel are averaged by their squared weights. Of
    several strengths s each channel takes the one with the lowest estimated risk (Stein).

    Parameters
    ----------
    noisy : ndarray of float32, shape (C, H, W)
        Noisy image; the noise is independent between channels.
    guide : ndarray of float32, shape (C, H, W)
        First estimate.
    variance : ndarray of float32, shape (C, H, W)
        Variance of the noise at each pixel, positive.
    spectrum : ndarray of float32, shape (SIDE, SIDE // 2 + 1), or None
        Power of the noise at the frequencies of a window, mean 1; None for white noise.
    threads : int
        Rows of windows computed at a time; it does not change the result.

    Returns
    -------
    ndarray of float32, shape (C, H, W)
    """
    best = np.full(len(noisy), np.inf)
    result = guide.copy()
    factor = 1.0 if spectrum is None else COLOURED_FACTOR
    for strength in (factor * each for each in STRENGTHS):
        refined, followed = _filter(noisy, guide, variance, strength, spectrum, threads)
        risk = np.square(noisy - refined).mean((1, 2), dtype=np.float64) + 2 * followed
        better = risk < best
        result[better], best[better] = refined[better], risk[better]
    return result


def _filter(
    noisy: Floats, guide: Floats, variance: Floats, strength: float, spectrum: Floats | None, threads: int
) -> tuple[Floats, NDArray[np.float64]]:
    """Filter with one strength; also the mean covariance of the noise and the result, by channel."""
    height, width = noisy.shape[1:]
    half = SIDE // 2
    rows, columns = -(-height // STRIDE), -(-width // STRIDE)
    columns += -columns % (SIDE // STRIDE)  # whole rounds of windows side by side
    margin = ((0, 0), (half, half + STRIDE), (half, half + columns * STRIDE - width))
    limit = np.float32(strength) if spectrum is None else np.float32(strength) * spectrum
    shape = np.float32(1) if spectrum is None else spectrum
    padded = [np.pad(plane, margin, mode="symmetric") for plane in (noisy, guide, variance)]

    def strip(row: int) -> tuple[Floats, Floats, NDArray[np.float64]]:
        planes = [plane[:, row * STRIDE : row * STRIDE + SIDE] for plane in padded]
        return _strip(planes, columns, limit, shape)

    total = np.zeros_like(padded[0])
    weights = np.zeros(total.shape[1:], np.float32)
    followed = np.zeros(len(noisy))
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for row, (part, weight, follow) in enumerate(pool.map(strip, range(rows))):  # in order, whatever finished first
            total[:, row * STRIDE : row * STRIDE + SIDE] += part
            weights[row * STRIDE : row * STRIDE + SIDE] += weight
            followed += follow
    total += np.float32(ANCHOR) * padded[1]
    refined: Floats = total / (weights + np.float32(ANCHOR))
    inside = np.ascontiguousarray(refined[:, half : half + height, half : half + width])
    return inside, followed / float(weights.sum(dtype=np.float64))


def _strip(
    planes: Sequence[Floats], columns: int, limit: Floats | np.float32, shape: Floats | np.float32
) -> tuple[Floats, Floats, NDArray[np.float64]]:
    """Weighted sum, weights and weighted covariance with the noise of one row of windows, from padded strips."""
    noisy, guide, variance = (_windows(plane, columns) for plane in planes)
    half = SIDE // 2
    contrast = np.square(guide - guide[:, :, half : half + 1, half : half + 1])
    contrast /= variance
    window = np.exp(contrast.sum(0) * np.float32(-1 / CONTRAST)) * _REACH_WINDOW
    area = window.sum((1, 2), keepdims=True)
    mean = (noisy * window).sum((2, 3), keepdims=True) / area
    guide_mean = (guide * window).sum((2, 3), keepdims=True) / area
    noise = (variance * np.square(window)).sum((2, 3), keepdims=True)
    spectrum = rfft2((noisy - mean) * window)
    guide_spectrum = rfft2((guide - guide_mean) * window)
    power = np.square(guide_spectrum.real) + np.square(guide_spectrum.imag)
    gain = power / (power + limit * noise + np.float32(1e-30))
    spectrum *= gain
    gain *= shape
    gain[..., 1:-1] *= 2  # frequencies that the half spectrum leaves out
    follow = (gain.sum((2, 3), keepdims=True) * noise).sum((1, 2, 3), dtype=np.float64) / SIDE**2
    value = irfft2(spectrum, s=(SIDE, SIDE))
    value += window * mean
    value *= window
    size = planes[0].shape
    return _overlapped(value, size), _overlapped(np.square(window)[None], (1, *size[1:]))[0], follow


def _windows(strip: Floats, columns: int) -> Floats:
    """Cut a strip (C, SIDE, width) into overlapping windows (C, columns, SIDE, SIDE)."""
    view = np.lib.stride_tricks.sliding_window_view(strip, SIDE, axis=2)[:, :, : columns * STRIDE : STRIDE]
    return np.ascontiguousarray(view.transpose(0, 2, 1, 3))


def _overlapped(windows: Floats, shape: tuple[int, ...]) -> Floats:
    """Add windows up where they lie in the strip; every (SIDE / STRIDE)-th ones lie side by side."""
    strip = np.zeros(shape, np.float32)
    apart = SIDE // STRIDE
    for first in range(apart):
        row = windows[:, first::apart].transpose(0, 2, 1, 3).reshape(shape[0], SIDE, -1)
        strip[..., first * STRIDE : first * STRIDE + row.shape[2]] += row
    return strip


def _reach_window() -> Floats:
    away = np.arange(SIDE) - SIDE // 2
    window = np.exp(-(away[:, None] ** 2 + away**2) / (2 * REACH**2))
    window[0] = window[:, 0] = 0  # as many pixels on either side of the centre
    return window.astype(np.float32)


_REACH_WINDOW = _reach_window()
