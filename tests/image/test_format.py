"""Types, ranges and clipping of images."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import napari_rsmoe
from napari_rsmoe import ImageError
from napari_rsmoe.errors import ImageWarning
from napari_rsmoe.image.format import ImageFormat, find_channels, refuse_mask, to_type
from napari_rsmoe.image.inputs import Inputs
from napari_rsmoe.image.masks import Selection


@pytest.mark.parametrize("dtype", ["u1", "i2", "<u4", ">i4", "u8", "i8", ">u8"])
@pytest.mark.parametrize("source", [np.float16, np.float32, np.float64])
def test_integers_saturate_and_never_wrap(dtype: str, source: type) -> None:
    limits = np.iinfo(np.dtype(dtype))
    largest = float(np.finfo(source).max)
    values = np.array([-largest, -0.4, 3.6, largest], source)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        converted = to_type(values, dtype)
        ends = to_type(np.array([limits.min, limits.max], np.float64), dtype)
    top = limits.max if largest > limits.max else int(largest)
    assert converted.dtype == np.dtype(dtype)
    assert converted.tolist() == [max(limits.min, int(-largest)), 0, 4, top]
    assert ends.tolist() == [limits.min, limits.max]


@pytest.mark.parametrize("dtype", [np.uint64, np.int64])
def test_the_brightest_pixel_of_64_bits_stays_the_brightest(dtype: type) -> None:
    limits = np.iinfo(dtype)
    image = np.array([[limits.min, limits.max], [0, limits.max // 2]], dtype)
    inputs = Inputs.of(image)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = inputs.layout.restore(inputs.pixels)
    assert back[0].tolist() == [limits.min, limits.max]
    assert np.argmax(back) == 1


def test_narrow_floats_saturate() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert to_type(np.array([1e9, -1e9]), np.float16).tolist() == [65504, -65504]


@pytest.mark.parametrize("dtype", [bool, complex, object, "U4", "V3", "foo", "M8[s]", "i4,i4"])
def test_only_real_numbers_are_written(dtype: object) -> None:
    with pytest.raises(ValueError, match="data type"):
        to_type(np.zeros(3), dtype)


def test_a_format_says_what_results_are_clipped_to() -> None:
    values = np.array([[[-1.0], [0.5], [2.0]]])
    clipped = {
        None: [10, 15, 20],
        (-math.inf, math.inf): [0, 15, 30],
        (12, math.inf): [12, 15, 30],
    }
    for limits, expected in clipped.items():
        assert ImageFormat("<f8", None, 10, 20, limits).restore(values).tolist() == [expected]


def test_masked_pixels_are_refused() -> None:
    image = np.arange(12.0).reshape(3, 4)
    refuse_mask(image)
    refuse_mask(np.ma.array(image))
    with pytest.raises(ImageError, match="weight="):
        refuse_mask(np.ma.masked_greater(image, 5))


@pytest.mark.parametrize("options", [{"scale": 0}, {"scale": None}, {"scale": 1e9}, {"scale": 2, "sharpen": -1}])
def test_upscale_checks_before_it_fits(options: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    fits = "napari_rsmoe.enlarging.upscale.fit_models"
    monkeypatch.setattr(fits, lambda *_, **__: pytest.fail("it has begun to fit"))
    with pytest.raises(ValueError, match=r"must be|at most"):
        napari_rsmoe.upscale(np.eye(8), **options)  # type: ignore[arg-type]


class Counted:
    """A lazy array that counts how often it is read."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels, self.shape, self.dtype, self.reads = pixels, pixels.shape, pixels.dtype, 0

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        self.reads += 1
        return self.pixels


def test_a_lazy_image_is_read_and_checked_once() -> None:
    noisy = np.random.default_rng(0).normal(100, 10, (24, 28))
    noisy[3, 4] = np.nan
    lazy = Counted(noisy)
    napari_rsmoe.denoise(lazy, ignore_nan=True, weight=np.ones((24, 28)), models=1, preset="fast", noise=10)
    assert lazy.reads == 1
    lazy = Counted(np.nan_to_num(noisy))
    napari_rsmoe.upscale(lazy, 2, models=2, iterations=2)
    assert lazy.reads == 1
    inputs = Inputs.of(noisy, selection=Selection(ignore_nan=True))
    assert Inputs.of(inputs) is inputs


def test_four_channels_are_an_assumption_that_is_reported() -> None:
    with pytest.warns(ImageWarning, match="pixels of 4 channels"):
        assert find_channels(np.zeros((20, 30, 4)), "auto") == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_channels(np.zeros((20, 30, 3)), "auto") == 2
        assert find_channels(np.zeros((20, 30, 4)), 2) == 2
