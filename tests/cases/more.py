"""More inputs of every kind, as other writers, detectors and users make them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
import zarr
from PIL import Image

from napari_rsmoe import write_image

from .frame import Case, Found, Ran, psnr, scene

KIND = "More of every kind"
CLEAN = scene(64, 64) * 900 + 100
NOISY = CLEAN + np.random.default_rng(3).normal(0, 20, CLEAN.shape)
WORDS = np.rint(NOISY).astype(np.uint16)
FAST = ("denoise a.tif o.tif fast",)


def _tiff(pixels: np.ndarray, **options: object) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        tifffile.imwrite(folder / "a.tif", pixels, **{"metadata": None, **options})

    return make


def _denoised(truth: np.ndarray, gain: float = 4.0, words: str = "", name: str = "o.tif"):
    def check(ran: Ran) -> Found:
        return ran.denoised("a.tif", name, truth, gain=gain, kept=ran.noted(words) if words else "")

    return check


# ---------------------------------------------------------------------------------------------- extreme pixels


def _salt(share: float, ends: tuple[float, ...]) -> Callable[[Path], object]:
    rng = np.random.default_rng(5)
    stuck = WORDS.copy()
    at = rng.random(stuck.shape) < share
    stuck[at] = rng.choice(ends, at.sum())
    return _tiff(stuck)


def _rbf(folder: Path) -> None:
    bad = NOISY.astype(np.float32)
    bad[[9, 30, 41], [12, 50, 22]] = 3e38
    tifffile.imwrite(folder / "a.tif", bad, metadata=None)


def _rbf_fits(ran: Ran) -> Found:
    ran.ended_well()
    usual = np.where(ran.pixels("a.tif") > 1e30, np.nan, CLEAN)
    after = psnr(np.clip(ran.pixels("f.tif"), 0, 1e4), usual)
    assert after > 30, after
    return Found("fitted", None, after, "the range of the signal")


def _holes(folder: Path) -> np.ndarray:
    holes = np.random.default_rng(7).random(CLEAN.shape) < 0.1
    tifffile.imwrite(folder / "a.tif", np.where(holes, np.nan, NOISY).astype(np.float32), metadata=None)
    return holes


def _noise_beside_holes(ran: Ran) -> Found:
    ran.ended_well()
    found = float(ran.commands[0].out.split("standard deviation ")[1].split()[0])
    assert 15 < found < 25, found
    after = psnr(ran.pixels("o.tif").astype(float), np.where(ran.made, np.nan, CLEAN))
    assert after > 37, after
    return Found("denoised", None, after, f"noise {found} of 20")


# ---------------------------------------------------------------------------------------------- channels, planes


def _faint(folder: Path) -> np.ndarray:
    rng = np.random.default_rng(3)
    clean = np.stack([scene(64, 64) * 20000, scene(64, 64, seed=2) * 60])
    noisy = clean + np.stack([rng.normal(0, 400, (64, 64)), rng.normal(0, 2, (64, 64))])
    tifffile.imwrite(folder / "a.tif", np.clip(np.rint(noisy), 0, 65535).astype(np.uint16), imagej=True,
                     metadata={"axes": "CYX"})  # fmt: skip
    return clean


def _both_channels(ran: Ran) -> Found:
    ran.ended_well()
    noisy, result = (ran.pixels(name).astype(float) for name in ("a.tif", "o.tif"))
    gains = [psnr(r, t) - psnr(n, t) for n, r, t in zip(noisy, result, ran.made, strict=True)]
    assert min(gains) > 4, gains
    return Found("denoised", kept=f"gains of {gains[0]:.1f} and {gains[1]:.1f} dB")


def _empty_frame(folder: Path) -> None:
    film = np.stack([NOISY] * 6).reshape(2, 3, 64, 64).astype(np.float32)
    film[1, 1] = film[0, 1] = np.nan
    tifffile.imwrite(folder / "a.ome.tif", film, metadata={"axes": "CTYX"})


def _others_done(ran: Ran) -> Found:
    ran.ended_well()
    image = ran.image("o.ome.tif")
    empty = np.isnan(np.moveaxis(image.numpy(), image.axes.index("T"), 0)).mean((1, 2, 3))
    assert list(empty) == [0, 1, 0], (image.axes, empty)
    return Found("denoised", kept=ran.noted("T 1 is kept as it is"))


# ---------------------------------------------------------------------------------------------- files and metadata


def _cut(folder: Path) -> None:
    tifffile.imwrite(folder / "b.tif", np.stack([WORDS] * 6), metadata={"axes": "TYX"})
    with tifffile.TiffFile(folder / "b.tif") as tif:
        start = tif.series[0].dataoffset
    (folder / "a.tif").write_bytes((folder / "b.tif").read_bytes()[: start + 3 * WORDS.nbytes + 99])


def _three_planes(ran: Ran) -> Found:
    assert ran.commands[0].code == 1, ran.commands[0].err
    assert "6 planes" in ran.commands[0].err
    assert ran.pixels("o.tif").shape == (3, 64, 64)
    return Found("refused, read", kept=ran.noted("3 planes are read"))


def _lacking(folder: Path) -> None:
    array = zarr.create_array(folder / "a.zarr", shape=(3, 64, 64), dtype="uint16", chunks=(1, 64, 64), zarr_format=2)
    array.attrs["_ARRAY_DIMENSIONS"] = ["time", "y", "x"]
    array[:2] = np.stack([WORDS] * 2)


def _lacking_is_said(ran: Ran) -> Found:
    ran.ended_well()
    return Found("denoised", kept=ran.noted("1 chunk is not in the store"))


def _odd_store(folder: Path) -> None:
    group = zarr.create_group(folder / "a.zarr", zarr_format=2)
    group.create_array("0", shape=(64, 64), dtype="uint16", chunks=(64, 64))[...] = WORDS
    odd = {"version": "0.4", "axes": [{"name": "y", "unit": 5}], "datasets": [{"path": "0"}], "name": 7}
    group.attrs.update({"multiscales": [odd | {"coordinateTransformations": 3}], "omero": "none"})


def _read_anyway(ran: Ran) -> Found:
    return ran.denoised(WORDS, "o.tif", CLEAN, gain=4, kept=ran.noted("does not fit its 2 dimensions"))


def _camera(folder: Path) -> None:
    exif = Image.Exif()
    exif[271], exif[0x8769] = "Maker", {33434: 0.01}
    Image.fromarray((WORDS // 8).astype(np.uint8)).save(folder / "a.jpg", exif=exif, quality=95)


def _camera_kept(ran: Ran) -> Found:
    ran.ended_well()
    for name in ("o.tif", "o.jpg"):
        with Image.open(ran.folder / name) as picture:
            assert picture.getexif().get_ifd(0x8769) == {33434: 0.01}
    return Found("denoised", kept="exposure time by way of TIFF")


def _grid(folder: Path) -> None:
    rows = "\n".join(" ".join(f"{v:.1f}" for v in row) for row in np.where(CLEAN > 800, -9999, NOISY))
    header = "ncols 64\nnrows 64\nxllcorner 500000\nyllcorner 4000000\ncellsize 25\nNODATA_value -9999\n"
    (folder / "a.asc").write_text(header + rows)


def _grid_kept(ran: Ran) -> Found:
    ran.ended_well()
    image = ran.image("o.tif")
    assert image.details.nodata == -9999
    assert (image.numpy() == -9999).sum() == (CLEAN > 800).sum()
    truth = np.where(CLEAN > 800, np.nan, CLEAN)
    return Found("denoised", None, psnr(image.numpy().astype(float), truth), "missing data, place on the earth")


def _float_resolution(folder: Path) -> None:
    tifffile.imwrite(folder / "a.tif", WORDS, metadata=None, resolution=(300, 300), resolutionunit=2)
    with tifffile.TiffFile(folder / "a.tif", mode="r+") as tif:
        tif.pages[0].tags[282].overwrite(300.5, dtype=11)


def _prints(ran: Ran) -> Found:
    image = ran.image("o.tif")
    assert image.details.resolution is not None
    assert abs(image.details.resolution.x - 300.5) < 0.1
    assert not image.pixel_size
    return ran.denoised("a.tif", "o.tif", CLEAN, gain=4, kept="300.5 dpi")


def _usage(words: str, *outputs: str):
    def check(ran: Ran) -> Found:
        assert ran.last.code == 2, ran.last.code
        return ran.refused(words, *outputs)

    return check


SIGNED = (np.rint(NOISY) - 600).astype(np.int16)
CASES = [
    Case("stuck pixels, 5 %", _salt(0.05, (0, 4095)), FAST, _denoised(CLEAN, 20, r"\d+ hot or dead pixels"),
         "found and replaced", quick=True),
    Case("stuck pixels at the top, 9 %", _salt(0.09, (65535,)), FAST, _denoised(CLEAN, 20), "found and replaced"),
    Case("rbf beside 3e38", _rbf, ("fit a.tif f.tif --mode rbf --defects keep --n-kernels 200 fast",), _rbf_fits,
         "fitted in the range of the signal"),
    Case("noise beside scattered gaps", _holes, ("noise a.tif --nodata nan", "denoise a.tif o.tif --nodata nan fast"),
         _noise_beside_holes, "the noise of both verbs is that of the other pixels", quick=True),
    Case("faint channel", _faint, FAST, _both_channels, "both gain", quick=True),
    Case("empty frame of two channels", _empty_frame, ("denoise a.ome.tif o.ome.tif --ignore-nan --average 1 fast",),
         _others_done, "the others are done"),
    Case("pages cut off", _cut, ("denoise a.tif p.tif fast", "denoise a.tif o.tif --allow-incomplete fast"),
         _three_planes, "refused; whole planes are read on demand"),
    Case("lost chunk", _lacking, ("denoise a.zarr o.tif fast",), _lacking_is_said, "said"),
    Case("odd zarr", _odd_store, ("denoise a.zarr o.tif fast",), _read_anyway, "read"),
    Case("exposure time", _camera, ("denoise a.jpg o.tif fast", "denoise o.tif o.jpg fast"), _camera_kept, "kept"),
    Case("esri grid", _grid, ("denoise a.asc o.tif fast",), _grid_kept, "read", quick=True),
    Case("resolution of 300.5 as a number", _float_resolution, FAST, _prints, "kept as print resolution"),
    *(Case(f"compressed by {name}", _tiff(WORDS, compression=name, tile=(32, 32)), FAST, _denoised(CLEAN), "denoised")
      for name in ("lzw", "zstd", "lerc", "jpeg2000")),
    Case("bigtiff, big-endian, predicted", _tiff(WORDS.astype(">u2"), bigtiff=True, byteorder=">", predictor=True,
         compression="deflate"), FAST, _denoised(CLEAN), "denoised"),
    Case("signed values around 0", _tiff(SIGNED), FAST, _denoised(CLEAN - 600), "denoised"),
    Case("values of 1e-6", _tiff((NOISY * 1e-6).astype(np.float32)), FAST, _denoised(CLEAN * 1e-6), "denoised"),
    Case("int32 in millions", _tiff(WORDS.astype(np.int32) * 10**6), FAST, _denoised(CLEAN * 1e6), "denoised"),
    Case("a model as output", _tiff(WORDS), ("fit a.tif m.rsmoe",), _usage("--model FILE.rsmoe", "m.rsmoe"),
         "wrong usage, with the way"),
    Case("axes that do not fit", _tiff(WORDS), ("denoise a.tif o.tif --axes TYX",), _usage("2 letters", "o.tif"),
         "wrong usage"),
    Case("complex values", lambda folder: write_image(folder / "b.npy", WORDS) or np.save(folder / "a.npy", WORDS + 1j),
         ("denoise a.npy o.npy",), lambda ran: ran.refused("magnitude", "o.npy"), "refused with the remedy"),
]  # fmt: skip
