"""The error bar keeps its promise: the error is within k standard deviations about as often as it should be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scenes import noisy_of, scene
from scipy.ndimage import gaussian_filter
from skimage import data

from napari_rsmoe import PoissonGaussian, denoise
from napari_rsmoe.denoising.uncertainty import LIGHT, MOST_LIGHT, calibration, deviations, with_light
from napari_rsmoe.image.opponent import Opponent
from napari_rsmoe.noise.anscombe import Stabiliser
from napari_rsmoe.noise.clipping import NO_LIMITS

PROMISED = {1: 0.683, 2: 0.954, 3: 0.997}


def within(error: np.ndarray, std: np.ndarray, k: float) -> float:
    return float(np.mean(np.abs(error) <= k * std))


def texture() -> np.ndarray:
    """Grey, from smooth to rough: noise through blurs of several widths, in bands."""
    rng = np.random.default_rng(7)
    bands = [gaussian_filter(rng.normal(size=(48, 192)), width) for width in (1.5, 3, 6, 12)]
    return np.concatenate([0.5 + 0.12 * band / band.std() for band in bands]).clip(0.05, 0.95)


@pytest.mark.parametrize(
    ("clean", "sigma", "slack"),
    [(scene(160, 176), 0.1, 0.28), (texture(), 0.06, 0.18), (data.astronaut()[20:180, 150:310] / 255, 0.1, 0.08)],
    ids=["generated scene", "generated texture", "photograph"],
)
def test_errors_are_within_their_bars_as_often_as_promised(clean: np.ndarray, sigma: float, slack: float) -> None:
    """On generated images, simpler than those that the constants were chosen for, bars are somewhat too long."""
    noisy = noisy_of(clean, sigma)
    result = denoise(noisy)
    error = result.image - clean
    assert PROMISED[1] - 0.05 < within(error, result.std, 1) < PROMISED[1] + slack
    for k, least in ((2, 0.92), (3, 0.97)):
        assert within(error, result.std, k) > least, k
    # Not by one width for all: that would be far too short where the content is hard.
    even = np.full_like(result.std, np.sqrt(np.mean(result.std**2)))
    hard = result.std > np.quantile(result.std, 0.9)
    assert within(error[hard], result.std[hard], 2) > max(0.85, within(error[hard], even[hard], 2))


def test_the_bar_follows_whatever_stages_come_after_the_models() -> None:
    """Too few kernels and too many: the raw spread of the models is far off in opposite ways."""
    clean = data.astronaut()[20:148, 150:278] / 255
    noisy = noisy_of(clean, 0.08)
    for kernels in (150, 2500):
        result = denoise(noisy, models=6, n_kernels=kernels)
        ratio = np.sqrt(np.mean(np.square(result.image - clean)) / np.mean(result.std**2))
        assert 0.6 < ratio < 1.7, kernels


def test_intervals_hold_as_many_errors_as_they_promise() -> None:
    """Tails are heavier than those of a normal distribution, of which 99 % lie within 2.58 standard deviations."""
    clean = data.astronaut()[20:148, 150:278] / 255
    result = denoise(noisy_of(clean, 0.1))
    for probability, slack in ((0.6827, 0.06), (0.9, 0.03), (0.99, 0.01)):
        low, high = result.interval(probability)
        assert np.mean((low <= clean) & (clean <= high)) == pytest.approx(probability, abs=slack)
    low, high = result.interval(0.6827)
    np.testing.assert_allclose(high - low, 2 * result.std, rtol=1e-3, atol=1e-6)
    assert deviations(0.99) > 3.3
    for wrong in (0, 1, 99, "most"):
        with pytest.raises(ValueError, match="probability"):
            result.interval(wrong)


@pytest.mark.parametrize(
    ("noise", "limits"),
    [
        (PoissonGaussian(2.0, 5.0, 0.0), NO_LIMITS),
        (PoissonGaussian(2.0, 5.0, 3.0), (-math.inf, 255.0)),
        (PoissonGaussian(0.0, 0.0, 9.0), (0.0, 255.0)),
    ],
    ids=["photons", "saturated photons", "clipped"],
)
def test_no_estimate_is_certain_because_it_is_at_the_end_of_what_can_be(
    noise: PoissonGaussian, limits: tuple[float, float]
) -> None:
    """Beyond the means of the darkest and the brightest value the inverse is constant, but not without error."""
    tables = Stabiliser(noise, 255.0, limits)
    ends = tables.forward(np.array([noise.offset, 255.0]))
    slopes = tables.slope(np.linspace(ends[0] - 4, ends[1] + 4, 400))
    assert slopes.min() > 0.2 * noise.read + 0.2 * noise.gain


def test_lost_texture_lengthens_the_bar() -> None:
    """The residual tells lost texture from noise, and pixels that do not count change nothing."""
    rng = np.random.default_rng(3)
    noise, leverage = rng.normal(size=(1, 64, 64)).astype(np.float32), np.full((1, 64, 64), 0.05, np.float32)
    lost = gaussian_filter(rng.normal(size=noise.shape), (0, 0.7, 0.7)).astype(np.float32)
    flat, one, grey = np.zeros_like(noise), np.ones_like(noise), Opponent.of(1)
    clean = calibration(flat, 0.97 * noise, one, leverage, None, grey)
    textured = calibration(flat, 0.97 * noise + 0.3 * lost / lost.std(), one, leverage, None, grey)
    assert textured[0] > clean[0] + 0.1
    used = np.ones((64, 64), np.float32)
    used[:, 32:] = 0
    changed = (0.97 * noise + 5 * (1 - used)).astype(np.float32)
    first, second = (calibration(flat, each, one, leverage, used, grey) for each in (0.97 * noise, changed))
    np.testing.assert_allclose(first, second, rtol=1e-4)
    assert abs(first[0] - clean[0]) < 0.5  # Half the pixels scatter more.


def test_light_that_changes_lengthens_the_bar_of_photons_up_to_a_share_of_their_noise() -> None:
    """Frames fade; but where photons are many, the bar stays below their noise."""
    std, dark = np.full((1, 1, 1), 0.001, np.float32), np.zeros((1, 1, 1), np.float32)
    for light, noise in ((0.5, 0.2), (0.5, 0.002)):
        bar = with_light(std, dark + light, dark + noise)
        assert std < bar < np.hypot(std, min(LIGHT * light, MOST_LIGHT * noise))
    np.testing.assert_allclose(with_light(std, dark, dark + 0.1), std)
