"""Noise that the user gives: numbers that no image can have are refused with a sentence."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rsmoe import PoissonGaussian, denoise
from napari_rsmoe.image.format import ImageFormat
from napari_rsmoe.noise.given import noise_model

LAYOUT = ImageFormat("<u1", None, 50.0, 150.0)
PIXELS = np.random.default_rng(0).random((16, 16, 1)).astype(np.float32)


@pytest.mark.parametrize(
    "noise",
    [1e300, 1e30, 1e-300, (1e300, 0, 0), (0, 0, 1e300), (1, -1e300, 0), (1e-300, 0, 0), PoissonGaussian(1e300)],
)
def test_absurd_noise_is_refused_with_the_range_of_the_image(noise: object) -> None:
    with pytest.raises(ValueError, match=r"image from 50 to 150: (more|less) than it can have. Give it in units"):
        noise_model(noise, PIXELS, None, LAYOUT)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("noise", [1e-6, 1e7, (1e-16, 0, 0), (1, 200, 0)])
def test_odd_noise_still_gives_finite_results(noise: object) -> None:
    image = np.random.default_rng(0).normal(100, 10, (24, 24))
    result = denoise(image, noise=noise, models=2, preset="fast")
    assert np.isfinite(result.image).all()
    assert np.isfinite(result.std).all()
