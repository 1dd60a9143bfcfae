"""The filter of similar patches: against its plain twin, and what it does to images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_rsmoe import engine
from napari_rsmoe.denoising.multiscale import patch_correlation
from napari_rsmoe.denoising.nonlocal_bayes import (
    FARTHEST,
    MANY,
    PASSES,
    REACH,
    Pass,
    filter_tasks,
    passes_after,
    refine,
)
from napari_rsmoe.engine.attention import _Watch
from napari_rsmoe.noise.noise_model import BLOCK
from twins import patches as twin

OPTIONS = {"stride": 4, "reach": 6, "fewest": 20, "most": 50, "similar": 0.3}
EVERY = {"same": -1.0, "negligible": 0.0}  # every reference patch has a group, and follows all of its covariance
WHITE = np.eye(engine.PATCH_SIDE**2, dtype=np.float32)[None]


def stripes(height: int = 72, width: int = 80, channels: int = 1) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    waves = [0.5 + 0.2 * np.sin(x * (1.3 - 0.2 * c)) * np.sin(y * 0.9) for c in range(channels)]
    return np.stack(waves).astype(np.float32)


def soft_correlation() -> np.ndarray:
    """Of noise that was blurred."""
    kernel = np.zeros((BLOCK, BLOCK))
    kernel[0, 0] = 1
    spectrum = np.square(np.abs(np.fft.fft2(gaussian_filter(kernel, 1.0, mode="wrap")))) + 1e-3
    return patch_correlation(spectrum[None], engine.PATCH_SIDE)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 33, 41), (5, 20, 9)], ids=lambda shape: "-".join(map(str, shape)))
@pytest.mark.parametrize(
    "shortcuts",
    [EVERY, {"same": 0.3, "negligible": 0.05}, EVERY | {"steep": True}, EVERY | {"similar": 1.8, "most": 160}],
    ids=["none", "both", "steep", "groups by distance"],
)
def test_agrees_with_the_twin(shape: tuple[int, int, int], shortcuts: dict[str, float]) -> None:
    rng = np.random.default_rng(sum(shape))
    correlation = np.concatenate([WHITE, soft_correlation()])[np.arange(shape[0]) % 2]  # white, soft, white ...
    pilot = gaussian_filter(rng.normal(0.5, 0.4, shape), (0, 1, 1)).astype(np.float32)
    variance = rng.uniform(0.005, 0.02, shape).astype(np.float32)
    noisy = pilot + np.sqrt(variance) * rng.normal(size=shape).astype(np.float32)
    options: dict[str, Any] = OPTIONS | shortcuts
    found = engine.filter_patches(noisy, pilot, variance, correlation, **options)
    expected = twin.filter_patches(noisy, pilot, variance, correlation, **options)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4)


@pytest.mark.parametrize("steep", [False, True])
def test_colours_agree_with_the_twin_and_help_each_other(steep: bool) -> None:
    """The pilot has lost the content of two colours that the third one, in which it is strong, shows."""
    rng = np.random.default_rng(8)
    clean = stripes(24, 30)[[0, 0, 0]] * np.float32([1.0, 0.5, -0.5])[:, None, None]
    pilot = clean * np.float32([1.0, 0.3, 0.3])[:, None, None] + rng.normal(0, 0.01, clean.shape).astype(np.float32)
    variance = np.broadcast_to(np.float32([0.01, 0.012, 0.02])[:, None, None], clean.shape)
    noisy = clean + np.sqrt(variance) * rng.normal(size=clean.shape).astype(np.float32)
    options: dict[str, Any] = OPTIONS | EVERY | {"steep": steep}
    white = WHITE[[0, 0, 0]]
    found = engine.filter_patches(noisy, pilot, variance, white, **options)
    expected = twin.filter_patches(noisy, pilot, variance, white, **options)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4)
    alone = [
        engine.filter_patches(*(each[c : c + 1] for each in (noisy, pilot, variance)), WHITE, **options)[0]
        for c in range(3)
    ]
    errors = [np.square(image - clean).mean() for image in (found[0], np.concatenate(alone))]
    assert errors[0] < 0.8 * errors[1]
    noisy[1:] = 0
    grey = engine.filter_patches(noisy, pilot, variance, white, **options)
    assert not grey[0][1:].any()
    for one, other in zip(grey, twin.filter_patches(noisy, pilot, variance, white, **options), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4)


def test_several_planes_agree_with_the_twin_and_equal_ones_are_averaged() -> None:
    rng = np.random.default_rng(3)
    clean = stripes(30, 34)[None] * np.array([1.0, 1.0, 0.6], np.float32)[:, None, None, None]
    variance = np.broadcast_to(np.float32([0.01, 0.02, 0.005])[:, None, None, None], clean.shape)
    noisy = clean + np.sqrt(variance) * rng.normal(size=clean.shape).astype(np.float32)
    pilot = clean + rng.normal(0, 0.02, clean.shape).astype(np.float32)
    found = engine.filter_patches(noisy, pilot, variance, WHITE, **OPTIONS | EVERY)
    expected = twin.filter_patches(noisy, pilot, variance, WHITE, **OPTIONS | EVERY)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4)
    alone, _ = engine.filter_patches(noisy[0], pilot[0], variance[0], WHITE, **OPTIONS | EVERY)
    assert np.square(found[0] - clean[0]).mean() < 0.7 * np.square(alone - clean[0]).mean()
    one = engine.filter_patches(noisy[:1], pilot[:1], variance[:1], WHITE, **OPTIONS | EVERY)
    np.testing.assert_array_equal(one[0], alone)


def test_equally_distant_patches_are_taken_from_near_to_far() -> None:
    """In a flat image all are, and most more than a group holds; no pixel is left without an estimate."""
    noisy = np.random.default_rng(5).normal(0.5, 0.1, (1, 40, 44)).astype(np.float32)
    flat, variance = np.full_like(noisy, 0.5), np.full_like(noisy, 0.01)
    options = OPTIONS | {"reach": 10, "same": 0.3, "negligible": 0.01}
    found = engine.filter_patches(noisy, flat, variance, WHITE, **options)
    expected = twin.filter_patches(noisy, flat, variance, WHITE, **options)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("passes", [PASSES, passes_after(MANY)], ids=["few models", "many models"])
def test_same_bits_for_any_number_of_threads_and_tasks_as_announced(passes: tuple[Pass, ...]) -> None:
    clean = stripes(120, 130, 3)
    noisy = clean + np.random.default_rng(0).normal(0, 0.1, clean.shape).astype(np.float32)
    pilot, variance = gaussian_filter(noisy, (0, 1, 1)), np.full_like(clean, 0.01)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            watch = _Watch(filter_tasks(clean.shape, passes))
            with watch.over_this_thread():
                results.append(refine(noisy, pilot, variance, passes=passes))
            assert watch._numbers[1] == watch._tasks
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        np.testing.assert_array_equal(other.image, results[0].image)
        np.testing.assert_array_equal(other.leverage, results[0].leverage)


def test_many_models_have_patches_from_further_away() -> None:
    """What repeats only beyond the reach of few models is filtered better."""
    rng = np.random.default_rng(1)
    clean = np.full((1, 36, 60), 0.5, np.float32)
    clean[..., 4:32, 2:30] = clean[..., 4:32, 30:58] = rng.uniform(0.3, 0.7, (28, 28)).astype(np.float32)
    noisy = clean + rng.normal(0, 0.1, clean.shape).astype(np.float32)
    variance = np.full_like(clean, 0.01)
    near, far = (refine(noisy, clean, variance, None, passes_after(models)).image for models in (1, MANY))
    assert REACH < 28 < FARTHEST
    assert np.square(far - clean).mean() < 0.95 * np.square(near - clean).mean()


def test_brings_back_what_the_pilot_lost() -> None:
    clean = stripes()
    noisy = clean + np.random.default_rng(0).normal(0, 0.1, clean.shape).astype(np.float32)
    pilot = 0.5 + 0.4 * (clean - 0.5)
    refined = refine(noisy, pilot, np.full(clean.shape, 0.01, np.float32))
    errors = [float(np.mean(np.square(image - clean))) for image in (noisy, pilot, refined.image)]
    assert errors[2] < 0.15 * min(errors[:2])
    # The leverage is the share of the noise that is left.
    followed = np.mean((noisy - clean) * (refined.image - clean)) / np.mean(np.square(noisy - clean))
    assert refined.leverage.mean() == pytest.approx(followed, rel=0.25)


def test_noise_on_a_flat_image_becomes_flat() -> None:
    noisy = np.random.default_rng(1).normal(0.4, 0.1, (3, 90, 100)).astype(np.float32)
    refined = refine(noisy, np.full_like(noisy, 0.4), np.full_like(noisy, 0.01))
    assert refined.image.std() < 0.01
    flat = np.full_like(noisy, 0.25)
    # Groups of hundreds of patches add up a little rounding.
    np.testing.assert_allclose(refine(flat, flat, np.full_like(flat, 0.01)).image, flat, atol=4e-6)


def test_correlated_noise_is_distinguished_from_content() -> None:
    clean = gaussian_filter(stripes(96, 96) + np.eye(96, dtype=np.float32), (0, 2, 2))
    noise = gaussian_filter(np.random.default_rng(2).normal(size=clean.shape), (0, 1, 1))
    noisy = (clean + 0.05 * noise / noise.std()).astype(np.float32)
    pilot = gaussian_filter(noisy, (0, 2, 2))
    variance = np.full(clean.shape, 0.05**2, np.float32)
    errors = [np.mean(np.square(refine(noisy, pilot, variance, c).image - clean)) for c in (None, soft_correlation())]
    assert errors[1] < 0.7 * errors[0]


def test_a_channel_without_noise_is_kept() -> None:
    clean = stripes(40, 40, 2)
    noisy = clean.copy()
    noisy[0] += np.random.default_rng(3).normal(0, 0.1, clean[0].shape)
    variance = np.zeros_like(clean)
    variance[0] = 0.01
    refined = refine(noisy, clean, variance).image
    np.testing.assert_allclose(refined[1], clean[1], atol=1e-3)
    assert np.square(refined - clean)[0].mean() < 0.002


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 3, 5), (1, 8, 40), (2, 14, 14)])
def test_images_too_small_for_a_group_are_left_to_the_pilot(shape: tuple[int, int, int]) -> None:
    pilot = np.random.default_rng(4).random(shape).astype(np.float32)
    np.testing.assert_array_equal(refine(pilot + 0.1, pilot, np.full(shape, 0.01, np.float32)).image, pilot)


def test_bad_arguments_are_refused() -> None:
    image = np.zeros((1, 9, 9), np.float32)
    for change in ({"stride": 9}, {"reach": -1}, {"fewest": 0}, {"most": 5}, {"similar": -1.0}, {"negligible": -1.0}):
        with pytest.raises(RuntimeError, match=next(iter(change))):
            engine.filter_patches(image, image, image + 1, WHITE, **{**OPTIONS, **EVERY, **change})
    with pytest.raises(RuntimeError, match="smaller than a patch"):
        engine.filter_patches(image[:, :7], image[:, :7], image[:, :7], WHITE, **OPTIONS, **EVERY)
