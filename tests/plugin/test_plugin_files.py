"""Model files in napari: opened and saved as a user does, on a viewer without a window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Shapes

from napari_rsmoe import Model, ModelFileError, fit
from napari_rsmoe.plugin.commands import fit_layer
from napari_rsmoe.plugin.files import read, write_kernels
from napari_rsmoe.plugin.layers.kernels import TABLE_KEY

QUICK: dict[str, Any] = {"n_kernels": 30, "iterations": 20}


def opened(path: Path) -> ViewerModel:
    viewer = ViewerModel()
    viewer.open(path, plugin="napari-rsmoe")
    return viewer


def test_a_dropped_model_becomes_image_and_kernels(picture: np.ndarray, tmp_path: Path) -> None:
    model = fit(picture, **QUICK)
    model.save(tmp_path / "a.rsmoe")
    image, kernels = opened(tmp_path / "a.rsmoe").layers
    np.testing.assert_array_equal(image.data, model.render())
    assert isinstance(kernels, Shapes)
    assert len(kernels.data) == 30
    assert image.name == "a"


@pytest.mark.parametrize("channels", [2, 3, 5])
def test_models_with_channels(picture: np.ndarray, tmp_path: Path, channels: int) -> None:
    model = fit(np.stack([np.roll(picture, 5 * c, 1) for c in range(channels)]), channel_axis=0, **QUICK)
    model.save(tmp_path / "a.rsmoe")
    image, kernels = opened(tmp_path / "a.rsmoe").layers
    np.testing.assert_array_equal(image.data, model.render())
    assert kernels.ndim == image.ndim == 3


def test_pixel_size_is_taken_over(picture: np.ndarray, tmp_path: Path) -> None:
    model = fit(picture, **QUICK)
    model.metadata["pixel_size"] = {"Y": [0.2, "um"], "X": [0.1, "um"]}
    model.save(tmp_path / "a.rsmoe")
    for layer in opened(tmp_path / "a.rsmoe").layers:
        np.testing.assert_allclose(layer.scale, (0.2, 0.1))
        assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]


def test_kernels_layer_is_saved_as_it_was_edited(picture: np.ndarray, tmp_path: Path) -> None:
    place: dict[str, Any] = {"scale": (0.5, 0.25), "translate": (3, 4), "rotate": 20, "units": ("um", "um")}
    viewer = ViewerModel()
    for data, options, kind in fit_layer(Image(picture, name="p", **place), **QUICK):
        viewer.add_layer(__import__("napari").layers.Layer.create(data, options, kind))
    kernels = viewer.layers[-1]
    moved = [np.array(shape) for shape in kernels.data]
    moved[0] += 2.0
    kernels.data = moved
    kernels.selected_data = {3}
    kernels.remove_selected()
    (written,) = kernels.save(str(tmp_path / "edited.rsmoe"), plugin="napari-rsmoe")
    again = Model.load(written)
    assert again.n_kernels == 29
    original = fit(picture, **QUICK)
    np.testing.assert_allclose(again.kernels().center[0], original.kernels().center[0] + 2, atol=1e-4)
    image, shapes = opened(Path(written)).layers
    for layer in (image, shapes):
        np.testing.assert_allclose(layer.scale, (0.5, 0.25))
        np.testing.assert_allclose(layer.translate, (3, 4))
        np.testing.assert_allclose(layer.rotate, kernels.rotate)
        assert layer.units == kernels.units


def test_unedited_model_comes_back_exact(picture: np.ndarray, tmp_path: Path) -> None:
    _, (data, options, _) = fit_layer(Image(picture), **QUICK)
    shapes = Shapes(data, **options)
    shapes.save(str(tmp_path / "a.rsmoe"), plugin="napari-rsmoe")
    again, model = Model.load(tmp_path / "a.rsmoe"), options["metadata"][TABLE_KEY].model(0)
    np.testing.assert_array_equal(again.geometry, model.geometry)
    np.testing.assert_array_equal(again.experts, model.experts)


def test_planes_of_a_stack_become_files_of_their_own(picture: np.ndarray, tmp_path: Path) -> None:
    _, (data, options, _) = fit_layer(Image(np.stack([picture, picture[::-1]])), **QUICK)
    written = Shapes(data, **options).save(str(tmp_path / "a.rsmoe"), plugin="napari-rsmoe")
    assert [Path(path).name for path in written] == ["a_0.rsmoe", "a_1.rsmoe"]
    assert Model.load(written[1]).n_kernels == 30


def test_other_shapes_are_not_written(tmp_path: Path) -> None:
    layer = Shapes([[[0, 0], [5, 5]]], shape_type="rectangle", name="frame")
    with pytest.raises(ModelFileError, match="'frame' holds no kernels"):
        write_kernels(str(tmp_path / "a.rsmoe"), *layer.as_layer_data_tuple()[:2])
    assert not list(tmp_path.iterdir())


def test_damaged_files_are_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.rsmoe").write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match="damaged or not"):
        read(str(tmp_path / "a.rsmoe"))
