"""Denormal numbers in images count as zero, whatever state the caller's processor is in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import napari_rsmoe as rsmoe
from napari_rsmoe.image.inputs import Inputs


def content(dtype: type, small: float) -> np.ndarray:
    """Bright rectangles on a ground of random numbers up to `small`."""
    rng = np.random.default_rng(0)
    image = (small * rng.random((40, 48))).astype(dtype)
    image[8:30, 10:40] = rng.random((22, 30)).astype(dtype)
    return image


@pytest.mark.parametrize(("dtype", "small"), [(np.float32, 1e-40), (np.float64, 1e-310)])
def test_results_are_those_of_zeros_whether_or_not_the_caller_flushes(dtype: type, small: float) -> None:
    def results(image: np.ndarray) -> list[Any]:
        denoised = rsmoe.denoise(image, preset="fast", models=2)
        return [rsmoe.fit(image, 60, iterations=20).render(), denoised.image, denoised.std]

    expected = results(content(dtype, 0.0))
    for flush in (False, True):
        torch.set_flush_denormal(flush)
        try:
            found = results(content(dtype, small))
        finally:
            torch.set_flush_denormal(False)
        assert all(np.array_equal(ours, theirs) for ours, theirs in zip(found, expected, strict=True))


def test_nothing_is_denormal_behind_the_door() -> None:
    """Neither what was so small, nor what becomes so in the engine's range; and the given image stays."""
    for image in (content(np.float32, 1e-40), content(np.float64, 1e-310), content(np.float64, 1e-39)):
        before = image.copy()
        pixels = Inputs.of(image).pixels
        assert pixels.max() == 1
        assert not ((pixels != 0) & (np.abs(pixels) < np.finfo(np.float32).tiny)).any()
        assert np.array_equal(image, before)
