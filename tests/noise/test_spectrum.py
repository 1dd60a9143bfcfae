"""Noise that channels share, and the spectrum that each decorrelated plane has."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import noisy_of, scene
from scipy.ndimage import convolve, gaussian_filter
from skimage import data

from napari_rsmoe import denoise, estimate_noise, psnr
from napari_rsmoe.image.opponent import Opponent
from napari_rsmoe.noise.channels import PlaneSpectrum
from napari_rsmoe.noise.domain import StabilisedDomain
from napari_rsmoe.noise.measure import measure_noise
from napari_rsmoe.noise.noise_model import BLOCK
from napari_rsmoe.noise.quiet import OF_WHITE_NOISE, finest_power
from napari_rsmoe.noise.spectrum import coloured, neighbour_correlation

QUICK = {"models": 4, "preset": "fast"}


def photograph() -> np.ndarray:
    return (data.astronaut()[:176, 60:244] / 255).astype(np.float32)


def shared_noise(shape: tuple[int, ...], correlation: float, seed: int = 0) -> np.ndarray:
    """White noise of variance 1 that channels share in part."""
    rng = np.random.default_rng(seed)
    common, own = rng.normal(size=(*shape[:2], 1)), rng.normal(size=shape)
    return np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own


def seen_by_a_camera(rng: np.random.Generator, side: int = 256) -> np.ndarray:
    """Noise (H, W, 3) as interpolation leaves it: sharp in brightness, soft in what channels have of their own."""
    common = gaussian_filter(rng.normal(size=(side, side, 1)), (0.7, 0.7, 0), mode="wrap")
    own = gaussian_filter(rng.normal(size=(side, side, 3)), (1, 1, 0), mode="wrap")
    return 0.03 * common / common.std() + 0.02 * own / own.std()


@pytest.mark.parametrize("kind", ["even", "photons", "soft"])
def test_grey_stored_as_rgb_is_denoised_as_grey(kind: str) -> None:
    clean = 1000 * gaussian_filter(scene(96, 104)[..., 0], 1)
    rng = np.random.default_rng(0)
    if kind == "photons":
        noisy = 30 * rng.poisson(clean / 30)
    else:
        noise = rng.normal(size=clean.shape)
        noise = gaussian_filter(noise, 1) if kind == "soft" else noise
        noisy = clean + 80 * noise / noise.std()
    grey, colour = (denoise(image, **QUICK) for image in (noisy, np.stack([noisy] * 3, -1)))
    assert colour.noise == pytest.approx(grey.noise, rel=1e-3)
    assert not np.ptp(colour.image, -1).any()
    assert psnr(colour.image[..., 0], clean, 1000.0) > psnr(grey.image, clean, 1000.0) - 0.5
    assert colour.std.mean() == pytest.approx(grey.std.mean(), rel=0.2)
    assert estimate_noise(np.stack([noisy] * 3, -1)).shared == 1


def test_a_coloured_label_that_does_not_count_leaves_an_image_grey() -> None:
    rng = np.random.default_rng(0)
    for noise in (rng.normal(size=(128, 128)), gaussian_filter(rng.normal(size=(128, 128)), 1)):
        pixels = np.repeat((0.5 + 0.1 * noise).astype(np.float32)[..., None], 3, 2)
        pixels[100:116, 100:120] = (1, 0, 0)
        used = np.ones(noise.shape, bool)
        used[100:116, 100:120] = False
        levels = measure_noise(pixels, used).spectrum.mean((1, 2))
        assert levels[0] == pytest.approx(3, rel=0.1)
        assert not levels[1:].any()


def test_shared_noise_is_distinguished_from_independent_noise_and_from_content() -> None:
    clean = photograph()
    for sigma in (0.04, 0.1):
        assert measure_noise((clean + sigma * shared_noise(clean.shape, 0)).astype(np.float32)).spectrum is None
        noisy = (clean + sigma * shared_noise(clean.shape, 0.6)).astype(np.float32)
        found = measure_noise(noisy)
        assert found.white
        assert found.shared == pytest.approx(0.6, abs=0.1)
    assert 0 < estimate_noise(noisy).shared_error < 0.15
    assert measure_noise(noisy_of(clean, 0.2236)).spectrum is None  # clipped


def test_colour_without_noise_is_kept() -> None:
    """All channels have the same noise, so that colour differences have none."""
    clean = scene(128, 136)
    result = denoise((clean + 0.05 * shared_noise(clean.shape, 1)).astype(np.float32), **QUICK).image
    brightness, *colours = Opponent.of(3).planes(result - clean)
    assert psnr(brightness, np.zeros_like(brightness), 1.0) > 30
    assert psnr(np.stack(colours), np.zeros((2, 128, 136)), 1.0) > 45


def test_each_plane_has_its_level_and_spectrum() -> None:
    frames = [seen_by_a_camera(np.random.default_rng(seed)) for seed in range(20)]
    planes = np.stack([Opponent.of(3).planes(frame.astype(np.float32)) for frame in frames]).astype(np.float64)
    truth = planes.var((0, 2, 3)) / np.var(frames)
    laws = measure_noise((0.5 + frames[0]).astype(np.float32))
    assert not laws.white
    assert laws.spectrum.shape == (3, BLOCK, BLOCK)
    np.testing.assert_allclose(laws.spectrum.mean((1, 2)), truth, rtol=0.25)
    alike = [(planes[:, c, 1:] * planes[:, c, :-1]).mean() / planes[:, c].var() for c in range(3)]
    np.testing.assert_allclose([neighbour_correlation(each)[0] for each in laws.spectrum], alike, atol=0.07)
    # What is drawn has these spectra, and as much more power in one plane than in another.
    model = StabilisedDomain(laws, (0.5 + frames[0]).astype(np.float32))
    white = np.random.default_rng(0).standard_normal((3, 256, 256)).astype(np.float32)
    drawn = np.sqrt(model.plane_variance) * model.sample(white)
    np.testing.assert_allclose(drawn.var((1, 2)) / drawn.var((1, 2)).mean(), truth, rtol=0.25)
    np.testing.assert_allclose([(each[1:] * each[:-1]).mean() / each.var() for each in drawn], alike, atol=0.07)


def test_what_planes_without_content_hold_bounds_the_noise_of_planes_with_content() -> None:
    power, bound = np.full((BLOCK, BLOCK), 3.0), np.ones((BLOCK, BLOCK))
    assert (PlaneSpectrum(power, alone=False, sure=True).bounded(bound) == bound).all()
    assert (PlaneSpectrum(power, alone=True, sure=True).bounded(bound) == power).all()
    assert (PlaneSpectrum(bound, alone=False, sure=True).bounded(power) < bound).all()


@pytest.mark.parametrize("shape", [(40, 33), (9, 5)])
def test_white_noise_is_coloured_by_a_circular_convolution(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    spectrum = np.square(np.abs(np.fft.fft2(rng.normal(size=(BLOCK, BLOCK)))))
    white = rng.choice(np.array([-1, 1], np.float32), (1, *shape))
    kernel = np.fft.fftshift(np.fft.ifft2(np.sqrt(spectrum)).real)
    expected = convolve(white[0], kernel / np.linalg.norm(kernel), mode="wrap")
    np.testing.assert_allclose(coloured(white, spectrum[None])[0], expected, atol=1e-5)


def test_powers_of_blocks_of_white_noise_are_those_of_a_sample() -> None:
    noise = np.random.default_rng(0).standard_normal((512, 512))
    power = finest_power(noise, np.ones_like(noise))
    for share, found in OF_WHITE_NOISE.items():
        assert np.quantile(power, share) == pytest.approx(found)
