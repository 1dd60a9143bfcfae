"""The opponent transform: orthonormal, invertible, and the identity for detectors."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rsmoe.image.opponent import Opponent


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_it_is_orthonormal_and_comes_back(channels: int) -> None:
    opponent = Opponent.of(channels)
    np.testing.assert_allclose(opponent.matrix @ opponent.matrix.T, np.eye(channels), atol=1e-6)
    image = np.random.default_rng(0).random((5, 6, channels)).astype(np.float32)
    planes = opponent.planes(image)
    np.testing.assert_allclose(planes, np.einsum("pc,yxc->pyx", opponent.matrix.astype(np.float64), image), atol=1e-6)
    np.testing.assert_allclose(opponent.image(planes), image, atol=1e-6)
    assert opponent.identity == (channels != 3)
    if opponent.identity:
        np.testing.assert_array_equal(np.moveaxis(planes, 0, -1), image)


def test_brightness_comes_first_and_grey_has_no_colour() -> None:
    grey = np.repeat(np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4, 1), 3, 2)
    planes = Opponent.of(3).planes(grey)
    np.testing.assert_allclose(planes[0], np.sqrt(3) * grey[..., 0], rtol=1e-6)
    np.testing.assert_allclose(planes[1:], 0, atol=1e-7)
    assert Opponent.of(3).by_plane(1.0, 0.5).ravel().tolist() == [1, 0.5, 0.5]
    assert Opponent.of(4).by_plane(1.0, 0.5).ravel().tolist() == [1, 1, 1, 1]


def test_variances_are_those_of_transformed_noise() -> None:
    sigma = np.array([1.0, 2.0, 4.0], np.float32)
    noise = np.random.default_rng(0).normal(0, sigma, (400, 500, 3)).astype(np.float32)
    opponent = Opponent.of(3)
    expected = opponent.plane_variance(np.broadcast_to(np.square(sigma), noise.shape))
    np.testing.assert_allclose(opponent.planes(noise).var((1, 2)), expected[:, 0, 0], rtol=0.02)
    back = opponent.image_variance(np.ones((3, 2, 2), np.float32))
    np.testing.assert_allclose(back, 1, rtol=1e-6)
