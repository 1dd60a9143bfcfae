"""Inputs with troubles that users of other programs have reported in public, made anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from scipy.ndimage import gaussian_filter

from .frame import Case, Found, Ran, psnr, scene

KIND = "Reported for other programs"
CLEAN = scene(64, 64) * 900 + 100
RNG = np.random.default_rng(11)
NOISY = (CLEAN + RNG.normal(0, 20, CLEAN.shape)).astype(np.float32)
WORDS = np.rint(NOISY).astype(np.uint16)
HOLE = np.zeros(CLEAN.shape, bool)
HOLE[20:30, 20:36] = True
FAST = ("denoise a.tif o.tif fast",)
GDAL_NODATA = 42113


def _plain(pixels: np.ndarray, nodata: str = "", **options: object) -> Callable[[Path], object]:
    tags = [(GDAL_NODATA, 2, 0, nodata, True)] if nodata else []

    def make(folder: Path) -> None:
        tifffile.imwrite(folder / "a.tif", pixels, **{"metadata": None, "extratags": tags, **options})

    return make


def _kept(value: float, gain: float = 6.0, name: str = "o.tif"):
    """The hole keeps its value, and the rest gains."""

    def check(ran: Ran) -> Found:
        ran.ended_well()
        result = ran.pixels(name).astype(np.float64)
        assert (result[HOLE] == value).all(), np.unique(result[HOLE])[:5]
        truth = np.where(HOLE, np.nan, CLEAN)
        before, after = psnr(NOISY, truth), psnr(result, truth)
        assert after > before + gain, (before, after)
        return Found("denoised", before, after, f"missing data {value:g}")

    return check


def _gains(truth: np.ndarray, gain: float, words: str = "", source: str = "a.tif", name: str = "o.tif"):
    def check(ran: Ran) -> Found:
        return ran.denoised(source, name, truth, gain=gain, kept=ran.noted(words) if words else "")

    return check


def _says(words: str, *outputs: str):
    return lambda ran: ran.refused(words, *outputs)


# ---------------------------------------------------------------------------------------------- missing data

LOWEST = float(np.finfo(np.float32).min)


def _fits(pixels: np.ndarray, compressed: bool = False, **cards: object) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        from astropy.io import fits

        header = fits.Header()
        header.update(cards)
        image = fits.CompImageHDU(pixels, header) if compressed else fits.PrimaryHDU(pixels, header)
        hdus = [fits.PrimaryHDU(), image] if compressed else [image]
        fits.HDUList(hdus).writeto(folder / "a.fits")

    return make


def _blank_unsigned(folder: Path) -> None:
    """Unsigned values by BZERO, of which one stands for no data by BLANK, which counts before BZERO."""
    from astropy.io import fits

    fits.PrimaryHDU(np.where(HOLE, 65535, WORDS).astype(np.uint16)).writeto(folder / "a.fits")
    with fits.open(folder / "a.fits", mode="update", do_not_scale_image_data=True) as file:
        file[0].header["BLANK"] = 65535 - 32768


def _is_missing(ran: Ran) -> Found:
    ran.ended_well()
    result = ran.pixels("o.tif").astype(np.float64)
    assert np.isnan(result[HOLE]).all() or (result[HOLE] == 65535).all(), np.unique(result[HOLE])[:4]
    truth = np.where(HOLE, np.nan, CLEAN)
    return Found("denoised", psnr(NOISY, truth), psnr(result, truth), "missing data")


def _stripes(folder: Path) -> None:
    striped = NOISY.copy()
    striped[::8] = np.nan
    tifffile.imwrite(folder / "a.tif", striped, metadata=None)


def _stripes_filled(ran: Ran) -> Found:
    ran.ended_well()
    after = psnr(ran.pixels("o.tif"), CLEAN)
    assert after > 30, after
    return Found("denoised", None, after, "rows without values filled in")


# ---------------------------------------------------------------------------------------------- detectors


def _detector(kind: str) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        bad = WORDS.copy()
        if kind == "column":
            bad[:, 30] = 0
        elif kind == "clusters":
            for y, x in ((10, 12), (40, 44), (50, 20)):
                bad[y : y + 2, x : x + 2] = 60000
        else:
            at = np.random.default_rng(1).random(bad.shape) < 0.35
            bad[at] = np.random.default_rng(2).choice([0, 65535], at.sum())
        tifffile.imwrite(folder / "a.tif", bad, metadata=None)

    return make


def _dark(folder: Path) -> np.ndarray:
    y, x = np.mgrid[:64, :64]
    truth = 0.25 + sum(180 * np.exp(-((y - b) ** 2 + (x - a) ** 2) / 12) for b, a in ((15, 15), (40, 45)))
    Image.fromarray(np.random.default_rng(0).poisson(truth).clip(0, 255).astype(np.uint8)).save(folder / "a.png")
    return truth


def _dark_kept(ran: Ran) -> Found:
    ran.ended_well()
    dark = ran.made < 0.4
    before, after = (ran.pixels(name)[dark].mean() for name in ("a.png", "o.png"))
    assert abs(after / before - 1) < 0.1, (before, after)
    return Found("denoised", kept=f"background {before:.3f} to {after:.3f} counts")


# ---------------------------------------------------------------------------------------------- deblur, upscale, film


def _blurred(folder: Path) -> np.ndarray:
    blurred = (gaussian_filter(CLEAN, 1.2) + RNG.normal(0, 5, CLEAN.shape)).astype(np.float32)
    blurred[HOLE] = -9999
    blurred[50, 50] = 2e6
    tifffile.imwrite(folder / "a.tif", blurred, metadata=None)
    return gaussian_filter(CLEAN, 1.2)


def _sharper(ran: Ran) -> Found:
    ran.ended_well()
    result = ran.pixels("o.tif")
    assert (result[HOLE] == -9999).all()
    rest = np.ones(CLEAN.shape, bool)
    rest[17:33, 17:39] = rest[46:55, 46:55] = False
    truth = np.where(rest, CLEAN, np.nan)
    before, after = psnr(ran.made, truth), psnr(result, truth)
    assert after > before + 2, (before, after)
    return Found("deblurred", before, after, "missing data and a hot pixel beside it")


def _enlarged(ran: Ran) -> Found:
    ran.ended_well()
    image = ran.image("o.tif")
    result = image.numpy()
    assert image.details.nodata == -9999
    assert (result[40:60, 40:72] == -9999).all()
    assert (result == -9999).sum() == 4 * HOLE.sum()
    return Found("enlarged", kept="missing data at the new size")


def _film(folder: Path) -> np.ndarray:
    film = np.stack([CLEAN] * 3) + RNG.normal(0, 20, (3, 64, 64))
    film[1][HOLE], film[2, 5, 6] = -32768, 30000
    tifffile.imwrite(folder / "a.tif", np.rint(film).astype(np.int16), metadata={"axes": "TYX"})
    return np.stack([CLEAN, np.where(HOLE, np.nan, CLEAN), CLEAN])


def _film_kept(ran: Ran) -> Found:
    assert (ran.pixels("o.tif")[1][HOLE] == -32768).all()
    truth = ran.made.copy()
    truth[2, 5, 6] = np.nan
    return ran.denoised(
        "a.tif", "o.tif", truth, gain=6, kept=ran.noted(r"T \d: \d+ pixels have the value -32768|-32768")
    )


# ---------------------------------------------------------------------------------------------- files


def _pixels_without_size(folder: Path) -> None:
    tifffile.imwrite(folder / "a.ome.tif", WORDS, metadata={"axes": "YX", "PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0,
        "PhysicalSizeXUnit": "pixel", "PhysicalSizeYUnit": "pixel"})  # fmt: skip


def _no_size(ran: Ran) -> Found:
    ran.ended_well()
    size = ran.image("o.ome.tif").pixel_size
    assert all(each.unit is None for each in size.values()), size
    return Found("denoised", kept="pixels are no unit of length")


def _one_channel(folder: Path) -> None:
    tifffile.imwrite(
        folder / "a.ome.tif", WORDS, metadata={"axes": "YX", "Channel": {"Name": ["DAPI"]}, "Name": "nuclei"}
    )


def _name_kept(ran: Ran) -> Found:
    ran.ended_well()
    for name in ("o.ome.tif", "o.tif", "p.ome.zarr"):
        image = ran.image(name)
        assert (image.name, image.channel_names) == ("nuclei", ("DAPI",)), (name, image.name, image.channel_names)
    return Found("denoised", kept="title and the name of a single channel")


def _dicom_frames(folder: Path) -> None:
    """Frames whose slope, intercept and distances are in sequences, as in enhanced CT."""
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import EnhancedCTImageStorage, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, EnhancedCTImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.4"
    data, shared, values, places = pydicom.Dataset(), Dataset(), Dataset(), Dataset()
    data.file_meta, data.SOPClassUID, data.SOPInstanceUID = meta, EnhancedCTImageStorage, "1.2.4"
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = 1, -1024, "HU"
    places.PixelSpacing, places.SliceThickness = [0.7, 0.5], 2.0
    shared.PixelValueTransformationSequence, shared.PixelMeasuresSequence = [values], [places]
    data.SharedFunctionalGroupsSequence = [shared]
    data.NumberOfFrames, data.Rows, data.Columns, data.SamplesPerPixel = 2, 64, 64, 1
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    data.PhotometricInterpretation, data.PixelData = "MONOCHROME2", np.stack([WORDS] * 2).tobytes()
    data.save_as(folder / "a.dcm", enforce_file_format=True)


def _hounsfield(ran: Ran) -> Found:
    ran.ended_well()
    image = ran.image("a.dcm")
    assert image.dtype == np.int16
    np.testing.assert_array_equal(image.numpy()[0], WORDS.astype(int) - 1024)
    assert image.pixel_size["Y"].value == 0.7
    assert image.pixel_size["Z"].value == 2.0
    return ran.denoised(
        "a.dcm", "o.ome.tif", np.stack([CLEAN - 1024] * 2), gain=5, kept="values and distances of frames"
    )


def _palette_film(folder: Path) -> None:
    pages = [Image.fromarray((NOISY / 4 + k).clip(0, 255).astype(np.uint8)) for k in range(2)]
    pages[0].save(folder / "a.gif", save_all=True, append_images=pages[1:])


def _grey_table(folder: Path) -> np.ndarray:
    shades = np.rint((1023 - NOISY) / 4.02).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(shades, "P")
    picture.putpalette(np.repeat(np.arange(255, -1, -1), 3).tolist())
    picture.save(folder / "a.png")
    return 255 - (1023 - CLEAN) / 4.02


def _grey_only(ran: Ran) -> Found:
    assert ran.image("o.png").axes == "YX"
    return ran.denoised("a.png", "o.png", ran.made, gain=6, kept="grey values of the colour table")


def _numpy(pixels: np.ndarray) -> Callable[[Path], object]:
    return lambda folder: np.save(folder / "a.npy", pixels)


def _imod(folder: Path) -> None:
    import mrcfile

    with mrcfile.new(folder / "a.mrc") as file:
        file.set_data((NOISY / 4).clip(0, 255).astype(np.uint8).view(np.int8))
    content = bytearray((folder / "a.mrc").read_bytes())
    content[152:160] = np.array([1146047817, 0], "<i4").tobytes()
    (folder / "a.mrc").write_bytes(content)


CASES = [
    Case("nodata tag that rounds its value", _plain(np.where(HOLE, LOWEST, NOISY).astype(np.float32),
         "-3.39999999999999996e+38"), FAST, _kept(LOWEST), "the pixels are left out", quick=True),
    Case("nodata of another program", _plain(np.where(HOLE, np.float32(1.70141e38), NOISY).astype(np.float32)), FAST,
         _kept(float(np.float32(1.70141e38))), "left out"),
    Case("nodata beyond the data type", _plain(WORDS, "-9999"), FAST, _gains(CLEAN, 6), "denoised", quick=True),
    Case("nodata tag of zero", _plain(np.where(HOLE, 0, WORDS).astype(np.uint16), "0"), FAST, _kept(0), "left out"),
    Case("nodata and hot pixels", _plain(np.where(HOLE, -9999, np.where(np.arange(4096).reshape(64, 64) % 997 == 5, 3e5,
         NOISY)).astype(np.float32)), FAST, _kept(-9999, 5), "left out, although hot pixels lie far away too"),
    Case("unsigned FITS with BLANK", _blank_unsigned, ("denoise a.fits o.tif fast",), _is_missing, "left out"),
    Case("compressed FITS", _fits(WORDS, compressed=True), ("denoise a.fits o.tif fast",),
         _gains(CLEAN, 6, source="a.fits"), "denoised"),
    Case("rows of NaN", _stripes, ("denoise a.tif o.tif --ignore-nan fast",), _stripes_filled, "filled in"),
    Case("dead column", _detector("column"), FAST, _gains(CLEAN, 15, "64 hot or dead pixels"), "replaced", quick=True),
    Case("clusters of hot pixels", _detector("clusters"), FAST, _gains(CLEAN, 25, "12 hot or dead pixels"), "replaced"),
    Case("a third of salt and pepper", _detector("salt"), FAST, _gains(CLEAN, 25, "hot or dead pixels"), "replaced"),
    Case("dark background, 8 bit", _dark, ("denoise a.png o.png fast",), _dark_kept, "its mean stays"),
    Case("deblur beside missing data", _blurred, ("deblur a.tif o.tif --psf 1.2 fast",), _sharper, "nothing spreads"),
    Case("enlarge beside missing data", _plain(np.where(HOLE, -9999, NOISY).astype(np.float32), "-9999"),
         ("upscale a.tif o.tif --scale 2 fast",), _enlarged, "missing data stay"),
    Case("film with a hole in a frame", _film, FAST, _film_kept, "the hole is kept, and the frame named"),
    Case("pixels as unit of length", _pixels_without_size, ("denoise a.ome.tif o.ome.tif fast",), _no_size, "no size"),
    Case("single channel with a name", _one_channel, ("denoise a.ome.tif o.ome.tif fast",
         "denoise a.ome.tif o.tif fast", "denoise o.tif p.ome.zarr fast"), _name_kept, "kept"),
    Case("frames of enhanced CT", _dicom_frames, ("denoise a.dcm o.ome.tif fast",), _hounsfield, "values in HU"),
    Case("animated GIF", _palette_film, ("denoise a.gif o.png fast",), lambda ran: Found("denoised",
         kept=ran.noted("2 frames; the first is read")), "said"),
    Case("grey colour table of PNG", _grey_table, ("denoise a.png o.png fast",), _grey_only, "grey", quick=True),
    Case("bytes of IMOD", _imod, ("denoise a.mrc o.tif fast",), _gains(np.floor(CLEAN / 4), 5, source="a.mrc"),
         "bytes without a sign"),
    Case("big-endian numpy in Fortran order", _numpy(np.asfortranarray(WORDS.astype(">u2"))),
         ("denoise a.npy o.tif fast",), _gains(CLEAN, 6, source="a.npy"), "denoised"),
    Case("pickled objects", lambda folder: np.save(folder / "a.npy", np.array([None, 1]), allow_pickle=True),
         ("denoise a.npy o.tif fast",), _says("object|pickle", "o.tif"), "refused"),
    Case("half floats in TIFF", _plain(NOISY.astype(np.float16)), FAST, _gains(CLEAN, 6), "denoised"),
    Case("floats of 0 to 1 with a star", _plain(np.where(np.arange(4096).reshape(64, 64) == 2000, 500.0,
         NOISY / 1000).astype(np.float32)), ("denoise a.tif o.tif --defects keep fast",),
         lambda ran: Found("denoised", psnr(NOISY, CLEAN), _beside_star(ran)), "the star is kept and hides nothing"),
]  # fmt: skip


def _beside_star(ran: Ran) -> float:
    ran.ended_well()
    result = ran.pixels("o.tif").astype(float)
    assert abs(result.flat[2000] - 500) < 5
    truth = CLEAN / 1000
    truth.flat[2000] = np.nan
    after = psnr(result, truth)
    assert after > psnr(NOISY / 1000, truth) + 5, after
    return after
