"""Noise told by its power at half and a quarter of the resolution, and by how peaked its details are."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, zoom
from skimage import data

from napari_rsmoe import denoise, psnr
from napari_rsmoe.noise.measure import measure_noise
from napari_rsmoe.noise.pyramid import kurtosis, pyramid_powers, steady_power


def noise(shape: tuple[int, ...], sigma: float = 1.0) -> np.ndarray:
    return sigma * np.random.default_rng(0).standard_normal(shape)


def photograph() -> np.ndarray:
    return data.chelsea()[:256, :320] / 255


@pytest.mark.parametrize("shape", [(256, 256), (203, 318)])
def test_white_noise_has_its_variance_at_all_pyramid_levels(shape: tuple[int, int]) -> None:
    np.testing.assert_allclose(pyramid_powers(noise(shape, 3)), 9, rtol=0.15)


def test_pixels_that_do_not_count_do_not_matter() -> None:
    plane, used = noise((256, 256)), np.ones((256, 256), bool)
    plane[:60, :100] += 10 * noise((60, 100))
    used[:64, :104] = False
    np.testing.assert_allclose(pyramid_powers(plane, used), 1, rtol=0.3)
    assert kurtosis(plane, used) == pytest.approx(kurtosis(noise((256, 256))), abs=0.1)
    assert kurtosis(plane, np.zeros_like(used)) == np.inf


def test_noise_is_steady_and_content_is_not() -> None:
    enlarged = zoom(noise((192, 192)), 1.5, order=3)
    assert steady_power(*pyramid_powers(enlarged)) > 2 * enlarged.var()
    for texture in (data.gravel(), data.brick(), data.grass()):
        assert steady_power(*pyramid_powers(texture[:256, :256] / 255)) == 0


def test_texture_is_more_peaked_than_noise() -> None:
    for blur in (0, 0.7, 1.5):
        assert 2.4 < kurtosis(gaussian_filter(noise((256, 256)), blur)) < 2.8
    assert kurtosis(data.gravel() / 255) > 2.9
    assert kurtosis(data.brick() / 255) > 2.9


@pytest.mark.parametrize("name", ["gravel", "brick", "grass"])
def test_texture_all_over_an_image_is_not_mistaken_for_noise(name: str) -> None:
    clean = (getattr(data, name)()[:256, :256] / 255).astype(np.float32)[..., None]
    assert measure_noise(clean).channels[0].read < 0.01
    laws = measure_noise((clean + noise(clean.shape, 0.06)).astype(np.float32))
    assert laws.white
    assert laws.channels[0].read == pytest.approx(0.06, rel=0.12)


def test_noise_of_an_enlarged_photograph_is_found_among_content() -> None:
    """Also where flat places have content."""
    clean = photograph()
    size = (1.5, 1.5, 1)
    image, truth = (zoom(each, size, order=3) for each in (clean + noise(clean.shape, 0.05), clean))
    laws = measure_noise(image.astype(np.float32))
    assert not laws.white
    found = np.sqrt(np.mean([law.read**2 for law in laws.channels]))
    assert found == pytest.approx((image - truth).std(), rel=0.2)


def test_noise_that_compression_took_from_quiet_places_is_found() -> None:
    clean = (255 * photograph()).round()
    file = BytesIO()
    noisy = np.clip(clean + noise(clean.shape, 20), 0, 255).round().astype(np.uint8)
    Image.fromarray(noisy).save(file, "JPEG", quality=75)
    image = np.asarray(Image.open(file))
    result = denoise(image, preset="fast", models=4)
    assert psnr(result.image, clean, 255.0) > psnr(image, clean, 255.0) + 3
