"""Noise told from one image: strength, photons and a camera, clipping, correlation, errors; and its stabilisation."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import noisy_of, scene
from scipy.ndimage import convolve, gaussian_filter
from skimage import data

import napari_rsmoe
from napari_rsmoe import PoissonGaussian, denoise, estimate_noise, psnr, stabilise, unstabilise
from napari_rsmoe.errors import ImageWarning
from napari_rsmoe.noise.anscombe import Stabiliser
from napari_rsmoe.noise.clipping import NO_LIMITS
from napari_rsmoe.noise.measure import measure_noise
from napari_rsmoe.noise.quiet import quietest_power

INFINITY = float("inf")
CAMERA = PoissonGaussian(3.0, 100.0, 6.0)


def bright_scene() -> np.ndarray:
    """Values from about 110 to 1000, shape (H, W)."""
    return 110 + 900 * gaussian_filter(scene(200, 220)[..., 1], 1.5) ** 2


def shot(clean: np.ndarray, law: PoissonGaussian, seed: int = 0) -> np.ndarray:
    """Photons counted by a camera."""
    rng = np.random.default_rng(seed)
    photons = rng.poisson((clean - law.offset) / law.gain)
    return law.offset + law.gain * photons + law.read * rng.normal(size=clean.shape)


# ---------------------------------------------------------------- even noise


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.2])
@pytest.mark.parametrize("picture", ["scene", "photograph"])
def test_even_noise_is_estimated_within_ten_percent(sigma: float, picture: str) -> None:
    clean = scene(200, 220) if picture == "scene" else data.astronaut()[:250, :250] / 255
    noise = np.random.default_rng(1).normal(0, sigma, clean.shape)
    for noisy in (clean + noise, np.clip(clean + noise, 0, 1)):
        found = measure_noise(noisy)
        assert found.spectrum is None
        for law in found.channels:
            assert law.gain == 0
            assert law.read == pytest.approx(sigma, rel=0.1)


def test_images_without_noise_or_too_small_have_none() -> None:
    image = np.random.default_rng(0).normal(0.5, 0.05, (64, 64, 3))
    image[..., 1] = 0.25
    levels = [channel.sigma for channel in estimate_noise(image).channels]
    assert levels == [pytest.approx(0.05, rel=0.1), 0, pytest.approx(0.05, rel=0.1)]
    for size in (1, 8):
        assert estimate_noise(np.ones((size, size))).sigma == 0


def test_clipping_is_reported_and_not_mistaken_for_photon_noise() -> None:
    """Clipped noise is weaker near black, which is no growth with brightness."""
    y, x = np.mgrid[:160, :160] / 160
    dark = 0.02 + 0.5 * (x * y) + 0.1 * np.sin(9 * y) ** 2
    found = estimate_noise(noisy_of(dark, 0.2236)).channels[0]
    assert found.gain == 0
    assert found.sigma == pytest.approx(0.2236, rel=0.12)
    assert found.clipped[0] == pytest.approx(np.mean(noisy_of(dark, 0.2236) == 0))
    assert found.clipped[1] == 0


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_part_of_one_value_does_no_harm(share: float) -> None:
    """As around a frame that was turned: no clipped value, no noise."""
    frame = np.random.default_rng(0).normal(0.5, 0.05, (160, 160))
    frame[:, : int(160 * share)] = 0.5
    found = estimate_noise(frame)
    assert 0 <= found.sigma < 0.06
    assert np.isfinite([*found.correlation, found.sigma_error]).all()


def test_ignored_pixels_do_not_count() -> None:
    grainy = noisy_of(scene(160, 176)[..., 0])
    weight = np.ones(grainy.shape[:2])
    weight[40:120, 40:120] = 0
    alone = estimate_noise(grainy, weight=weight)
    grainy[weight == 0] = np.nan
    assert estimate_noise(grainy, weight=weight) == alone
    assert alone.sigma == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("side", [64, 112])
def test_scattered_missing_pixels_leave_the_estimate(side: int) -> None:
    """One pixel of ten is missing, so that hardly any neighbourhood is whole."""
    grainy = noisy_of(scene(side, side)[..., 0])
    grainy[np.random.default_rng(5).random(grainy.shape) < 0.1] = np.nan
    assert estimate_noise(grainy, ignore_nan=True).sigma == pytest.approx(0.1, rel=0.15)


# ---------------------------------------------------------------- photons, correlation, channels


def test_photon_noise_is_found_with_its_errors() -> None:
    clean = bright_scene()
    truth = CAMERA.gain, np.sqrt(CAMERA.variance(clean).mean())
    hits = []
    for seed in range(4):
        channel = estimate_noise(shot(clean, CAMERA, seed)).channels[0]
        assert channel.gain == pytest.approx(CAMERA.gain, rel=0.2)
        line = PoissonGaussian(channel.gain, channel.offset, channel.read)
        for value in (150.0, 500.0):
            assert line.variance(value) == pytest.approx(CAMERA.variance(value), rel=0.2)
        errors = channel.gain_error / channel.gain, channel.sigma_error / channel.sigma
        assert 0.002 < min(errors) < max(errors) < 0.15
        found = channel.gain, channel.sigma
        hits += [abs(a - b) < 2.5 * e * a for a, b, e in zip(found, truth, errors, strict=True)]
    assert np.mean(hits) > 0.7


@pytest.mark.parametrize("photons", [30, 400])
def test_photon_noise_of_a_small_image_is_found(photons: int) -> None:
    """No block of 16 px has flat surroundings, and few pixels show each brightness."""
    y, x = np.mgrid[:96, :96]
    light = 5 + photons / (1 + np.exp(np.hypot(y - 48, x - 48) - 30))
    noisy = np.random.default_rng(0).poisson(light).astype(np.uint16)
    assert estimate_noise(noisy).sigma == pytest.approx(np.sqrt(light.mean()), rel=0.15)


def test_a_law_that_quiet_places_do_not_keep_is_seen_through() -> None:
    """As where bright texture passes for photon noise; a place without any, such as a black border, does not count."""
    clean = bright_scene()
    frame = shot(clean, CAMERA)
    frame[:40] = frame.min()
    limits = (float(frame.min()), INFINITY)
    assert quietest_power(frame, CAMERA, limits, None) == pytest.approx(1, abs=0.1)
    assert quietest_power(frame, CAMERA.stronger(2), limits, None) == pytest.approx(0.5, abs=0.1)
    assert quietest_power(frame[:32], CAMERA.stronger(2), limits, None) == 1  # too little to judge by


def test_noise_of_photons_is_removed() -> None:
    clean = 1000 * scene(160, 176)[..., 0] ** 3
    law = PoissonGaussian(60.0)
    noisy = shot(clean, law)
    results = {kind: denoise(noisy, models=6, noise=noise).image for kind, noise in (("auto", "auto"), ("law", law))}
    gains = {kind: psnr(image, clean, 1000.0) - psnr(noisy, clean, 1000.0) for kind, image in results.items()}
    assert min(gains.values()) > 9
    assert gains["auto"] > gains["law"] - 0.5
    even = denoise(noisy, models=6, noise=estimate_noise(noisy).sigma).image
    assert psnr(results["auto"], clean, 1000.0) > psnr(even, clean, 1000.0) + 0.5


def test_correlated_noise_is_found_and_removed() -> None:
    clean = gaussian_filter(scene(160, 176)[..., 0], 2)
    noise = gaussian_filter(np.random.default_rng(3).normal(size=clean.shape), 1.2)
    noise *= 0.06 / noise.std()
    noisy = clean + noise
    found = estimate_noise(noisy)
    assert found.model.spectrum is not None
    assert found.sigma == pytest.approx(0.06, rel=0.3)
    for axis in (0, 1):
        shared = np.mean(np.take(noise, range(1, 160), axis) * np.take(noise, range(159), axis)) / 0.06**2
        assert found.correlation[axis] == pytest.approx(shared, abs=0.1)
    result = denoise(noisy, models=6)
    assert psnr(result.image, clean, 1.0) > psnr(noisy, clean, 1.0) + 9  # at one scale alone, 7.7
    error = np.abs(result.image - clean)
    assert 0.55 < np.mean(error <= result.std) < 0.8
    assert np.mean(error <= 2 * result.std) > 0.85


def test_noise_that_was_interpolated_differently_in_each_channel_is_found() -> None:
    clean = scene(192, 192)
    noisy = clean + np.random.default_rng(0).normal(0, 0.05, clean.shape)
    red, green = np.outer([1, 2, 1], [1, 2, 1]) / 4, np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
    y, x = np.indices(clean.shape[:2]) % 2

    def camera(image: np.ndarray) -> np.ndarray:
        """Through a Bayer mosaic, and interpolated bilinearly."""
        colours = [(y + x == 0, red), (y + x == 1, green), (y + x == 2, red)]
        return np.stack([convolve(image[..., c] * at, kernel) for c, (at, kernel) in enumerate(colours)], -1)

    found = estimate_noise(camera(noisy))
    assert found.model.spectrum is not None
    truth = (camera(noisy) - camera(clean)).std((0, 1))
    np.testing.assert_allclose([channel.sigma for channel in found.channels], truth, rtol=0.15)


def test_each_channel_has_its_own_noise() -> None:
    clean = scene(128, 128)
    levels = np.array([0.1, 0.0, 0.03])
    noisy = clean + levels * np.random.default_rng(0).normal(size=clean.shape)
    found = [channel.sigma for channel in estimate_noise(noisy).channels]
    np.testing.assert_allclose(found, levels, rtol=0.1, atol=0.002)
    image = denoise(noisy, models=8).image
    gains = [psnr(image[..., c], clean[..., c], 1.0) - psnr(noisy[..., c], clean[..., c], 1.0) for c in (0, 2)]
    assert gains[0] > 10
    assert gains[1] > 6
    assert psnr(image[..., 1], clean[..., 1], 1.0) > 45


@pytest.mark.parametrize("noise", ["auto", 0.1])
def test_grey_as_three_channels_is_denoised_as_grey(noise: object) -> None:
    clean = scene(64, 64)[..., 0]
    grey = clean + np.random.default_rng(0).normal(0, 0.1, clean.shape)
    alone, colour = (
        psnr(denoise(image, models=2, preset="fast", noise=noise).image, truth, 1.0)
        for image, truth in [(grey, clean), (np.stack([grey] * 3, -1), np.stack([clean] * 3, -1))]
    )
    assert colour > alone - 0.5


def test_noise_can_be_given_in_any_form() -> None:
    noisy = shot(bright_scene(), CAMERA)[:80, :80]
    forms = (CAMERA, (3, 100.0, 6), [3, 100, 6])
    first, *others = (denoise(noisy, models=2, preset="fast", noise=form) for form in forms)
    for other in others:
        np.testing.assert_array_equal(other.image, first.image)
    assert first.noise == pytest.approx(np.sqrt(CAMERA.variance(noisy).mean()), rel=0.02)
    estimate = estimate_noise(noisy)
    auto, told = (denoise(noisy, models=2, preset="fast", noise=noise) for noise in ("auto", estimate))
    np.testing.assert_allclose(told.image, auto.image, rtol=1e-2)  # What is told is not measured again.
    with pytest.raises(ValueError, match="1 channels"):
        denoise(scene(), noise=estimate)


# ---------------------------------------------------------------- stabilisation


@pytest.mark.parametrize(
    ("law", "limits", "values"),
    [
        (PoissonGaussian(3.0, 10.0, 2.0), NO_LIMITS, (10.5, 14.0, 60.0, 200.0)),
        (PoissonGaussian(20.0, 4.0), (0.0, 255.0), (5.0, 12.0, 60.0, 230.0)),
        (PoissonGaussian(2.0, 1.0, 9.0), (0.0, INFINITY), (2.0, 30.0)),
        (PoissonGaussian(0.0, 0.0, 0.2), (0.0, 1.0), (0.01, 0.5, 0.99)),
        (PoissonGaussian(0.0, 0.0, 0.2), (-INFINITY, 1.0), (-3.0, 0.5, 0.99)),
        (PoissonGaussian(0.0, 7.0, 0.2), NO_LIMITS, (-1e3, 0.0, 1e3)),
    ],
)
def test_stabilised_noise_is_even_and_its_mean_is_undone_without_bias(law, limits, values) -> None:
    tables = Stabiliser(law, 255.0, limits)
    for value in values:
        clean = np.full(200_000, value)
        noisy = shot(clean, law) if law.gain else clean + law.read * np.random.default_rng(0).normal(size=clean.shape)
        stabilised = stabilise(np.clip(noisy, *limits), law)
        mean = stabilised.mean()
        scatter = law.read if law.gain == 0 else float(np.sqrt(law.variance(value)))
        assert tables.variance(mean) == pytest.approx(max(stabilised.var(), 0.05), rel=0.05, abs=0.01)
        for inverse in (tables.inverse(mean), unstabilise(mean, law, limits)):
            assert inverse == pytest.approx(value, abs=0.02 * scatter)
        slope = float(np.subtract(tables.inverse(mean + 0.1), tables.inverse(mean - 0.1))) / 0.2
        at_end = any(tables.inverse(mean + step) == tables.inverse(mean + 50 * step) for step in (-0.1, 0.1))
        # Slopes are interpolated in a table.
        assert tables.slope(mean) == pytest.approx(slope, rel=1e-4) or (at_end and tables.slope(mean) > slope)
        if law.gain:
            means = np.linspace(mean - 3, mean + 3, 1001)
            np.testing.assert_array_equal(means > tables.mean_of(value), tables.inverse(means) > value)
    if law.gain:
        assert tables.mean_of(float(tables.inverse(np.inf))) == np.inf


def test_impossible_noise_is_refused() -> None:
    for numbers in ((-1.0, 0.0, 0.0), (1.0, 0.0, -1.0), (float("nan"), 0.0, 0.0)):
        with pytest.raises(ValueError, match="gain and read not negative"):
            PoissonGaussian(*numbers)


def test_names_are_public() -> None:
    assert {"estimate_noise", "NoiseEstimate", "PoissonGaussian", "stabilise"} <= set(napari_rsmoe.__all__)


def test_an_error_that_one_pixel_cannot_give_is_said_in_words() -> None:
    with pytest.warns(ImageWarning):
        said = str(estimate_noise(np.full((1, 1), 7, np.uint8)))
    assert "0 (error unknown)" in said
    assert "nan" not in said
