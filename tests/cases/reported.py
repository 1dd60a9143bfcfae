"""The cases that came with the reports: ``make_NAME.py`` in the folder ``cases`` beside the folder of test images."""

from __future__ import annotations

import functools
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
import zarr

from .frame import Case, Found, Ran, psnr

KIND = "Reported"
_BESIDE = Path(__file__).parents[3] / "shared" / "data"
FOLDER = Path(os.environ.get("RSMOE_DATA", _BESIDE)).parent / "cases"


def _make(name: str, folder: Path) -> dict[str, np.ndarray]:
    """Write the input, and return the truth arrays."""
    before = sys.argv
    sys.argv = ["make", str(folder)]
    try:
        runpy.run_path(str(FOLDER / f"make_{name}.py"))
    finally:
        sys.argv = before
    return {path.stem: np.load(path) for path in (folder / "truth").glob("*.npy")}


def astronomy_range(ran: Ran) -> Found:
    ran.ended_well()
    noisy, clean = ran.pixels("sky.tif"), ran.pixels("o.tif")
    truth = ran.made["truth"]
    assert np.isfinite(clean).all()
    sky, stars = truth < 15, truth > 1000
    found = Found("denoised", psnr(noisy[sky], truth[sky]), psnr(clean[sky], truth[sky]), "stars")
    assert found.after > found.before + 3, f"sky from {found.before:.1f} to {found.after:.1f} dB"
    np.testing.assert_allclose(clean[stars], noisy[stars], rtol=0.02)
    fitted = ran.pixels("f.tif")
    assert np.std(fitted[sky] - truth[sky]) < 20, f"the fitted sky is wrong by {np.std(fitted[sky] - truth[sky]):.3g}"
    return found


def binary_picture(ran: Ran) -> Found:
    ran.ended_well()
    np.testing.assert_array_equal(ran.pixels("mask64.png"), ran.pixels("o.png"))
    return Found("unchanged")


def cielab_tiff(ran: Ran) -> Found:
    if ran.last.code:
        return ran.refused("CIELab", "o.tif")
    with tifffile.TiffFile(ran.folder / "o.tif") as tif:
        photometric = tif.pages[0].photometric.name
    if photometric == "CIELAB":
        return Found("denoised", kept="CIELab")
    assert photometric == "RGB"
    from skimage.color import lab2rgb, rgb2lab

    stored = tifffile.imread(ran.folder / "lab.tif")
    lab = np.stack([stored[..., 0] / 2.55, *np.moveaxis(stored[..., 1:].astype(np.int8), -1, 0)], -1)
    away = np.abs(rgb2lab(ran.pixels("o.tif") / 255) - rgb2lab(lab2rgb(lab))).mean()
    assert away < 6, f"colours differ by {away:.1f}"
    return Found("converted", kept=ran.noted(r"CIELab[^;.]*"))


def cmyk_tiff(ran: Ran) -> Found:
    ran.ended_well()
    truth = ran.made["truth_rgb"]
    cmyk = tifffile.imread(ran.folder / "print.tif") / 255.0
    shown = 255 * (1 - cmyk[..., :3]) * (1 - cmyk[..., 3:])
    found = ran.denoised(shown, "o.tif", truth, kept=ran.noted(r"CMYK[^;.]*"))
    assert psnr(ran.pixels("o.png"), truth) > found.before
    return found


def dem_nodata_int16(ran: Ran) -> Found:
    hole = ran.made["hole"]
    truth = np.where(hole, np.nan, ran.made["truth"])
    found = ran.denoised("dem16.tif", "o.tif", truth, gain=3)
    assert (ran.pixels("o.tif")[hole] == -32768).all()
    return Found(found.outcome, found.before, found.after, "-32768 in the holes")


def dpi_is_not_pixel_size(ran: Ran) -> Found:
    ran.ended_well()
    assert "PhysicalSizeX" not in tifffile.TiffFile(ran.folder / "o.ome.tif").ome_metadata
    return Found("denoised", kept="no physical size")


def emccd_zeros(ran: Ran) -> Found:
    ran.ended_well()
    truth, noisy, clean = ran.made["truth"], ran.pixels("photons.tif"), ran.pixels("o.tif").astype(float)
    assert abs(clean.mean() / noisy.mean() - 1) < 0.03 or "dtype" in ran.said, "brightness is lost without a word"
    return Found("denoised", psnr(noisy, truth), psnr(clean, truth), f"mean {noisy.mean():.4f} to {clean.mean():.4f}")


def float_noise_given_in_255(ran: Ran) -> Found:
    if ran.last.code:
        return ran.refused("range", "o.npy")
    return Found("denoised", kept=ran.noted(r"[^.]*range[^.]*"))


def glob_of_two(ran: Ran) -> Found:
    second = (ran.folder / "image2.png").read_bytes()
    found = ran.refused("overwrite|exists|image2")
    fresh = ran.folder / "again"
    fresh.mkdir()
    _make("glob_of_two", fresh)
    assert (fresh / "image2.png").read_bytes() == second, "the second image was replaced"
    return found


def hot_pixels(ran: Ran) -> Found:
    hot, truth = ran.made["hot"], np.where(ran.made["hot"], np.nan, ran.made["truth"])
    found = ran.denoised("hot.tif", "o.tif", truth, gain=3)
    without = psnr(ran.pixels("oc.tif"), truth)
    assert found.after > without - 1, f"{found.after:.2f} dB, and {without:.2f} dB without hot pixels"
    fits = [psnr(ran.pixels(name), truth) for name in ("f.tif", "fc.tif")]
    assert fits[0] > fits[1] - 1, f"fitted with {fits[0]:.2f} dB, and {fits[1]:.2f} dB without hot pixels"
    return Found("denoised", found.before, found.after, f"{int(hot.sum())} hot pixels")


def huge_pixel_km(ran: Ran) -> Found:
    ran.ended_well()
    sizes = ran.image("o.ome.tif").pixel_size
    if "X" in sizes and sizes["X"].unit == "arcsec":
        assert abs(sizes["X"].value / 0.05 - 1) < 1e-3
        kept = "0.05 arcsec"
    else:
        kept = ran.noted(r"[^.]*arcsec[^.]*")
    size = ran.image("k.ome.tif").pixel_size["X"]
    assert size.unit == "kilometer"
    assert abs(size.value / 30 - 1) < 1e-3
    return Found("denoised", kept=f"{kept}; 30 km")


def imagej_int16_calibration(ran: Ran) -> Found:
    truth = ran.made["truth"]
    found = ran.denoised(_as_imagej_shows(ran.folder / "signed.tif"), _as_imagej_shows(ran.folder / "o.tif"), truth)
    return Found(found.outcome, found.before, found.after, "grey values as ImageJ shows them")


def _as_imagej_shows(path: Path) -> np.ndarray:
    with tifffile.TiffFile(path) as tif:
        values = tif.asarray().astype(float)
        facts = tif.imagej_metadata or {}
    return values * float(facts.get("c1", 1)) + float(facts.get("c0", 0))


def line_scans(ran: Ran) -> Found:
    ran.ended_well()
    for name in ("row", "column", "wide"):
        assert ran.image(f"o_{name}.tif").shape == ran.image(f"{name}.tif").shape
    truth = ran.made["truth"]
    return Found("denoised", psnr(ran.pixels("row.tif")[0], truth), psnr(ran.pixels("o_row.tif")[0], truth), "shapes")


def miniswhite_tiff(ran: Ran) -> Found:
    truth = ran.made["truth_stored"]
    with tifffile.TiffFile(ran.folder / "o.tif") as tif:
        inverted = tif.pages[0].photometric.name != "MINISWHITE"
        stored = tif.asarray()
    shown = 255 - stored if inverted else stored
    found = ran.denoised(tifffile.imread(ran.folder / "white.tif"), shown, truth)
    assert psnr(255 - ran.pixels("o.png"), truth) > found.before
    return Found("denoised", found.before, found.after, "inverted" if inverted else "0 = white")


def movie_nan_frame(ran: Ran) -> Found:
    ran.ended_well()
    truth = ran.made["truth"]
    good = [0, 2, 3]
    noisy, kept, filled = ran.pixels("film.tif"), ran.pixels("o.tif"), ran.pixels("p.tif")
    found = Found("denoised", psnr(noisy[good], truth[good]), psnr(kept[good], truth[good]), ran.noted("frame|T 1"))
    assert found.after > found.before + 3
    assert np.isnan(kept[1]).all()
    assert np.isnan(filled[1]).all() or np.isfinite(filled[1]).all()
    return found


def ome_bad_numbers(ran: Ran) -> Found:
    ran.ended_well()
    assert "damaged" not in ran.said
    assert (ran.image("comma.ome.tif").shape, ran.image("empty.ome.tif").shape) == ((64, 64), (64, 64))
    assert ran.image("empty.ome.tif").pixel_size == {}
    return Found("read", kept=ran.noted(r"0,325[^;.]*"))


def ome_rich_metadata(ran: Ran) -> Found:
    ran.ended_well()
    before, after = ran.image("rich.ome.tif"), ran.image("o.ome.tif")
    assert (after.axes, after.pixel_size, after.channel_names) == (before.axes, before.pixel_size, before.channel_names)
    xml = tifffile.TiffFile(ran.folder / "o.ome.tif").ome_metadata
    kept = [word for word in ("Color", "EmissionWavelength", "DeltaT", "PositionX", "SignificantBits") if word in xml]
    for word in ("Color", "EmissionWavelength", "DeltaT", "PositionX", "SignificantBits"):
        assert word in kept or word in ran.said, f"{word} is lost without a word"
    return Found("denoised", kept=", ".join(kept))


def omezarr_translation(ran: Ran) -> Found:
    ran.ended_well()
    attributes = zarr.open_group(ran.folder / "o.ome.zarr", mode="r").attrs.asdict()
    (level, *_) = attributes["ome"]["multiscales"][0]["datasets"]
    steps = {step["type"]: step[step["type"]] for step in level["coordinateTransformations"]}
    np.testing.assert_allclose(steps["scale"], [0.4, 0.108335, 0.108335])
    np.testing.assert_allclose(steps["translation"], [1.2, 52.109135, 60.88427])
    return Found("denoised", kept="scale and translation")


def palette_ramp_tiff(ran: Ran) -> Found:
    with tifffile.TiffFile(ran.folder / "o.tif") as tif:
        page, stored = tif.pages[0], tif.asarray()
        if page.photometric.name == "PALETTE":
            assert (page.colormap[1] == np.arange(256) * 257).all()
            kept = "colour table"
        elif stored.ndim == 3:
            assert not stored[..., [0, 2]].any()
            stored, kept = stored[..., 1], "as RGB"
        else:
            kept = ran.noted(r"[^.]*colou?r table[^.]*")
    return ran.denoised(tifffile.imread(ran.folder / "green.tif"), stored, ran.made["truth"], kept=kept)


def palette_tiff(ran: Ran) -> Found:
    if ran.last.code:
        return ran.refused("colou?r table", "o.tif")
    truth = ran.made["truth_rgb"]
    return ran.denoised("indexed.tif", "o.tif", truth, kept="colours")


def png_flavours(ran: Ran) -> Found:
    ran.ended_well()
    assert ran.image("o_palette.png").shape == (64, 64, 3)
    for name, axis in (("la16", 1), ("rgba", 3)):
        before, after = ran.image(f"{name}.png"), ran.image(f"o_{name}.png")
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before.numpy()[..., axis], after.numpy()[..., axis])
    assert ran.image("o_rgb16.png").dtype == np.uint16
    shown = ran.pixels("exif6.png")
    assert shown.shape == (48, 64, 3)
    truth = np.rot90(ran.made["truth"][:, :48], -1) * 255
    return ran.denoised("exif6.png", "o.png", truth, kept="alpha, 16 bit; turned upright")


def sem_pixel_size_tag(ran: Ran) -> Found:
    found = ran.denoised("sem.tif", "o.ome.tif", ran.made["truth"])
    sizes = ran.image("o.ome.tif").pixel_size
    if sizes:
        assert (round(sizes["X"].value, 6), sizes["X"].unit) in ((5.0, "nanometer"), (0.005, "micrometer"))
    return Found(found.outcome, found.before, found.after, f"{sizes}")


def tiff_orientation(ran: Ran) -> Found:
    with tifffile.TiffFile(ran.folder / "o.tif") as tif:
        tag = tif.pages[0].tags.get("Orientation")
        stored = tif.asarray()
    truth = ran.made["truth"]
    turned = tag is None or tag.value == 1
    shown = stored if turned else np.rot90(stored, -1)
    found = ran.denoised(np.rot90(tifffile.imread(ran.folder / "turned.tif"), -1), shown, np.rot90(truth, -1))
    assert ran.pixels("o.png").shape == (96, 64)
    return Found("denoised", found.before, found.after, "turned upright" if turned else "tag 6")


def truncated_tiff(ran: Ran) -> Found:
    first, second = ran.commands
    assert (first.code, second.code) == (1, 1)
    assert "incomplete" in first.err
    return ran.refused("incomplete", "o.tif", "o.ome.tif")


def wrong_suffix(ran: Ran) -> Found:
    for each, name, real in zip(ran.commands, ("o.tif", "o.png", "o.jpg"), ("JPEG", "TIFF", "PNG"), strict=True):
        if each.code:
            assert real in each.err, each.err
        else:
            assert (ran.folder / name).exists()
    return Found("read" if not ran.last.code else "refused", kept=ran.noted("JPEG[^;.]*"))


_COMMANDS: dict[str, tuple[Callable[[Ran], Found], tuple[str, ...]]] = {
    "astronomy_range": (astronomy_range, ("denoise sky.tif o.tif", "fit sky.tif f.tif")),
    "binary_picture": (binary_picture, ("denoise mask64.png o.png fast",)),
    "cielab_tiff": (cielab_tiff, ("denoise lab.tif o.tif fast",)),
    "cmyk_tiff": (cmyk_tiff, ("denoise print.tif o.tif fast", "denoise print.tif o.png fast")),
    "dem_nodata_int16": (dem_nodata_int16, ("denoise dem16.tif o.tif fast",)),
    "dpi_is_not_pixel_size": (dpi_is_not_pixel_size, ("denoise office.tif o.ome.tif fast",)),
    "emccd_zeros": (emccd_zeros, ("denoise photons.tif o.tif fast",)),
    "float_noise_given_in_255": (float_noise_given_in_255, ("denoise unit.npy o.npy --noise 25",)),
    "glob_of_two": (glob_of_two, ("denoise image1.png image2.png fast",)),
    "hot_pixels": (
        hot_pixels,
        ("denoise hot.tif o.tif", "denoise cold.tif oc.tif", "fit hot.tif f.tif", "fit cold.tif fc.tif"),
    ),
    "huge_pixel_km": (huge_pixel_km, ("denoise arcsec.tif o.ome.tif fast", "denoise km.tif k.ome.tif fast")),
    "imagej_int16_calibration": (imagej_int16_calibration, ("denoise signed.tif o.tif fast",)),
    "line_scans": (line_scans, tuple(f"denoise {n}.tif o_{n}.tif fast" for n in ("row", "column", "wide"))),
    "miniswhite_tiff": (miniswhite_tiff, ("denoise white.tif o.tif fast", "denoise white.tif o.png fast")),
    "movie_nan_frame": (
        movie_nan_frame,
        ("denoise film.tif o.tif --ignore-nan --no-fill fast", "denoise film.tif p.tif --ignore-nan fast"),
    ),
    "ome_bad_numbers": (ome_bad_numbers, tuple(f"info {n}.ome.tif" for n in ("comma", "empty", "nan", "pixel"))),
    "ome_rich_metadata": (ome_rich_metadata, ("denoise rich.ome.tif o.ome.tif fast",)),
    "omezarr_translation": (omezarr_translation, ("denoise cut.ome.zarr o.ome.zarr fast",)),
    "palette_ramp_tiff": (palette_ramp_tiff, ("denoise green.tif o.tif fast",)),
    "palette_tiff": (palette_tiff, ("denoise indexed.tif o.tif fast",)),
    "png_flavours": (
        png_flavours,
        (
            *(f"denoise {n}.png o_{n}.png fast" for n in ("palette", "rgb16", "la16", "rgba")),
            "denoise exif6.png o.png fast",
        ),
    ),
    "sem_pixel_size_tag": (sem_pixel_size_tag, ("denoise sem.tif o.ome.tif fast",)),
    "tiff_orientation": (tiff_orientation, ("denoise turned.tif o.tif fast", "denoise turned.tif o.png fast")),
    "truncated_tiff": (truncated_tiff, ("denoise cut.tif o.tif", "denoise cut.ome.tif o.ome.tif")),
    "wrong_suffix": (
        wrong_suffix,
        ("denoise photo.tif o.tif fast", "denoise scan.png o.png fast", "denoise shot.jpg o.jpg fast"),
    ),
}


def _cases() -> list[Case]:
    if not FOLDER.is_dir():
        return []
    lines = [line for line in (FOLDER / "expected.md").read_text().splitlines() if line.startswith("- **")]
    right = {line.split("**")[1]: line.split("`: ", 1)[-1] for line in lines}
    assert right.keys() == _COMMANDS.keys(), f"cases without a check: {right.keys() ^ _COMMANDS.keys()}"
    return [
        Case(name, functools.partial(_make, name), commands, check, right[name])
        for name, (check, commands) in _COMMANDS.items()
    ]


CASES = _cases()
