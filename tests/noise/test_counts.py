"""Counts of few photons, and words on noise in doubt."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rsmoe import PoissonGaussian, denoise, estimate_noise
from napari_rsmoe.notes import gathered


@pytest.mark.parametrize("mean", [0.02, 0.3, 2.0])
def test_the_gain_of_few_photons_is_their_step(mean: float) -> None:
    counts = 5 * np.random.default_rng(0).poisson(mean, (48, 56)).astype(np.uint16)
    found = estimate_noise(counts)
    assert found.channels[0].gain == pytest.approx(5, rel=0.2)
    assert found.sigma == pytest.approx(5 * np.sqrt(mean), rel=0.2)
    assert np.isinf(found.model.limits[0]).all()


def test_given_noise_does_not_darken_few_photons() -> None:
    counts = np.random.default_rng(0).poisson(0.3, (64, 64)).astype(np.float32)
    assert denoise(counts, noise=0.55, preset="fast").image.mean() == pytest.approx(counts.mean(), rel=0.03)


def test_noise_in_doubt_gets_a_word() -> None:
    rng = np.random.default_rng(0)
    noisy = rng.normal(100, 10, (48, 48, 3)).astype(np.float32)
    for noise, words in ((900.0, "larger than the variation"), (0.01, "far less"), ((1.0, 0.0, 10.0), "gain, offset")):
        with gathered() as notes:
            denoise(noisy, noise=noise, models=1, n_kernels=9, preset="fast")
        assert any(words in text for text in notes), (noise, notes)
    with gathered() as notes:
        denoise(noisy, noise=[PoissonGaussian(0, 0, 10)] * 3, models=1, n_kernels=9, preset="fast")
    assert notes == []
    with pytest.raises(ValueError, match="2 channels"):
        denoise(noisy, noise=[PoissonGaussian(0, 0, 10)] * 2, models=1, preset="fast")
