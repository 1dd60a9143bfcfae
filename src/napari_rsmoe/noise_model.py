"""What the noise of an image is like: how strong at each value, and whether neighbours share it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve, gaussian_filter

from .noise import estimate_noise, noise_variance

Floats = NDArray[np.float32]
Array = NDArray[np.float64]

BLOCK = 16  # px, side of the blocks whose spectra are taken
FLATTEST = 0.1  # share of the blocks taken for flat
COLOURED = 3.0  # mean power over power at the finest scale, from which on noise counts as correlated
LEVELS = 24  # of brightness, at which noise is measured
FEWEST = 200  # pixels of a level
UNEVEN = 6.0  # strongest over weakest noise variance of the levels, and
RISING = 0.6  # their correlation with brightness, from which on noise counts as growing with the signal
LOCAL_MEAN = 2.0  # px, of the blur that tells the brightness at a pixel
# Second differences along both axes: blind to smooth content, and of the variance of white noise.
_DETAIL = np.outer([1, -2, 1], [1, -2, 1]) / 6


@dataclass(frozen=True)
class NoiseModel:
    """Noise of an image (H, W, C) in the engine's range.

    Attributes
    ----------
    variance : ndarray of float32, shape (H, W, C)
        At each pixel.
    spectrum : ndarray of float64, shape (BLOCK, BLOCK), or None
        Power by frequency as `numpy.fft.fft2` orders it, mean 1; None for white noise.
    sigma : float
        Standard deviation, before clipping where the noise is even; 0 where there is none.
    ends : (bool, bool)
        Whether clipping at 0 and at 1 shifts the mean. Not with photon noise, which fades towards 0.
    """

    variance: Floats
    spectrum: Array | None
    sigma: float
    ends: tuple[bool, bool]

    def sample(self, planes: tuple[int, ...], rng: np.random.Generator) -> Floats:
        """Draw noise of variance 1 and this spectrum, shape (C, H, W)."""
        signs = rng.choice(np.array([-1, 1], np.float32), planes)
        if self.spectrum is None:
            return signs
        kernel = np.fft.fftshift(np.fft.ifft2(np.sqrt(self.spectrum)).real)
        kernel /= np.sqrt(np.square(kernel).sum())
        return np.stack([convolve(plane, kernel, mode="wrap") for plane in signs]).astype(np.float32)

    def window_spectrum(self, side: int) -> Floats | None:
        """The spectrum at the frequencies of `scipy.fft.rfft2` of a square of `side` px, at least BLOCK."""
        if self.spectrum is None:
            return None
        covariance = np.fft.fftshift(np.fft.ifft2(self.spectrum).real)
        covariance = np.pad(covariance, (side - BLOCK) // 2)
        power = np.fft.rfft2(np.fft.ifftshift(covariance)).real
        return np.maximum(power, 1e-3).astype(np.float32)


def even_noise(pixels: Floats, sigma: float, ends: tuple[bool, bool]) -> NoiseModel:
    """White noise of one strength, clipped at the given ends of the range."""
    return NoiseModel(noise_variance(pixels, sigma, ends), None, sigma, ends)


def measure_noise(pixels: Floats, ends: tuple[bool, bool]) -> NoiseModel:
    """Find out what the noise of an image is like.

    Noise that clearly grows with brightness (photon noise) gets a variance ``a value + b``; noise that is clearly
    weaker at the finest scale than at coarser ones (as after interpolation in a camera) gets a spectrum. In
    any other case it is white and even.

    Parameters
    ----------
    pixels : ndarray of float32, shape (H, W, C)
        In the engine's range.
    ends : (bool, bool)
        Whether values are cut off at 0 and at 1.

    Returns
    -------
    NoiseModel
    """
    sigma = estimate_noise(pixels)
    model = even_noise(pixels, sigma, ends)
    if sigma == 0 or min(pixels.shape[:2]) < 4 * BLOCK:
        return model
    variance = model.variance.copy()
    uneven = False
    for c in range(pixels.shape[2]):
        rising = _rising_variance(pixels[..., c].astype(np.float64))
        if rising is not None:
            variance[..., c] = rising
            uneven = True
    spectrum, excess = _flat_spectrum(pixels.mean(2, dtype=np.float64), variance.mean(2, dtype=np.float64))
    coloured = spectrum.mean() > COLOURED * spectrum[BLOCK // 2 - 2 : BLOCK // 2 + 3, BLOCK // 2].mean()
    if coloured:
        variance *= np.float32(excess)
    if not (uneven or coloured):
        return model
    strength = float(np.sqrt(variance.mean(dtype=np.float64)))
    return NoiseModel(variance, spectrum / spectrum.mean() if coloured else None, strength, (False, False))


def _rising_variance(plane: Array) -> Floats | None:
    """Variance at each pixel of a channel whose noise grows with brightness; None if it does not."""
    detail = np.abs(convolve(plane, _DETAIL, mode="mirror"))
    brightness = gaussian_filter(plane, LOCAL_MEAN)
    edges = np.linspace(brightness.min(), np.quantile(brightness, 0.999), LEVELS + 1)
    found = []
    for low, high in pairwise(edges):
        inside = (brightness >= low) & (brightness < high)
        if (count := int(inside.sum())) >= FEWEST:
            # The median is little moved by edges; 1.4826 makes it a standard deviation.
            found.append((brightness[inside].mean(), (1.4826 * np.median(detail[inside])) ** 2, count))
    if len(found) < 4:
        return None
    value, variance, count = np.array(found).T
    weakest, strongest = max(variance.min(), 1e-12), variance.max()
    if strongest < UNEVEN * weakest or np.corrcoef(value, variance)[0, 1] < RISING:
        return None
    # An estimate of a variance scatters in proportion to it.
    weight = np.sqrt(count) / np.maximum(variance, 0.01 * strongest)
    columns = np.stack([value, np.ones_like(value)], 1) * weight[:, None]
    slope, offset = np.linalg.lstsq(columns, variance * weight, rcond=None)[0]
    line = np.maximum(slope * brightness + offset, 0.5 * weakest)
    return line.astype(np.float32) if slope > 0 else None


def _flat_spectrum(plane: Array, variance: Array) -> tuple[Array, float]:
    """Mean spectrum of the flattest blocks in units of the given variance, and their variance in the same units."""
    half = BLOCK // 2

    def blocks(values: Array) -> Array:
        view = np.lib.stride_tricks.sliding_window_view(values, (BLOCK, BLOCK))[::half, ::half]
        return view.reshape(-1, BLOCK, BLOCK)

    expected = blocks(variance).mean((1, 2))
    content = blocks(plane)
    content = content - content.mean((1, 2), keepdims=True)
    ramp = np.arange(BLOCK) - (BLOCK - 1) / 2
    for slope in (ramp[:, None] + 0 * ramp, ramp + 0 * ramp[:, None]):
        share = (content * slope).sum((1, 2), keepdims=True) / np.square(slope).sum()
        content = content - share * slope
    ratio = content.var((1, 2)) / expected
    flat = ratio <= np.quantile(ratio, FLATTEST)
    taper = np.outer(np.hanning(BLOCK), np.hanning(BLOCK))
    power = np.square(np.abs(np.fft.fft2(content[flat] * taper))) / expected[flat, None, None]
    return power.mean(0) / np.square(taper).sum(), float(np.median(ratio[flat]))
