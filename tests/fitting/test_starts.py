"""Starts: what holds for all of them, and what each is for."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_rsmoe.fitting.starts.cells import allocate, cut_cells
from napari_rsmoe.fitting.starts.content import gradient_density
from napari_rsmoe.fitting.starts.methods import START_METHODS, make_start
from napari_rsmoe.fitting.starts.segmentation import segment_labels
from napari_rsmoe.fitting.starts.start import Start, draw_pixels

EXACT = [
    ("random", {}),
    ("content", {}),
    ("segmentation", {}),
    ("segmentation", {"allocation": "area", "threshold": 10}),
]
"""Starts that give exactly as many kernels as asked for."""


def picture(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Smooth shapes in [0, 1], float32."""
    noise = np.random.default_rng(seed).random(shape)
    soft = gaussian_filter(noise, (3, 3, 0))
    span = soft.max() - soft.min()
    return ((soft - soft.min()) / span if span else soft).astype(np.float32)


def step_picture(size: int = 96) -> np.ndarray:
    """Flat on the left, a fine grating on the right."""
    image = np.full((size, size, 1), 0.5, np.float32)
    image[:, size // 2 :, 0] += 0.4 * np.sin(np.arange(size // 2, dtype=np.float32))
    return image


@st.composite
def pictures(draw: st.DrawFn) -> np.ndarray:
    shape = (draw(st.integers(1, 30)), draw(st.integers(1, 30)), draw(st.sampled_from([1, 2, 3, 4, 16])))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    image = draw(
        st.sampled_from(
            [
                rng.random(shape),
                np.full(shape, 0.3),
                np.zeros(shape),
                rng.normal(0, 30, shape),  # beyond [0, 1]
                (np.indices(shape[:2]).sum(0)[..., None] % 2) * np.ones(shape[2]),
            ]
        )
    )
    return image.astype(np.float32)


def check(start: Start, image: np.ndarray, n_kernels: int) -> None:
    height, width, channels = image.shape
    assert start.centers.shape == (n_kernels, 2)
    assert start.sigmas.shape == (n_kernels,)
    assert start.experts.shape == (n_kernels, channels)
    assert len(start) == n_kernels
    for array in (start.centers, start.sigmas, start.experts):
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
    assert (start.sigmas > 0).all()
    assert (start.centers >= -0.5).all()
    assert (start.centers <= np.array([height, width]) - 0.5).all()
    tolerance = 1e-6 * np.abs(image).max()
    assert (start.experts >= image.min((0, 1)) - tolerance).all()
    assert (start.experts <= image.max((0, 1)) + tolerance).all()


@pytest.mark.parametrize(("name", "options"), EXACT)
@settings(max_examples=60, deadline=None)
@given(pictures(), st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_every_start_on_every_image(
    name: str, options: dict[str, Any], image: np.ndarray, n_kernels: int, seed: int
) -> None:
    before = image.copy()
    start = make_start(name, image, n_kernels, np.random.default_rng(seed), **options)
    check(start, image, n_kernels)
    np.testing.assert_array_equal(image, before)
    again = make_start(name, image, n_kernels, np.random.default_rng(seed), **options)
    for key in ("centers", "sigmas", "experts"):
        np.testing.assert_array_equal(getattr(start, key), getattr(again, key))


@pytest.mark.parametrize(("name", "options"), EXACT)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 3), (1, 57, 3), (57, 1, 2)])
@pytest.mark.parametrize("n_kernels", [1, 7, 1000])
def test_thin_images(name: str, options: dict[str, Any], shape: tuple[int, int, int], n_kernels: int) -> None:
    image = picture(shape)
    check(make_start(name, image, n_kernels, np.random.default_rng(0), **options), image, n_kernels)


@pytest.mark.parametrize(("name", "options"), EXACT)
def test_seeds_give_different_starts(name: str, options: dict[str, Any]) -> None:
    image = picture((40, 50, 3))
    a, b = (make_start(name, image, 60, np.random.default_rng(seed), **options) for seed in (0, 1))
    # Different places, not the same ones jittered within their pixels.
    distance = np.abs(a.centers[:, None] - b.centers[None]).max(-1).min(1)
    assert np.mean(distance > 1) > 0.3


@pytest.mark.parametrize("name", START_METHODS)
@pytest.mark.parametrize(
    ("image", "n_kernels", "message"),
    [
        (np.zeros((4, 4, 1), np.float32), 0, "n_kernels"),
        (np.zeros((4, 4), np.float32), 5, "float32 image"),
        (np.zeros((4, 4, 1), np.float64), 5, "float32 image"),
        (np.zeros((0, 4, 1), np.float32), 5, "float32 image"),
    ],
)
def test_unusable_requests(name: str, image: np.ndarray, n_kernels: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_start(name, image, n_kernels, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("random", {"sigma": 0}, "sigma"),
        ("random", {"sigma": math.inf}, "sigma"),
        ("content", {"mix": 1.0}, "mix"),
        ("content", {"mix": -0.1}, "mix"),
        ("content", {"scale": 0}, "scale"),
        ("content", {"sigma_range": (2, 1)}, "sigma_range"),
        ("segmentation", {"scale": -1}, "scale"),
        ("segmentation", {"allocation": "fair"}, "allocation"),
        ("segmentation", {"threshold": -1}, "threshold"),
        ("gradient", {}, "content, random, segmentation"),
    ],
)
def test_unusable_options(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_start(name, picture((8, 8, 1)), 5, np.random.default_rng(0), **options)


# --- drawing -----------------------------------------------------------------------------------------------


def test_pixels_are_drawn_without_replacement_until_they_run_out() -> None:
    rng = np.random.default_rng(0)
    weights = rng.random(50) + 0.01
    for count in (0, 1, 49, 50, 51, 130):
        pixels = draw_pixels(weights, count, rng)
        times = np.bincount(pixels, minlength=50)
        assert times.sum() == count
        assert set(times) <= {count // 50, count // 50 + 1}
        assert (np.diff(pixels) >= 0).all()


def test_drawing_follows_the_weights() -> None:
    """Pixel i is drawn first with probability w_i, and second with one that is known as well."""
    weights = np.array([0.5, 0.3, 0.15, 0.05])
    expected = [w + sum(v * w / (1 - v) for v in np.delete(weights, i)) for i, w in enumerate(weights)]
    rng = np.random.default_rng(5)
    trials = 20_000
    counts = np.sum([np.bincount(draw_pixels(7 * weights, 2, rng), minlength=4) for _ in range(trials)], axis=0)
    deviation = np.sqrt(np.array(expected) * (1 - np.array(expected)) / trials)
    assert (np.abs(counts / trials - expected) < 4.5 * deviation).all()


# --- random ------------------------------------------------------------------------------------------------


def test_random_start_is_uniform_and_five_pixels_wide() -> None:
    image = picture((60, 90, 3))
    start = make_start("random", image, 6000, np.random.default_rng(2))
    np.testing.assert_array_equal(start.sigmas, 5)
    boxes, _, _ = np.histogram2d(*start.centers.T, bins=(4, 6), range=((-0.5, 59.5), (-0.5, 89.5)))
    assert (np.abs(boxes - 250) < 5 * np.sqrt(250)).all()
    y, x = np.rint(start.centers).astype(int).T
    np.testing.assert_array_equal(start.experts, image[y, x])
    np.testing.assert_array_equal(
        make_start("random", image, 5, np.random.default_rng(2), sigma=2.5).sigmas, np.float32(2.5)
    )


# --- content -----------------------------------------------------------------------------------------------


def test_density_of_a_flat_image_is_uniform() -> None:
    for image in (np.zeros((9, 7, 2)), np.full((9, 7, 2), 0.3), np.full((1, 1, 1), 5.0)):
        density = gradient_density(image.astype(np.float32))
        np.testing.assert_allclose(density, 1 / density.size)


def test_density_sums_to_one_and_has_its_floor() -> None:
    density = gradient_density(step_picture(), 0.7)
    assert density.sum() == pytest.approx(1)
    assert density.min() == pytest.approx(0.3 / density.size)
    np.testing.assert_allclose(gradient_density(step_picture() * 1000, 0.7), density, rtol=1e-4)


@pytest.mark.parametrize("name", ["content", "segmentation"])
def test_more_and_smaller_kernels_where_the_image_changes(name: str) -> None:
    start = make_start(name, step_picture(), 300, np.random.default_rng(0))
    busy = start.centers[:, 1] > 48
    assert busy.mean() > 0.85
    assert np.median(start.sigmas[busy]) < 0.5 * np.median(start.sigmas[~busy])


def test_content_start_holds_no_pixel_twice() -> None:
    start = make_start("content", step_picture(), 3000, np.random.default_rng(0))
    assert np.unique(np.rint(start.centers), axis=0).shape[0] > 2990  # a tie of rint at a pixel's edge is possible


def test_content_scale_on_a_flat_image() -> None:
    image = np.full((50, 80, 1), 0.5, np.float32)
    start = make_start("content", image, 40, np.random.default_rng(0), scale=0.4)
    np.testing.assert_allclose(start.sigmas, 0.4 * 10, rtol=1e-6)  # 100 px each: 10 px apart
    few = make_start("content", image, 1, np.random.default_rng(0), sigma_range=(1, 20))
    many = make_start("content", image, 40_000, np.random.default_rng(0), sigma_range=(1, 20))
    assert few.sigmas == 20
    assert (many.sigmas == 1).all()


# --- segmentation ------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.one_of(st.integers(0, 50), st.floats(1e-6, 1e6)), min_size=1, max_size=60).filter(lambda w: max(w) > 0),
    st.integers(0, 500),
)
def test_allocation_is_exact_and_proportional(weights: list[float], count: int) -> None:
    shares = np.array(weights, np.float64)
    given_out = allocate(shares, count)
    assert given_out.sum() == count
    assert (given_out >= 0).all()
    assert (given_out[shares == 0] == 0).all()
    # Webster: nobody's last kernel was less due than anybody's next one.
    with np.errstate(divide="ignore", invalid="ignore"):
        last = np.where(given_out > 0, (given_out - 0.5) / shares, 0)
        following = np.where(shares > 0, (given_out + 0.5) / shares, np.inf)
    assert last.max() <= following.min() * (1 + 1e-12)


def test_allocation_examples() -> None:
    np.testing.assert_array_equal(allocate(np.array([60.0, 30.0, 10.0]), 10), [6, 3, 1])
    np.testing.assert_array_equal(allocate(np.array([1000.0, 1.0, 1.0]), 10), [10, 0, 0])
    np.testing.assert_array_equal(allocate(np.ones(5), 3), [1, 1, 1, 0, 0])  # more segments than kernels
    np.testing.assert_array_equal(allocate(np.array([5.0, 5.0, 90.0]), 10).min(), 0)
    np.testing.assert_array_equal(allocate(np.array([7.0, 7.0, 86.0]), 10), [1, 1, 8])  # over half of an average


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 25), st.integers(1, 25), st.integers(1, 6), st.integers(1, 700), st.integers(0, 2**32 - 1))
def test_cells_partition_their_segments(height: int, width: int, n_labels: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_labels, (height, width)).astype(np.int32)
    labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32)
    weights = rng.random((height, width)) + 0.01
    pixels, edges = cut_cells(labels, weights, count, rng)
    assert edges.size == count + 1
    assert edges[0] == 0
    assert edges[-1] == pixels.size
    assert (np.diff(edges) >= 0).all()
    assert np.unique(pixels).size == pixels.size
    owners = labels.ravel()[pixels]
    for begin, end in pairwise(edges):
        assert np.unique(owners[begin : max(end, begin + 1)]).size == 1
    served = np.bincount(owners[edges[:-1]], minlength=labels.max() + 1)
    shares = np.bincount(labels.ravel(), weights.ravel())
    np.testing.assert_array_equal(served, allocate(shares, count))
    np.testing.assert_array_equal(np.sort(pixels), np.flatnonzero(served[labels.ravel()]))


def test_cells_have_about_equal_weight() -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros((64, 64), np.int32)
    weights = 0.1 + rng.random((64, 64))
    pixels, edges = cut_cells(labels, weights, 100, rng)
    mass = np.add.reduceat(weights.ravel()[pixels], edges[:-1])
    assert np.abs(mass - weights.sum() / 100).max() < weights.max()
    y, x = np.divmod(pixels, 64)
    spread = [np.hypot(np.ptp(y[a:b]), np.ptp(x[a:b])) for a, b in pairwise(edges)]
    assert np.median(spread) < 14  # 41 px a cell: a compact one is 6 to 7 px wide


@pytest.mark.parametrize("allocation", ["content", "area", "paper"])
def test_kernels_lie_in_their_segments(allocation: str) -> None:
    """Two flat halves of different colour: no kernel has a mixed colour, and each has that of its place."""
    image = np.zeros((60, 60, 3), np.float32)
    image[:, 23:] = (0.9, 0.5, 0.1)
    start = make_start("segmentation", image, 80, np.random.default_rng(0), allocation=allocation, blur=0)
    y, x = np.rint(start.centers).astype(int).clip(0, 59).T
    edge = np.abs(start.centers[:, 1] - 22.5) < 0.01  # rint may go either way there
    np.testing.assert_allclose(start.experts[~edge], image[y, x][~edge], atol=1e-6)


def test_area_allocation_gives_every_kernel_as_many_pixels() -> None:
    image = np.zeros((60, 60, 1), np.float32)
    image[:, 30:] = np.where(np.indices((60, 30)).sum(0)[..., None] % 16 < 8, 0.45, 0.55)
    start = make_start("segmentation", image, 100, np.random.default_rng(0), allocation="area", scale=0.5)
    assert abs((start.centers[:, 1] > 29.5).sum() - 50) <= 1
    np.testing.assert_allclose(start.sigmas, 0.5 * 6, atol=0.3)  # 36 px each


def test_expert_is_the_mean_of_the_cell() -> None:
    rng = np.random.default_rng(0)
    image = (0.5 + rng.normal(0, 0.02, (50, 50, 2))).astype(np.float32)
    one = make_start("segmentation", image, 1, rng)
    np.testing.assert_allclose(one.experts[0], image.mean((0, 1)), rtol=1e-5)
    many = make_start("segmentation", image, 100, rng, allocation="area")
    assert many.experts.std() == pytest.approx(0.02 / 5, rel=0.25)  # 25 px average the noise down


def test_paper_allocation() -> None:
    image = np.zeros((60, 60, 1), np.float32)
    image[:20] = 0.3
    image[40:, :30] = 0.8

    def start(n_kernels: int) -> Start:
        rng = np.random.default_rng(0)
        return make_start("segmentation", image, n_kernels, rng, allocation="paper", threshold=20, blur=0)

    check(start(25), image, 24)  # 8 in each of three segments, and one is not given
    np.testing.assert_array_equal(np.sort(start(25).experts[:, 0]), np.repeat(np.float32([0, 0.3, 0.8]), 8))
    np.testing.assert_array_equal(start(25).sigmas, 5)
    check(start(9000), image, 9000)  # more than the pixels of the smallest segment
    with pytest.raises(ValueError, match="allocation"):
        start(2)


def test_segments_outnumber_kernels(kodak: Callable[[int], np.ndarray]) -> None:
    image = (kodak(5)[:256, :256] / 255).astype(np.float32)
    segments = segment_labels(image, 10).max() + 1
    assert segments > 40
    for allocation in ("content", "area"):
        start = make_start("segmentation", image, 40, np.random.default_rng(0), threshold=10, allocation=allocation)
        check(start, image, 40)
