"""Metadata that are copied where the output can hold them, and named where it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
import zarr
from PIL import Image

from napari_rsmoe.io.details import Details
from napari_rsmoe.io.image_file import ImageFile
from napari_rsmoe.io.units import PixelSize
from napari_rsmoe.io.writing import write_image

from .frame import Case, Found, Ran, noisy_bytes, scene

KIND = "Metadata dropped in silence"
TWO = np.stack([scene(seed=k) * 200 for k in (1, 2)])
NOISY = noisy_bytes(TWO)
MICRON = "micrometer"
SIZE = PixelSize(0.25, MICRON)
COLOURS = ("00FFFF", "FF8000")
LIMITS = ((10.0, 180.0), (20.0, 150.0))
PLACE = {"Y": PixelSize(120.5, MICRON), "X": PixelSize(-3.25, MICRON)}


def _image() -> ImageFile:
    details = Details(position=PLACE, colours=COLOURS, limits=LIMITS)
    return ImageFile(NOISY, "CYX", {"Y": SIZE, "X": SIZE}, channel_names=("DAPI", "Cy5"), details=details)


def _zarr(folder: Path) -> None:
    write_image(folder / "a.ome.zarr", _image())


def _display(name: str, *, limits: bool = True):
    """Names, colours, display ranges and position are in the output, or named as lost."""

    def check(ran: Ran) -> Found:
        ran.ended_well()
        image = ran.image(name)
        assert image.channel_names == ("DAPI", "Cy5")
        assert image.details.colours == COLOURS
        assert image.details.position.keys() == PLACE.keys(), image.details
        for axis, place in PLACE.items():
            assert abs(image.details.position[axis].value - place.value) < 1e-4
        if limits:
            assert image.details.limits == LIMITS
        else:
            assert ran.noted("cannot hold display range")
        return ran.denoised(NOISY, name, TWO, kept="names, colours, position" + (", range" if limits else ""))

    return check


EXPOSURE = 0x8769, 33434  # The list of the camera, and its exposure time.


def _photo(folder: Path) -> None:
    exif = Image.Exif()
    exif[271], exif[306], exif[274] = "Maker", "2024:05:06 07:08:09", 1
    exif[EXPOSURE[0]] = {EXPOSURE[1]: 0.01}
    Image.fromarray(NOISY[0]).save(
        folder / "a.jpg", exif=exif, icc_profile=b"profile of colours", dpi=(300, 300), quality=95
    )


def _photo_kept(ran: Ran) -> Found:
    ran.ended_well()
    for name in ("o.jpg", "o.png", "o.tif"):
        with Image.open(ran.folder / name) as picture:
            exif = picture.getexif()
            assert (exif[271], exif[306]) == ("Maker", "2024:05:06 07:08:09")
            assert exif.get_ifd(EXPOSURE[0])[EXPOSURE[1]] == 0.01
            assert picture.info["icc_profile"] == b"profile of colours"
            assert abs(picture.info["dpi"][0] - 300) < 0.1
    return ran.denoised("a.jpg", "o.jpg", TWO[0], kept="EXIF, ICC, dpi")


def _named(words: str, name: str = "o.npy"):
    def check(ran: Ran) -> Found:
        ran.ended_well()
        assert (ran.folder / name).exists()
        return Found("denoised", kept=ran.noted(words))

    return check


def _rich(folder: Path) -> None:
    metadata = {
        "axes": "CYX", "SignificantBits": 7, "Description": "Cells, day 3", "AcquisitionDate": "2024-05-06T07:08:09",
        "Channel": {"Name": ["DAPI", "Cy5"], "EmissionWavelength": [461.0, 670.0]},
        "Plane": {"ExposureTime": [0.1, 0.2], "PositionZ": [1.0, 1.0], "PositionZUnit": ["µm"] * 2},
        "MapAnnotation": {"Namespace": "lab", "Value": {"dish": "7"}},
    }  # fmt: skip
    tifffile.imwrite(folder / "a.ome.tif", NOISY, metadata=metadata, photometric="minisblack")
    tifffile.imwrite(folder / "b.ome.tif", NOISY[0], metadata={**metadata, "axes": "YX", "Channel": {"Name": "DAPI",
        "EmissionWavelength": 461.0}, "Plane": {"ExposureTime": 0.1}})  # fmt: skip


def _rich_kept(ran: Ran) -> Found:
    ran.ended_well()
    xml = tifffile.TiffFile(ran.folder / "o.ome.tif").ome_metadata
    for word in ("Cells, day 3", "2024-05-06T07:08:09", "461", "ExposureTime", "PositionZ", ">7<", "SignificantBits"):
        assert word in xml, f"{word} is lost"
    large = tifffile.TiffFile(ran.folder / "u.ome.tif").ome_metadata
    assert 'SizeX="96"' in large
    assert "ExposureTime" in large
    kept = ran.noted("o.png cannot hold [^.]*")
    for word in ("wavelengths", "exposure times", "acquisition date", "annotations"):
        assert word in kept, kept
    return ran.denoised(NOISY, "o.ome.tif", TWO, kept="all; " + kept)


def _earth(folder: Path) -> None:
    text = "<GDALMetadata><Item>1</Item></GDALMetadata>"
    tags = [(42113, "s", 0, "-9999", True), (42112, "s", 0, text, True), (306, "s", 20, "2024:05:06 07:08:09", True)]
    heights = NOISY[0].astype(np.float32) * 10
    tifffile.imwrite(folder / "a.tif", heights, extratags=tags, metadata=None, description="Heights of the valley")


def _earth_kept(ran: Ran) -> Found:
    ran.ended_well()
    with tifffile.TiffFile(ran.folder / "o.tif") as tif:
        tags = tif.pages[0].tags
        assert tags[42113].value == "-9999"
        assert "GDALMetadata" in str(tags[42112].value)
        assert tags[306].value == "2024:05:06 07:08:09"
        assert "Heights of the valley" in (tif.pages[0].description + str(tif.imagej_metadata))
    return Found("denoised", kept="no-data, GDAL, date, text; " + ran.noted("o.ome.zarr cannot hold [^.]*"))


def _regions(folder: Path) -> None:
    metadata = {"axes": "ZYX", "Info": "objective 63x", "Ranges": (5.0, 190.0), "Labels": ["top", "bottom"],
                "ROI": b"Iout\0\0", "min": 5.0, "max": 190.0, "finterval": 0.5}  # fmt: skip
    tifffile.imwrite(folder / "a.tif", NOISY, imagej=True, metadata=metadata)


def _regions_kept(ran: Ran) -> Found:
    ran.ended_well()
    with tifffile.TiffFile(ran.folder / "o.tif") as tif:
        facts = tif.imagej_metadata
    assert (facts["Info"], facts["Labels"], facts["max"]) == ("objective 63x", ["top", "bottom"], 190)
    assert facts["ROI"] == b"Iout\0\0"
    return Found("denoised", kept="ImageJ's own; " + ran.noted("o.ome.tif cannot hold [^.]*"))


def _fits_what_it_says(ran: Ran) -> Found:
    ran.ended_well()
    (level,) = zarr.open_group(ran.folder / "o.ome.zarr", mode="r").attrs["ome"]["multiscales"][0]["datasets"]
    steps = {step["type"]: step[step["type"]] for step in level["coordinateTransformations"]}
    np.testing.assert_allclose(steps["translation"], [0.0, 120.5, -3.25], atol=1e-6)
    channels = zarr.open_group(ran.folder / "o.ome.zarr", mode="r").attrs["ome"]["omero"]["channels"]
    assert [c["color"] for c in channels] == list(COLOURS)
    assert [(c["window"]["start"], c["window"]["end"]) for c in channels] == list(LIMITS)
    return ran.denoised(NOISY, "o.ome.zarr", TWO, kept="omero colours and windows, translation")


CASES = [
    Case("omero colours and translation", _zarr, ("denoise a.ome.zarr o.ome.zarr fast",), _fits_what_it_says,
         "kept", quick=True),
    Case("zarr to imagej", _zarr, ("denoise a.ome.zarr o.tif fast",), _display("o.tif"), "kept", quick=True),
    Case("zarr to ome-tiff", _zarr, ("denoise a.ome.zarr o.ome.tif fast",), _display("o.ome.tif", limits=False),
         "kept or named", quick=True),
    Case("zarr through tiff and back", _zarr, ("denoise a.ome.zarr p.tif fast", "denoise p.tif o.ome.zarr fast"),
         _display("o.ome.zarr"), "kept"),
    Case("a photograph", _photo, ("denoise a.jpg o.jpg fast", "denoise a.jpg o.png fast", "denoise a.jpg o.tif fast"),
         _photo_kept, "camera metadata and profile are kept or named", quick=True),
    Case("a profile to zarr", _photo, ("denoise a.jpg o.ome.zarr fast",),
         _named("cannot hold colour profile, print resolution, EXIF data", "o.ome.zarr"), "named"),
    Case("everything of ome", _rich, ("denoise a.ome.tif o.ome.tif fast", "denoise a.ome.tif z.ome.zarr fast",
         "upscale a.ome.tif u.ome.tif --scale 2 --models 1", "denoise b.ome.tif o.png fast"), _rich_kept, "kept, named",
         quick=True),
    Case("terrain", _earth, ("denoise a.tif o.tif fast", "denoise a.tif o.ome.zarr fast"), _earth_kept,
         "kept, or named"),
    Case("imagej regions and labels", _regions, ("denoise a.tif o.tif fast", "denoise a.tif o.ome.tif fast"),
         _regions_kept, "kept, or named", quick=True),
    Case("everything to npy", _zarr, ("denoise a.ome.zarr o.npy fast",),
         _named("cannot hold pixel size, channel names, position, channel colours, display range"), "named"),
]  # fmt: skip
