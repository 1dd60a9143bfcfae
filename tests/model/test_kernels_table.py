"""Kernels as a data frame, and what objects say of themselves in a console."""

import numpy as np
import pytest

import napari_rsmoe
from napari_rsmoe import Kernels, denoise_stack, estimate_noise, fit

IMAGE = np.add.outer(np.arange(40.0), np.arange(48.0) ** 1.2)


@pytest.mark.parametrize("experts", ["constant", "linear"])
def test_a_data_frame_and_back(experts):
    pytest.importorskip("pandas")
    image = np.dstack([IMAGE, IMAGE[::-1], IMAGE.max() - IMAGE])
    kernels = fit(image, 9, iterations=3, experts=experts).kernels()
    table = kernels.to_dataframe()
    assert list(table.columns[:7]) == ["y", "x", "long", "short", "angle", "weight", "expert_0"]
    assert len(table) == len(kernels)
    back = Kernels.from_dataframe(table.assign(note="mine").sample(frac=1, random_state=0).sort_index())
    for name in ("center", "axes", "angle", "weight", "expert", "slope"):
        np.testing.assert_array_equal(getattr(back, name), getattr(kernels, name))
    with pytest.raises(ValueError, match="no column angle"):
        Kernels.from_dataframe(table.drop(columns="angle"))


def test_representations_are_short_and_useful():
    noisy = IMAGE + np.random.default_rng(0).normal(0, 4, IMAGE.shape)
    noise = estimate_noise(np.tile(noisy, (2, 2)))
    stack = denoise_stack(np.stack([noisy, noisy]), "TYX", models=1, preset="fast", noise=4.0, n_kernels=9)
    for value, words in (
        (fit(IMAGE, 9, iterations=1).kernels(), "9 kernels of 1 channel"),
        (noise, "NoiseEstimate: standard deviation"),
        (noise.channels[0], "the same at all values"),
        (noise.model, "NoiseModel"),
        (stack, "Denoised stack of shape (2, 40, 48): noise 4>"),
    ):
        assert words in repr(value)
        assert len(repr(value)) < 160


def test_an_estimate_is_printed_as_the_verb_prints_it(tmp_path):
    from cli_helpers import run

    noisy = (IMAGE + np.random.default_rng(0).normal(0, 4, IMAGE.shape)).astype(np.float32)
    napari_rsmoe.write_image(tmp_path / "a.tif", noisy)
    found = estimate_noise(noisy)
    assert run("noise", tmp_path / "a.tif").stdout.strip() == f"{tmp_path / 'a.tif'}: {found}"


def test_modules_are_reachable(tmp_path):
    napari_rsmoe.io.write_image(tmp_path / "a.tif", IMAGE)
    image = napari_rsmoe.io.read_image(tmp_path / "a.tif")
    assert repr(image) == "<ImageFile YX (40, 48) float64>"
    assert {"io", "compat"} <= set(dir(napari_rsmoe))
    pytest.importorskip("anywidget")
    assert napari_rsmoe.notebook.DenoiseWidget
