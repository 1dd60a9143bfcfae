"""Formats of instruments: files that their own libraries write, or, where none writes, made by hand (LIF, ND2)."""

from __future__ import annotations

import os
import struct
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from instrument_files import write_lif, write_nd2
from io_helpers import same_sizes

from napari_rsmoe.errors import ImageError
from napari_rsmoe.io.files import list_series, read_image
from napari_rsmoe.io.units import PixelSize
from napari_rsmoe.io.writing import write_image

RANDOM = np.random.default_rng(0)
STACK = RANDOM.integers(0, 4000, (2, 3, 20, 24), np.uint16)
MICRON = "micrometer"


def check_lazy(path, pixels, **how):
    """The whole, a plane, and a part of it are the same when they are read on demand."""
    with read_image(path, lazy=True, **how) as image:
        np.testing.assert_array_equal(image.numpy(), pixels)
        lead = (0,) * (pixels.ndim - 2)
        np.testing.assert_array_equal(image.data[(*lead, slice(3, 9), slice(None, None, 2))], pixels[lead][3:9, ::2])
        np.testing.assert_array_equal(image.data[..., 4], pixels[..., 4])


def test_czi(tmp_path):
    czi = pytest.importorskip("pylibCZIrw.czi")
    path = tmp_path / "a.czi"
    with czi.create_czi(str(path)) as file:
        for t in range(2):
            for c in range(3):
                for scene in (0, 1):
                    pixels = STACK[t, c] + scene
                    for x in (0, 12):  # two tiles side by side
                        file.write(
                            data=np.ascontiguousarray(pixels[:, x : x + 12, None]), plane={"T": t, "C": c, "Z": 0},
                            scene=scene, location=(500 * scene + x, 70),
                        )  # fmt: skip
        names = {0: "DAPI", 1: "GFP", 2: "Cy5"}
        file.write_metadata("cells", channel_names=names, scale_x=1e-7, scale_y=2e-7, scale_z=5e-7)
    image = read_image(path)
    assert (image.axes, image.kind, image.channel_names) == ("TCYX", "czi", ("DAPI", "GFP", "Cy5"))
    same_sizes(image.pixel_size, {"X": PixelSize(0.1, MICRON), "Y": PixelSize(0.2, MICRON)})
    assert "2 scenes" in image.notes[0]
    assert len(list_series(path)) == 2
    check_lazy(path, STACK)
    check_lazy(path, STACK + 1, series=1)


@pytest.mark.parametrize(
    "options", ["zstd0:ExplicitLevel=3", "zstd1:ExplicitLevel=3;PreProcess=HiLoByteUnpack", "uncompressed:"]
)
def test_compressed_czi_of_overlapping_tiles_and_colours(tmp_path, options):
    czi = pytest.importorskip("pylibCZIrw.czi")
    path, colours = tmp_path / "a.czi", tmp_path / "b.czi"
    picture = RANDOM.integers(0, 255, (20, 24, 3), np.uint8)
    with czi.create_czi(str(path), compression_options=options) as file:
        for x in (0, 10):
            file.write(data=np.ascontiguousarray(STACK[int(x > 0), 0, :, x : x + 14, None]), location=(x, 0))
    with czi.create_czi(str(colours), compression_options=options) as file:
        file.write(data=np.ascontiguousarray(picture[..., ::-1]))  # Blue comes first in these files.
    expected = STACK[0, 0].copy()
    expected[:, 10:] = STACK[1, 0, :, 10:]
    check_lazy(path, expected)
    image = read_image(colours)
    assert image.axes == "YXS"
    np.testing.assert_array_equal(image.numpy(), picture)


def test_czi_of_unknown_compression_is_refused_with_the_remedy(tmp_path, monkeypatch):
    czi = pytest.importorskip("pylibCZIrw.czi")
    from napari_rsmoe.io.field import czi as reader

    path = tmp_path / "a.czi"
    with czi.create_czi(str(path), compression_options="zstd0:") as file:
        file.write(data=np.ascontiguousarray(STACK[0, 0, :, :, None]))
    monkeypatch.delitem(reader._DECODERS, 5)
    with pytest.raises(ImageError, match=r"number 5.*export it as OME-TIFF"):
        read_image(path, lazy=True)


def test_nd2(tmp_path):
    pytest.importorskip("nd2")
    path = tmp_path / "a.nd2"
    write_nd2(path, STACK)
    image = read_image(path)
    assert (image.axes, image.kind, image.channel_names) == ("TCYX", "nd2", ("DAPI", "GFP", "Cy5"))
    assert image.details.colours == ("0000FF", "00FF00", "FF0000")
    same_sizes(
        image.pixel_size,
        {"T": PixelSize(250, "millisecond"), "X": PixelSize(0.16, MICRON), "Y": PixelSize(0.16, MICRON)},
    )
    check_lazy(path, STACK)


def test_lif(tmp_path):
    pytest.importorskip("liffile")
    path = tmp_path / "a.lif"
    write_lif(path, {"first": STACK, "second": STACK[:, 0] + 1})
    image = read_image(path)
    assert (image.axes, image.kind, image.name) == ("TCYX", "lif", "first")
    same_sizes(
        image.pixel_size, {"T": PixelSize(1.5, "second"), "X": PixelSize(0.2, MICRON), "Y": PixelSize(0.2, MICRON)}
    )
    assert list_series(path) == ["0 'first': TCYX 2 x 3 x 20 x 24", "1 'second': TYX 2 x 20 x 24"]
    check_lazy(path, STACK)
    check_lazy(path, STACK[:, 0] + 1, series="second")
    with pytest.raises(ImageError, match="no series is called 'third'"):
        read_image(path, series="third")


@pytest.mark.parametrize(("codes", "axes"), [({2: 3}, "TCYX"), ({4: 5}, "QCYX")])
def test_lif_of_sections_and_of_wavelengths(tmp_path, codes, axes):
    pytest.importorskip("liffile")
    path = tmp_path / "a.lif"
    write_lif(path, {"first": STACK}, codes, "Green")
    image = read_image(path)
    assert (image.axes, image.details.colours) == (axes, ("00FF00",) * 3)
    assert image.pixel_size["Y"] == pytest.approx(image.pixel_size["X"])
    assert ("rows of its planes are along Z" in " ".join(image.notes)) == (2 in codes)
    assert list_series(path) == [f"0 'first': {axes} 2 x 3 x 20 x 24"]
    check_lazy(path, STACK)
    write_lif(path, {"first": STACK[:, 0]}, codes)
    assert read_image(path).channel_names == (("0 nm", "1.5e+09 nm") if 4 in codes else ())


def test_mrc(tmp_path):
    mrcfile = pytest.importorskip("mrcfile")
    path = tmp_path / "a.mrc"
    for pixels, volume, axes in ((STACK[0], True, "ZYX"), (STACK[0], False, "QYX"), (STACK[0, 0], False, "YX")):
        with mrcfile.new(path, overwrite=True) as file:
            file.set_data(pixels.astype(np.int16))
            if volume:
                file.set_volume()
            elif pixels.ndim == 3:
                file.set_image_stack()
            file.voxel_size = 2.5
        image = read_image(path)
        assert (image.axes, image.dtype, image.kind) == (axes, np.int16, "mrc")
        assert image.pixel_size["X"] == PixelSize(2.5, "angstrom")
        check_lazy(path, pixels.astype(np.int16))
    path.write_bytes(path.read_bytes()[:1100])
    with pytest.raises(ImageError, match="damaged or incomplete"):
        read_image(path)


def test_fits(tmp_path):
    fits = pytest.importorskip("astropy.io.fits")
    path = tmp_path / "a.fits"
    sky = RANDOM.normal(10, 1, (20, 24)).astype(np.float32)
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -1e-4, "CDELT2": 1e-4})
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(sky, header, name="SCI"), fits.ImageHDU(STACK[0], name="CUBE")]
    fits.HDUList(hdus).writeto(path)
    image = read_image(path)
    assert (image.axes, image.dtype, image.name, image.kind) == ("YX", np.float32, "SCI", "fits")
    same_sizes(image.pixel_size, {"X": PixelSize(0.36, "arcsec"), "Y": PixelSize(0.36, "arcsec")})
    check_lazy(path, sky)
    check_lazy(path, STACK[0], series="CUBE")  # unsigned values, by BZERO
    assert np.isnan(image.details.nodata)
    stored = fits.PrimaryHDU(STACK[0, 0].astype(np.int16), fits.Header({"BLANK": int(STACK[0, 0, 2, 3]), "EXPTIME": 3}))
    stored.writeto(tmp_path / "b.fits")
    image = read_image(tmp_path / "b.fits")
    assert np.isnan([image.details.nodata, image.numpy()[2, 3]]).all()
    assert "EXPTIME = 3" in image.details.description


def test_dicom(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = pydicom.Dataset()
    data.file_meta, data.SOPClassUID = meta, CTImageStorage
    data.SOPInstanceUID, data.PatientName = meta.MediaStorageSOPInstanceUID, "Somebody"
    data.Rows, data.Columns, data.SamplesPerPixel, data.PixelRepresentation = 20, 24, 1, 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    data.PhotometricInterpretation, data.PixelSpacing = "MONOCHROME2", [0.7, 0.5]
    data.RescaleSlope, data.RescaleIntercept, data.RescaleType = 1, -1024, "HU"
    data.PixelData = STACK[0, 0].tobytes()
    path = tmp_path / "a.dcm"
    data.save_as(path, enforce_file_format=True)
    image = read_image(path)
    assert (image.axes, image.dtype, image.kind) == ("YX", np.int16, "dicom")
    np.testing.assert_array_equal(image.numpy(), STACK[0, 0].astype(int) - 1024)
    same_sizes(image.pixel_size, {"Y": PixelSize(0.7, "millimeter"), "X": PixelSize(0.5, "millimeter")})
    assert "plus -1024 (HU)" in image.notes[0]
    assert image.details.nodata is None
    data.PixelPaddingValue = 5
    data.save_as(path, enforce_file_format=True)
    assert read_image(path).details.nodata == 5 - 1024
    data.PhotometricInterpretation, data.RescaleIntercept = "MONOCHROME1", 0
    data.save_as(path, enforce_file_format=True)
    image = read_image(path)
    np.testing.assert_array_equal(image.numpy(), 4095 - STACK[0, 0])
    assert "0 stands for white" in image.notes[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_image(tmp_path / "b.ome.tif", image)
    assert b"Somebody" not in (tmp_path / "b.ome.tif").read_bytes()


def test_dicom_colours_are_converted_once(tmp_path):
    from instrument_files import write_dicom

    pytest.importorskip("pydicom")
    from PIL import Image

    colours = np.zeros((8, 8, 3), np.uint8)
    colours[..., 0], colours[2:5, 2:5] = 200, (10, 220, 30)
    write_dicom(tmp_path / "a.dcm", np.asarray(Image.fromarray(colours).convert("YCbCr")), "YBR_FULL")
    image = read_image(tmp_path / "a.dcm")
    assert image.axes == "YXS"
    np.testing.assert_allclose(image.numpy().astype(int), colours, atol=2)


def test_mrc_bytes_of_imod_without_a_sign(tmp_path):
    mrcfile = pytest.importorskip("mrcfile")
    path, pixels = tmp_path / "a.mrc", STACK[0, 0].astype(np.uint8)
    with mrcfile.new(path) as file:
        file.set_data(pixels.view(np.int8))
    assert read_image(path).dtype == np.int8
    content = bytearray(path.read_bytes())
    content[152:160] = struct.pack("<ii", 1146047817, 0)
    path.write_bytes(content)
    np.testing.assert_array_equal(read_image(path).numpy(), pixels)


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    path = tmp_path / "a.czi"
    path.write_bytes(b"ZISRAWFILE" + bytes(600))
    monkeypatch.setitem(sys.modules, "czifile", None)
    with pytest.raises(ImageError, match=r"pip install 'napari-rsmoe\[formats\]'"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".czi", ".nd2", ".lif", ".mrc", ".fits", ".dcm"])
def test_a_damaged_file_is_an_image_error(tmp_path, suffix):
    for content in (b"", bytes(5000), RANDOM.bytes(5000), struct.pack("<II", 0x70, 10) + bytes(3000)):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(ImageError):
                read_image(path)


def test_an_instrument_file_in_a_folder_becomes_an_ome_tiff(tmp_path):
    from cli_helpers import names, run

    mrcfile = pytest.importorskip("mrcfile")
    (tmp_path / "in").mkdir()
    with mrcfile.new(tmp_path / "in" / "a.mrc") as file:
        file.set_data(STACK[0, 0].astype(np.float32))
    (tmp_path / "in" / "route.map").write_text("of another program")
    assert run("denoise", tmp_path / "in", tmp_path / "out", "--preset", "fast").exit_code == 0
    assert names(tmp_path / "out") == ["a.ome.tif"]


REAL = os.environ.get("RSMOE_INSTRUMENTS", "")


@pytest.mark.skipif(not REAL, reason="the environment variable RSMOE_INSTRUMENTS names no folder of instruments' files")
def test_files_of_instruments_are_read_as_their_makers_read_them():
    """Every CZI, ND2 and LIF file of a folder: pixels as the reference libraries give them."""
    from instrument_references import reference_planes

    paths = sorted(path for path in Path(REAL).iterdir() if path.suffix in (".czi", ".nd2", ".lif"))
    assert paths, f"there is no file of an instrument in {REAL}"
    for path in paths:
        for number in range(max(1, len(list_series(path)))):
            with read_image(path, series=number, lazy=True) as image:
                for index, expected in reference_planes(path, number, image.axes, image.shape):
                    np.testing.assert_array_equal(image.data[index], expected, err_msg=f"{path.name} {number} {index}")
