"""What denoising must leave alone, and what it must remove altogether."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import scene
from scipy.ndimage import gaussian_filter
from skimage import data

from napari_rsmoe import denoise, psnr
from napari_rsmoe.denoising.nonlocal_bayes import Refined
from napari_rsmoe.denoising.residual import bound_residual
from napari_rsmoe.noise.measure import measure_noise

QUICK = {"models": 2, "preset": "fast"}


@pytest.mark.parametrize("picture", ["generated", "bright texture", "soft focus"])
def test_a_clean_image_is_returned_nearly_untouched(picture: str) -> None:
    """Soft focus is not taken for noise that neighbours share, nor bright texture for photon noise."""
    if picture == "generated":
        clean = scene(160, 176)
    elif picture == "bright texture":
        clean = (data.coins() / 255).astype(np.float32)
    else:
        photograph = data.astronaut()[:192, 100:292] / 255
        clean = gaussian_filter(photograph, (1, 1, 0)).astype(np.float32)
    assert psnr(denoise(clean, **QUICK).image, clean, 1.0) > 45


def test_fine_texture_is_not_mistaken_for_correlated_noise() -> None:
    rng = np.random.default_rng(0)
    texture = gaussian_filter(rng.normal(size=(256, 256)), 1.2)
    strength = gaussian_filter(rng.normal(size=(256, 256)), 20)
    uneven = 0.5 + 0.1 * texture / texture.std() * np.exp(strength / strength.std())
    assert measure_noise(uneven[..., None].astype(np.float32)).spectrum is None
    even = 0.5 + 0.1 * texture / texture.std()
    assert measure_noise(even[..., None].astype(np.float32)).spectrum is not None


def test_noise_that_content_hides_everywhere_is_trusted_less() -> None:
    rng = np.random.default_rng(0)
    texture = gaussian_filter(rng.normal(size=(160, 176)), 1.5)
    strength = gaussian_filter(rng.normal(size=texture.shape), 16)
    texture *= np.exp(0.3 * strength / strength.std())
    found = []
    for contrast in (0.005, 0.3):
        image = 0.5 + contrast * texture / texture.std() + 0.01 * rng.normal(size=texture.shape)
        laws = measure_noise(image[..., None].astype(np.float32))
        found.append(laws.channels[0].read)
        assert laws.spectrum is None
    assert found[0] == pytest.approx(0.01, rel=0.15)
    assert found[1] < 0.7 * found[0]


def test_pure_noise_becomes_flat() -> None:
    """What is left of it has an eighth of its standard deviation at most, and the error bar knows of that."""
    noise = np.random.default_rng(0).normal(100, 10, (96, 96)).astype(np.float32)
    result = denoise(noise)
    assert result.image.std() < noise.std() / 8
    assert result.image.std() < 2 * result.std.mean() < noise.std() / 2


def test_what_is_taken_away_has_the_power_of_the_noise_at_most() -> None:
    rng = np.random.default_rng(0)
    noisy = rng.normal(size=(2, 64, 64)).astype(np.float32)
    variance = np.full_like(noisy, 0.25)
    variance[1] = 4  # all of the second plane may be noise
    bounded = bound_residual(noisy, Refined(np.zeros_like(noisy), np.zeros_like(noisy)), variance)
    assert np.square(noisy - bounded.image)[0].mean() == pytest.approx(0.25, rel=0.25)
    assert bounded.leverage[0].mean() == pytest.approx(0.5, abs=0.1)
    assert not bounded.image[1].any()
    assert not bounded.leverage[1].any()
