"""Metadata that are copied between formats, and odd ones that keep no sound pixels from being read."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_rsmoe.errors import ImageError
from napari_rsmoe.io import exif
from napari_rsmoe.io.files import read_image
from napari_rsmoe.io.writing import lost_metadata, write_image

PICTURE = np.random.default_rng(0).integers(0, 256, (12, 17, 3)).astype(np.uint8)
PLANES = np.random.default_rng(1).integers(0, 900, (6, 12, 17)).astype(np.uint16)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:title="a"/></x:xmpmeta>'
EXPOSURE, LATITUDE = 33434, 2


def _photograph(path: Path) -> None:
    camera = Image.Exif()
    camera[271], camera[274] = "Maker", 6
    camera[exif.CAMERA] = {EXPOSURE: 0.01, 40962: 17}
    camera[exif.GPS] = {LATITUDE: (1.0, 2.0, 3.0)}
    content = b"http://ns.adobe.com/xap/1.0/\0" + XMP
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(content)) + content
    Image.fromarray(PICTURE).save(path, exif=camera, extra=segment, comment="hello", quality=95)


@pytest.mark.parametrize("name", ["b.tif", "b.ome.tif", "b.png", "b.jpg"])
def test_metadata_of_a_camera_reach_every_format(tmp_path, name):
    """By way of TIFF, which holds them in lists of its own."""
    _photograph(tmp_path / "a.jpg")
    image = read_image(tmp_path / "a.jpg")
    write_image(tmp_path / "between.tif", image)
    between = read_image(tmp_path / "between.tif")
    np.testing.assert_array_equal(between.numpy(), image.numpy())
    if name != "b.png":
        assert lost_metadata(tmp_path / name, between) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *a, **k: None)  # PNG has no place for the comment, and says so.
        write_image(tmp_path / name, between)
    with Image.open(tmp_path / name) as picture:
        camera = picture.getexif()
        assert camera[271] == "Maker"
        assert camera.get(274, 1) == 1
        assert camera.get_ifd(exif.CAMERA) == {EXPOSURE: 0.01}
        assert camera.get_ifd(exif.GPS) == {LATITUDE: (1.0, 2.0, 3.0)}
    assert b'tiff:Orientation="1"' in (tmp_path / name).read_bytes()


def test_private_tags_are_copied_unless_they_may_be_places_in_the_file(tmp_path):
    tags = [(65001, "s", 0, "text", True), (65002, "d", 2, (1.5, 2.5), True), (65003, "I", 1, 7, True)]
    tifffile.imwrite(tmp_path / "a.tif", PLANES[0], metadata=None, extratags=[*tags, (285, "s", 0, "page", True)])
    image = read_image(tmp_path / "a.tif")
    assert lost_metadata("b.ome.tif", image) == ["b.ome.tif cannot hold TIFF tag 65003"]
    assert lost_metadata("b.npy", image) == [
        "b.npy cannot hold page name, TIFF tag 65001, TIFF tag 65002, TIFF tag 65003"
    ]
    with pytest.warns(UserWarning, match="65003"):
        write_image(tmp_path / "b.ome.tif", image)
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as tif:
        found = {code: tif.pages.first.tags.valueof(code) for code in (285, 65001, 65002, 65003)}
    assert found == {285: "page", 65001: "text", 65002: (1.5, 2.5), 65003: None}


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def test_texts_and_gamma_of_png_are_copied_or_named(tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    more = _chunk(b"tEXt", b"Title\0a cell") + _chunk(b"gAMA", struct.pack(">I", 45455))
    (tmp_path / "a.png").write_bytes(content[:33] + more + content[33:])
    image = read_image(tmp_path / "a.png")
    write_image(tmp_path / "b.png", image)
    with Image.open(tmp_path / "b.png") as picture:
        assert (picture.info["Title"], picture.info["gamma"]) == ("a cell", 0.45455)
    assert lost_metadata("b.tif", image) == ["b.tif cannot hold texts (Title), definition of colours"]


def test_display_of_imagej_is_kept_or_named(tmp_path):
    fire = np.stack([np.arange(256), np.clip(np.arange(256) * 2 - 255, 0, 255), np.zeros(256)]).astype(np.uint8)
    facts = {"axes": "YX", "LUTs": [fire], "min": 5.0, "max": 99.0}
    tifffile.imwrite(tmp_path / "a.tif", PICTURE[..., 0], imagej=True, metadata=facts)
    image = read_image(tmp_path / "a.tif")
    assert image.details.limits == ((5.0, 99.0),)
    assert image.details.colours == ()  # No single colour stands for this table.
    assert lost_metadata("b.tif", image) == []
    assert lost_metadata("b.ome.tif", image) == ["b.ome.tif cannot hold display range, display colour table"]


def test_the_step_of_planes_that_are_not_there_stays_in_ome_xml(tmp_path):
    size = {"PhysicalSizeZ": 0.7, "PhysicalSizeZUnit": "µm"}
    tifffile.imwrite(tmp_path / "a.ome.tif", PLANES[0], metadata={"axes": "YX", **size})
    write_image(tmp_path / "b.ome.tif", read_image(tmp_path / "a.ome.tif"))
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as tif:
        assert 'PhysicalSizeZ="0.7"' in tif.ome_metadata


def test_stretched_colour_tables_have_eight_bits(tmp_path):
    Image.fromarray(PICTURE).quantize(200).save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif").dtype == np.uint8


def test_planes_whose_pages_are_cut_off_are_read(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PLANES, metadata={"axes": "TYX"})
    content = (tmp_path / "a.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        start = tif.series[0].dataoffset
    (tmp_path / "b.tif").write_bytes(content[: start + 4 * PLANES[0].nbytes + 5])
    with pytest.raises(ImageError, match="6 planes, of which 2 are missing"):
        read_image(tmp_path / "b.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif", allow_incomplete=True).numpy(), PLANES[:4])


def test_impossible_axes_of_a_tiff_file_are_left_out(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PLANES, metadata=None, description='{"shape": [6, 12, 17], "axes": "ZZX"}')
    image = read_image(tmp_path / "a.tif")
    assert (image.axes, image.shape) == ("QYX", PLANES.shape)
    assert any("cannot be understood" in note for note in image.notes)


ODD = [
    {"axes": [{"name": "y"}, {"name": "x"}]},
    {"axes": None},
    {"axes": [{"name": "z", "unit": 5}, {"name": "y"}, {"name": "x"}]},
    {"coordinateTransformations": 5},
    {"datasets": [{"path": "0", "coordinateTransformations": [7, {"type": "scale", "scale": ["0,2", None]}]}]},
    {"name": 5},
]


@pytest.mark.parametrize("odd", ODD)
def test_odd_metadata_of_zarr_stores_keep_no_pixels_from_being_read(tmp_path, odd):
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    group.create_array("0", shape=PLANES.shape, dtype="uint16", chunks=PLANES.shape)[...] = PLANES
    axes = [{"name": name, "type": "space"} for name in "zyx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [{"path": "0"}], **odd}]
    group.attrs["omero"] = "none"
    image = read_image(tmp_path / "a.zarr")
    assert image.axes == "ZYX"
    np.testing.assert_array_equal(image.numpy(), PLANES)


def test_chunks_that_a_store_lacks_are_named(tmp_path):
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=PLANES.shape, dtype="uint16", chunks=(1, 12, 17), zarr_format=2
    )
    array.attrs["_ARRAY_DIMENSIONS"] = ["time", "lat", "lon"]
    array[:4] = PLANES[:4]
    image = read_image(tmp_path / "a.zarr")
    assert image.axes == "TYX"
    assert image.notes == ("2 chunks are not in the store, of 6, and read as 0",)


def test_an_esri_grid_has_its_place_and_missing_data(tmp_path):
    header = "ncols 3\nnrows 2\nxllcorner 500\nyllcorner 4000\ncellsize 25\nNODATA_value -9999\n"
    (tmp_path / "a.asc").write_text(header + "1.5 2 -9999\n4 5 6\n")
    image = read_image(tmp_path / "a.asc")
    np.testing.assert_array_equal(image.numpy(), np.array([[1.5, 2, -9999], [4, 5, 6]], np.float32))
    assert (image.details.nodata, image.pixel_size["X"].value) == (-9999, 25)
    write_image(tmp_path / "b.tif", image)
    with tifffile.TiffFile(tmp_path / "b.tif") as tif:
        assert tif.geotiff_metadata["ModelTiepoint"] == [0, 0, 0, 500, 4050, 0]
        assert tif.geotiff_metadata["ModelPixelScale"] == [25, 25, 0]
    assert read_image(tmp_path / "b.tif").details.nodata == -9999
    (tmp_path / "c.asc").write_text(header + "1 2 3\n4 5\n")
    with pytest.raises(ImageError, match="holds 5 values"):
        read_image(tmp_path / "c.asc")
    (tmp_path / "key.asc").write_text("-----BEGIN PGP PUBLIC KEY BLOCK-----")
    with pytest.raises(ImageError, match="no grid"):
        read_image(tmp_path / "key.asc")


def test_an_enlarged_image_begins_where_its_first_pixel_lies(tmp_path):
    described = {"axes": "TYX", "PhysicalSizeX": 0.2, "PhysicalSizeY": 0.2, "Plane": {"PositionX": [10.0, 12.0]}}
    described["Plane"]["PositionXUnit"] = ["µm", "µm"]
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((2, 8, 8), np.uint8), metadata=described)
    with read_image(tmp_path / "a.ome.tif") as image:
        large = image.like(size=(16, 16), scale=2)
        write_image(tmp_path / "b.ome.tif", replace(large, data=np.zeros((2, 16, 16), np.uint8)))
    assert read_image(tmp_path / "b.ome.tif").details.position["X"].value == pytest.approx(9.95)
    assert 'PositionX="11.95"' in tifffile.TiffFile(tmp_path / "b.ome.tif").ome_metadata
