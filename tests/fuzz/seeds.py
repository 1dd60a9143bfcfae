"""Small sound files of every format, from which the fuzzers begin. A seed maps names of files to their content."""

from __future__ import annotations

import contextlib
import io
import tempfile
from importlib.util import find_spec
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from napari_rsmoe.io.units import PixelSize
from napari_rsmoe.io.writing import write_image

from ..helpers import instrument_files

Files = dict[str, bytes]
SIZES = {"Y": PixelSize(0.25, "micrometer"), "X": PixelSize(0.25, "micrometer")}
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 255, (12, 15), dtype=np.uint8)
COLOUR = RNG.integers(0, 255, (12, 15, 3), dtype=np.uint8)
STACK = RNG.integers(0, 4000, (3, 9, 11), dtype=np.uint16)


def written(name: str, array: np.ndarray, axes: str, **options: object) -> Files:
    """What `write_image` makes: one file, or a folder of files."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write_image(path, array, axes=axes, **options)  # type: ignore[arg-type]
        files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
        return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def npy() -> list[Files]:
    found = [written("a.npy", GREY, "YX"), written("a.npy", COLOUR.astype(np.float32), "YXC")]
    for array in (np.asfortranarray(STACK[0].astype(">i4")), GREY.astype(np.float64)):
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, array, version=(2, 0))
        found.append({"a.npy": buffer.getvalue()})
    return found


def tiff() -> list[Files]:
    found = [written("a.tif", GREY, "YX", pixel_size=SIZES), written("a.tif", COLOUR, "YXS")]
    found += [written("a.tif", STACK, "ZYX", pixel_size=SIZES), written("a.tif", STACK.astype(np.float64), "TYX")]
    for options in (
        {"compression": "zlib", "predictor": True}, {"compression": "lzw"}, {"tile": (16, 16), "compression": "zstd"},
        {"bigtiff": True}, {"byteorder": ">"}, {"photometric": "palette", "colormap": np.zeros((3, 256), np.uint16)},
        {"compression": "jpeg"}, {"rowsperstrip": 4, "compression": "packbits"},
    ):  # fmt: skip
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, GREY, **options)  # type: ignore[arg-type]
        found.append({"a.tif": buffer.getvalue()})
    return found


def ome_tiff() -> list[Files]:
    found = [written("a.ome.tif", GREY, "YX", pixel_size=SIZES), written("a.ome.tif", STACK, "CYX")]
    xml = tifffile.TiffFile(io.BytesIO(found[0]["a.ome.tif"])).ome_metadata
    assert xml is not None
    named = xml.replace('PlaneCount="1"/>', 'PlaneCount="1"><UUID FileName="b.ome.tif">urn:uuid:1</UUID></TiffData>')
    return [*found, {"a.ome.tif": with_description(named), "b.ome.tif": found[0]["a.ome.tif"]}]


def with_description(xml: str) -> bytes:
    """A TIFF file of one plane with a description."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, GREY, description=xml.encode(), metadata=None)
    return buffer.getvalue()


def png() -> list[Files]:
    found = [written("a.png", GREY, "YX"), written("a.png", COLOUR, "YXS"), written("a.png", STACK[0], "YX")]
    for kind, options in (("P", {"transparency": 3}), ("1", {}), ("LA", {}), ("RGBA", {})):
        buffer = io.BytesIO()
        Image.fromarray(GREY).convert(kind).save(buffer, "PNG", **options)
        found.append({"a.png": buffer.getvalue()})
    return found


def jpeg() -> list[Files]:
    found = [written("a.jpg", GREY, "YX"), written("a.jpg", COLOUR, "YXS")]
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind, options in (("RGB", {"progressive": True}), ("CMYK", {}), ("L", {"exif": exif})):
        buffer = io.BytesIO()
        Image.fromarray(GREY).convert(kind).save(buffer, "JPEG", **options)
        found.append({"a.jpg": buffer.getvalue()})
    return [*found, {"a.jpg": bytes(imagecodecs.jpeg8_encode(COLOUR, level=90))}]


def zarr() -> list[Files]:
    found = [written("a.ome.zarr", STACK, "CYX", pixel_size=SIZES), written("a.zarr", GREY, "YX")]
    import zarr as library

    for options in (
        {"zarr_format": 2, "compressors": None},
        {"zarr_format": 2},
        {"zarr_format": 3, "shards": (12, 16)},
    ):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.zarr"
            array = library.create_array(path, shape=GREY.shape, chunks=(6, 8), dtype=GREY.dtype, **options)
            array[:] = GREY
            found.append({str(f.relative_to(folder)): f.read_bytes() for f in path.rglob("*") if f.is_file()})
    return found


def rsmoe() -> list[Files]:
    from napari_rsmoe import Kernels, Model  # here: torch takes seconds

    found = []
    for channels, mode, linear in ((1, "smoe", False), (3, "smoe", True), (2, "rbf", False)):
        rng = np.random.default_rng(channels)
        slope = rng.normal(0, 0.1, (6, channels, 2)) if linear else None
        kernels = Kernels(
            rng.uniform(0, 12, (6, 2)), np.sort(rng.uniform(1, 6, (6, 2)))[:, ::-1], rng.uniform(-1, 1, 6),
            rng.uniform(0.2, 2, 6), rng.uniform(10, 200, (6, channels)), slope,
        )  # fmt: skip
        place = {
            "scale": [0.5, 0.5], "translate": [0.0, 1.0], "rotate": [[1.0, 0.0], [0.0, 1.0]], "shear": [0.0],
            "affine": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], "units": ["micrometer", "micrometer"],
            "axis_labels": ["y", "x"],
        }  # fmt: skip
        metadata = {
            "made_by": "a test", "seed": 1, "settings": {"tau": 7.0, "betas": [0.8, 0.9]}, "preset": "fast", "steps": 3,
            "pixel_size": {"Y": [0.5, "micrometer"], "X": [0.5, None]}, "napari_place": place,
            "napari": {"parameters": {"n_kernels": 6}, "source": {"layer": "a", "path": None}},
        }  # fmt: skip
        model = Model.from_kernels(kernels, (12, 15), mode=mode, dtype="uint8", metadata=metadata)  # type: ignore[arg-type]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.rsmoe"
            model.save(path)
            found.append({"a.rsmoe": path.read_bytes()})
    return found


def instruments() -> list[Files]:
    """The formats of the extra ``formats``, as far as their libraries are installed."""
    found = []
    for suffix, reader, write, pixels in (
        ("czi", "czifile", instrument_files.write_czi, STACK[:2, None]),
        ("nd2", "nd2", instrument_files.write_nd2, STACK[None]),
        ("lif", "liffile", lambda path, pixels: instrument_files.write_lif(path, {"first": pixels}), STACK),
        ("mrc", "mrcfile", instrument_files.write_mrc, STACK),
        ("fits", "astropy", instrument_files.write_fits, STACK[0]),
        ("dcm", "pydicom", instrument_files.write_dicom, STACK[0]),
    ):
        if find_spec(reader) is None:
            continue
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(ImportError):
            path = Path(folder) / f"a.{suffix}"
            write(path, pixels)
            found.append({path.name: path.read_bytes()})
    return found


SEEDS = {
    "npy": npy, "tiff": tiff, "ome-tiff": ome_tiff, "png": png, "jpeg": jpeg, "zarr": zarr, "rsmoe": rsmoe,
    "instruments": instruments,
}  # fmt: skip
"""What makes the seeds of each format."""
