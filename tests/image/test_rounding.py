"""Rounding without bias, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rsmoe import denoise
from napari_rsmoe.image.format import ImageFormat
from napari_rsmoe.image.rounding import rounded_at_random, rounding_costs, typed_result
from napari_rsmoe.notes import gathered


@pytest.mark.parametrize("shape", [(64, 64), (40, 50, 3)])
def test_means_stay_everywhere(shape: tuple[int, ...]) -> None:
    values = np.broadcast_to(np.linspace(0, 2, shape[1]).reshape(1, -1, *[1] * (len(shape) - 2)), shape)
    rounded = rounded_at_random(values.astype(np.float32))
    assert set(np.unique(rounded)) == {0, 1, 2}
    np.testing.assert_allclose(rounded.mean(0), values.mean(0), atol=0.1)
    assert rounded.mean() == pytest.approx(values.mean(), abs=0.01)


def test_rounding_costs_where_the_error_is_below_a_step() -> None:
    assert rounding_costs(0.5, np.uint16)
    assert not rounding_costs(0.8, np.uint16)
    assert not rounding_costs(0.001, np.float32)


@pytest.mark.parametrize(
    ("choice", "dtype", "said"), [("same", "uint16", 1), ("auto", "float32", 1), ("float32", "float32", 0)]
)
def test_the_choice_of_the_type(choice: str, dtype: str, said: int) -> None:
    with gathered() as notes:
        result = typed_result(np.full((30, 30), 0.3, np.float32), ImageFormat("<u2", None, 0, 3), 0.1, choice)
    assert (result.dtype.name, len(notes)) == (dtype, said)
    assert result.mean() == pytest.approx(0.3, abs=0.02)


def test_displayed_images_are_rounded_to_the_nearest() -> None:
    with gathered() as notes:
        result = typed_result(np.full((9, 9), 7.4, np.float32), ImageFormat("|u1", None, 0, 255), 0.1, "same")
    assert (result == 7).all()
    assert len(notes) == 1


def test_low_counts_keep_their_light() -> None:
    counts = np.random.default_rng(0).poisson(0.2, (64, 64)).astype(np.uint16)
    with gathered() as notes:
        result = denoise(counts, preset="fast")
        exact = denoise(counts, preset="fast", dtype="float32")
    assert result.image.dtype == np.uint16
    assert result.image.mean() == pytest.approx(counts.mean(), rel=0.03)
    assert exact.image.mean() == pytest.approx(counts.mean(), rel=0.01)
    assert any("float32" in text for text in notes)


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 200), (np.uint16, 2000)])
def test_the_dark_background_of_bright_spots_keeps_its_light(dtype: type, top: int) -> None:
    y, x = np.mgrid[:64, :64]
    truth = 0.25 + sum(top * np.exp(-((y - b) ** 2 + (x - a) ** 2) / 12) for b, a in ((15, 15), (40, 45)))
    counts = np.random.default_rng(0).poisson(truth).clip(0, np.iinfo(dtype).max).astype(dtype)
    with gathered():
        results = [denoise(counts, preset="fast", block=block).image for block in (None, 48)]
    for image in results:
        assert image.dtype == dtype
        assert image[truth < 0.4].mean() == pytest.approx(counts[truth < 0.4].mean(), rel=0.1)
