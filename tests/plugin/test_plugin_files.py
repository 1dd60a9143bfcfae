"""Model files in napari: opened and saved as a user does, on a viewer without a window."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driving import register_plugins
from napari.components import ViewerModel
from napari.layers import Image, Shapes

from napari_rsmoe import Model, ModelFileError, fit, read_image
from napari_rsmoe.plugin.commands import fit_layer
from napari_rsmoe.plugin.files import read, write_kernels
from napari_rsmoe.plugin.layers.kernels import TABLE_KEY

QUICK: dict[str, Any] = {"n_kernels": 30, "iterations": 20}


def opened(path: Path) -> ViewerModel:
    register_plugins()
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


# ------------------------------------------------------------------ images and tables


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "a.ome.zarr"])
def test_images_keep_scale_units_and_channel_names(noisy: np.ndarray, tmp_path: Path, name: str) -> None:
    from napari import layers
    from napari.plugins._npe2 import write_layers

    place: dict[str, Any] = {
        "scale": (2.0, 0.5, 0.25), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x"), "translate": (0, 0, 0),
    }  # fmt: skip
    film = layers.Image(np.stack([noisy, noisy[::-1]]), name="actin", **place)
    other = layers.Image(np.stack([noisy[::-1], noisy]), name="nuclei", **place)
    (one,), _ = write_layers(str(tmp_path / f"one_{name}"), [film], plugin_name="napari-rsmoe")
    both, _ = write_layers(str(tmp_path / f"both_{name}"), [film, other], plugin_name="napari-rsmoe")
    image, joined = read_image(one), read_image(both[0])
    assert (image.axes, joined.axes) == ("TYX", "TCYX")
    np.testing.assert_array_equal(image.data, film.data)
    np.testing.assert_array_equal(joined.data[:, 1], other.data)
    for each in (image, joined):
        assert each.pixel_size["Y"] == (0.5, "micrometer")
        assert each.pixel_size["X"] == (0.25, "micrometer")
        assert each.pixel_size["T"] == (2.0, "second")
    assert joined.channel_names == ("actin", "nuclei")


def test_kernels_as_table_and_outlines(noisy: np.ndarray, tmp_path: Path) -> None:
    from napari import layers

    from napari_rsmoe.plugin.kernel_tables import write_csv, write_geojson

    source = layers.Image(noisy, scale=(0.5, 0.5), translate=(3, 4), units=("um", "um"))
    made = [layers.Layer.create(*each) for each in fit_layer(source, n_kernels=12, iterations=5)]
    data, meta, _ = made[1].as_layer_data_tuple()
    write_csv(str(tmp_path / "k.csv"), data, meta)
    write_geojson(str(tmp_path / "k.geojson"), data, meta)
    rows = list(csv.DictReader((tmp_path / "k.csv").open()))
    features = json.loads((tmp_path / "k.geojson").read_text())["features"]
    kernels = made[1].metadata["rsmoe_kernels"].model(0).kernels()
    assert len(rows) == len(features) == 12
    np.testing.assert_allclose([float(row["center x"]) for row in rows], kernels.center[:, 1])
    np.testing.assert_allclose([float(row["world y (micrometer)"]) for row in rows], kernels.center[:, 0] * 0.5 + 3)
    ring = np.array(features[3]["geometry"]["coordinates"][0])
    np.testing.assert_allclose(ring[:-1].mean(0), kernels.center[3, ::-1], atol=1e-3)
    np.testing.assert_array_equal(ring[0], ring[-1])
    assert features[3]["properties"]["kernel"] == 3
    with pytest.raises(ModelFileError, match="holds no kernels"):
        write_csv(str(tmp_path / "x.csv"), [], {"metadata": {}, "name": "x"})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("cells.tif", "TIFF with pixel size"), ("cells.ome.tif", "TIFF with pixel size"),
        ("cells.ome.zarr", "OME-Zarr"), ("both.ome.tif", "Channels of one image"), ("k.csv", "Table of kernels"),
        ("k.geojson", "Outlines of kernels"), ("k.rsmoe", "R-SMoE model"),
    ],
)  # fmt: skip
def test_the_save_dialog_of_napari_offers_every_writer(
    window: Any, noisy: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    """As File > Save Selected Layers does it, with a file name and the format that is chosen in the dialog."""
    from qtpy.QtWidgets import QFileDialog

    layers = window.viewer.layers
    wanted = layers[2:] if name.startswith("k.") else layers[:2] if name.startswith("both") else layers[:1]
    layers.selection.clear()
    layers.selection.update(wanted)

    def choose(*_: Any, filter: str = "", **__: Any) -> tuple[str, str]:  # noqa: A002  # Qt's name
        (chosen,) = [each for each in filter.split(";;") if kind in each]
        return str(tmp_path / name), chosen

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    monkeypatch.setattr("napari._qt.qt_viewer.get_save_history", lambda: [str(tmp_path)])
    monkeypatch.setattr("napari._qt.qt_viewer.update_save_history", lambda path: None)
    window._save_layers_dialog(selected=True)
    saved = tmp_path / name
    if name.startswith("k.c"):
        assert len(list(csv.DictReader(saved.open()))) == 12
    elif name.startswith("k.g"):
        assert len(json.loads(saved.read_text())["features"]) == 12
    elif name.startswith("k."):
        assert Model.load(saved).n_kernels == 12
    else:
        image = read_image(saved)
        assert image.pixel_size["X"] == (0.25, "micrometer")
        assert image.pixel_size["Y"] == (0.5, "micrometer")
        both = name.startswith("both")
        assert image.channel_names == (("cells", "nuclei") if both else image.channel_names)
        np.testing.assert_array_equal(image.data[0] if both else image.data, noisy)


@pytest.fixture(scope="module")
def window(qapp: Any) -> Any:
    """napari's widget with the canvas, with two images and kernels, for all tests that save."""
    from napari._qt.qt_viewer import QtViewer

    register_plugins()
    y, x = np.mgrid[:48, :64]
    noise = np.random.default_rng(0).normal(0, 12, x.shape)
    picture = np.rint(90 + 60 * np.sin(x / 9) * np.cos(y / 7) + 60 * (x + y > 60)).astype(np.uint8)
    image = np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)
    place: dict[str, Any] = {"scale": (0.5, 0.25), "units": ("um", "um"), "axis_labels": ("y", "x")}
    viewer = ViewerModel()
    viewer.add_layer(Image(image, name="cells", **place))
    viewer.add_layer(Image(image[::-1], name="nuclei", **place))
    kernels = fit_layer(viewer.layers[0], n_kernels=12, iterations=5)[1]
    viewer.add_layer(Shapes(kernels[0], **kernels[1]))
    shown = QtViewer(viewer)
    yield shown
    shown.close()
    shown.deleteLater()
    qapp.processEvents()
