"""Feedback of the residual: what it does to estimates."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from napari_rsmoe.denoising.feedback import MODELS_PER_PASS, MOST_PASSES, passes_for, refine_by_feedback
from napari_rsmoe.denoising.nonlocal_bayes import FARTHEST, MANY, REACH, Refined, passes_after, refine
from napari_rsmoe.image.opponent import Opponent

GREY = Opponent.of(1)
PASSES = passes_for(MODELS_PER_PASS * MOST_PASSES)


def noisy_texture() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A texture, its noisy image, and the variance."""
    y, x = np.mgrid[:64, :72]
    clean = (0.5 + 0.2 * np.sin(x * 1.3) * np.sin(y * 0.9) * (x > 30))[None].astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 0.1, clean.shape).astype(np.float32)
    return clean, clean + noise, np.full_like(clean, 0.01)


def error(image: np.ndarray, clean: np.ndarray) -> float:
    return float(np.mean(np.square(image - clean)))


def test_the_effort_grows_with_the_models() -> None:
    assert [len(passes_for(models)) for models in (1, 4, 8, 16, 400)] == [0, 0, 1, 3, MOST_PASSES]
    assert [passes_after(models)[0].reach for models in (1, 8, MANY, 400)] == [REACH, REACH, FARTHEST, FARTHEST]


def test_restores_content_that_the_estimate_has_lost() -> None:
    clean, noisy, variance = noisy_texture()
    pilot = gaussian_filter(noisy, (0, 2, 2))
    first = refine(noisy, pilot, variance)
    better = refine_by_feedback(noisy, first, first.image, variance, None, GREY, PASSES)
    assert error(better.image, clean) < 0.9 * error(first.image, clean)
    np.testing.assert_array_equal(better.leverage, first.leverage)
    assert refine_by_feedback(noisy, first, first.image, variance, None, GREY, ()) is first


def test_same_bits_for_any_number_of_threads() -> None:
    _, noisy, variance = noisy_texture()
    estimate = Refined(gaussian_filter(noisy, (0, 1, 1)), np.zeros_like(noisy))
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            results.append(refine_by_feedback(noisy, estimate, estimate.image, variance, None, GREY, PASSES).image)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*results)


def test_pixels_that_do_not_count_do_not_tell_how_much_noise_is_left() -> None:
    """They hold the estimate itself; taken for a residual without power, they would raise the threshold around them."""
    clean, noisy, variance = noisy_texture()
    used = np.ones(clean.shape[1:], np.float32)
    used[:, ::2] = 0
    holed = np.where(used == 1, noisy, clean)
    estimate = Refined(gaussian_filter(holed, (0, 1, 1)), np.zeros_like(holed))
    errors = [
        error(refine_by_feedback(holed, estimate, estimate.image, variance, each, GREY, PASSES).image, clean)
        for each in (used, None)
    ]
    assert errors[0] < errors[1]


def test_an_image_of_one_value_and_one_too_small_stay_as_they_are() -> None:
    for shape in ((2, 40, 40), (1, 12, 12)):
        flat = np.full(shape, 0.3, np.float32)
        estimate = Refined(flat, np.zeros_like(flat))
        result = refine_by_feedback(
            flat, estimate, flat, np.full(shape, 0.01, np.float32), None, Opponent.of(shape[0]), PASSES
        )
        np.testing.assert_allclose(result.image, flat, atol=1e-6)
