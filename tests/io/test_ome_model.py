"""The OME-XML that is written is valid by the schema, as ome-types has it (a dependency of the extra `formats`)."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import tifffile

from napari_rsmoe.io.details import Details
from napari_rsmoe.io.files import read_image
from napari_rsmoe.io.image_file import ImageFile
from napari_rsmoe.io.units import PixelSize
from napari_rsmoe.io.writing import write_image

ome_types = pytest.importorskip("ome_types")
RICH = (
    '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    '<Instrument ID="Instrument:0"><Objective ID="Objective:0:0" NominalMagnification="60"/></Instrument>'
    '<Image ID="Image:0" Name="a"><AcquisitionDate>2020-01-01T00:00:00</AcquisitionDate>'
    '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="9" SizeY="8" SizeC="2" SizeZ="1" SizeT="3" '
    'PhysicalSizeX="0.1" PhysicalSizeY="0.1" PhysicalSizeZ="0.7" SignificantBits="12">'
    '<Channel ID="Channel:0:0" Name="DAPI" SamplesPerPixel="1" EmissionWavelength="461"/>'
    '<Channel ID="Channel:0:1" SamplesPerPixel="1"/><TiffData/>'
    '<Plane TheC="0" TheZ="0" TheT="0" DeltaT="0.5" PositionX="100" PositionXUnit="mm"/></Pixels></Image>'
    "</OME>"
)


def _valid(path) -> object:
    with tifffile.TiffFile(path) as tif:
        return ome_types.from_xml(tif.ome_metadata, validate=True)


def _rich(folder) -> ImageFile:
    pixels = np.zeros((6, 8, 9), np.uint16)
    tifffile.imwrite(folder / "a.ome.tif", pixels, metadata=None, description=RICH.encode())
    return read_image(folder / "a.ome.tif")


IMAGES = {
    "units that OME lacks": lambda folder: ImageFile(
        np.zeros((2, 8, 9), np.float32), "TYX", {"X": PixelSize(3, "arcsec"), "T": PixelSize(2, "frame")}, name="a"
    ),
    "colours and places": lambda folder: ImageFile(
        np.zeros((2, 3, 8, 9), np.uint8), "CZYX", {axis: PixelSize(0.5, "nanometer") for axis in "ZYX"}, "b",
        ("DAPI", "GFP"), details=Details(
            position={"X": PixelSize(4.5, "millimeter")}, colours=("FF0000", "00FF7F"), description="a < b & c"),
    ),
    "samples and opacity": lambda folder: ImageFile(np.zeros((8, 9, 4), np.uint8), "YXS", alpha=True),
    "axes that OME lacks": lambda folder: ImageFile(np.zeros((2, 3, 8, 9), np.int32), "QLYX"),
    "a description that is kept": _rich,
    "another type of the same": lambda folder: _rich(folder).like(dtype=np.float32, size=(16, 18), scale=2),
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
def test_written_descriptions_are_valid(tmp_path, name):
    image = IMAGES[name](tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # What is renamed is said.
        write_image(tmp_path / "b.ome.tif", image)
    described = _valid(tmp_path / "b.ome.tif")
    pixels = described.images[0].pixels
    assert (pixels.size_y, pixels.size_x) == (image.sizes["Y"], image.sizes["X"])
    assert pixels.type.value == {"float32": "float"}.get(image.dtype.name, image.dtype.name)
    if name == "a description that is kept":
        assert (pixels.physical_size_z, pixels.significant_bits) == (0.7, 12)
        assert pixels.channels[0].emission_wavelength == 461
