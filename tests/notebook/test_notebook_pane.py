"""What the viewer pane sends to the browser, `show`, and the kernel explorer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from widget_traffic import Traffic

from napari_rsmoe import ImageError, Kernels, Model, denoise, fit
from napari_rsmoe.notebook import ImagePane, KernelExplorer, show
from napari_rsmoe.notebook.explorer import FEATURES, Choice

Until = Callable[..., None]


def picture(sent: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(sent["data"], np.uint8).reshape(*sent["size"], 3)


def many_kernels(count: int, size: int) -> Model:
    rng = np.random.default_rng(1)
    kernels = Kernels(
        rng.uniform(0, size, (count, 2)), np.sort(rng.uniform(1, 4, (count, 2)))[:, ::-1],
        rng.uniform(-1.5, 1.5, count), rng.uniform(0.5, 1, count), rng.uniform(0, 1, (count, 3)),
    )  # fmt: skip
    return Model.from_kernels(kernels, (size, size))


@pytest.fixture(scope="module")
def model(image: np.ndarray) -> Model:
    return fit(image, 60, preset="fast", iterations=50)


def test_an_image_travels_as_it_is_seen(image: np.ndarray) -> None:
    np.testing.assert_array_equal(picture(show(image).before), image)
    sixteen = image[..., 0].astype(np.uint16) * 100
    seen = picture(show(sixteen).before)
    np.testing.assert_array_equal(seen[..., 0], seen[..., 2])
    assert seen.min() == 0
    assert seen.max() == 255
    with_hole = np.where(image[..., 0] > 100, 1.0, np.nan)
    assert set(np.unique(picture(show(with_hole).before))) <= {0, 255}


def test_a_large_image_is_sent_small_and_the_part_in_view_fine(traffic: Traffic, until: Until) -> None:
    large = np.random.default_rng(0).integers(0, 255, (1500, 3000), np.uint8)
    pane = show(large)
    assert pane.before["size"] == [512, 1024]
    assert pane.size == [1500, 3000]
    assert sum(message.size for message in traffic.of(pane)) < 4e6
    pane.view = {"box": [100.0, 200.0, 400.0, 800.5], "pixels": [600, 1201]}
    until(lambda: pane.detail)
    assert pane.detail["before"]["box"] == [100, 200, 400, 801]
    np.testing.assert_array_equal(picture(pane.detail["before"])[..., 0], large[100:400, 200:801])
    pane.view = {"box": [0.0, 0.0, 1500.0, 3000.0], "pixels": [300, 600]}
    until(lambda: not pane.detail)


def test_kernels_are_sent_when_they_are_shown(model: Model, image: np.ndarray, until: Until) -> None:
    pane = ImagePane([image], [model.render()], models=[model])
    assert pane.kernels is None
    pane.show_kernels = True
    until(lambda: pane.kernels is not None)
    table = np.frombuffer(pane.kernels["data"], "<f4").reshape(60, 10)
    kernels = model.kernels()
    columns = [np.arange(60), *kernels.center.T, *kernels.axes.T, kernels.angle, kernels.weight, *kernels.expert.T]
    np.testing.assert_allclose(table, np.stack(columns, 1), rtol=1e-6)
    assert pane.texts["note"] == "60 kernels"
    pane.show_kernels = False
    until(lambda: pane.kernels is None)


def test_of_very_many_kernels_those_in_view_are_sent(until: Until) -> None:
    model = many_kernels(25_000, 500)
    pane = ImagePane([], [np.zeros((500, 500))], models=[model], show_kernels=True)
    assert len(pane.kernels["data"]) == 10_000 * 10 * 4
    assert pane.texts["note"] == "10000 of 25000 kernels"
    pane.view = {"box": [0.0, 0.0, 100.0, 100.0], "pixels": [400, 400]}
    until(lambda: len(pane.kernels["data"]) < 10_000 * 10 * 4)
    rows = np.frombuffer(pane.kernels["data"], "<f4").reshape(-1, 10)[:, 0].astype(int)
    assert set(np.flatnonzero((model.kernels().center < 100).all(1))) <= set(rows)
    assert (model.kernels().center[rows] < 104).all()


def test_planes_follow_the_slider_at_a_bounded_pace(traffic: Traffic, until: Until) -> None:
    stack = np.arange(12, dtype=np.uint8)[:, None, None] * np.ones((16, 20), np.uint8)
    pane = show(stack)
    assert pane.n_planes == 12
    for number in range(1, 12):
        pane.plane = number
    until(lambda: picture(pane.before)[0, 0, 0] == 11)
    assert pane.texts["plane"] == "Z 11"
    assert len(traffic.pictures(pane)) == 2  # the first plane and the last


def test_show_results(model: Model, image: np.ndarray, until: Until) -> None:
    pane = show(model, before=image)
    np.testing.assert_array_equal(picture(pane.before), image)
    np.testing.assert_array_equal(picture(pane.after), model.render())
    assert pane.kernels is not None
    assert "uncertainty" not in pane.texts
    result = denoise(np.moveaxis(image, -1, 0), models=2, preset="fast", channel_axis=0)
    pane = show([result, result])
    assert pane.n_planes == 2
    np.testing.assert_array_equal(picture(pane.after), np.moveaxis(result.image, 0, -1))
    assert pane.uncertainty is None
    pane.show_uncertainty = True
    until(lambda: pane.uncertainty is not None)
    assert len(np.unique(picture(pane.uncertainty))) > 20
    both = show(image, before=image[::2, ::2])  # of another resolution
    assert both.size == [32, 40]
    assert both.after["size"] == [64, 80]
    with pytest.raises(ImageError, match="planes"):
        show([model, model], before=image)


def test_explore(model: Model, image: np.ndarray, until: Until) -> None:
    explorer = KernelExplorer(model, image)
    long = model.kernels().axes[:, 0]
    explorer.range.index = (0, 50)
    middle = explorer.range.value[1]
    assert middle == pytest.approx(np.median(long), rel=1e-3)
    until(lambda: explorer.pane.texts["note"] == f"{(long <= middle).sum()} of 60 kernels")
    explorer.remove_button.click()
    assert explorer.result.n_kernels == (long > middle).sum()
    explorer.feature.value = "brightness"
    explorer.edit(Choice("brightness", 0.0, 150.0))
    explorer.sharpen.value = 1.4
    names: dict[str, Any] = {"model": model}
    exec(explorer.code(), names)
    np.testing.assert_array_equal(names["result"].geometry, explorer.result.geometry)
    until(lambda: np.array_equal(picture(explorer.pane.after), names["image"]))
    explorer.undo()
    explorer.undo_button.click()
    assert explorer.result is model
    explorer.edit(Choice("x (px)", -20.0, -10.0))
    assert explorer.result is model
    assert "at least one kernel" in explorer.message.value


@pytest.mark.parametrize("feature", FEATURES)
def test_the_code_of_a_feature_is_what_is_computed(feature: str, model: Model) -> None:
    expression, compute = FEATURES[feature]
    kernels = model.kernels()
    np.testing.assert_array_equal(eval(expression, {"np": np, "kernels": kernels}), compute(kernels))


def test_explorer_wants_a_model() -> None:
    with pytest.raises(TypeError, match=r"Model is needed.*not list"):
        KernelExplorer([1, 2])  # type: ignore[arg-type]
