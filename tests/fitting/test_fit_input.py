"""What a fit accepts and refuses: sizes, types, layouts, and parameters."""

from __future__ import annotations

import dask.array
import numpy as np
import pytest

from napari_rsmoe import ImageError, fit


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (16, 16), (17, 31)], ids=str)
@pytest.mark.parametrize("n_kernels", [1, 7, 300])
def test_any_size(shape: tuple[int, int], n_kernels: int) -> None:
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    n_kernels = min(n_kernels, image.size)
    model = fit(image, n_kernels, iterations=30)
    assert model.n_kernels == n_kernels
    rendered = model.render()
    assert rendered.shape == shape
    assert np.isfinite(rendered).all()


@pytest.mark.parametrize("dtype", ["u1", "i1", "<u2", ">u2", "i2", "<i4", ">i4", "u4", "i8", "f2", "<f4", ">f4", "f8"])
def test_type_and_range_are_kept(dtype: str) -> None:
    kind = np.dtype(dtype)
    ramp = np.add.outer(np.arange(24), 2.0 * np.arange(30)) / 81.0  # 0..1
    low, high = (-3.5, 40.0) if kind.kind == "f" else (np.iinfo(kind).min // 2, np.iinfo(kind).max // 2)
    image = (low + ramp * (high - low)).astype(kind)
    rendered = fit(image, 40, iterations=100).render()
    assert rendered.dtype == kind
    span = float(image.max()) - float(image.min())
    assert np.abs(rendered.astype(float) - image.astype(float)).mean() < 0.02 * span
    assert rendered.min() >= image.min()
    assert rendered.max() <= image.max()


@pytest.mark.parametrize("value", [0, 7, -3.25, 1e30])
def test_a_constant_image_stays_constant(value: float) -> None:
    image = np.full((20, 33), value, np.float32)
    np.testing.assert_array_equal(fit(image, 9, iterations=20).render(), image)
    np.testing.assert_array_equal(fit(image, 9, iterations=20).render(scale=2), np.full((40, 66), value, np.float32))


def test_channels_go_back_where_they_were(photograph: np.ndarray) -> None:
    last = fit(photograph, 50, iterations=30).render()
    first = fit(photograph.transpose(2, 0, 1), 50, iterations=30, channel_axis=0).render()
    np.testing.assert_array_equal(first.transpose(1, 2, 0), last)
    rgba = np.dstack([photograph, np.full(photograph.shape[:2], 255, np.uint8)])
    assert (fit(rgba, 50, iterations=30).render()[..., 3] == 255).all()
    many = np.concatenate([photograph] * 6, axis=2)[:32, :40]
    assert fit(many, 50, iterations=30, channel_axis=-1).render().shape == (32, 40, 18)


def test_memory_order_and_laziness_change_nothing(photograph: np.ndarray) -> None:
    expected = fit(photograph, 50, iterations=30).render()
    for same in (
        np.asfortranarray(photograph),
        np.repeat(photograph, 2, axis=1)[:, ::2],
        photograph[::-1][::-1],
        dask.array.from_array(photograph, chunks=(40, 50, 3)),
        photograph.tolist(),
    ):
        kind = np.uint8 if isinstance(same, list) else None
        image = np.array(same, kind) if kind else same
        np.testing.assert_array_equal(fit(image, 50, iterations=30).render(), expected)


def with_value(value: float) -> np.ndarray:
    image = np.zeros((8, 8))
    image[3, 4] = value
    return image


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (with_value(np.nan), "1 NaN or infinite"),
        (with_value(np.inf), "NaN or infinite"),
        (np.zeros((0, 5)), "empty"),
        (np.zeros((8, 8), bool), "boolean"),
        (np.zeros((8, 8), complex), "complex"),
        (np.full((8, 8), "a"), "type"),
        (np.zeros((5, 8, 8)), "channel_axis=0, 1 or 2"),
        (np.zeros((2, 5, 8, 8)), "name the axes"),
        (np.zeros(9), "accepted are"),
        (np.ma.masked_equal(with_value(3.0), 3.0), "weight="),
        (with_value(1e308) - 1e308, "too wide"),
    ],
)
def test_bad_images_are_refused_with_a_way_out(image: np.ndarray, message: str) -> None:
    if message == "too wide":
        image = np.array([[-1.7e308, 1.7e308]])
    with pytest.raises(ImageError, match=message):
        fit(image, 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_kernels": 0}, "n_kernels=0"),
        ({"n_kernels": 2.5}, "n_kernels=2.5"),
        ({"iterations": -1}, "iterations=-1"),
        ({"preset": "magic"}, "default, fast, best, paper|use one of"),
        ({"start": "magic"}, "start"),
        ({"mode": "magic"}, "smoe"),
        ({"experts": "magic"}, "constant"),
        ({"n_kernels": "many"}, "n_kernels='many'"),
        ({"n_kernels": np.inf}, "n_kernels=inf"),
        ({"n_kernels": np.nan}, "n_kernels=nan"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 1.5}, "seed=1.5"),
        ({"n_kernels": "auto", "psnr": "30"}, "psnr='30'"),
        ({"n_kernels": "auto", "psnr": 4000.0}, "at most 300"),
        ({"weight": np.full((16, 16), "a")}, "weight has type"),
        ({"psnr": 30.0}, "not both"),
        ({"n_kernels": "auto", "psnr": -3.0}, "psnr=-3"),
        ({"time": 0.0}, "time=0"),
        ({"time": 1.0, "iterations": 5}, "time alone"),
        ({"start": "random", "threshold": 10.0}, "threshold is for"),
        ({"start": "random", "allocation": "paper"}, "allocation is for"),
        ({"start": "segmentation", "allocation": "fair"}, "content, area, paper"),
        ({"device": "magic"}, "auto, cpu, cuda"),
        ({"channel_axis": 2}, "3-D"),
        ({"channel_axis": True}, "axis number"),
        ({"weight": np.ones((3, 3))}, "weight has shape"),
        ({"weight": np.zeros((16, 16))}, "positive"),
        ({"weight": np.full((16, 16), np.nan)}, "finite"),
    ],
    ids=str,
)
def test_bad_parameters_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises((ValueError, RuntimeError), match=message):
        fit(np.eye(16), **({"n_kernels": 5} | options))  # type: ignore[arg-type]
