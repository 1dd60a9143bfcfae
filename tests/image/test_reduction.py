"""Reductions against plain sums, and their inverses."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rsmoe.image.reduction import REDUCTIONS, Reduction


def test_means_over_blocks() -> None:
    image = np.random.default_rng(0).random((2, 12, 9)).astype(np.float32)
    blocks = image.reshape(2, 4, 3, 3, 3).mean((2, 4))
    assert np.allclose(Reduction.of((12, 9), (4, 3)).reduced(image), blocks, atol=1e-6)


def test_parts_of_pixels_count_by_their_area() -> None:
    """Three pixels of 5/3: the first is a pixel and two thirds of the next."""
    line = np.array([[[1.0, 2, 4, 8, 16]]], np.float32)
    expected = [(1 + 2 * 2 / 3) / (5 / 3), (2 / 3 + 4 + 8 / 3) / (5 / 3), (8 * 2 / 3 + 16) / (5 / 3)]
    assert np.allclose(Reduction.of((1, 5), (1, 3)).reduced(line)[0, 0], expected, atol=1e-6)


@pytest.mark.parametrize("kind", REDUCTIONS)
@pytest.mark.parametrize("small", [(10, 8), (7, 13), (24, 24)])
def test_what_is_added_agrees_and_changes_nothing_else(kind: str, small: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    large, target = rng.random((1, 24, 24)).astype(np.float32), rng.random((1, *small)).astype(np.float32)
    reduction = Reduction.of((24, 24), small, kind, ridge=1e-9)
    done = reduction.added(large, target)
    assert np.allclose(reduction.reduced(done), target, atol=1e-3)
    assert np.allclose(reduction.undetermined(done), reduction.undetermined(large), atol=1e-3)
    assert np.allclose(reduction.reduced(np.ones((1, 24, 24), np.float32)), 1, atol=1e-6)
