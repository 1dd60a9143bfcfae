"""Stacks and arrays of other libraries go into `denoise`, and results of the same kind come out."""

import inspect
import pydoc
import warnings

import dask
import dask.array as da
import numpy as np
import pytest
import torch
import xarray as xr

from napari_rsmoe import ImageError, deblur, denoise, denoise_stack, estimate_noise, fit, map_planes, psnr, upscale
from napari_rsmoe.denoising import lazy
from napari_rsmoe.denoising.denoise import denoise as denoise_plane
from napari_rsmoe.errors import ImageWarning

FAST = {"preset": "fast", "models": 1, "n_kernels": 40, "noise": 10.0}


@pytest.fixture(scope="module")
def film():
    """(T, Y, X) float32, noise 10."""
    y, x = np.mgrid[:40, :48]
    clean = 100 + 50 * np.sin(x / 9) * np.cos(y / 11)
    return (clean + np.random.default_rng(0).normal(0, 10, (3, 40, 48))).astype(np.float32)


@pytest.fixture(scope="module")
def stack_result(film):
    return denoise_stack(film, "TYX", average=1, **FAST)


def test_a_stack_is_denoised_as_denoise_stack_does_it(film, stack_result):
    result = denoise(film, axes="TYX", average=1, **FAST)
    assert isinstance(result.image, np.ndarray)
    np.testing.assert_array_equal(result.image, stack_result.image)
    assert len(result.noise) == 3


def test_axes_of_one_plane(film):
    plain = denoise(film[0], **FAST)
    np.testing.assert_array_equal(denoise(film[0], axes="YX", **FAST).image, plain.image)
    np.testing.assert_array_equal(denoise(film, axes="CYX", **FAST).image, denoise(film, channel_axis=0, **FAST).image)
    with pytest.raises(ImageError, match="give one of them"):
        denoise(film, axes="CYX", channel_axis=0, **FAST)
    with pytest.raises(ImageError, match="axes='TYX'"):
        denoise(film)


def test_sigma_is_noise(film):
    given = {name: value for name, value in FAST.items() if name != "noise"}
    np.testing.assert_array_equal(denoise(film[0], sigma=10, **given).image, denoise(film[0], **FAST).image)
    for function in (
        denoise,
        lambda image, **both: upscale(image, 2, **both),
        lambda image, **both: deblur(image, 1, **both),
    ):
        with pytest.raises(TypeError, match="another name of noise"):
            function(film[0], sigma=10, noise=10)


def test_no_noise_is_a_no_op_with_a_word(film):
    with pytest.warns(UserWarning, match="returned as it is"):
        result = denoise(film[0], noise=0)
    np.testing.assert_array_equal(result.image, film[0])
    hot = film[0].copy()
    hot[20, 20] = 9e4
    with pytest.warns(UserWarning, match="returned as it is"):
        np.testing.assert_array_equal(denoise(hot, noise=0).image, hot)
    assert (result.noise, result.models, result.std.max()) == (0, [], 0)
    hole = np.zeros(film[0].shape)
    hole[5, 5] = 1
    assert denoise(film[0], **FAST | {"noise": 0}, mask=hole).image[5, 5] != film[0][5, 5]


def test_one_model_has_no_error_bar(film):
    assert np.isnan(denoise(film[0], **FAST).std).all()
    assert np.isfinite(denoise(film[0], **FAST | {"models": 2}).std).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.uint8])
def test_tensors(film, dtype):
    tensor = torch.from_numpy(film[0]).to(dtype)
    expected = denoise(tensor.float().numpy() if dtype == torch.bfloat16 else tensor.numpy(), **FAST).image
    if dtype.is_floating_point:
        tensor.requires_grad_()
    result = denoise(tensor, **FAST)
    assert (result.image.dtype, result.image.device, result.image.requires_grad) == (dtype, tensor.device, False)
    np.testing.assert_array_equal(result.image.float(), torch.from_numpy(expected).to(dtype).float())
    assert upscale(tensor, 2, models=1, n_kernels=20, iterations=3).shape == (80, 96)
    assert fit(tensor, 5, iterations=1).shape == (40, 48)


def test_xarray_keeps_coordinates_and_attributes(film, stack_result):
    image = xr.DataArray(
        film, dims=("time", "y", "x"), coords={"time": [0.0, 1.5, 3.0], "x": np.arange(48) / 2},
        attrs={"units": "counts"}, name="flux",
    )  # fmt: skip
    result = denoise(image, average=1, **FAST)
    np.testing.assert_array_equal(result.image.values, stack_result.image)
    assert (result.image.dims, result.image.attrs, result.image.name) == (image.dims, image.attrs, "flux")
    assert result.std.coords.equals(image.coords)
    large = upscale(image[0], 2, models=1, n_kernels=20, iterations=3)
    assert (large.dims, large.shape, large.attrs) == (("y", "x"), (80, 96), image.attrs)
    assert "time" in large.coords
    lazy_one = denoise(image.chunk({"time": 1}), **FAST)
    assert isinstance(lazy_one.image.data, da.Array)
    assert lazy_one.image.attrs == image.attrs


def test_results_of_all_functions_are_of_the_kind_that_was_given(film):
    """Also where a result has an error bar, and where the dimensions say which axis holds channels."""
    colours = xr.DataArray(film[:2, :24, :24], dims=("channel", "y", "x"), coords={"x": np.arange(24) / 2})
    sharp = deblur(colours, 1.0, noise=10.0, preset="fast")
    assert (sharp.image.dims, sharp.std.dims, sharp.image.shape) == (colours.dims, colours.dims, (2, 24, 24))
    assert sharp.image.coords.equals(colours.coords)
    assert fit(colours, 5, iterations=1).channels == 2
    assert len(estimate_noise(colours).channels) == 2
    assert upscale(colours, 2, models=1, n_kernels=20, iterations=1, noise=0).shape == (2, 48, 48)
    tensor = torch.from_numpy(film[0, :24, :24]).requires_grad_()
    for result in (
        deblur(tensor, 1.0, sigma=10.0, preset="fast"),
        upscale(tensor, 2, models=1, n_kernels=20, iterations=1, sigma=10.0, preset="fast", return_std=True),
    ):
        assert all(isinstance(each, torch.Tensor) for each in (result.image, result.std))
    assert psnr(tensor, tensor.detach().numpy()) == np.inf


def test_an_unknown_keyword_is_answered_by_the_near_one(film):
    lazy_one = da.from_array(film[0])
    for function, given, near in (
        (lambda **words: denoise(film[0], **words), "modles", "models"),
        (lambda **words: denoise(lazy_one, **words), "preste", "preset"),
        (lambda **words: denoise_stack(film, "TYX", **words), "nosie", "noise"),
        (lambda **words: fit(film[0], **words), "itertions", "iterations"),
        (lambda **words: upscale(film[0], 2, **words), "redution", "reduction"),
        (lambda **words: deblur(film[0], 1.0, **words), "devise", "device"),
    ):
        with pytest.raises(TypeError, match=f"has no keyword {given}. Did you mean {near}?"):
            function(**{given: 1})
    with pytest.raises(TypeError, match=r"has no keyword zzz\.$"):
        fit(film[0], zzz=1)


def test_noise_in_the_wrong_unit_is_noticed_by_all(film):
    image = film[0, :24, :24] / 255
    for function in (
        lambda: denoise(image, **FAST | {"noise": 20}),
        lambda: deblur(image, 1.0, noise=20, preset="fast"),
        lambda: upscale(image, 2, noise=20, models=1, n_kernels=20, iterations=1, preset="fast"),
    ):
        with pytest.warns(ImageWarning, match="must be in units of the image"):
            function()


def test_dask_stays_lazy_and_has_one_noise_model(film, monkeypatch):
    monkeypatch.setattr(lazy, "HALO", 16)
    monkeypatch.setattr(lazy, "SMALLEST", 20)
    read = []

    def plane(block_info=None):
        read.append(block_info[None]["chunk-location"])
        return film[tuple(slice(*ends) for ends in block_info[None]["array-location"])]

    image = da.map_blocks(plane, chunks=((1, 1, 1), (20, 20), (48,)), dtype=np.float32, meta=film[:0])
    settings = {name: value for name, value in FAST.items() if name != "noise"} | {"models": 2}
    with pytest.warns(ImageWarning, match="sample of the lazy image"):
        result = denoise(image, axes="TYX", **settings)
    assert isinstance(result.image, da.Array)
    assert len(set(read)) == 6  # the sample is the image, as that is small
    assert result.noise == pytest.approx(10, rel=0.15)
    assert "image of shape (3, 40, 48)" in repr(result)
    done, std = dask.compute(result.image, result.std)
    assert (done.dtype, std.dtype, done.shape) == (np.float32, np.float32, film.shape)
    clean = film.mean(0)
    assert psnr(done[0], clean) > psnr(film[0], clean) + 3
    assert np.isfinite(std).all()
    with pytest.raises(ImageError, match="warm_start cannot be given"):
        denoise(image, axes="TYX", warm_start=True)
    with pytest.raises(ImageError, match="axes"):
        denoise(image)


def test_masks_and_weights_of_a_dask_array_are_read_block_by_block(film, monkeypatch):
    monkeypatch.setattr(lazy, "SMALLEST", 20)
    hot, hole = film.copy(), np.zeros(film.shape, bool)
    hot[:, 10:14, 10:14], hole[:, 10:14, 10:14] = 9000, True
    image, settings = da.from_array(hot, chunks=(1, 20, 24)), FAST | {"block": 64}
    expected = denoise(hot[1], mask=hole[1], **settings).image
    done = [
        denoise(image, axes="TYX", mask=mask, **FAST).image.compute()
        for mask in (da.from_array(hole, chunks=(1, 20, 24)), hole, da.from_array(hole[0], chunks=20))
    ]
    assert np.abs(done[0][1] - expected).max() < 20
    for other in done[1:]:
        np.testing.assert_array_equal(done[0], other)
    weight = np.where(hole, 0, np.float32(1))
    assert np.abs(denoise(image[1], weight=weight[1], **FAST).image.compute() - expected).max() < 20
    with pytest.raises(ImageError, match=r"mask has shape \(3, 40, 47\); accepted are \(40, 48\) \(Y, X\), and"):
        denoise(image, axes="TYX", mask=hole[..., :-1], **FAST)


def test_a_path_is_answered_by_what_to_do(tmp_path):
    functions = (denoise, lambda path: denoise(path, axes="TYX"), fit, lambda path: upscale(path, 2))
    for function in (*functions, lambda path: denoise_stack(path, "TYX"), lambda path: map_planes(np.abs, path, "TYX")):
        for path in ("a.tif", tmp_path / "a.tif"):
            with pytest.raises(ImageError, match="read_image"):
                function(path)


def test_an_ambiguous_channel_axis_says_what_was_assumed():
    image = np.random.default_rng(0).normal(100, 9, (3, 30, 4))
    with pytest.warns(UserWarning, match="read as 3 x 30 pixels of 4 channels"):
        fit(image, 3, iterations=1)
    four = np.random.default_rng(0).normal(100, 9, (30, 31, 4))
    for array in (four, torch.from_numpy(four), da.from_array(four)):
        with pytest.warns(UserWarning, match="read as 30 x 31 pixels of 4 channels"):
            denoise(array, **FAST)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        denoise(da.from_array(four), axes="YXC", **FAST)


def test_help_fits_on_two_screens():
    text = pydoc.render_doc(denoise, renderer=pydoc.plaintext)
    before = text[: text.index("Notes\n")].splitlines()
    assert len(before) <= 80
    assert "Further keywords" in text
    keywords = set(inspect.signature(denoise).parameters)
    assert keywords - {"axes", "sigma", "client"} == set(inspect.signature(denoise_plane).parameters)
