"""The compiled segmentation, against its plain twin and by its properties."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, label

from napari_rsmoe.engine import segment
from napari_rsmoe.fitting.starts.segmentation import segment_labels
from twins import segmentation as twin


def noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0, 255, shape)


def soft_noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return gaussian_filter(noise(shape, rng), (1, 1, 0))


def few_colours(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 4, shape) * 64.0  # full of ties


def patches(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    blocks = rng.integers(0, 4, (shape[0] // 7 + 1, shape[1] // 7 + 1, shape[2])) * 30.0
    return np.kron(blocks, np.ones((7, 7, 1)))[: shape[0], : shape[1]] + rng.normal(0, 6, shape)


def checkerboard(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return np.broadcast_to(np.indices(shape[:2]).sum(0)[..., None] % 2 * 200.0, shape)


def one_colour(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return np.full(shape, 77.0)


def ramp(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return np.broadcast_to(np.indices(shape[:2]).sum(0)[..., None] * 3.0, shape)


PATTERNS = [noise, soft_noise, few_colours, patches, checkerboard, one_colour, ramp]
THRESHOLDS = [0.0, 5.0, 10.0, 20.0, 40.0, 80.0]


@st.composite
def pictures(draw: st.DrawFn) -> np.ndarray:
    shape = (draw(st.integers(1, 36)), draw(st.integers(1, 36)), draw(st.integers(1, 5)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return draw(st.sampled_from(PATTERNS))(shape, rng).astype(np.float32)


def parts_of(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """4-connected parts of equal label, numbered from 0, and how many there are."""
    parts, count = np.full(labels.shape, -1), 0
    for value in range(labels.max() + 1):
        found, n = label(labels == value)
        parts[found > 0] = found[found > 0] - 1 + count
        count += n
    return parts, count


@settings(max_examples=150, deadline=None)
@given(pictures(), st.sampled_from(THRESHOLDS))
def test_agrees_with_the_twin(image: np.ndarray, threshold: float) -> None:
    np.testing.assert_array_equal(segment(image, threshold), twin.segment(image, threshold))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 3), (1, 120, 3), (120, 1, 1), (2, 40, 16)])
def test_thin_images_agree_with_the_twin(pattern: Callable[..., np.ndarray], shape: tuple[int, ...]) -> None:
    image = pattern(shape, np.random.default_rng(3)).astype(np.float32)
    for threshold in THRESHOLDS:
        np.testing.assert_array_equal(segment(image, threshold), twin.segment(image, threshold))


@settings(max_examples=100, deadline=None)
@given(pictures(), st.sampled_from(THRESHOLDS))
def test_labels_have_no_gaps_and_no_islands_remain(image: np.ndarray, threshold: float) -> None:
    labels = segment(image, threshold)
    assert labels.dtype == np.int32
    assert labels.shape == image.shape[:2]
    values, first = np.unique(labels, return_index=True)
    np.testing.assert_array_equal(values, np.arange(values.size))
    assert (np.diff(first) > 0).all()  # numbered in raster order
    parts, count = parts_of(labels)
    if count > 1:
        assert np.bincount(parts.ravel()).min() >= twin.MIN_ISLAND
    np.testing.assert_array_equal(labels, segment(image, threshold))


@settings(max_examples=50, deadline=None)
@given(pictures(), st.sampled_from(THRESHOLDS))
def test_grown_regions_hang_together(image: np.ndarray, threshold: float) -> None:
    """Of the twin, as only the end can be had of the compiled one. Merging leaves no small ones."""
    grown = twin.grow(image, threshold)
    assert parts_of(grown)[1] == grown.max() + 1
    merged = twin.renumber(twin.merge_small(image, grown))
    if merged.max() > 0:
        assert np.bincount(merged.ravel()).min() >= twin.MIN_SEGMENT


def test_islands_left_by_merging_over_corners_are_given_away() -> None:
    """The pixels of a diagonal line merge over their corners, and then are islands of one pixel each."""
    image = np.zeros((80, 80, 1), np.float32)
    np.fill_diagonal(image[..., 0], 200)
    merged = twin.renumber(twin.merge_small(image, twin.grow(image, 10)))
    assert merged.max() + 1 == 3
    assert np.unique(np.diagonal(merged)).size == 1
    labels = segment(image, 10.0)
    assert labels.max() + 1 == 2
    np.testing.assert_array_equal(labels[np.triu_indices(80, 1)], labels[0, 1])
    np.testing.assert_array_equal(labels[np.tril_indices(80, -1)], labels[1, 0])


def test_two_halves() -> None:
    image = np.zeros((20, 30, 3), np.float32)
    image[:, 17:] = 50
    expected = np.zeros((20, 30), np.int32)
    expected[:, 17:] = 1
    np.testing.assert_array_equal(segment(image, 20.0), expected)
    assert segment(image, 100.0).max() == 0  # a threshold wider than the step


def test_a_ramp_ends_where_it_is_too_far_from_its_seed() -> None:
    """Steps of 3 with threshold 20: 0.62 d^2 + 0.38 * 9 < 400 holds up to d = 24, so for 9 columns."""
    image = np.tile(np.arange(90, dtype=np.float32)[:, None] * 3, (10, 1, 1))
    labels = segment(image, 20.0)
    np.testing.assert_array_equal(labels, np.broadcast_to(np.arange(90) // 9, (10, 90)))


def test_small_segment_joins_the_closest_colour() -> None:
    image = np.zeros((30, 60, 1), np.float32)
    image[:, 30:] = 200
    image[13:17, 28:32] = 140  # across the edge: nearer in colour to the right side
    labels = segment(image, 10.0)
    assert labels.max() == 1
    np.testing.assert_array_equal(labels[13:17, 28:32], 1)


def test_grey_and_replicated_grey_give_the_same_segments(kodak: Callable[[int], np.ndarray]) -> None:
    grey = (kodak(19)[:200, :200, :1] / 255).astype(np.float32)
    np.testing.assert_array_equal(segment_labels(grey, 20), segment_labels(np.tile(grey, 3), 20))


def test_blur_follows_the_threshold() -> None:
    image = np.random.default_rng(0).random((40, 50, 3)).astype(np.float32)
    for threshold, blur in [(5, 3), (10, 3), (15, 2), (20, 1), (30, 1)]:
        expected = segment_labels(image, threshold, blur)
        np.testing.assert_array_equal(segment_labels(image, threshold), expected)
    for bad in ({"threshold": -1}, {"threshold": float("nan")}, {"blur": -1}, {"blur": float("inf")}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            segment_labels(image, **{"threshold": 10, **bad})
