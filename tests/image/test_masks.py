"""Pixels that are left out: NaN, saturated, dead, gaps; filled in or kept."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import noisy_of, scene

from napari_rsmoe import ImageError, denoise, psnr
from napari_rsmoe.image.inputs import Inputs
from napari_rsmoe.image.masks import Selection, sentinel

QUICK = {"models": 4, "preset": "fast"}


def test_nan_saturated_and_weightless_pixels_are_left_out() -> None:
    image = np.arange(24, dtype=np.float32).reshape(4, 6)
    image[1, 2] = np.nan
    weight = np.full((4, 6), 0.5)
    weight[0, 0] = 0
    found = Inputs.of(image, "auto", Selection(ignore_nan=True, saturation=22), weight=weight).weight
    assert found is not None
    out = np.zeros((4, 6), bool)
    out[1, 2] = out[0, 0] = out[3, 4] = out[3, 5] = True
    np.testing.assert_array_equal(found, np.where(out, 0, 0.5))
    assert Inputs.of(np.nan_to_num(image)).weight is None
    colour = np.zeros((3, 4, 6), np.uint8)
    colour[1, 2, 3] = 255  # in one channel is enough
    found = Inputs.of(colour, 0, Selection(ignore_nan=True, saturation=255)).weight
    assert found is not None
    assert np.argwhere(found == 0).tolist() == [[2, 3]]
    with pytest.raises(ImageError, match="No pixel is left"):
        Inputs.of(colour, 0, Selection(saturation=0))
    with pytest.raises(ValueError, match="saturation"):
        Inputs.of(colour, 0, Selection(saturation=float("nan")))


def test_a_gap_with_nan_is_filled_in_or_kept() -> None:
    clean = scene()
    broken = noisy_of(clean)
    gap = np.zeros(clean.shape[:2], bool)
    gap[:, 60:66] = True  # a stitching gap
    gap[20:23, 20:24] = True
    broken[gap, 1] = np.nan
    with pytest.raises(ImageError, match="ignore_nan"):
        denoise(broken, **QUICK)
    filled = denoise(broken, ignore_nan=True, **QUICK)
    assert psnr(filled.image[~gap], clean[~gap], 1.0) > psnr(noisy_of(clean), clean, 1.0) + 8
    assert psnr(filled.image[gap], clean[gap], 1.0) > 20
    # One does not know as much where nothing was measured.
    assert filled.std[gap].mean() > 1.1 * filled.std[~gap].mean()
    kept = denoise(broken, ignore_nan=True, fill=False, **QUICK)
    np.testing.assert_array_equal(kept.image[gap], broken[gap])
    np.testing.assert_array_equal(kept.image[~gap], filled.image[~gap])
    assert np.isnan(kept.std[gap]).all()


def test_saturated_pixels_do_not_spread() -> None:
    clean = 100 * scene()[..., 0]
    noisy = np.rint(clean + np.random.default_rng(0).normal(0, 8, clean.shape)).clip(0, 254).astype(np.uint8)
    noisy[30:40:3, 30:90:5] = 255
    out = noisy == 255
    result = denoise(noisy, saturation=255, **QUICK).image
    assert result.max() < 130
    assert psnr(result[out], clean[out], 100) > 20


def test_holes_do_not_hide_the_noise() -> None:
    """A third of the image is missing; filled in with the nearest pixels it would seem less noisy."""
    image = np.random.default_rng(0).normal(0.5, 0.05, (96, 96)).astype(np.float32)
    image[:, 20:36] = image[::5, ::3] = np.nan
    assert np.isnan(image).mean() > 0.2
    assert denoise(image, ignore_nan=True, models=1, preset="fast").noise == pytest.approx(0.05, rel=0.1)


def test_little_but_the_holes_of_an_image_without_noise_changes() -> None:
    ramp = np.add.outer(np.arange(80.0), np.arange(90.0)) / 7
    broken = ramp.copy()
    broken[40:43, 50:52] = np.nan
    hole = np.isnan(broken)
    result = denoise(broken, ignore_nan=True, models=2)
    np.testing.assert_allclose(result.image[~hole], ramp[~hole], atol=0.1)
    np.testing.assert_allclose(result.image[hole], ramp[hole], atol=1)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(-999, "int16"), (-9999.9, "float64"), (1.70141e38, "float32"), (1e20, "float32"), (-(2.0**63), "int64")],
)
def test_customary_values_of_missing_data_are_found_beside_a_hot_pixel(value, dtype):
    values = np.random.default_rng(0).integers(0, 200, (40, 40)).astype(dtype)
    values[3, 4] = 30000
    assert sentinel(values) is None
    values[10:14, 10:20] = value
    assert sentinel(values) == pytest.approx(value)
