"""The range of the signal, and what becomes of values beyond it."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from napari_rsmoe import Model, fit, psnr
from napari_rsmoe.image.inputs import Inputs
from napari_rsmoe.image.value_range import (
    compressed,
    compression_slope,
    data_range,
    expanded,
    for_display,
    signal_range,
)


def test_ordinary_images_have_the_range_of_their_values() -> None:
    rng = np.random.default_rng(0)
    for image in (
        data.camera(),
        data.coffee(),
        rng.normal(100, 5, (200, 200)),
        rng.exponential(3, (200, 200)),
        rng.poisson(0.1, (200, 200)).astype(np.uint16),
        (rng.random((200, 200)) > 0.997).astype(np.float32),
        rng.normal(100, 5, (200, 200)) + 2000 * (rng.random((200, 200)) > 0.8),  # Cells on a dark background.
    ):
        assert signal_range(image) == (image.min(), image.max())


@pytest.mark.parametrize("share", [0.0005, 0.02])
@pytest.mark.parametrize("extreme", [-3.4e38, -32768.0, 65535.0, 1e12])
def test_a_few_extreme_pixels_do_not_count(share: float, extreme: float) -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(200, 20, (100, 100))
    image[rng.random(image.shape) < share] = extreme
    low, high = signal_range(image.astype(np.float32))
    assert 50 < low < 200 < high < 350


def test_compression_is_undone() -> None:
    units = np.array([-1e6, -3.0, 0.0, 0.3, 1.0, 2.0, 1e9])
    near = compressed(units)
    assert (near[2:5] == units[2:5].astype(np.float32)).all()
    assert near.min() > -20
    assert near.max() < 25
    np.testing.assert_allclose(expanded(near.astype(np.float64)), units, rtol=1e-4)
    step = (compressed(units + 1e-3).astype(float) - compressed(units - 1e-3)) / 2e-3
    np.testing.assert_allclose(step[[1, 3, 5]], compression_slope(units)[[1, 3, 5]], rtol=1e-3)


def test_only_images_for_display_have_the_range_of_their_type() -> None:
    assert data_range(np.uint8, 0, 200) == 255
    assert data_range(np.uint8, 10, 40) == 30
    assert data_range(np.uint16, 100, 4000) == 3900
    assert data_range(np.float32, 0.1, 0.9) == 1
    assert data_range(np.float32, 0.1, 0.2) == pytest.approx(0.1)
    assert not for_display(np.int8, 0, 100)


def test_models_of_extreme_images_are_drawn_sampled_and_saved(tmp_path) -> None:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:32, :32]
    image = (50 + 20 * np.sin(x / 5) + 1e5 * np.exp(-((y - 12) ** 2 + (x - 20) ** 2) / 4)).astype(np.float32)
    model = fit(image + rng.normal(0, 1, image.shape).astype(np.float32), 80, iterations=150)
    assert model.layout.compressed
    drawn = model.render()
    far = np.hypot(y - 12, x - 20) > 8
    assert psnr(drawn[far], image[far]) > 20
    assert drawn[12, 20] == pytest.approx(image[12, 20], rel=0.2)
    np.testing.assert_allclose(model.sample([[12, 20], [3, 3]])[:, 0], drawn[[12, 3], [20, 3]], rtol=0.05)
    expert = model.kernels().expert
    assert expert.max() > 1e4
    np.testing.assert_allclose(model.with_kernels(model.kernels()).render(), drawn, rtol=1e-3)
    model.save(tmp_path / "star.rsmoe")
    np.testing.assert_array_equal(Model.load(tmp_path / "star.rsmoe").render(), drawn)


def test_the_reached_psnr_is_that_of_the_rendering() -> None:
    image = data.camera()[100:148, 100:160].astype(np.uint16) * 13 + 100
    model = fit(image, 60, iterations=60)
    assert model.metadata["data_range"] == np.ptp(image)
    assert model.metadata["psnr"] == pytest.approx(psnr(model.render(), image), abs=0.01)


def test_channels_of_unequal_range_are_fitted_in_their_own() -> None:
    image = data.camera()[100:148, 100:160].astype(np.float32)
    pair = np.stack([image, image[::-1] / 1000], -1)
    drawn = fit(pair, 150, iterations=100, channel_axis=2).render()
    quality = [psnr(drawn[..., c] / np.ptp(pair[..., c]), pair[..., c] / np.ptp(pair[..., c]), 1.0) for c in (0, 1)]
    assert min(quality) > 18
    assert abs(quality[0] - quality[1]) < 4


def test_missing_pixels_keep_their_value_at_any_size() -> None:
    image = np.arange(48.0).reshape(6, 8)
    image[2, 3] = -9999
    with pytest.warns(UserWarning, match="1 pixels have the value -9999"):
        inputs = Inputs.of(image)
    large = inputs.with_missing(np.ones((12, 16)))
    assert (large == -9999).sum() == 4
    assert (large[4:6, 6:8] == -9999).all()
