"""Coarser levels: what they do to flat places, to texture, and at odd sizes."""

from __future__ import annotations

import numpy as np

from napari_rsmoe.denoising.coarser import coarser_passes, refine_coarser
from napari_rsmoe.denoising.nonlocal_bayes import Refined
from napari_rsmoe.image.blur import blurred
from napari_rsmoe.image.opponent import Opponent

GREY = Opponent.of(1)
DEVIATION = 0.1


def test_blobs_of_noise_leave_flat_places_and_texture_stays() -> None:
    """An estimate whose noise has been removed but for blobs; where its leverage is high, it is believed instead."""
    noise = np.random.default_rng(0).normal(0, DEVIATION, (1, 65, 70)).astype(np.float32)
    noisy, variance = 0.5 + noise, np.full_like(noise, DEVIATION**2)
    estimate = Refined(0.5 + blurred(noise, None, 2.5), np.full_like(noise, 0.01))
    better = refine_coarser(noisy, estimate, variance, None, GREY)
    assert better.image.shape == noisy.shape
    assert np.std(better.image - 0.5) < 0.7 * np.std(estimate.image - 0.5)
    np.testing.assert_array_equal(better.leverage, estimate.leverage)
    followed = Refined(estimate.image, np.ones_like(noise))
    kept = refine_coarser(noisy, followed, variance, None, GREY)
    assert np.abs(kept.image - estimate.image).max() < 0.01 * DEVIATION
    used = np.ones(noise.shape[1:], np.float32)
    used[:20] = 0  # The noisy image holds the estimate there.
    masked = refine_coarser(np.where(used, noisy, estimate.image), estimate, variance, used, GREY)
    assert np.isfinite(masked.image).all()


def test_images_too_small_for_a_group_stay_as_they_are() -> None:
    small = Refined(np.full((1, 24, 24), 0.5, np.float32), np.zeros((1, 24, 24), np.float32))
    assert refine_coarser(small.image, small, np.full_like(small.image, 0.01), None, GREY) is small
    assert coarser_passes((1, 24, 24)) == []
    assert [shape for shape, _ in coarser_passes((3, 65, 70))] == [(3, 33, 35), (3, 17, 18)]
