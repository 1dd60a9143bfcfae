"""Images of one value, and of values far from 0, far beyond single precision, or far below it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_rsmoe import Denoised, Restored, deblur, denoise, upscale
from napari_rsmoe.image.defects import find_defects
from napari_rsmoe.notes import gathered


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("value", [0, 7])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_an_image_of_one_value_keeps_it(dtype: type, value: int) -> None:
    image = np.full((20, 24), value, dtype)
    with gathered() as said:
        results = deblur(image, 1.2, preset="fast").image, upscale(image, 1, preset="fast")
    assert not said
    for result in results:
        assert result.dtype == dtype
        np.testing.assert_allclose(result.astype(np.float64), image, atol=1e-3)


@pytest.fixture(scope="module")
def noisy() -> np.ndarray:
    y, x = np.mgrid[:40, :36]
    return 100 + 60 * np.sin(x / 4) * np.cos(y / 5) + np.random.default_rng(0).normal(0, 8, (40, 36))


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(("scale", "offset"), [(1e-3, 1e7), (1e40, 0.0), (1e-60, 0.0), (1e305, 0.0)])
def test_an_enlargement_does_not_depend_on_the_unit(noisy: np.ndarray, scale: float, offset: float) -> None:
    expected = upscale(noisy, 2, preset="fast")
    found = upscale(noisy * scale + offset, 2, preset="fast")
    assert found.dtype == np.float64
    np.testing.assert_allclose((found - offset) / scale, expected, atol=0.01)


def by_denoising(image: np.ndarray) -> Denoised:
    return denoise(image, preset="fast")


def by_enlarging(image: np.ndarray) -> Restored:
    return upscale(image, 2, preset="fast", return_std=True)


def by_deconvolution(image: np.ndarray) -> Restored:
    return deblur(image, 1.2, preset="fast")


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("restored", [by_denoising, by_enlarging, by_deconvolution])
@pytest.mark.parametrize("scale", [1e40, 1e-60, 1e305, 1e-25])
def test_an_error_bar_that_its_type_does_not_hold_is_unknown(
    noisy: np.ndarray, restored: Callable[[np.ndarray], Denoised | Restored], scale: float
) -> None:
    with gathered() as said:
        result = restored(noisy * scale)
    known = scale == 1e-25
    assert result.std.dtype == np.float32
    assert np.isfinite(result.std).all() == np.isfinite(result.std).any() == known
    assert sum("the error bar is NaN" in each for each in said) == (not known)
    rows = result.summary_rows()
    assert (rows["uncertainty"] == "unknown") == (not known)
    assert "text/html" in result._repr_mimebundle_()


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_broken_column_is_found_in_any_unit() -> None:
    image = np.random.default_rng(0).normal(100, 5, (128, 64))
    image[:, 30] += 80
    for scale, offset in ((1.0, 0.0), (1e-2, 1e7), (1e40, 0.0), (1e-60, 0.0)):
        found = find_defects((image * scale + offset)[..., None])
        assert found[:, 30].all()
        assert found.sum() == 128


def test_integers_far_from_0_are_enlarged_like_others(noisy: np.ndarray) -> None:
    counts = (10 * noisy).astype(np.uint32)
    expected, found = (upscale(counts + np.uint32(offset), 2, preset="fast") for offset in (0, 4_000_000_000))
    np.testing.assert_allclose(found.astype(np.int64) - 4_000_000_000, expected, atol=1)


@pytest.fixture(scope="module")
def blurred() -> np.ndarray:
    """Photons of discs and a background, with the blur of 1.3 px."""
    y, x = np.mgrid[:40, :40]
    light = np.where(np.hypot(y - 18, x - 20) < 6, 240.0, 15.0) + np.where(np.hypot(y - 31, x - 8) < 3, 150.0, 0.0)
    return np.random.default_rng(0).poisson(gaussian_filter(light, 1.3)).astype(np.float64)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("noise", ["auto", (1.0, 0.0, 0.0)])
@pytest.mark.parametrize("exponent", [133, -200, 1010])
def test_a_deconvolution_does_not_depend_on_the_unit(blurred: np.ndarray, noise: object, exponent: int) -> None:
    scale = 2.0**exponent  # With powers of 2, nothing is rounded differently.
    scaled = (scale, 0.0, 0.0) if isinstance(noise, tuple) else noise
    expected = deblur(blurred, 1.3, noise=noise, preset="fast").image
    found = deblur(blurred * scale, 1.3, noise=scaled, preset="fast").image
    np.testing.assert_array_equal(found / scale, expected)


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize(("dtype", "offset"), [(np.float64, 1e7), (np.uint32, 4e9)])
def test_images_far_from_0_are_deconvolved_like_others(
    blurred: np.ndarray, dtype: type, offset: float, given: bool
) -> None:
    noises = [(1.0, zero, 0.0) if given else "auto" for zero in (0.0, offset)]
    expected = deblur(blurred, 1.3, noise=noises[0], preset="fast").image
    found = deblur((blurred + offset).astype(dtype), 1.3, noise=noises[1], preset="fast").image
    assert found.dtype == dtype
    # Fits take another way when the last digit of a value is rounded differently, so single pixels differ.
    change = found.astype(np.float64) - offset - expected
    assert np.sqrt(np.mean(change**2)) < 0.05 * np.ptp(blurred)
