"""Samples that are not what they seem: inks, Lab, palettes, inverted grey, orientation, calibration, masks, planes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from skimage.color import rgb2lab

from .frame import Case, Found, Ran, noisy_bytes, psnr, scene

KIND = "Pixel meaning"
RGB = np.stack([scene(seed=k) for k in (1, 2, 3)], -1)
NOISY = noisy_bytes(RGB * 255)
GREY = scene() * 220
NOISY_GREY = noisy_bytes(GREY)
RAMP = np.arange(256)


def _write(name: str, pixels: np.ndarray, truth: object = None, **options: object):
    def make(folder: Path) -> object:
        tifffile.imwrite(folder / name, pixels, **{"metadata": None, **options})
        return truth

    return make


def _inks(rgb: np.ndarray, top: int, dtype: str) -> np.ndarray:
    """CMYK of noisy colours, with all grey in the black ink."""
    unit = rgb / 255
    black = 1 - unit.max(-1, keepdims=True)
    inks = np.concatenate([(1 - unit - black) / np.maximum(1 - black, 1e-6), black], -1)
    return np.rint(np.clip(inks, 0, 1) * top).astype(dtype)


def _colours(tolerance: float, words: str = ""):
    """The result has the colours of the truth."""

    def check(ran: Ran) -> Found:
        ran.ended_well()
        result = ran.pixels("o.tif")
        scale = 255 / np.iinfo(result.dtype).max
        before, after = psnr(NOISY, RGB * 255), psnr(result * scale, RGB * 255)
        assert after > before - tolerance, f"PSNR goes from {before:.2f} to {after:.2f} dB"
        return Found("converted", before, after, ran.noted(words) if words else "")

    return check


def _lab(dtype: str, offset: bool) -> np.ndarray:
    lab = rgb2lab(NOISY / 255)
    if offset:
        stored = np.concatenate([lab[..., :1] * 255 / 100, lab[..., 1:] + 128], -1)
        return np.clip(np.rint(stored * (256 if dtype == "uint16" else 1)), 0, np.iinfo(dtype).max).astype(dtype)
    step = 256 if dtype == "uint16" else 1
    signed = np.rint(lab[..., 1:] * step).clip(-128 * step, 128 * step - 1).astype(dtype.removeprefix("u"))
    return np.concatenate([np.rint(lab[..., :1] / 100 * np.iinfo(dtype).max).astype(dtype), signed.view(dtype)], -1)


def _ycbcr() -> np.ndarray:
    r, g, b = np.moveaxis(NOISY.astype(float), -1, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    stored = np.stack([y, (b - y) / 1.772 + 128, (r - y) / 1.402 + 128], -1)
    return np.clip(np.rint(stored), 0, 255).astype(np.uint8)


def _jpeg_cmyk(folder: Path) -> None:
    Image.fromarray(_inks(NOISY, 255, "uint8"), "CMYK").save(folder / "a.jpg", quality=98, subsampling=0)


def _table(kind: str) -> np.ndarray:
    """A colour table of 16 bits."""
    if kind == "fire":
        stops = np.array([[0, 0, 0], [60, 0, 130], [190, 20, 100], [255, 140, 0], [255, 255, 120], [255, 255, 255]])
        return np.stack([np.interp(np.linspace(0, 5, 256), range(6), stop) * 257 for stop in stops.T]).astype(np.uint16)
    random = np.random.default_rng(5)
    return random.integers(0, 256, (3, 256)).astype(np.uint16) * 257


def _keeps_table(ran: Ran) -> Found:
    with tifffile.TiffFile(ran.folder / "o.tif") as tif:
        assert tif.pages[0].photometric.name == "PALETTE"
        np.testing.assert_array_equal(tif.pages[0].colormap, _table("fire"))
    return ran.denoised(NOISY_GREY, tifffile.imread(ran.folder / "o.tif"), GREY, kept="colour table")


def _names_table(ran: Ran) -> Found:
    return ran.denoised(NOISY_GREY, "o.png", GREY, kept=ran.noted("cannot hold colour table"))


def _few_colours(folder: Path) -> None:
    """Four bits, as old programs save screenshots."""
    Image.fromarray(NOISY).quantize(16).save(folder / "a.tif")


def _is_colour(ran: Ran) -> Found:
    ran.ended_well()
    assert ran.image("o.tif").shape == (48, 48, 3)
    return Found("converted", kept=ran.noted("colours of the colour table"))


def _fax(folder: Path) -> None:
    picture = Image.fromarray(((GREY > 90) * 255).astype(np.uint8)).convert("1")
    tifffile.imwrite(folder / "a.tif", ~np.asarray(picture), photometric="miniswhite", metadata=None)


def _fax_shown(ran: Ran) -> Found:
    ran.ended_well()
    values = ran.pixels("o.tif")
    assert set(np.unique(values)) == {0, 255}
    assert ((values > 0) == (GREY > 90)).all()
    return Found("converted", kept="black stays black")


def _gaps(folder: Path) -> None:
    """A boolean mask as Python writes it, where 0 stands for white."""
    gaps = np.zeros((48, 48), bool)
    gaps[10:14] = True
    pixels = np.where(gaps, 255, NOISY_GREY).astype(np.uint8)
    tifffile.imwrite(folder / "a.tif", pixels, metadata=None)
    tifffile.imwrite(folder / "gaps.tif", gaps, metadata=None)


def _filled(ran: Ran) -> Found:
    return ran.denoised("a.tif", "o.tif", GREY, gain=6, kept="gaps are filled")


def _heights(folder: Path) -> None:
    stored = 65535 - np.rint(GREY * 100 + np.random.default_rng(1).normal(0, 300, GREY.shape)).astype(np.uint16)
    stored[:5] = 0
    tifffile.imwrite(folder / "a.tif", stored, photometric="miniswhite", metadata=None,
                     extratags=[(42113, "s", 0, "0", True)])  # fmt: skip


def _no_data_moves(ran: Ran) -> Found:
    ran.ended_well()
    image = ran.image("o.tif")
    assert image.details.nodata == 65535
    assert (image.data[:5] == 65535).all()
    return Found("converted", kept="the no-data value is inverted too")


def _float_inverse(ran: Ran) -> Found:
    with tifffile.TiffFile(ran.folder / "o.tif") as tif:
        assert tif.pages[0].photometric.name == "MINISWHITE"
    return ran.denoised("a.tif", "o.tif", GREY, kept="values, and 0 = white")


def _shown_inverted(ran: Ran) -> Found:
    found = _float_inverse(ran)
    np.testing.assert_array_equal(ran.pixels("o.png"), 255 - ran.pixels("o.tif"))
    return Found(found.outcome, found.before, found.after, "values; looks of o.png")


def _orientations(folder: Path) -> None:
    for code in range(1, 9):
        tifffile.imwrite(
            folder / f"a{code}.tif", _stored(NOISY, code), extratags=[(274, "H", 1, code, True)], metadata=None,
            photometric="rgb",
        )  # fmt: skip
        exif = Image.Exif()
        exif[274] = code
        Image.fromarray(_stored(NOISY, code)).save(folder / f"a{code}.png", exif=exif)
        Image.fromarray(_stored(NOISY, code)).save(folder / f"a{code}.webp", exif=exif, lossless=True)


def _stored(image: np.ndarray, code: int) -> np.ndarray:
    """The image as a camera stores it that was held as the orientation says."""
    if code in (2, 3, 6, 7):
        image = image[:, ::-1]
    if code in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image.swapaxes(0, 1) if code >= 5 else image)


def _all_upright(ran: Ran) -> Found:
    ran.ended_well()
    for code in range(1, 9):
        for suffix in ("tif", "png", "webp"):
            np.testing.assert_array_equal(ran.pixels(f"a{code}.{suffix}"), NOISY, err_msg=f"{code} {suffix}")
    return ran.denoised("a6.tif", "o.png", RGB * 255, kept="turned upright")


def _stack_turned(ran: Ran) -> Found:
    ran.ended_well()
    image = ran.image("o.tif")
    assert image.shape[-2:] == (60, 40)
    np.testing.assert_allclose(ran.pixels("a.tif")[1], np.rot90(_TWO[1], -1))
    return Found("denoised", kept="each page turned upright")


_TWO = noisy_bytes(np.stack([scene(40, 60, k) * 200 for k in (1, 2)]))


def _imagej(**fields: object):
    def make(folder: Path) -> None:
        metadata = {"axes": "ZYX", "unit": "um", "spacing": 0.5, **fields}
        tifffile.imwrite(folder / "a.tif", _SIGNED, imagej=True, resolution=(10, 10), metadata=metadata)

    return make


_SIGNED = (noisy_bytes(np.stack([GREY] * 2)).astype(np.int32) - 100 + 32768).astype(np.uint16)


def _signed(name: str):
    def check(ran: Ran) -> Found:
        ran.ended_well()
        with tifffile.TiffFile(ran.folder / name) as tif:
            facts = tif.imagej_metadata or {}
            values = tif.asarray().astype(float) * float(facts.get("c1", 1)) + float(facts.get("c0", 0))
        found = ran.denoised(_SIGNED.astype(float) - 32768, values, np.stack([GREY] * 2) - 100)
        size = ran.image(name).pixel_size["Z"]
        assert (round(size.value, 6), size.unit) == (0.5, "micrometer")
        return Found(found.outcome, found.before, found.after, "values as ImageJ shows them")

    return check


def _density(ran: Ran) -> Found:
    ran.ended_well()
    with tifffile.TiffFile(ran.folder / "o.tif") as tif:
        assert (tif.imagej_metadata["c1"], tif.imagej_metadata["vunit"]) == (0.01, "Density")
    return Found("denoised", kept="calibration; " + ran.noted("o.ome.tif cannot hold [^.]*"))


def _mask_page(folder: Path) -> None:
    with tifffile.TiffWriter(folder / "a.tif") as writer:
        writer.write(NOISY_GREY, subfiletype=1, metadata=None)
        writer.write(NOISY_GREY, metadata=None)
        writer.write(NOISY_GREY[::4, ::4], subfiletype=1, metadata=None)
    with tifffile.TiffFile(folder / "a.tif", mode="r+") as tif:
        tif.pages[0].tags["NewSubfileType"].overwrite(4)


def _one_picture(words: str):
    def check(ran: Ran) -> Found:
        return ran.denoised(NOISY_GREY, "o.tif", GREY, kept=ran.noted(words))

    return check


def _thumbnail(marked: bool):
    def make(folder: Path) -> None:
        with tifffile.TiffWriter(folder / "a.tif") as writer:
            writer.write(NOISY_GREY[::4, ::4], subfiletype=int(marked), metadata=None)
            writer.write(NOISY_GREY, metadata=None)

    return make


def _raw_camera(folder: Path) -> None:
    """A preview whose SubIFD is the image, as cameras write it."""
    with tifffile.TiffWriter(folder / "a.tif") as writer:
        writer.write(NOISY_GREY[::4, ::4], subfiletype=1, subifds=1, metadata=None)
        writer.write(NOISY_GREY, metadata=None)


def _planes_apart(ran: Ran) -> Found:
    found = ran.denoised(NOISY, _last(ran.pixels("o.tif")), RGB * 255)
    assert (_last(ran.pixels("p.tif"))[..., 3] == _ALPHA).all()
    return Found(found.outcome, found.before, found.after, "opacity")


def _last(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.shape[-1] in (3, 4) else np.moveaxis(pixels, 0, -1)


_ALPHA = np.where(RGB[..., 0] > 0.3, 255, 128).astype(np.uint8)


def _planar(folder: Path) -> None:
    options: dict = {"planarconfig": "separate", "photometric": "rgb", "metadata": None}
    tifffile.imwrite(folder / "a.tif", np.moveaxis(NOISY, -1, 0), **options)
    four = np.concatenate([np.moveaxis(NOISY, -1, 0), _ALPHA[None]])
    tifffile.imwrite(folder / "b.tif", four, extrasamples=["unassalpha"], **options)


def _multiplied(folder: Path) -> None:
    colours = np.rint(NOISY * (_ALPHA[..., None] / 255)).astype(np.uint8)
    pixels = np.concatenate([colours, _ALPHA[..., None]], -1)
    tifffile.imwrite(folder / "a.tif", pixels, photometric="rgb", extrasamples=["assocalpha"], metadata=None)


def _divided(ran: Ran) -> Found:
    result = ran.pixels("o.png")
    np.testing.assert_array_equal(result[..., 3], _ALPHA)
    return ran.denoised(NOISY, result[..., :3], RGB * 255, kept="opacity")


def _refused(words: str, *outputs: str):
    return lambda ran: ran.refused(words, *outputs)


def _unchanged_depth(ran: Ran) -> Found:
    return ran.denoised("a.tif", "o.tif", GREY * 16, kept="values of 12 bits")


def _packed(folder: Path) -> None:
    values = np.clip(np.rint(GREY * 16 + np.random.default_rng(1).normal(0, 60, GREY.shape)), 0, 4095)
    tifffile.imwrite(folder / "a.tif", values.astype(np.uint16), bitspersample=12, metadata=None)


def _imagej_luts(folder: Path) -> None:
    table = (_table("fire") // 257).astype(np.uint8)
    tifffile.imwrite(folder / "a.tif", NOISY_GREY, imagej=True, metadata={"axes": "YX", "LUTs": [table]})


def _luts_again(ran: Ran) -> Found:
    with tifffile.TiffFile(ran.folder / "o.tif") as tif:
        np.testing.assert_array_equal(tif.imagej_metadata["LUTs"], _table("fire") // 257)
    return ran.denoised("a.tif", "o.tif", GREY, kept="ImageJ's colours")


def _jpeg_in_tiff(folder: Path) -> None:
    tifffile.imwrite(
        folder / "a.tif", NOISY, photometric="rgb", compression="jpeg", compressionargs={"level": 98}, metadata=None
    )


FAST = ("denoise a.tif o.tif fast",)
CASES = [
    Case("cmyk of 16 bits", _write("a.tif", _inks(NOISY, 65535, "uint16"), photometric="separated"), FAST,
         _colours(0, "CMYK[^.]*"), "colours are those of the inks", quick=True),
    Case("cmyk jpeg", _jpeg_cmyk, ("denoise a.jpg o.tif fast",), _colours(0, "CMYK[^.]*"), "read as RGB"),
    Case("inks other than cmyk", _write("a.tif", np.repeat(NOISY, 2, -1)[..., :5], photometric="separated",
         extratags=[(332, "H", 1, 2, True)]), FAST, _refused("inks", "o.tif"), "refused with a remedy", quick=True),
    Case("lab of 16 bits", _write("a.tif", _lab("uint16", False), photometric="cielab"), FAST,
         _colours(1, "CIELab[^.]*"), "read as RGB"),
    Case("icc lab", _write("a.tif", _lab("uint8", True), photometric="icclab"), FAST, _colours(2, "CIELab[^.]*"),
         "read as RGB", quick=True),
    Case("ycbcr without compression", _write("a.tif", _ycbcr(), photometric="ycbcr"), FAST, _colours(0, "YCbCr[^.]*"),
         "read as RGB", quick=True),
    Case("jpeg in tiff", _jpeg_in_tiff, FAST, _colours(0), "read as RGB"),
    Case("colour filter mosaic", _write("a.tif", NOISY_GREY, photometric="cfa"), FAST, _refused("mosaic", "o.tif"),
         "refused with a remedy", quick=True),
    Case("fire as colour table", _write("a.tif", NOISY_GREY, photometric="palette", colormap=_table("fire")), FAST,
         _keeps_table, "values are denoised, the colour table is kept", quick=True),
    Case("fire to png", _write("a.tif", NOISY_GREY, photometric="palette", colormap=_table("fire")),
         ("denoise a.tif o.png fast",), _names_table, "the loss of the colour table is named"),
    Case("palette without order", _write("a.tif", NOISY_GREY, photometric="palette", colormap=_table("none")), FAST,
         _is_colour, "read as RGB"),
    Case("palette of 4 bits", _few_colours, FAST, _is_colour, "read as RGB", quick=True),
    Case("fax", _fax, FAST, _fax_shown, "black stays black", quick=True),
    Case("boolean mask", _gaps, ("denoise a.tif o.tif --mask gaps.tif fast",), _filled, "true stays true", quick=True),
    Case("no data where 0 is white", _heights, FAST, _no_data_moves, "the value is inverted too"),
    Case("float with 0 as white", _write("a.tif", NOISY_GREY.astype(np.float32), photometric="miniswhite"), FAST,
         _float_inverse, "values and mark are kept", quick=True),
    Case("all orientations", _orientations, ("denoise a6.tif o.png fast",), _all_upright, "turned upright"),
    Case("orientation of a stack", _write("a.tif", _TWO, photometric="minisblack",
         extratags=[(274, "H", 1, 6, False)]), FAST, _stack_turned, "turned upright"),
    Case("imagej signed stack", _imagej(cf=0, c0=-32768.0, c1=1.0), FAST, _signed("o.tif"), "values as ImageJ shows",
         quick=True),
    Case("imagej signed stack to ome", _imagej(cf=0, c0=-32768.0, c1=1.0), ("denoise a.tif o.ome.tif fast",),
         _signed("o.ome.tif"), "values as ImageJ shows"),
    Case("imagej density", _imagej(cf=0, c0=0.0, c1=0.01, vunit="Density"), (*FAST, "denoise a.tif o.ome.tif fast"),
         _density, "calibration is kept, or named"),
    Case("imagej colours", _imagej_luts, FAST, _luts_again, "display colours are kept", quick=True),
    Case("imagej shown inverted", _write("a.tif", NOISY_GREY, photometric="miniswhite", imagej=True,
         metadata={"axes": "YX"}), (*FAST, "denoise a.tif o.png fast"), _shown_inverted, "values and mark are kept"),
    Case("mask before the image", _mask_page, FAST, _one_picture("mask and a thumbnail"), "the image is read",
         quick=True),
    Case("thumbnail before the image", _thumbnail(True), FAST, _one_picture("a thumbnail"), "the image is read",
         quick=True),
    Case("thumbnail without a mark", _thumbnail(False), FAST, _one_picture("2 images; number 1 is read"),
         "the image is read"),
    Case("image below its preview", _raw_camera, FAST, _one_picture("a thumbnail"), "the image is read", quick=True),
    Case("colours in planes", _planar, (*FAST, "denoise b.tif p.tif fast"), _planes_apart, "read as RGB", quick=True),
    Case("colours times opacity", _multiplied, ("denoise a.tif o.png fast",), _divided, "opacity is taken out",
         quick=True),
    Case("12 bits packed", _packed, FAST, _unchanged_depth, "values stay"),
]  # fmt: skip
