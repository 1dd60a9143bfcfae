"""Models: drawing at any size, kernels in user terms, files."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import napari_rsmoe
from napari_rsmoe import Kernels, Model, ModelFileError
from napari_rsmoe.images import ImageFormat


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


# ---------------------------------------------------------------------- drawing


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


# ---------------------------------------------------------------------- files


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(1, 50), st.integers(1, 5), st.sampled_from(["smoe", "rbf"]),
    st.sampled_from(["|u1", "<u2", ">i4", "<f4", "<f8"]),
    st.booleans(), st.dictionaries(st.text(max_size=8), st.one_of(st.integers(-9, 9), st.text(max_size=8)), max_size=3),
)  # fmt: skip
def test_a_file_holds_the_model_exactly(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    n: int,
    channels: int,
    mode: str,
    dtype: str,
    linear: bool,
    extra: dict,
) -> None:
    rng = torch.Generator().manual_seed(seed)
    geometry = torch.rand(n, 6, generator=rng) + 0.1
    layout = ImageFormat(dtype, None if channels == 1 else seed % 3, seed / 7, seed / 7 + 1 / 3)
    experts = torch.rand(n, (3 if linear else 1) * channels, generator=rng)
    model = Model(geometry, experts, (5, 7), layout, mode=mode, linear=linear, metadata=extra)
    path = tmp_path_factory.mktemp("models") / "a.rsmoe"
    model.save(path)
    loaded = Model.load(path)
    assert torch.equal(loaded.geometry, model.geometry)
    assert torch.equal(loaded.experts, model.experts)
    assert (loaded.shape, loaded.layout, loaded.metadata) == ((5, 7), layout, extra)
    assert (loaded.mode, loaded.linear) == (mode, linear)


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.rsmoe"
    model = some_model()
    model.save(path)
    before = path.read_bytes()
    model.metadata["bad"] = object()
    with pytest.raises(TypeError):
        model.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "text":
        path.write_bytes(b"this is not a model\n" * 20)
    elif how == "foreign":
        save_file({"weight": torch.zeros(3)}, path)
    elif how == "no kernels":
        save_file(
            {"geometry": torch.zeros(3, 6)}, path, {"format": "napari-rsmoe model", "version": "1", "model": "{}"}
        )
    elif how == "bad header":
        save_file({"a": torch.zeros(1)}, path, {"format": "napari-rsmoe model", "version": "1", "model": "{"})
    elif how == "no version":
        save_file({"a": torch.zeros(1)}, path, {"format": "napari-rsmoe model"})
    elif how == "not finite":
        header = {"shape": [3, 3], "mode": "smoe", "linear": False, "confidence": 0.0, "metadata": {},
                  "image": {"dtype": "|u1", "channel_axis": None, "low": 0, "high": 1}}  # fmt: skip
        save_file({"geometry": torch.full((2, 6), math.nan), "experts": torch.zeros(2, 1)}, path,
                  {"format": "napari-rsmoe model", "version": "1", "model": json.dumps(header)})  # fmt: skip


@pytest.mark.parametrize(
    "how", ["empty", "cut", "text", "foreign", "no kernels", "bad header", "no version", "not finite"]
)
def test_damaged_files_get_a_clear_error(tmp_path: Path, how: str) -> None:
    path = tmp_path / "a.rsmoe"
    some_model().save(path)
    damage(path, how)
    with pytest.raises(ModelFileError, match=r"a\.rsmoe"):
        Model.load(path)


def test_newer_files_ask_for_an_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "a.rsmoe"
    save_file({"a": torch.zeros(1)}, path, {"format": "napari-rsmoe model", "version": "99", "model": "{}"})
    with pytest.raises(ModelFileError, match="upgrade"):
        Model.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Model.load(tmp_path / "nowhere.rsmoe")


def test_figures_of_a_model() -> None:
    model = napari_rsmoe.fit(np.arange(40 * 50, dtype=np.float32).reshape(40, 50), 30, iterations=20)
    assert 1 <= model.kernels_per_tile() <= 30
    assert model.flops_per_pixel() > model.kernels_per_tile()
