"""Work on large arrays in bands: the bits of the whole, and chances to stop that become more with the image."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, gaussian_filter1d, uniform_filter, uniform_filter1d

from napari_rsmoe.errors import StoppedError
from napari_rsmoe.image import bands, quantiles
from napari_rsmoe.image.inputs import Inputs
from napari_rsmoe.noise.measure import measure_noise
from napari_rsmoe.progress import pausing


@pytest.fixture(autouse=True)
def narrow_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bands of a few rows, and brackets of few values."""
    monkeypatch.setattr(bands, "PIXELS", 500)
    monkeypatch.setattr(quantiles, "BAND", 500)
    monkeypatch.setattr(quantiles, "SAMPLE", 100)


def test_bands_have_the_bits_of_the_whole() -> None:
    values = np.random.default_rng(0).normal(size=(61, 53, 2)).astype(np.float32)
    np.testing.assert_array_equal(bands.by_bands(np.exp, values, dtype=np.float32), np.exp(values))
    blurred = bands.separably(gaussian_filter1d, values, 1.7)
    np.testing.assert_array_equal(blurred, gaussian_filter(values, (1.7, 1.7, 0)))
    plane = values[..., 0]
    exact = bands.separably(uniform_filter1d, plane, 7, dtype=np.float64)
    np.testing.assert_array_equal(exact, uniform_filter(plane, 7, output=np.float64))
    assert [(band.start, band.stop) for band in bands.bands(40, 10, 8)] == [(0, 40)]
    assert [(band.start, band.stop) for band in bands.bands(40, 30, 8)] == [(0, 16), (16, 32), (32, 40)]


@pytest.mark.parametrize("kind", ["random", "sorted", "periodic", "ties", "one value", "heavy tails"])
def test_quantiles_are_those_of_numpy(kind: str) -> None:
    rng = np.random.default_rng(1)
    values = {
        "random": rng.normal(size=5000), "sorted": np.sort(rng.random(5000)), "periodic": np.arange(5000.0) % 7,
        "ties": rng.integers(0, 20, 5000).astype(float), "one value": np.full(5000, 3.0),
        "heavy tails": rng.exponential(size=5000) ** 5,
    }[kind]  # fmt: skip
    shares = [0.0, 0.01, 0.5, 0.98, 1.0]
    assert quantiles.quantiles(values.reshape(50, 100), shares) == np.quantile(values, shares).tolist()
    count = 1234
    chosen = quantiles.smallest(values, count)
    assert len(chosen) == count
    assert (np.diff(chosen) > 0).all()
    assert np.sort(values[chosen]).tolist() == np.sort(values)[:count].tolist()


def test_chances_to_stop_become_more_with_the_image() -> None:
    image = np.random.default_rng(0).poisson(np.linspace(20, 200, 192), (192, 192)).astype(np.uint16)

    def chances(side: int) -> int:
        asked = itertools.count()
        with pausing(lambda: next(asked) < 0):
            measure_noise(Inputs.of(image[:side, :side]).pixels)
        return next(asked)

    # Four times the pixels, four times the chances: no step works on the whole image at once.
    assert chances(192) > 2.8 * chances(96)
    with pytest.raises(StoppedError), pausing(lambda: True):
        Inputs.of(image)
