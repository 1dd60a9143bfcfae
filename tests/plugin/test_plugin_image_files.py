"""Image files of instruments, opened by napari as the command line reads them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rsmoe.io.details import Details
from napari_rsmoe.io.image_file import ImageFile
from napari_rsmoe.io.units import PixelSize
from napari_rsmoe.io.writing import write_image
from napari_rsmoe.plugin import image_files

STACK = np.random.default_rng(0).integers(0, 4000, (2, 3, 20, 24), np.uint16)
SIZES = {"T": PixelSize(2.0, "second"), "Y": PixelSize(500, "nanometer"), "X": PixelSize(0.25, "micrometer")}


@pytest.fixture
def film(tmp_path):
    details = Details(position={"X": PixelSize(7, "micrometer")}, colours=("FF0000", "00FF00", "0000FF"))
    image = ImageFile(STACK, "TCYX", SIZES, "cells", ("a", "b", "c"), details=details)
    write_image(tmp_path / "film.tif", image)
    return tmp_path / "film.tif"


@pytest.mark.parametrize("at_once", [1 << 28, 0])
def test_channels_become_layers_with_their_place_and_look(film, monkeypatch, at_once):
    monkeypatch.setattr(image_files, "LARGEST_AT_ONCE", at_once)
    layers = image_files.get_reader(str(film))(str(film))
    assert [options["name"] for _, options, _ in layers] == ["cells a", "cells b", "cells c"]
    for k, (pixels, options, kind) in enumerate(layers):
        assert kind == "image"
        np.testing.assert_array_equal(np.asarray(pixels), STACK[:, k])
        np.testing.assert_allclose(options["scale"], (2.0, 0.5, 0.25))
        np.testing.assert_allclose(options["translate"], (0, 0, 7))
        assert options["units"] == ("second", "micrometer", "micrometer")
        assert options["colormap"] == ("#FF0000", "#00FF00", "#0000FF")[k]


def test_napari_accepts_the_layers_of_an_instrument_file(tmp_path):
    napari = pytest.importorskip("napari")
    mrcfile = pytest.importorskip("mrcfile")
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(STACK[0].astype(np.int16))
        file.set_volume()
        file.voxel_size = 2.5
    ((pixels, options, _),) = image_files.read(str(tmp_path / "a.mrc"))
    layer = napari.layers.Image(pixels, **options)
    np.testing.assert_allclose(layer.scale, (2.5, 2.5, 2.5))
    assert {str(unit) for unit in layer.units} == {"angstrom"}
    np.testing.assert_array_equal(layer.data, STACK[0])


def test_colours_are_one_layer(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 255, (9, 8, 3), np.uint8)
    write_image(tmp_path / "a.tif", ImageFile(pixels, "YXS"))
    ((data, options, _),) = image_files.read([str(tmp_path / "a.tif")])
    assert options["rgb"]
    np.testing.assert_array_equal(data, pixels)
    assert image_files.get_reader([str(tmp_path / "a.txt")]) is None


def test_many_channels_are_an_axis(film, monkeypatch):
    monkeypatch.setattr(image_files, "MOST_CHANNELS", 2)
    ((pixels, options, _),) = image_files.read(str(film))
    np.testing.assert_array_equal(pixels, STACK)
    assert options["axis_labels"] == ("t", "c", "y", "x")


def test_further_images_of_a_file_are_hidden_layers(tmp_path, monkeypatch):
    from instrument_files import write_lif

    pytest.importorskip("liffile")
    write_lif(tmp_path / "a.lif", {"first": STACK, "second": STACK[:, 0]})
    layers = image_files.read(str(tmp_path / "a.lif"))
    assert [(each[1]["name"], each[1]["visible"]) for each in layers] == [
        *[("first", True)] * 3,
        ("second", False),
    ]
    monkeypatch.setattr(image_files, "MOST_IMAGES", 1)
    with pytest.warns(UserWarning, match="holds 2 images, of which the first 1"):
        assert len(image_files.read(str(tmp_path / "a.lif"))) == 3


def test_a_layer_takes_the_pixel_size_of_its_file_and_files_are_opened_with_theirs(film):
    napari = pytest.importorskip("napari")
    from napari.components import ViewerModel
    from napari.layers._source import layer_source

    from napari_rsmoe.errors import ImageError
    from napari_rsmoe.plugin import opening

    viewer = ViewerModel()
    with layer_source(path=str(film)):  # As napari's own reader opens it, without the metadata.
        layer = viewer.add_image(STACK)
    viewer.layers.selection = {layer}
    assert opening.calibrate_selected(viewer) == [layer]
    np.testing.assert_allclose(layer.scale, (2.0, 1, 0.5, 0.25))
    assert layer.axis_labels == ("t", "c", "y", "x")
    with pytest.raises(ImageError, match="does not come from a file"):
        opening.calibrate(napari.layers.Image(STACK))
    added = opening.open_images(viewer, [str(film)])
    assert [each.name for each in added] == ["cells a", "cells b", "cells c"]
    np.testing.assert_allclose(added[0].scale, (2.0, 0.5, 0.25))
