"""Drawings are made block by block: every pixel once, the same as at once, within bounded memory."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from napari_rsmoe import Kernels, Model
from napari_rsmoe.errors import NotEnoughMemoryError
from napari_rsmoe.fitting.upscale import draw_mean
from napari_rsmoe.memory import limited
from napari_rsmoe.model import raster
from napari_rsmoe.model.raster import BLOCK_VALUES, Raster


def some_model(seed: int = 0, channel_axis: int | None = 2) -> Model:
    rng = np.random.default_rng(seed)
    count, channels = 40, 1 if channel_axis is None else 3
    kernels = Kernels(
        rng.uniform(0, (40, 56), (count, 2)), rng.uniform(2, 9, (count, 2)), rng.uniform(0, 3, count),
        rng.uniform(0.5, 2, count), rng.uniform(0, 250, (count, channels)),
    )  # fmt: skip
    return Model.from_kernels(kernels, (40, 56), dtype="float32", value_range=(0, 255))


@pytest.mark.parametrize(
    ("shape", "scale", "channels"), [((40, 56), 3.7, 3), ((3000, 5000), 1, 1), ((9, 7), 0.1, 2), ((1, 10**6), 2, 5)]
)
def test_blocks_cover_every_sample_once_and_are_bounded(shape: tuple[int, int], scale: float, channels: int) -> None:
    planned = Raster.plan(shape, channels, scale=scale)
    (height, width), (fine_y, fine_x) = planned.shape, planned.fine
    seen, largest = 0, 0
    for block in planned.blocks(channels):
        assert block.samples_y[0][0] == block.rows.start * fine_y
        assert sum(count for _, count in block.samples_x) == (block.columns.stop - block.columns.start) * fine_x
        samples = [tall * wide for _, tall in block.samples_y for _, wide in block.samples_x]
        seen += sum(samples)
        largest = max(largest, *samples)
    assert seen == height * fine_y * width * fine_x
    assert largest <= planned.largest_block(channels) <= max(BLOCK_VALUES // channels, 256)


@pytest.mark.parametrize(
    "placing",
    [
        {"scale": 2.3},
        {"scale": (0.4, 1.0), "sharpen": 1.5},
        {"region": (-3, 5, 31, 44.5), "shape": (9, 70)},
        {"region": (0, 0, 400, 400), "shape": (2, 3)},  # one pixel holds more samples than a block
    ],
)
def test_blocks_draw_the_same_as_at_once(placing: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    models = [some_model(), some_model(1)]
    at_once = models[0].render(**placing), draw_mean(models, **placing)
    monkeypatch.setattr(raster, "BLOCK_VALUES", 3 * 32 * 32)
    by_block = models[0].render(**placing), draw_mean(models, **placing)
    for mine, usual in zip(by_block, at_once, strict=True):
        assert mine.dtype == usual.dtype
        assert mine.flags.c_contiguous
        np.testing.assert_allclose(mine, usual, atol=0.1)  # Tiles elsewhere leave out other faint gates.


@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_channels_lie_where_the_image_has_them(axis: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    model = some_model(channel_axis=axis)
    last = model.render()
    if axis is not None:
        object.__setattr__(model.layout, "channel_axis", axis)
    monkeypatch.setattr(raster, "BLOCK_VALUES", 3 * 16 * 16)
    drawn = model.render()
    np.testing.assert_allclose(drawn, last if axis is None else np.moveaxis(last, -1, axis), atol=0.01)


def test_mean_of_models_is_that_of_their_drawings() -> None:
    models = [some_model(seed) for seed in range(3)]
    exact = sum(model.render(scale=1.5, dtype=np.float64) for model in models) / 3
    np.testing.assert_array_equal(draw_mean(models, scale=1.5), exact.astype(np.float32))


def test_drawing_over_the_budget_is_refused_with_the_numbers_and_the_remedy() -> None:
    model = some_model()
    with limited("300M"), pytest.raises(NotEnoughMemoryError) as refused:
        model.render(scale=200)
    for words in ("Drawing 8000 x 11200 px", "1.", "GiB", "300 MiB", "region", "memory='", "--memory"):
        assert words in str(refused.value)
    assert math.prod(model.render(region=(0, 0, 400, 400), shape=(2, 2)).shape) == 12
