"""Models: drawing at any size, kernels in user terms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_rsmoe
from napari_rsmoe import Kernels, Model
from napari_rsmoe.engine import reference
from napari_rsmoe.errors import ImageWarning


def some_kernels(n: int = 40, channels: int = 3, extent: float = 50.0, seed: int = 0) -> Kernels:
    rng = np.random.default_rng(seed)
    axes = np.sort(rng.uniform(1.0, 12.0, (n, 2)))[:, ::-1]
    return Kernels(
        center=rng.uniform(0, extent, (n, 2)),
        axes=axes,
        angle=rng.uniform(-np.pi / 2, np.pi / 2, n),
        weight=rng.uniform(0.2, 5.0, n),
        expert=rng.uniform(10.0, 200.0, (n, channels)),
    )


def some_model(**options: object) -> Model:
    return Model.from_kernels(some_kernels(), (37, 52), **options)  # type: ignore[arg-type]


# ---------------------------------------------------------------------- kernels


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 100.0), st.floats(1.0, 50.0))
def test_kernels_survive_the_engines_terms(seed: int, short: float, ratio: float) -> None:
    rng = np.random.default_rng(seed)
    n = 5
    kernels = Kernels(
        rng.uniform(-10, 300, (n, 2)),
        np.tile([short * ratio, short], (n, 1)),
        rng.uniform(-np.pi / 2, np.pi / 2, n),
        rng.uniform(0.1, 9, n),
        rng.uniform(0, 1, (n, 2)),
    )
    back = Kernels.from_geometry(kernels.geometry(), kernels.expert)
    np.testing.assert_allclose(back.axes, kernels.axes, rtol=1e-6)
    np.testing.assert_allclose(back.weight, kernels.weight, rtol=1e-9)
    if ratio > 1.01:
        turn = np.abs(back.angle - kernels.angle)
        assert np.minimum(turn, np.pi - turn).max() < 1e-4
    np.testing.assert_allclose(back.covariance(), kernels.covariance(), rtol=1e-6, atol=1e-9 * short**2 * ratio**2)


def test_angle_runs_from_x_to_y() -> None:
    """A long kernel at 45 degrees lies along y = x, which runs down to the right."""
    kernels = Kernels([[20.0, 20.0]], [[10.0, 1.0]], [np.pi / 4], [1.0], [[1.0]])
    model = Model.from_kernels(kernels, (41, 41), mode="rbf", value_range=(0.0, 1.0))
    image = model.render()
    assert image[27, 27] > 0.5
    assert image[13, 27] < 0.01


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"axes": [[0.0, 1.0]]}, "positive"),
        ({"weight": [-1.0]}, "positive"),
        ({"center": [[np.nan, 1.0]]}, "NaN"),
        ({"angle": [[1.0]]}, "angle has shape"),
        ({"expert": [1.0]}, "expert has shape"),
    ],
)
def test_impossible_kernels_are_refused(change: dict[str, list[object]], message: str) -> None:
    good = {"center": [[1.0, 2.0]], "axes": [[2.0, 1.0]], "angle": [0.0], "weight": [1.0], "expert": [[3.0]]}
    Kernels(**good)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        Kernels(**(good | change))  # type: ignore[arg-type]


def test_kernels_are_chosen_like_rows() -> None:
    kernels = some_kernels(5)
    for index in (0, np.int64(3), -1):
        one = kernels[index]
        assert len(one) == 1
        np.testing.assert_array_equal(one.center[0], kernels.center[index])
    assert len(kernels[1:4]) == 3
    with pytest.raises(IndexError):
        kernels[5]


@pytest.mark.parametrize(
    ("experts", "options", "message"),
    [
        ([[1.0], [2.0]], {"value_range": (9, 1)}, "smaller one first"),
        ([[1.0], [2.0]], {"value_range": (0, math.inf)}, "value_range"),
        ([[1.0], [2.0]], {"dtype": bool}, "data type"),
        ([[1.0], [1e300]], {}, "more than float32"),
        ([[1.0], [1e300]], {"mode": "rbf", "dtype": np.float64}, r"kernel 1 has expert\[0\] = inf"),
        ([[-1.7e308], [1.7e308]], {"dtype": np.float64}, "too far apart"),
    ],
)
def test_impossible_experts_are_refused(experts: list, options: dict, message: str) -> None:
    kernels = Kernels([[1, 2], [3, 4]], [[2, 1], [2, 1]], [0, 0], [1, 1], experts)
    with pytest.raises(ValueError, match=message):
        Model.from_kernels(kernels, (8, 8), **options)


@pytest.mark.parametrize(("column", "value"), [(0, 1e12), (1, -1e12), (2, 1e30), (3, -1e9), (4, 3e38), (5, 1e20)])
def test_kernels_out_of_bounds_are_named(column: int, value: float) -> None:
    model = some_model()
    geometry = model.geometry.clone()
    geometry[7, column] = value
    with pytest.raises(ValueError, match=f"kernel 7 has {['y', 'x', 'r11', 'r12', 'r22', 'logit'][column]} = "):
        model.with_tensors(geometry, model.experts)
    experts = model.experts.clone()
    experts[4:6, 1] = -1e30
    with pytest.raises(ValueError, match=r"kernel 4 has expert\[1\] = -1e\+30.*\(1 more"):
        model.with_tensors(model.geometry, experts)


# ---------------------------------------------------------------------- drawing


@pytest.mark.parametrize("linear", [False, True])
def test_an_rbf_model_is_the_plain_sum_in_user_units(linear: bool) -> None:
    """The paper's eq. 1: sums of weight times Gaussian times expert, with no offset, and not clipped."""
    kernels = some_kernels(12)
    slope = np.random.default_rng(1).normal(0, 3, (12, 3, 2)) if linear else None
    kernels = Kernels(kernels.center, kernels.axes, kernels.angle, kernels.weight, kernels.expert - 40, slope)
    model = Model.from_kernels(kernels, (37, 52), mode="rbf")
    columns = [kernels.expert] if slope is None else [kernels.expert, slope[..., 0], slope[..., 1]]
    experts = torch.from_numpy(np.concatenate(columns, 1))
    expected = reference.render(
        torch.from_numpy(kernels.geometry()), experts, 37, 52, normalised=False, linear=linear
    ).permute(1, 2, 0)
    assert expected.max() > kernels.expert.max()
    np.testing.assert_allclose(model.render(), expected, atol=0.1)
    y, x = np.mgrid[:37, :52]
    sampled = model.sample(np.column_stack([y.ravel(), x.ravel()])).reshape(37, 52, 3)
    np.testing.assert_allclose(sampled, expected, atol=1e-2)
    np.testing.assert_allclose(model.kernels().expert, kernels.expert, rtol=1e-6)
    np.testing.assert_allclose(model.with_kernels(model.kernels()).render(), model.render(), atol=0.01)
    clipped = Model.from_kernels(kernels, (37, 52), mode="rbf", value_range=(5, 90)).render()
    np.testing.assert_allclose(clipped, model.render().clip(5, 90), atol=0.01)


def test_experts_of_a_fitted_rbf_model_add_to_its_lowest_value() -> None:
    y, x = np.mgrid[:24, :30]
    image = 100 + 50 * np.exp(-((y - 12.0) ** 2 + (x - 15) ** 2) / 60)
    model = napari_rsmoe.fit(image, 20, mode="rbf", iterations=30)
    kernels = model.kernels()
    drawn = reference.render(
        torch.from_numpy(kernels.geometry()), torch.from_numpy(kernels.expert), 24, 30, normalised=False
    )[0]
    low, high = model.layout.low, model.layout.high
    np.testing.assert_allclose(model.render(), (drawn.numpy() + low).clip(low, high), atol=0.05)
    np.testing.assert_allclose(model.with_kernels(kernels).render(), model.render(), atol=1e-3)


@pytest.mark.parametrize("make", [list, tuple, np.array])
def test_sizes_may_be_any_sequence(make: type) -> None:
    model = some_model()
    assert model.render(shape=make([10, 20])).shape == (10, 20, 3)
    assert model.render(scale=make([0.5, 2.0])).shape == (18, 104, 3)
    assert model.render(region=make([0, 0, 5, 6])).shape == (5, 6, 3)
    assert model.render(scale=np.float32(2)).shape == (74, 104, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 1e9}, "at most"),
        ({"scale": 1e300}, "at most"),
        ({"scale": (1e300, 1e-300)}, "at most"),
        ({"shape": (2**20, 2**20)}, "at most"),
        ({"region": (0, 0, 1e9, 1e9), "shape": (4, 4)}, "before averaging"),
        ({"region": (0, 0, 1e-300, 1e-300), "shape": (4, 4)}, "too fine"),
        ({"region": (-1.7e308, 0, 1.7e308, 1)}, "four numbers"),
        ({"region": (0, 0, 4)}, "four numbers"),
        ({"region": "abcd"}, "four numbers"),
        ({"shape": (4.5, 4)}, "whole numbers"),
        ({"shape": (4, 4, 3)}, "whole numbers"),
        ({"shape": 4}, "whole numbers"),
        ({"shape": (True, False)}, "whole numbers"),
        ({"shape": (math.inf, 4)}, "whole numbers"),
        ({"scale": "2"}, "positive numbers"),
        ({"scale": [1, [2, 3]]}, "positive numbers"),
        ({"scale": (1, 2, 3)}, "positive numbers"),
        ({"sharpen": 1e30}, "sharpen"),
        ({"sharpen": "2"}, "sharpen"),
        ({"dtype": bool}, "data type"),
        ({"dtype": complex}, "data type"),
        ({"dtype": object}, "data type"),
    ],
    ids=str,
)
def test_extreme_drawings_are_refused_before_any_work(
    options: dict, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = some_model()
    monkeypatch.setattr("napari_rsmoe.engine.render", lambda *_, **__: pytest.fail("it has begun to draw"))
    with pytest.raises(ValueError, match=message):
        model.render(**options)


def test_the_finest_drawing_works() -> None:
    model = some_model()
    image = model.render(region=(10, 10, 10 + 4e-6, 10 + 4e-6), shape=(4, 4), sharpen=50)
    expected = np.broadcast_to(model.render(region=(10, 10, 10.001, 10.001), shape=(1, 1), sharpen=50), image.shape)
    np.testing.assert_allclose(image, expected, atol=1)


@pytest.mark.parametrize("zoom", [1e3, 9e5])
def test_kernels_far_away_count_at_any_zoom(zoom: float) -> None:
    model = some_model()
    corner = np.array([300.25, 10.25])  # all kernels are hundreds of pixels away
    image = model.render(region=(*corner, *(corner + 2 / zoom)), shape=(2, 2))
    expected = model.sample(corner[None] - 0.5 + 1 / zoom)
    np.testing.assert_allclose(image, np.broadcast_to(expected, image.shape), atol=0.02)


@pytest.mark.parametrize("mode", ["smoe", "rbf"])
def test_the_sharpest_drawing_has_all_kernels(mode: str) -> None:
    model = some_model(mode=mode)
    sharp, sharpest = model.render(sharpen=1e3), model.render(sharpen=1e6)
    assert np.mean(sharp == sharpest) > 0.95


def test_a_drawing_that_leads_out_of_bounds_is_refused() -> None:
    model = some_model()
    geometry = model.geometry.clone()
    geometry[3, 1] = 1e6
    with pytest.raises(ValueError, match=r"in pixels of the drawing, kernel 3 has x = 1e\+12"):
        model.with_tensors(geometry, model.experts).render(region=(0, 0, 1e-5, 1e-5), scale=1e6)


def test_render_agrees_with_sample_everywhere() -> None:
    """Pixel (i, j) of a region at a scale shows the value at the centre of the area it covers."""
    model = some_model()
    region, scale = (3.5, -2.0, 30.0, 41.25), 2.5
    image = model.render(region=region, scale=scale)
    assert image.shape == (round(26.5 * scale), round(43.25 * scale), 3)
    step_y, step_x = 26.5 / image.shape[0], 43.25 / image.shape[1]
    for i, j in [(0, 0), (17, 90), (65, 107), (40, 3)]:
        point = (3.5 + (i + 0.5) * step_y - 0.5, -2.0 + (j + 0.5) * step_x - 0.5)
        low, high = model.layout.low, model.layout.high
        np.testing.assert_allclose(image[i, j], model.sample([point])[0].clip(low, high), atol=0.05)


def test_linear_experts_scale_and_sample() -> None:
    """A ramp from one linear kernel, at any scale; slopes are per pixel of the image."""
    kernels = Kernels([[10.0, 20.0]], [[5.0, 5.0]], [0.0], [1.0], [[100.0]], [[[2.0, -1.0]]])
    model = Model.from_kernels(kernels, (21, 41), value_range=(0, 200))
    y, x = np.mgrid[:21, :41]
    np.testing.assert_allclose(model.render(), 100 + 2.0 * (y - 10) - (x - 20), atol=1e-3)
    fine = model.render(scale=(2, 4))
    np.testing.assert_allclose(fine[1, 6], 100 + 2.0 * (0.25 - 10) - (1.125 - 20), atol=1e-3)
    np.testing.assert_allclose(model.sample([[3.0, 7.0]]), [[100 - 14 + 13]], atol=1e-4)
    back = model.kernels()
    np.testing.assert_allclose(back.slope, kernels.slope, rtol=1e-6)
    np.testing.assert_allclose(model.with_kernels(back).render(), model.render(), atol=1e-3)


def test_a_region_is_a_crop() -> None:
    model = some_model()
    np.testing.assert_allclose(model.render(region=(5, 10, 21, 43)), model.render()[5:21, 10:43], atol=0.05)


def test_shrinking_averages() -> None:
    """At a third of the size a pixel is the mean of the 3 x 3 pixels it covers, so nothing aliases."""
    model = Model.from_kernels(some_kernels(), (36, 51))
    small, full = model.render(scale=1 / 3), model.render()
    np.testing.assert_allclose(small, full.reshape(12, 3, 17, 3, 3).mean((1, 3)), atol=0.05)


def test_shape_may_change_the_aspect() -> None:
    assert some_model().render(shape=(10, 200)).shape == (10, 200, 3)
    assert some_model().render(scale=(2.0, 0.5)).shape == (74, 26, 3)


def test_sharpening_steepens_edges_where_they_are() -> None:
    kernels = Kernels([[8, 10], [8, 22]], [[6, 4], [6, 4]], [0, 0], [1.0, 3.0], [[0.0], [1.0]])
    model = Model.from_kernels(kernels, (16, 32))
    soft, sharp = model.render(scale=8)[64], model.render(scale=8, sharpen=3)[64]
    assert np.abs(np.diff(sharp)).max() > 5 * np.abs(np.diff(soft)).max()
    assert abs(int((soft < 0.5).sum()) - int((sharp < 0.5).sum())) <= 1
    assert sharp.min() >= 0
    assert sharp.max() <= 1
    edited = model.with_kernels(kernels.sharpened(3)).render(scale=8)[64]
    assert edited == pytest.approx(sharp, abs=1e-4)
    with pytest.raises(ValueError, match="sharpen=0"):
        kernels.sharpened(0)


@pytest.mark.parametrize(
    "options",
    [
        {"scale": 0}, {"scale": math.nan}, {"scale": (1.0, -1.0)}, {"shape": (0, 4)}, {"scale": 2, "shape": (4, 4)},
        {"sharpen": 0}, {"sharpen": math.inf}, {"region": (4, 0, 4, 8)}, {"region": (0, 0, math.inf, 8)},
    ],
    ids=str,
)  # fmt: skip
def test_impossible_drawings_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be|not both"):
        some_model().render(**options)  # type: ignore[arg-type]


def test_integers_are_rounded_and_clipped() -> None:
    model = some_model(dtype=np.uint8, value_range=(0, 150))
    exact, rounded = model.render(dtype=np.float64), model.render()
    assert rounded.dtype == np.uint8
    assert exact.max() == 150
    np.testing.assert_array_equal(rounded, np.rint(exact))


def test_edited_kernels_change_the_image() -> None:
    model = some_model()
    kernels = model.kernels()
    same = model.with_kernels(kernels)
    np.testing.assert_allclose(same.render(), model.render(), atol=0.05)
    fewer = model.with_kernels(kernels[kernels.weight > 1])
    assert 0 < fewer.n_kernels < model.n_kernels
    assert np.abs(fewer.render() - model.render()).max() > 1


def test_figures_of_a_model() -> None:
    model = napari_rsmoe.fit(np.arange(40 * 50, dtype=np.float32).reshape(40, 50), 30, iterations=20)
    assert 1 <= model.kernels_per_tile() <= 30
    assert model.flops_per_pixel() > model.kernels_per_tile()


def test_auto_is_float32_where_rounding_costs_much() -> None:
    model = some_model(dtype="uint16", value_range=(0, 1000))
    assert model.render(dtype="same").dtype == model.render(dtype="auto").dtype == np.uint16  # no error is known
    model.metadata |= {"psnr": 90.0, "data_range": 1000.0}  # an error of 0.03
    with pytest.warns(ImageWarning, match="float32 instead of uint16"):
        fine = model.render(dtype="auto")
    np.testing.assert_array_equal(fine, model.render(dtype="float32"))
    model.metadata["psnr"] = 40.0  # an error of 10
    np.testing.assert_array_equal(model.render(dtype="auto"), model.render())
