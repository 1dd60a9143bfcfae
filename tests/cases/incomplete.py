"""Files that end too early, sets of which a part is missing, and files that hold several images."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
import zarr
from PIL import Image

from napari_rsmoe.io.image_file import ImageFile
from napari_rsmoe.io.writing import write_image

from .frame import Case, Found, Ran, noisy_bytes, scene

KIND = "Incomplete and multi-part files"
STACK = np.stack([scene(seed=k) * 200 for k in (1, 2, 3, 4)])
NOISY = noisy_bytes(STACK)
FAST = ("denoise a.tif o.tif fast",)
REFUSED = (*FAST,)
ALLOWED = ("denoise a.tif o.tif --allow-incomplete fast",)


def _cut(path: Path, share: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])


def _stack(share: float, name: str = "a.tif", **options: object) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        metadata = options.pop("metadata", None)
        tifffile.imwrite(folder / name, NOISY, photometric="minisblack", metadata=metadata, **options)
        _cut(folder / name, share)

    return make


def _pages(folder: Path) -> None:
    """Pages one after the other, as cameras append them, the last of which is cut."""
    with tifffile.TiffWriter(folder / "a.tif") as writer:
        for plane in NOISY:
            writer.write(plane, metadata=None, contiguous=False, compression="zlib")
    _cut(folder / "a.tif", 0.9)


def _refused(*outputs: str) -> Callable[[Ran], Found]:
    return lambda ran: ran.refused("incomplete|truncated", *(outputs or ("o.tif",)))


def _some(planes: int) -> Callable[[Ran], Found]:
    """The planes that are there are denoised."""

    def check(ran: Ran) -> Found:
        kept = ran.noted(r"\d+ planes are read|unknown number of planes is missing")
        return ran.denoised(NOISY[:planes], ran.pixels("o.tif").reshape(-1, 48, 48), STACK[:planes], kept=kept)

    return check


UUID = "urn:uuid:00000000-0000-0000-0000-00000000000{}"


def _set(files: int, written: int, *, only: bool = False) -> Callable[[Path], None]:
    """A multi-file OME-TIFF of one plane a file, of which some files are written."""

    def make(folder: Path) -> None:
        planes = "".join(
            f'<TiffData FirstT="{k}" IFD="0" PlaneCount="1"><UUID FileName="t{k}.ome.tif">{UUID.format(k)}</UUID>'
            "</TiffData>"
            for k in range(files)
        )
        for k in range(written):
            body = (
                '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="48" SizeY="48" '
                f'SizeC="1" SizeZ="1" SizeT="{files}"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}'
                "</Pixels></Image>"
            )
            if only and k:
                body = f'<BinaryOnly MetadataFile="t0.ome.tif" UUID="{UUID.format(0)}"/>'
            xml = (
                '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
                f'UUID="{UUID.format(k)}">{body}</OME>'
            )
            tifffile.imwrite(folder / f"t{k}.ome.tif", NOISY[k], description=xml.encode(), metadata=None)

    return make


def _companion(folder: Path) -> None:
    """A set that a file of its own describes, as Bio-Formats writes it."""
    _set(3, 3)(folder)
    with tifffile.TiffFile(folder / "t0.ome.tif") as tif:
        xml = tif.ome_metadata
    (folder / "all.companion.ome").write_text(xml.replace(UUID.format(0) + '"><Image', UUID.format(9) + '"><Image'))
    for k in range(3):
        part = xml[: xml.index("<Image")].replace(UUID.format(0), UUID.format(k))
        part += f'<BinaryOnly MetadataFile="all.companion.ome" UUID="{UUID.format(9)}"/></OME>'
        tifffile.imwrite(folder / f"t{k}.ome.tif", NOISY[k], description=part.encode(), metadata=None)


def _whole_companion(ran: Ran) -> Found:
    ran.ended_well()
    np.testing.assert_array_equal(ran.pixels("o.tif"), ran.pixels("p.tif"))
    return ran.denoised(NOISY[:3], "o.tif", STACK[:3], kept="the whole set, from each of its files")


def _in_folder(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def inside(folder: Path) -> None:
        (folder / "set").mkdir()
        make(folder / "set")

    return inside


def _once(ran: Ran) -> Found:
    ran.ended_well()
    names = sorted(path.name for path in (ran.folder / "out").iterdir())
    assert names == ["t0.ome.tif"], names
    return ran.denoised(NOISY, "out/t0.ome.tif", STACK, kept="one output for the set")


def _positions(folder: Path) -> None:
    with tifffile.TiffWriter(folder / "a.ome.tif", ome=True) as writer:
        for k, name in enumerate(("well A1", "well A2")):
            writer.write(NOISY[k], metadata={"axes": "YX", "Name": name}, photometric="minisblack")
        writer.write(NOISY[:3], metadata={"axes": "ZYX", "Name": "stack"}, photometric="minisblack")


def _second(ran: Ran) -> Found:
    ran.ended_well()
    series = json.loads(ran.commands[0].out)["series"]
    assert len(series) == 3
    assert "well A2" in series[1]
    np.testing.assert_array_equal(ran.pixels("o.ome.tif"), ran.pixels("p.ome.tif"))
    assert ran.image("q.ome.tif").axes == "ZYX"
    assert ran.image("o.ome.tif").name == "well A2"
    return ran.denoised(NOISY[1], "o.ome.tif", STACK[1], kept="title")


def _no_such_series(ran: Ran) -> Found:
    return ran.refused("well A1.*well A2.*stack", "o.ome.tif")


def _bioformats(folder: Path) -> None:
    """The layout of bioformats2raw: images 0 and 1 in one store."""
    group = zarr.create_group(folder / "a.zarr", attributes={"ome": {"version": "0.5", "bioformats2raw.layout": 3}})
    del group
    for k in (0, 1):
        write_image(folder / "a.zarr" / f"{k}.zarr", ImageFile(NOISY[k], "YX"))
        (folder / "a.zarr" / f"{k}.zarr").rename(folder / "a.zarr" / str(k))


def _zarr_second(ran: Ran) -> Found:
    first, *others = ran.commands
    assert first.code == 1
    assert re.search("--series", first.err)
    assert all(each.code == 0 for each in others)
    ran.commands = others
    return ran.denoised(NOISY[1], "o.tif", STACK[1])


def _png(folder: Path) -> None:
    Image.fromarray(NOISY[0]).save(folder / "a.png")
    _cut(folder / "a.png", 0.6)
    Image.fromarray(NOISY[0]).save(folder / "a.jpg")
    _cut(folder / "a.jpg", 0.6)


def _both_refused(ran: Ran) -> Found:
    assert [each.code for each in ran.commands] == [1, 1]
    return ran.refused("damaged or incomplete", "o.png", "o.jpg")


IMAGEJ = {"axes": "TYX"}
CASES = [
    Case("imagej stack cut", lambda folder: (tifffile.imwrite(folder / "a.tif", NOISY, imagej=True, metadata=IMAGEJ),
         _cut(folder / "a.tif", 0.7))[1], REFUSED, _refused(), "refused", quick=True),
    Case("imagej stack cut, allowed", lambda folder: (tifffile.imwrite(folder / "a.tif", NOISY, imagej=True,
         metadata=IMAGEJ), _cut(folder / "a.tif", 0.7))[1], ALLOWED, _some(2), "whole planes are read", quick=True),
    Case("pages cut", _pages, REFUSED, _refused(), "refused", quick=True),
    Case("pages cut, allowed", _pages, ALLOWED, _some(3), "whole planes are read", quick=True),
    Case("plain stack cut", _stack(0.6), REFUSED, _refused(), "refused", quick=True),
    Case("plain stack cut, allowed", _stack(0.6), ALLOWED, lambda ran: ran.denoised(NOISY[0],
         ran.pixels("o.tif").reshape(-1, 48, 48)[0], STACK[0]), "whole planes are read"),
    Case("bigtiff cut", _stack(0.6, bigtiff=True), REFUSED, _refused(), "refused"),
    Case("compressed cut", _stack(0.6, compression="zlib"), REFUSED, _refused(), "refused"),
    Case("own stack cut", _stack(0.6, metadata={"axes": "TYX"}), REFUSED, _refused(), "refused", quick=True),
    Case("own stack cut, allowed", _stack(0.6, metadata={"axes": "TYX"}), ALLOWED, _some(2), "what is there"),
    Case("png and jpeg cut", _png, ("denoise a.png o.png", "denoise a.jpg o.jpg"), _both_refused, "refused",
         quick=True),
    Case("ome set with a file missing", _set(4, 3), ("denoise t0.ome.tif o.ome.tif",), _refused("o.ome.tif"),
         "refused", quick=True),
    Case("ome set with a file missing, allowed", _set(4, 3), ("denoise t0.ome.tif o.tif --allow-incomplete fast",),
         _some(3), "the planes that are there are read"),
    Case("ome set in a folder", _in_folder(_set(4, 4)), ("denoise set out fast",), _once, "counted once", quick=True),
    Case("ome set with one description", _in_folder(_set(4, 4, only=True)), ("denoise set out fast",), _once,
         "counted once"),
    Case("ome set with a companion", _companion, ("denoise t1.ome.tif o.tif fast",
         "denoise all.companion.ome p.tif fast"), _whole_companion, "read as a whole", quick=True),
    Case("several positions", _positions, ("info a.ome.tif --json", "denoise a.ome.tif o.ome.tif --series 1 fast",
         'denoise a.ome.tif p.ome.tif --series "well A2" fast', "denoise a.ome.tif q.ome.tif --series stack fast"),
         _second, "each can be chosen, and info lists them", quick=True),
    Case("no such position", _positions, ("denoise a.ome.tif o.ome.tif --series 7",), _no_such_series,
         "those that there are are named", quick=True),
    Case("several images in a zarr", _bioformats, ("denoise a.zarr o.tif", "denoise a.zarr o.tif --series 1 fast"),
         _zarr_second, "each can be chosen"),
]  # fmt: skip
