"""Images of one value, and of values far from 0, far beyond single precision, or far below it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rsmoe import deblur, upscale


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("value", [0, 7])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_an_image_of_one_value_keeps_it(dtype: type, value: int) -> None:
    image = np.full((20, 24), value, dtype)
    for result in (deblur(image, 1.2, preset="fast").image, upscale(image, 1, preset="fast")):
        assert result.dtype == dtype
        np.testing.assert_allclose(result.astype(np.float64), image, atol=1e-3)


@pytest.fixture(scope="module")
def noisy() -> np.ndarray:
    y, x = np.mgrid[:40, :36]
    return 100 + 60 * np.sin(x / 4) * np.cos(y / 5) + np.random.default_rng(0).normal(0, 8, (40, 36))


# The error bar is of single precision, which does not hold all of these.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("scale", "offset"), [(1e-3, 1e7), (1e40, 0.0), (1e-60, 0.0), (1e305, 0.0)])
def test_an_enlargement_does_not_depend_on_the_unit(noisy: np.ndarray, scale: float, offset: float) -> None:
    expected = upscale(noisy, 2, preset="fast")
    found = upscale(noisy * scale + offset, 2, preset="fast")
    assert found.dtype == np.float64
    np.testing.assert_allclose((found - offset) / scale, expected, atol=0.01)


def test_integers_far_from_0_are_enlarged_like_others(noisy: np.ndarray) -> None:
    counts = (10 * noisy).astype(np.uint32)
    expected, found = (upscale(counts + np.uint32(offset), 2, preset="fast") for offset in (0, 4_000_000_000))
    np.testing.assert_allclose(found.astype(np.int64) - 4_000_000_000, expected, atol=1)
