"""Deconvolution of simulated micrographs, and point spread functions."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import numpy as np
import pytest
from cli_helpers import run
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.restoration import richardson_lucy

from napari_rsmoe import ImageError, deblur, measure_psf, psnr, read_image, write_image
from napari_rsmoe.enlarging.blended import lines, with_flat_areas
from napari_rsmoe.enlarging.darkness import darkness
from napari_rsmoe.enlarging.deconvolution import Blur
from napari_rsmoe.enlarging.psf import point_spread
from napari_rsmoe.enlarging.stop_band import stop_band_noise
from napari_rsmoe.enlarging.through_blur import Measured
from napari_rsmoe.errors import StoppedError
from napari_rsmoe.noise.noise_model import PoissonGaussian
from napari_rsmoe.notes import gathered

GAIN = 0.01
"""Light that a photon stands for."""


def scene(side: int = 72) -> np.ndarray:
    """Discs and a line, as light on [0, 1]."""
    y, x = np.mgrid[:side, :side]
    light = np.full((side, side), 0.05)
    for row, column, radius in ((18, 20, 5.0), (50, 22, 3.0), (30, 52, 8.0)):
        light = np.maximum(light, np.clip(radius + 0.5 - np.hypot(y - row, x - column), 0, 1) * 0.8)
    return np.maximum(light, np.exp(-((x - 0.4 * y - 30) ** 2) / 2))


def best_of_richardson_and_lucy(photons: np.ndarray, truth: np.ndarray, width: float) -> float:
    """PSNR in dB, with the number of iterations chosen by the truth."""
    spread, top = point_spread(width), photons.max()
    padded = np.pad(photons / top, 12, mode="reflect")
    results = (richardson_lucy(padded, spread, k, clip=False)[12:-12, 12:-12] * top for k in (5, 10, 20, 40, 80))
    return max(psnr(each, truth, truth.max()) for each in results)


def test_it_beats_richardson_and_lucy_with_the_best_number_of_iterations() -> None:
    truth = scene() * 300
    photons = np.random.default_rng(0).poisson(gaussian_filter(truth, 1.5)).astype(np.float32)
    result = deblur(photons, 1.5)  # The noise is measured.
    assert psnr(result.image, truth, 300) > best_of_richardson_and_lucy(photons, truth, 1.5) + 1
    assert result.image.min() >= 0
    error = np.abs(result.image - truth)
    lit = truth > 20  # The rest is dark and even, and nearly all of its errors are small.
    assert 0.6 < np.mean(error[lit] < result.std[lit]) < 0.85
    assert np.mean(error < 2 * result.std) > 0.87
    larger = deblur(photons, 1.5, 2, noise=(1.0, 0.0, 0.1), preset="fast")
    assert larger.image.shape == larger.std.shape == (144, 144)


def test_an_edge_does_not_ring() -> None:
    edge = np.where(np.arange(48) < 24, 50.0, 250.0) * np.ones((48, 1))
    counted = np.random.default_rng(2).poisson(gaussian_filter(edge, 1.5)).astype(np.float32)
    profile = deblur(counted, 1.5, preset="fast").image.mean(0)
    np.testing.assert_allclose(profile[4:23], 50, atol=10)
    np.testing.assert_allclose(profile[27:44], 250, atol=10)
    assert profile.max() < 250 + 0.2 * 200  # What is just beside the edge, the photons do not tell.


def test_the_noise_is_found_where_the_optics_pass_nothing() -> None:
    light = scene(96) * 500 + 20
    blur = Blur.of(point_spread(1.5), light.shape)
    rng = np.random.default_rng(3)
    counts = 2.0 * rng.poisson(blur.inner(blur(blur.padded(light)))) + rng.normal(100, 4, light.shape)
    found = stop_band_noise(counts, None, blur)
    assert found is not None
    levels = np.array([250.0, 400.0, 900.0])
    np.testing.assert_allclose(found.variance(levels), 2.0 * (levels - 100) + 16, rtol=0.15)
    assert stop_band_noise(counts, None, Blur.of(point_spread(0.4), light.shape)) is None


def test_it_stops_while_the_noise_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = Event()

    def long(*_: object) -> None:
        assert stopped.wait(20)

    monkeypatch.setattr("napari_rsmoe.enlarging.deblur.stop_band_noise", long)
    with pytest.raises(StoppedError):
        deblur(np.ones((40, 40), np.float32), 1.5, callback=lambda progress: progress.stage == "noise")
    stopped.set()


def test_point_spread_functions() -> None:
    gaussian = point_spread(2)
    y = np.arange(-8, 9)[:, None]
    assert gaussian.sum() == pytest.approx(1)
    assert (gaussian * y**2).sum() == pytest.approx(4 + 1 / 12, rel=0.02)  # of the Gaussian and of the pixel
    lens = point_spread("1.2,500,100")
    half = len(lens) // 2
    dark = 0.61 * 500 / 1.2 / 100  # radius of the first dark ring in pixels
    assert lens[half, half + round(dark)] < 0.03 * lens[half, half]
    np.testing.assert_array_equal(point_spread((1.2, 500, 100)), lens)
    np.testing.assert_allclose(point_spread(7 * np.ones((2, 3))).sum(), 1)
    for scale in (1e308, 1e-320):
        np.testing.assert_allclose(point_spread(scale * np.ones((3, 5))), 1 / 15)
    np.testing.assert_array_equal(point_spread(1e-300), [[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    hostile = (
        0, -1, np.nan, np.inf, 1e9, 10**400, None, True, 1j, {}, b"1", "", "1e400", "nan,500,65", "a lens", (1, 2),
        (1.2, 500, 0), (1.2, 5e5, 1), (1.2, 500, 1e-320), -np.eye(3), np.zeros((3, 3)), np.nan * np.eye(3), np.ones(5),
        np.ones((0, 5)), np.ones((3, 3, 3)), np.ones((3, 3), complex), [[1, 2], [3]], [[1, "a"]],
    )  # fmt: skip
    for wrong in hostile:
        with pytest.raises(ValueError, match="psf"):
            point_spread(wrong)


def test_beads_are_measured() -> None:
    beads = np.zeros((90, 90))
    beads[[20, 22, 60, 66], [20, 61, 30, 66]] = 1000
    beads[88, 40] = 5000  # cut by the border
    measured = measure_psf(gaussian_filter(beads, 1.8) + np.random.default_rng(0).normal(10, 0.1, beads.shape))
    expected = point_spread(1.8)
    assert measured[10, 10] == pytest.approx(expected.max(), rel=0.05)
    rng = np.random.default_rng(1)
    crowded = np.zeros((200, 200))
    crowded[tuple(rng.integers(0, 200, (2, 40)))] = 4000
    noisy = rng.poisson(gaussian_filter(crowded, 1.5) + 10) + rng.normal(90, 2, crowded.shape)
    assert measure_psf(noisy)[10, 10] == pytest.approx(point_spread(1.5).max(), rel=0.08)
    with pytest.raises(ImageError, match="beads were found"):
        measure_psf(gaussian_filter(beads[:40, :40], 1.8))


def test_the_command_line_and_integers(tmp_path: Path) -> None:
    counts = np.random.default_rng(1).poisson(gaussian_filter(scene(48) * 200, 1.2)).astype(np.uint16)
    write_image(tmp_path / "a.tif", counts)
    arguments = ["--psf", "1.2", "--preset", "fast", "--std", tmp_path / "s.tif", "--noise", "1,0,0"]
    result = run("deblur", tmp_path / "a.tif", tmp_path / "b.tif", *arguments)
    assert result.exit_code == 0, result.output
    sharp = read_image(tmp_path / "b.tif").numpy()
    assert sharp.dtype == np.uint16
    assert sharp.max() > counts.max() * 0.8
    assert read_image(tmp_path / "s.tif").numpy().dtype == np.float32


def test_missing_and_extreme_pixels_do_not_spread():
    rng = np.random.default_rng(0)
    clean = np.kron(rng.uniform(100, 900, (5, 5)), np.ones((8, 8)))
    noisy = (gaussian_filter(clean, 1.0) + rng.normal(0, 5, clean.shape)).astype(np.float32)
    odd = noisy.copy()
    odd[8:12, 20:26], odd[30, 9] = -9999, 2e6
    with gathered():
        sound, result = (deblur(image, 1.0, preset="fast", defects="keep") for image in (noisy, odd))
    assert (result.image[8:12, 20:26] == -9999).all()
    assert result.image[30, 9] > 1e6
    far = np.ones(clean.shape, bool)
    far[6:14, 18:28] = far[26:35, 5:14] = False
    errors = [np.abs(each.image - clean)[far].mean() for each in (sound, result)]
    assert errors[1] < 1.2 * errors[0], errors


def test_total_variation_counts_on_a_disc_and_not_on_lines() -> None:
    y, x = np.mgrid[:64, :64]
    blur = Blur.of(point_spread(1.5), (64, 64))
    rng = np.random.default_rng(0)
    discs = np.where(np.hypot(y - 32, x - 32) < 20, 0.9, 0.1)
    bright = np.where((x + y) % 12 < 2, 0.9, 0.02)
    for light, lined in ((discs, False), (bright, True), (0.92 - bright, True)):
        assert (lines(light, 1.5) > 0.2) == lined == (lines(light, 1.5) > 0.1)
        truth = blur.padded(light)
        counted = rng.poisson(np.maximum(blur(truth), 0) / GAIN) * GAIN
        used = np.ones(truth.shape)
        used[30:40, 30:40] = 0
        counted[30:40, 30:40] = 50.0  # What was not measured does not count.
        measured = Measured(counted, blur(truth), used, PoissonGaussian(GAIN, 0.0, 0.0), blur)
        change = np.abs(with_flat_areas(truth, truth, measured, goes_on)[0] - truth)
        assert (change.max() > 0.01) == (not lined)
        assert change.max() < 0.5


def spots(radius: float, side: int = 64) -> np.ndarray:
    """Even discs of a radius in pixels, or, if it is negative, points of that standard deviation, of 3000 photons."""
    y, x = (np.mgrid[: 4 * side, : 4 * side] + 0.5) / 4
    light = np.zeros(y.shape)
    for row, column, bright in np.random.default_rng(4).uniform((4, 4, 0.4), (side - 4, side - 4, 1.0), (12, 3)):
        far = np.hypot(y - row, x - column)
        light += bright * (far < radius if radius > 0 else np.exp(-np.square(far / radius) / 2))
    light = light.reshape(side, 4, side, 4).mean((1, 3))
    return 60 + 2940 * light / light.max()


@pytest.mark.parametrize(("radius", "width"), [(1.8, 0.8), (-0.6, 1.5)])
def test_total_variation_counts_on_discs_and_not_on_points(radius: float, width: float) -> None:
    truth = spots(radius)
    counted = np.random.default_rng(0).poisson(gaussian_filter(truth, width)).astype(np.float32)
    result = deblur(counted, width, preset="fast")
    assert psnr(result.image, truth, truth.max()) > best_of_richardson_and_lucy(counted, truth, width) + 1.5


def wide_lines(side: int = 64) -> np.ndarray:
    """Bent lines that are wider than a blur of 1.5 px, of 3000 photons."""
    y, x = np.mgrid[:side, :side]
    places = (x - 14 - 4 * np.sin(y / 9), y - 40 + 5 * np.sin(x / 11), x + y - 75 + 3 * np.sin(y / 8))
    return 60 + 2940 * sum(np.exp(-((place / 1.8) ** 2) / 2) for place in places) / 2


def test_lines_that_are_wider_than_the_blur_stay_smooth() -> None:
    truth = wide_lines()
    counted = np.random.default_rng(0).poisson(gaussian_filter(truth, 1.5)).astype(np.float32)
    with gathered() as said:
        result = deblur(counted, 1.5, preset="fast")
    assert psnr(result.image, truth, truth.max()) > best_of_richardson_and_lucy(counted, truth, 1.5) - 0.5
    assert not said


def test_a_wrong_point_spread_function_is_said_and_does_less_harm() -> None:
    truth = scene() * 3000
    counted = np.random.default_rng(0).poisson(gaussian_filter(truth, 1.5)).astype(np.float32)
    with gathered() as said:
        result = deblur(counted, 1.8, preset="fast")
    assert any("does not fit" in each for each in said)
    assert psnr(result.image, truth, truth.max()) > best_of_richardson_and_lucy(counted, truth, 1.8) - 1.5
    assert np.mean(np.abs(result.image - truth) < result.std) > 0.6


def goes_on(_share: float) -> bool:
    return False


@pytest.mark.parametrize("stage", ["model 1 of 2", "model 2 of 2", "flat areas"])
def test_it_is_left_in_the_middle_of_a_step(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    released = Event()
    reached: list[str] = []

    def long(*_: object) -> np.ndarray:
        reached.append("here")
        assert released.wait(20)
        return np.ones(1)

    slow = {"model 1 of 2": "deblur.deconvolved", "model 2 of 2": "deblur.richardson_lucy"}
    monkeypatch.setattr(f"napari_rsmoe.enlarging.{slow.get(stage, 'deblur.blended')}", long)
    given = {"preset": "fast", "noise": 1.0, "callback": lambda progress: progress.stage == stage and bool(reached)}
    image = 50 + 20 * (np.indices((24, 24)).sum(0) % 9).astype(np.float32)
    try:
        if stage == "model 1 of 2":
            with pytest.raises(StoppedError):
                deblur(image, 1.2, **given)
        else:
            assert len(deblur(image, 1.2, **given).models) == (1 if "model" in stage else 2)
    finally:
        released.set()


def test_darkness_is_the_background_or_where_photon_noise_would_vanish() -> None:
    blur = Blur.of(point_spread(1.5), (64, 64))
    cells = data.cell()[300:364, 200:264].astype(float)
    light = 2000 * (cells - cells.min()) / np.ptp(cells) + 50
    seen = blur.inner(blur(blur.padded(light)))
    assert seen.min() > 150  # The blur has filled the darkest dips.
    assert 0 <= darkness(seen, PoissonGaussian(1.0, seen.min(), np.sqrt(seen.min())), blur) < 100
    assert 0 <= darkness(seen, PoissonGaussian(0.0, 0.0, 15.0), blur) < 100
    photons = PoissonGaussian(1.0, 0.0, np.sqrt(50))
    assert darkness(scene(64) * 1000, photons, blur) == pytest.approx(50)
