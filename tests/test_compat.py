"""The package in the words of other libraries."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from skimage.restoration import calibrate_denoiser
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import napari_rsmoe
from napari_rsmoe import denoise
from napari_rsmoe.compat import RsmoeDenoiser, denoise_dask, denoise_rsmoe, estimate_sigma, upscale_rsmoe

FAST = {"preset": "fast", "models": 1, "n_kernels": 40}


@pytest.fixture(scope="module")
def noisy():
    """(C, Y, X) float64, noise 8."""
    y, x = np.mgrid[:64, :72]
    clean = 100 + 60 * np.sin(x / 9) * np.cos(y / 8)
    return np.stack([clean, clean[::-1]]) + np.random.default_rng(0).normal(0, 8, (2, 64, 72))


def test_functions_as_in_scikit_image(noisy):
    plain = denoise(noisy[0], noise=8.0, **FAST).image
    np.testing.assert_array_equal(denoise_rsmoe(noisy[0], 8.0, **FAST), plain)
    assert denoise_rsmoe(noisy, sigma=8, channel_axis=0, **FAST).shape == noisy.shape
    assert upscale_rsmoe(noisy, 2, channel_axis=0, models=1, n_kernels=20, iterations=2).shape == (2, 128, 144)
    assert estimate_sigma(noisy[0]) == pytest.approx(8, rel=0.1)
    assert estimate_sigma(noisy, channel_axis=0) == pytest.approx([8, 8], rel=0.1)
    assert estimate_sigma(noisy, average_sigmas=True, channel_axis=0) == pytest.approx(8, rel=0.1)


def test_scikit_image_can_call_it(noisy):
    ways = {"sigma": [1.0, 8.0]}
    best = calibrate_denoiser(
        noisy[0, :24, :24] / 200, lambda image, sigma: denoise_rsmoe(image, sigma / 200, **FAST), ways
    )
    assert best.keywords["denoiser_kwargs"]["sigma"] in ways["sigma"]


def test_a_pipeline_of_scikit_learn(noisy):
    pipeline = make_pipeline(RsmoeDenoiser(preset="fast"), FunctionTransformer(lambda x: x.reshape(len(x), -1)))
    assert clone(pipeline).set_params(rsmoedenoiser__sigma=8.0).get_params()["rsmoedenoiser__sigma"] == 8.0
    assert repr(RsmoeDenoiser(sigma=2.0)) == "RsmoeDenoiser(sigma=2.0, preset='balanced', seed=0)"
    rows = pipeline.fit_transform(noisy)
    assert rows.shape == (2, 64 * 72)
    denoiser = pipeline.named_steps["rsmoedenoiser"]
    expected = denoise(noisy[1], noise=denoiser.noise_, preset="fast").image
    np.testing.assert_array_equal(rows[1], expected.ravel())


def test_dask_and_xarray(noisy):
    lazy = denoise_dask(da.from_array(noisy, chunks=(1, 64, 72)), "ZYX", sigma=8.0, **FAST)
    assert isinstance(lazy, da.Array)
    # Blocks draw their random numbers by place, so the results agree in quality, not in bits.
    difference = lazy[1].compute() - denoise(noisy[1], noise=8.0, **FAST).image
    assert np.abs(difference).mean() < 1
    image = xr.DataArray(noisy[0], dims=("y", "x"), attrs={"units": "K"})
    assert image.rsmoe.denoise(noise=8.0, **FAST).attrs == {"units": "K"}
    assert image.rsmoe.upscale(2, models=1, n_kernels=20, iterations=2).shape == (128, 144)
    assert image.rsmoe.noise().sigma == pytest.approx(8, rel=0.1)
    assert napari_rsmoe.compat.RsmoeAccessor
