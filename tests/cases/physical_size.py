"""Pixel sizes in tags of makers and in print resolutions, and units that other formats lack."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import tifffile
import zarr

from .frame import Case, Found, Ran, noisy_bytes, scene

KIND = "Physical size"
GREY = scene() * 220
NOISY = noisy_bytes(GREY)


def _write(**options: object) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        tifffile.imwrite(folder / "a.tif", NOISY, **{"metadata": None, **options})

    return make


def _size(value: float | None, unit: str = "", *names: str) -> Callable[[Ran], Found]:
    """All outputs have this pixel size along X."""

    def check(ran: Ran) -> Found:
        ran.ended_well()
        for name in names or ("o.ome.tif",):
            sizes = ran.image(name).pixel_size
            if value is None:
                assert sizes == {}, f"{name}: {sizes}"
            else:
                assert sizes["X"].unit == unit, f"{name}: {sizes}"
                assert abs(sizes["X"].value / value - 1) < 1e-3, f"{name}: {sizes}"
        return ran.denoised("a.tif", (names or ("o.ome.tif",))[0], GREY, kept=f"{value or 'no size'} {unit}".strip())

    return check


def _zeiss() -> dict[str, object]:
    text = "0\r\n0\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 12.5 nm\r\nAP_WD\r\nWD = 5.0 mm\r\n"
    return {"extratags": [(34118, 2, 0, text, True)], "resolution": (96, 96), "resolutionunit": "INCH"}


def _micro_manager() -> dict[str, object]:
    page = json.dumps({"PixelSizeUm": 0.325, "Channel": "GFP", "FrameIndex": 0})
    return {"extratags": [(51123, "s", 0, page, True)]}


def _sis(folder: Path) -> None:
    """Olympus SIS: a structure in a tag, which points to another at the end of the file."""
    name = b"SIS0" + bytes(6) + struct.pack("<5h", 1, 2, 3, 4, 120) + bytes(6) + b"image".ljust(32, b"\0")
    head = name + struct.pack("<H", 1) + struct.pack("<hhI", 1, 1, 0)
    tifffile.imwrite(folder / "a.tif", NOISY, metadata=None, extratags=[(33560, "B", len(head), head, True)])
    with tifffile.TiffFile(folder / "a.tif") as tif:
        at = tif.pages[0].tags[33560].valueoffset
    content = bytearray((folder / "a.tif").read_bytes())
    content[at + len(head) - 4 : at + len(head)] = struct.pack("<I", len(content))
    calibration = bytes(10) + struct.pack("<hdd", -6, 0.0645, 0.0645) + bytes(8) + struct.pack("<d", 100.0)
    content += (calibration + bytes(2) + b"camera".ljust(34, b"\0")).ljust(120, b"\0")
    (folder / "a.tif").write_bytes(content)


def _earth(model: int) -> dict[str, object]:
    """GeoTIFF: 1 projected in metres, 2 geographic in degrees."""
    keys = (1, 1, 0, 1, 1024, 0, 1, model)
    return {
        "extratags": [
            (33550, "d", 3, (30.0, 30.0, 0.0), True),
            (33922, "d", 6, (0.0, 0.0, 0.0, 500000.0, 4600000.0, 0.0), True),
            (34735, "H", len(keys), keys, True),
        ]
    }


def _earth_again(ran: Ran) -> Found:
    with tifffile.TiffFile(ran.folder / "o.tif") as tif:
        tags = tif.geotiff_metadata
    assert tags["ModelPixelScale"][:2] == [30.0, 30.0]
    assert tags["ModelTiepoint"][3:5] == [500000.0, 4600000.0]
    with tifffile.TiffFile(ran.folder / "u.tif") as tif:
        assert tif.geotiff_metadata["ModelPixelScale"][:2] == [15.0, 15.0]
    found = _size(30.0, "meter", "o.tif", "o.ome.tif")(ran)
    return Found(found.outcome, found.before, found.after, "30 m, place on the earth; 15 m after upscaling")


def _beside(text: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        tifffile.imwrite(folder / "a.tif", NOISY, metadata=None, resolution=(72, 72), resolutionunit="INCH")
        (folder / "a.txt").write_text(text)

    return make


HITACHI = "[SemImageFile]\r\nInstructName=SU8000\r\nPixelSize=4.960938\r\nDataSize=1280x960\r\n"
JEOL = "$CM_FORMAT JEOL-SEM\r\n$CM_MAG 10000\r\n$$SM_MICRON_BAR 100\r\n$$SM_MICRON_MARKER 1um\r\n"


def _angles(ran: Ran) -> Found:
    ran.ended_well()
    axes = zarr.open_group(ran.folder / "o.ome.zarr", mode="r").attrs["ome"]["multiscales"][0]["axes"]
    assert axes[-1]["unit"] == "arcsec"
    size = ran.image("o.ome.tif").pixel_size["X"]
    assert (round(size.value, 6), size.unit) == (0.05, "arcsec")
    size = ran.image("again.tif").pixel_size["X"]
    assert (round(size.value, 6), size.unit) == (0.05, "arcsec")
    return ran.denoised("a.tif", "o.ome.tif", GREY, kept=ran.noted("OME has no unit arcsec"))


def _finer(ran: Ran) -> Found:
    ran.ended_well()
    size = ran.image("o.ome.zarr").pixel_size["X"]
    assert abs(size.value - 0.1) < 1e-6
    place = ran.image("o.ome.zarr").details.position["X"]
    assert abs(place.value - (10 - 0.05)) < 1e-6, place  # The centre of the first pixel moves by a quarter of 0.2.
    return Found("denoised", kept="size and position of smaller pixels")


def _placed(folder: Path) -> None:
    from napari_rsmoe.io.details import Details
    from napari_rsmoe.io.image_file import ImageFile
    from napari_rsmoe.io.units import PixelSize
    from napari_rsmoe.io.writing import write_image

    size, place = PixelSize(0.2, "micrometer"), PixelSize(10.0, "micrometer")
    details = Details(position={"Y": place, "X": place})
    write_image(folder / "a.ome.zarr", ImageFile(NOISY[:24, :24], "YX", {"Y": size, "X": size}, details=details))


def _print_kept(ran: Ran) -> Found:
    with tifffile.TiffFile(ran.folder / "o.tif") as tif:
        tags = tif.pages[0].tags
        assert tags["XResolution"].value == (300, 1)
        assert int(tags["ResolutionUnit"].value) == 2
    found = _size(None, "", "o.ome.tif", "o.ome.zarr", "o.tif")(ran)
    return Found(found.outcome, found.before, found.after, "300 dpi in o.tif; " + ran.noted("cannot hold [^.]*"))


def _aperio() -> dict[str, object]:
    return {"description": "Aperio Image Library v10|AppMag = 40|MPP = 0.2498|Left = 1"}


BOTH = ("denoise a.tif o.ome.tif fast",)
PRINT = {"resolution": (118.11, 118.11), "resolutionunit": "CENTIMETER"}
CASES = [
    Case("dots per centimetre", _write(**PRINT), BOTH, _size(None), "no pixel size", quick=True),
    Case("dots per inch", _write(resolution=(300, 300), resolutionunit="INCH"),
         (*BOTH, "denoise a.tif o.ome.zarr fast", "denoise a.tif o.tif fast"), _print_kept,
         "no pixel size; the print resolution is kept in TIFF", quick=True),
    Case("a resolution finer than print", _write(resolution=(153846, 153846), resolutionunit="CENTIMETER"), BOTH,
         _size(0.065, "micrometer"), "a pixel size", quick=True),
    Case("zeiss scanning microscope", _write(**_zeiss()), BOTH, _size(12.5, "nanometer"), "12.5 nm", quick=True),
    Case("micro-manager", _write(**_micro_manager()), BOTH, _size(0.325, "micrometer"), "0.325 um", quick=True),
    Case("olympus sis", _sis, BOTH, _size(64.5, "nanometer"), "64.5 nm", quick=True),
    Case("slide scanner", _write(**_aperio()), BOTH, _size(0.2498, "micrometer"), "0.2498 um"),
    Case("projected map", _write(**_earth(1)), (*BOTH, "denoise a.tif o.tif fast", "upscale a.tif u.tif --scale 2 "
         "--models 1 --iterations 2"), _earth_again, "30 m, and the place on the earth"),
    Case("geographic map", _write(**_earth(2)), ("denoise a.tif o.ome.tif fast",), _size(30.0, "degree"),
         "degrees, kept beside OME's units"),
    Case("hitachi text file", _beside(HITACHI), BOTH, _size(4.960938, "nanometer"), "4.96 nm", quick=True),
    Case("jeol text file", _beside(JEOL), BOTH, _size(0.01, "micrometer"), "10 nm", quick=True),
    Case("angles", _write(imagej=True, resolution=(20, 20), metadata={"axes": "YX", "unit": "arcsec"}),
         (*BOTH, "denoise a.tif o.ome.zarr fast", "denoise o.ome.tif again.tif fast"), _angles,
         "number and unit are kept", quick=True),
    Case("position of an enlarged crop", _placed, ("upscale a.ome.zarr o.ome.zarr --scale 2 --models 1",), _finer,
         "the same place"),
]  # fmt: skip
