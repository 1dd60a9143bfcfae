"""The evidence that separates noise from content, and images whose extreme values say nothing about their noise."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import data

from napari_rsmoe import PoissonGaussian, estimate_noise
from napari_rsmoe.image.inputs import Inputs
from napari_rsmoe.noise.evidence import QUIET, Scales, Statistic, posterior_mean
from napari_rsmoe.noise.given import noise_model
from napari_rsmoe.noise.measure import measured_pixels
from napari_rsmoe.noise.noise_model import SILENCE
from napari_rsmoe.noise.white import white_variance


def scales_of(plane: np.ndarray) -> Scales:
    return Scales.of(plane, np.ones_like(plane), None)


def test_a_statistic_favours_the_hypothesis_whose_distribution_holds_the_value() -> None:
    statistic = Statistic(noise=(0.0, 0.5), content=(2.0, 1.0))
    assert statistic.log_ratio(0.0) == pytest.approx(2 + math.log(2))
    assert statistic.log_ratio(2.0) < 0
    assert statistic.probability(0.0) == pytest.approx(1 / (1 + math.exp(-2) / 2))
    assert statistic.probability(50.0) == 0


def test_a_model_is_kept_weakened_or_replaced_by_what_quiet_places_hold() -> None:
    model, other = PoissonGaussian(2.0, 5.0, 3.0), PoissonGaussian(0, 0, 1.0)
    assert posterior_mean(model, other, 0.9) == model
    assert posterior_mean(model, other, 0.01) == other
    weakened = posterior_mean(model, other, 0.5)
    share = QUIET.probability(math.log(0.5))
    assert weakened.gain == pytest.approx(share * 2.0 * 0.5 / 0.75, rel=1e-4)
    assert other.read < weakened.read < model.read
    assert posterior_mean(model, SILENCE, 0.3, certain=True).gain == pytest.approx(2.0 * 0.3 / 0.75, rel=1e-4)


def test_correlated_noise_has_evidence_and_texture_has_not() -> None:
    noise = gaussian_filter(np.random.default_rng(0).standard_normal((256, 256)), 0.8)
    found = scales_of(noise)
    assert found.correlated
    assert found.clear
    # Foam and stones with noise, enlarged: blocks differ more than those of noise alone.
    uneven = replace(found, scatter=2.1)
    assert uneven.correlated
    assert not uneven.clear
    for texture in (data.gravel(), data.brick(), data.grass()):
        assert not scales_of(texture[:256, :256] / 255).correlated
    assert scales_of(np.zeros((128, 128))).log_odds == -math.inf


def test_a_few_extreme_pixels_do_not_hide_the_noise() -> None:
    """As stars over a dark sky, 2e6 times as bright as its noise is strong."""
    rng = np.random.default_rng(0)
    sky = 10 + rng.normal(0, 1, (160, 160))
    sky[rng.integers(0, 160, 20), rng.integers(0, 160, 20)] = 10.0 ** rng.uniform(1, 6.3, 20)
    assert estimate_noise(sky).sigma == pytest.approx(1, rel=0.1)


def test_what_is_far_brighter_than_the_rest_was_not_clipped() -> None:
    """Few bright spots with a rim, of which many pixels have the same value."""
    rng = np.random.default_rng(0)
    image = np.rint(rng.normal(200, 20, (128, 128)))
    image[60:66, 20:35] = 300
    image[62:64, 25:30] = 20_000
    inputs = Inputs.of(image.astype(np.uint16))
    assert inputs.extreme
    pixels, used = measured_pixels(inputs)
    for noise in ("auto", (2.0, 100.0, 10.0)):
        ((_, highest),) = noise_model(noise, pixels, used, inputs.layout).limits
        assert highest == math.inf


@pytest.mark.parametrize("side", [64, 128])
def test_pictures_of_two_values_have_no_noise(side: int) -> None:
    mask = 255.0 * (gaussian_filter(np.random.default_rng(1).standard_normal((side, side)), 4) > 0)
    assert estimate_noise(mask).sigma == 0


@pytest.mark.parametrize("shape", [(1, 4096), (4096, 1), (8, 2000)])
def test_noise_of_line_scans_is_measured(shape: tuple[int, int]) -> None:
    along = np.sin(np.linspace(0, 60, max(shape)))
    plane = 300 + 100 * (along if shape[1] > shape[0] else along[:, None])
    noisy = np.broadcast_to(plane, shape) + np.random.default_rng(0).normal(0, 15, shape)
    assert math.sqrt(white_variance(noisy)) == pytest.approx(15, rel=0.1)


def test_noise_larger_than_the_range_is_noticed() -> None:
    inputs = Inputs.of(np.random.default_rng(0).uniform(0, 1, (48, 48)))
    with pytest.warns(UserWarning, match="units of the image"):
        noise_model(25.0, inputs.pixels, None, inputs.layout)
