"""Odd numbers, broken descriptions and axes that a writer lacks: they never keep the pixels from being used."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
import zarr
from PIL import Image

from napari_rsmoe.io.image_file import ImageFile
from napari_rsmoe.io.writing import write_image

from .frame import Case, Found, Ran, noisy_bytes, scene

KIND = "Metadata as a gate"
GREY = scene() * 220
NOISY = noisy_bytes(GREY)
STACK = np.stack([scene(seed=k) * 200 for k in (1, 2, 3)])
PLANES = noisy_bytes(STACK)
FAST = ("denoise a.tif o.tif fast",)


def _fine(result: str = "o.tif", kept: str = "", truth: np.ndarray = GREY, noisy: np.ndarray = NOISY):
    """The pixels are denoised, and the file is not called damaged."""

    def check(ran: Ran) -> Found:
        assert "damaged" not in ran.said.replace("description is damaged", "")
        return ran.denoised(noisy, ran.pixels(result).reshape(truth.shape), truth, kept=ran.noted(kept) if kept else "")

    return check


def _write(**options: object) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        tifffile.imwrite(folder / "a.tif", NOISY, **{"metadata": None, **options})

    return make


def _float_resolution(folder: Path) -> None:
    """Resolution tags of type FLOAT instead of RATIONAL."""
    tifffile.imwrite(
        folder / "a.tif", NOISY, metadata=None, extratags=[(282, "f", 1, 72.5, True), (283, "f", 1, 72.5, True)]
    )
    with tifffile.TiffFile(folder / "a.tif", mode="r+") as tif:
        for name in ("XResolution", "YResolution"):
            tag = tif.pages[0].tags[name]
            tif.filehandle.seek(tag.offset + 2)
            tif.filehandle.write(struct.pack("<HI", 11, 1) + struct.pack("<f", 72.5))


def _zero_resolution(folder: Path) -> None:
    tifffile.imwrite(folder / "a.tif", NOISY, metadata=None, resolution=(1, 1), resolutionunit="INCH")
    with tifffile.TiffFile(folder / "a.tif", mode="r+") as tif:
        for name in ("XResolution", "YResolution"):
            tif.pages[0].tags[name].overwrite((0, 0))


def _ome(change: Callable[[str], str]) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        text = (
            '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="48" SizeY="48" '
            'SizeC="1" SizeZ="1" SizeT="1" PhysicalSizeX="0.5" PhysicalSizeY="0.5">'
            '<Channel ID="Channel:0:0" SamplesPerPixel="1"/><TiffData/></Pixels></Image></OME>'
        )
        tifffile.imwrite(folder / "a.tif", NOISY, description=change(text).encode(), metadata=None)

    return make


def _imagej(**fields: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        lines = {"ImageJ": "1.53t", "images": "1", **fields}
        text = "".join(f"{name}={value}\n" for name, value in lines.items())
        tifffile.imwrite(folder / "a.tif", NOISY, description=text, metadata=None)

    return make


def _pages(folder: Path) -> None:
    with tifffile.TiffWriter(folder / "a.tif") as writer:
        for plane in PLANES:
            writer.write(plane, metadata=None, contiguous=False)


def _axes(axes: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        write_image(folder / "a.tif", ImageFile(PLANES, axes))

    return make


def _renamed(ran: Ran) -> Found:
    ran.ended_well()
    assert ran.image("o.ome.tif").axes in ("TYX", "ZYX")
    found = _fine("o.ome.tif", "stores [^.]*", STACK, PLANES)(ran)
    return found


def _plain_to_ome(ran: Ran) -> Found:
    ran.ended_well()
    with tifffile.TiffFile(ran.folder / "o.ome.tif") as tif:
        assert tif.is_ome
        assert tif.series[0].shape == (3, 48, 48)
    return _fine("o.ome.tif", "", STACK, PLANES)(ran)


def _before_work(ran: Ran) -> Found:
    return ran.refused("OME-Zarr holds the axes", "o.ome.zarr")


def _zarr(scale: list, translation: list | None = None, unit: str = "micrometer", **omero: object):
    def make(folder: Path) -> None:
        group = zarr.open_group(folder / "a.zarr", mode="w", zarr_format=2)
        group.create_array("0", shape=NOISY.shape, dtype=NOISY.dtype, chunks=(48, 48))[...] = NOISY
        steps: list[dict] = [{"type": "scale", "scale": scale}]
        steps += [{"type": "translation", "translation": translation}] if translation is not None else []
        group.attrs["multiscales"] = [
            {
                "version": "0.4",
                "axes": [{"name": n, "type": "space", "unit": unit} for n in "yx"],
                "datasets": [{"path": "0", "coordinateTransformations": steps}],
            }
        ]
        if omero:
            group.attrs["omero"] = omero

    return make


def _bad_exif(folder: Path) -> None:
    Image.fromarray(NOISY).save(folder / "p.png")
    whole = (folder / "p.png").read_bytes()
    content = b"eXIf" + b"MM\0*\0\0\xff\xff garbage"
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    (folder / "a.png").write_bytes(whole[:33] + chunk + whole[33:])


def _broken_json(folder: Path) -> None:
    text = '{"shape": [48, 48], "axes": "YX", "pixel_size": {"X": ["wide", "um"]}, "limits": 7}'
    tifffile.imwrite(folder / "a.tif", NOISY, description=text, metadata=None)


CASES = [
    Case("resolution as float", _float_resolution, FAST, _fine(), "read", quick=True),
    Case("resolution of zero", _zero_resolution, FAST, _fine(), "read", quick=True),
    Case("a negative size", _ome(lambda x: x.replace('SizeX="0.5"', 'SizeX="-3"')), FAST, _fine(kept="'-3'"),
         "read without it", quick=True),
    Case("an infinite size", _ome(lambda x: x.replace('SizeX="0.5"', 'SizeX="1e999"')), FAST, _fine(kept="1e999"),
         "read without it"),
    Case("words for a size", _ome(lambda x: x.replace('SizeY="0.5"', 'SizeY="unknown"')), FAST,
         _fine(kept="'unknown'"), "read without it"),
    Case("xml that is not well formed", _ome(lambda x: x.replace("<TiffData/>", "<TiffData>")), FAST, _fine(), "read",
         quick=True),
    Case("a colour that is no number", _ome(lambda x: x.replace('<Channel ', '<Channel Color="red" ')), FAST, _fine(),
         "read"),
    Case("imagej counts in words", _imagej(channels="several", slices="1", unit="um", spacing="near"), FAST, _fine(),
         "read", quick=True),
    Case("imagej calibration in words", _imagej(cf="0", c0="none", c1="?", finterval="NaN"), FAST, _fine(), "read"),
    Case("json of the wrong form", _broken_json, FAST, _fine(), "read", quick=True),
    Case("scale of zarr in words", _zarr(["a", 0.5]), ("denoise a.zarr o.tif fast",), _fine(kept="not understood"),
         "read without it", quick=True),
    Case("translation of the wrong length", _zarr([0.5, 0.5], [1, 2, 3]), ("denoise a.zarr o.tif fast",),
         _fine(kept="not understood"), "read without it"),
    Case("omero of the wrong form", _zarr([0.5, 0.5], channels=[{"color": 7, "window": None}]),
         ("denoise a.zarr o.tif fast",), _fine(), "read"),
    Case("unknown unit of zarr", _zarr([0.5, 0.5], unit="furlong"), ("denoise a.zarr o.tif fast",), _fine(), "read"),
    Case("broken exif", _bad_exif, ("denoise a.png o.png fast",), _fine("o.png"), "read", quick=True),
    Case("plain pages to ome", _pages, ("denoise a.tif o.ome.tif fast",), _plain_to_ome, "written", quick=True),
    *(Case(f"axis {axis} to ome", _axes(f"{axis}YX"), ("denoise a.tif o.ome.tif fast",), _renamed, "stored as T",
           quick=axis == "L") for axis in "ILQ"),
    Case("axes that zarr lacks", lambda folder: write_image(folder / "a.tif", ImageFile(PLANES[None, None], "PQLYX")),
         ("denoise a.tif o.ome.zarr fast",), _before_work, "refused before the work", quick=True),
]  # fmt: skip
