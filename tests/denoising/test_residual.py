"""What the residual of an estimate tells: the noise, and the light that was lost."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_rsmoe import PoissonGaussian, denoise
from napari_rsmoe.denoising.nonlocal_bayes import Refined
from napari_rsmoe.denoising.residual import LEAST_PHOTONS, REMEASURED, noise_left_out
from napari_rsmoe.noise.domain import StabilisedDomain
from napari_rsmoe.noise.noise_model import NoiseModel


@pytest.mark.parametrize("told", [0.97, 1.0, 1.03])
def test_noise_is_measured_again_by_what_was_taken_away(told: float) -> None:
    """A filter that takes the noise of flat places away, but for a known share, shows how strong it was."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, (1, 96, 96)).astype(np.float32)
    share = np.linspace(0.02, 0.3, 96, dtype=np.float32)[None, None] * np.ones_like(noise)
    kept = np.sqrt(share) * rng.normal(0, 0.1, noise.shape)  # of the power h, as the error of the estimate has
    estimate = Refined((noise - np.sqrt(1 - share) * noise + 0 * kept).astype(np.float32), share)
    variance = np.full_like(noise, (told * 0.1) ** 2)
    assert noise_left_out(noise, estimate, variance, None) == pytest.approx(1 / told**2, rel=0.04)
    hole = np.ones((96, 96), np.float32)
    hole[20:60, 20:60] = 0  # The residual there says nothing.
    holed = Refined(np.where(hole, estimate.image, noise).astype(np.float32), share)
    assert noise_left_out(noise, holed, variance, hole) == pytest.approx(1 / told**2, rel=0.04)
    assert noise_left_out(noise, estimate, 9 * variance, None) == REMEASURED[0]


def test_photon_noise_is_measured_again_where_there_are_photons() -> None:
    """Dark places with hardly a photon, where the noise is not known, do not decide how strong it is."""
    rng = np.random.default_rng(6)
    truth = np.full((64, 96), 40.0)
    truth[:, 32:] = 0.3
    noisy = rng.poisson(truth)[..., None].astype(np.float32) / 80
    noisy[:, 32:] *= rng.random((64, 64, 1)) < 0.5  # Single photons are lost below the threshold of a camera.
    domain = StabilisedDomain(NoiseModel((PoissonGaussian(1.3 / 80, 0.0, 0.0),), ((-np.inf, np.inf),)), noisy)
    clean = domain.stabilised((truth[..., None] / 80).astype(np.float32))
    counted = domain.where_photons(clean, None)
    assert counted[:, :30].all()
    assert not counted[:, 34:].any()
    estimate = Refined(clean[..., 0][None], np.zeros((1, 64, 96), np.float32))
    planes = domain.opponent.planes(domain.stabilised(noisy))
    found = noise_left_out(planes, estimate, domain.plane_variance, counted, LEAST_PHOTONS)
    assert found == pytest.approx(1 / 1.3, rel=0.06)


def test_photon_noise_keeps_its_light_everywhere() -> None:
    """An estimate that is darker than the image in one half gets its light back there, and nowhere else."""
    rng = np.random.default_rng(1)
    truth = gaussian_filter(rng.random((128, 160)), 3) * 400
    noisy = rng.poisson(truth)[..., None].astype(np.float32)
    domain = StabilisedDomain(NoiseModel((PoissonGaussian(1.0, 0.0, 0.0),), ((-np.inf, np.inf),)), noisy)
    darker = truth[..., None].astype(np.float32)
    darker[:, 80:] *= 0.95
    light = domain.with_light(darker, domain.light(darker, noisy, np.ones((128, 160), bool)), noisy, None)[..., 0]
    assert light[:, 110:].mean() == pytest.approx(truth[:, 110:].mean(), rel=0.005)
    assert light[:, :50].mean() == pytest.approx(truth[:, :50].mean(), rel=0.005)


def test_light_is_told_by_pixels_that_cannot_be_clipped() -> None:
    """A saturated spot looks darker than it is, which is no reason to darken what is around it."""
    rng = np.random.default_rng(4)
    truth = np.full((96, 96), 100.0)
    truth[40:56, 40:56] = 260
    noisy = np.minimum(rng.poisson(truth), 255)[..., None].astype(np.float32)
    domain = StabilisedDomain(NoiseModel((PoissonGaussian(1.0, 0.0, 0.0),), ((-np.inf, 255.0),)), noisy)
    everywhere = np.ones(truth.shape, bool)
    exact, darker = (factor * truth[..., None].astype(np.float32) for factor in (1.0, 0.95))
    near = np.s_[30:66, 30:38]
    for estimate in (exact, darker):
        lit = domain.with_light(estimate, domain.light(estimate, noisy, everywhere), noisy, None)[..., 0]
        assert lit[near].mean() == pytest.approx(100, rel=0.01)


def test_given_noise_is_not_measured_again() -> None:
    noisy = np.random.default_rng(2).normal(0.5, 0.1, (64, 64))
    results = [denoise(noisy, preset="fast", models=2, noise=told).image for told in (0.09, 0.1)]
    assert not np.array_equal(*results)
