"""A few extreme pixels: hot and dead pixels, stars, missing data, and limits that the user gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from napari_rsmoe import write_image

from .frame import Case, Found, Ran, psnr, scene

KIND = "Extreme pixels"
NOISE = 6.0


def _noisy(size: int = 64, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A clean scene of 100 to 400, and the same with noise."""
    clean = scene(size, size, seed) * 300 + 100
    return clean, clean + np.random.default_rng(seed).normal(0, NOISE, clean.shape)


def _without(truth: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.where(places, np.nan, truth)


def hot_and_dead(folder: Path) -> dict[str, np.ndarray]:
    """Four hot pixels, two of them side by side, and two dead ones, in 16 bits."""
    clean, noisy = _noisy()
    places = np.zeros(clean.shape, bool)
    for y, x, value in ((9, 9, 60000), (30, 31, 4000), (30, 32, 5000), (50, 12, 65535), (20, 40, 0), (41, 55, 0)):
        noisy[y, x], places[y, x] = value, True
    noisy[41, 55] = 0
    write_image(folder / "a.tif", np.rint(noisy).astype(np.uint16))
    return {"truth": clean, "places": places}


def replaced(ran: Ran) -> Found:
    found = ran.denoised("a.tif", "o.tif", _without(ran.made["truth"], ran.made["places"]), gain=5)
    wrong = np.abs(ran.pixels("o.tif") - ran.made["truth"])[ran.made["places"]]
    assert wrong.max() < 100, f"a defect is still there: {wrong}"
    return Found("denoised", found.before, found.after, ran.noted(r"\d+ hot or dead pixels"))


def kept(ran: Ran) -> Found:
    found = ran.denoised("a.tif", "o.tif", _without(ran.made["truth"], ran.made["places"]), gain=4)
    before, after = (ran.pixels(name).astype(float)[ran.made["places"]] for name in ("a.tif", "o.tif"))
    far = before > 2000
    np.testing.assert_allclose(after[far], before[far], rtol=0.02)
    return Found("denoised", found.before, found.after, "hot pixels")


def stars(folder: Path) -> dict[str, np.ndarray]:
    """A nebula of 40 counts with noise of 2, under stars of up to a million, as floats."""
    rng = np.random.default_rng(3)
    clean = 10 + 40 * scene(80, 80, 2)
    y, x = np.mgrid[:80, :80]
    for flux in 10 ** rng.uniform(2, 6, 8):
        cy, cx = rng.uniform(5, 75, 2)
        clean = clean + flux * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 1.4**2))
    noisy = clean + rng.normal(0, 2, clean.shape)
    write_image(folder / "a.tif", noisy.astype(np.float32))
    return {"truth": clean, "places": clean > 80}


def nebula_and_stars(ran: Ran) -> Found:
    truth, places = ran.made["truth"], ran.made["places"]
    found = ran.denoised("a.tif", "o.tif", _without(truth, places), gain=4)
    bright = truth > 1000
    np.testing.assert_allclose(ran.pixels("o.tif")[bright], ran.pixels("a.tif")[bright], rtol=0.02)
    return Found("denoised", found.before, found.after, "stars")


def fitted_nebula(ran: Ran) -> Found:
    ran.ended_well()
    truth, places = ran.made["truth"], ran.made["places"]
    quality = psnr(ran.pixels("f.tif"), _without(truth, places))
    assert quality > 20, f"the nebula is fitted with {quality:.1f} dB"
    return Found("fitted", after=quality)


def elevation(folder: Path, value: float, dtype: str, tag: bool) -> dict[str, np.ndarray]:
    """An elevation model with two holes."""
    clean, noisy = _noisy(seed=4)
    hole = np.zeros(clean.shape, bool)
    hole[:14, :20] = hole[50:, 40:] = True
    data = np.rint(noisy) if np.dtype(dtype).kind == "i" else noisy
    data = np.where(hole, value, data).astype(dtype)
    tags = [(42113, "s", 0, f"{value:g}", True)] if tag else []
    tifffile.imwrite(folder / "a.tif", data, metadata=None, extratags=tags)
    return {"truth": clean, "places": hole, "value": np.asarray(value, dtype)}


def holes_stay(ran: Ran) -> Found:
    truth, hole = ran.made["truth"], ran.made["places"]
    found = ran.denoised("a.tif", "o.tif", _without(truth, hole), gain=4)
    after = ran.pixels("o.tif")[hole]
    same = np.isnan(after) if np.isnan(ran.made["value"]) else after == ran.made["value"]
    assert same.all(), f"the holes hold {np.unique(after)[:4]}"
    return Found("denoised", found.before, found.after, f"{ran.made['value']} in the holes")


def holes_stay_in_every_verb(ran: Ran) -> Found:
    ran.ended_well()
    truth, hole = ran.made["truth"], ran.made["places"]
    fitted, large = ran.pixels("f.tif"), ran.pixels("u.tif")
    assert (fitted[hole] == ran.made["value"]).all()
    assert (large[np.kron(hole, np.ones((2, 2), bool))] == ran.made["value"]).all()
    quality = psnr(fitted, _without(truth, hole))
    assert quality > 25, f"fitted with {quality:.1f} dB"
    sigma = float(ran.noted(r"standard deviation [\d.]+").split()[-1])
    assert 0.8 < sigma / NOISE < 1.2, f"noise {sigma}"
    return Found("fitted", after=quality, kept=f"holes, noise {sigma}")


def limits(folder: Path) -> dict[str, np.ndarray]:
    """Values outside 50 to 500 mean nothing: scratches of -300 and a label of 3000."""
    clean, noisy = _noisy(seed=6)
    places = np.zeros(clean.shape, bool)
    places[5:8, 10:50] = places[40:52, 40:52] = True
    noisy[5:8, 10:50], noisy[40:52, 40:52] = -300, 3000
    write_image(folder / "a.tif", noisy.astype(np.float32))
    return {"truth": clean, "places": places}


def limits_leave_out(ran: Ran) -> Found:
    truth, places = ran.made["truth"], ran.made["places"]
    found = ran.denoised("a.tif", "o.tif", _without(truth, places), gain=5)
    assert ran.pixels("o.tif").min() > 0, "the places that are left out are not filled"
    quality = psnr(ran.pixels("f.tif"), _without(truth, places))
    assert quality > 25, f"fitted with {quality:.1f} dB"
    return Found("denoised", found.before, found.after, f"fit {quality:.1f} dB")


def zero_is_data(folder: Path) -> dict[str, np.ndarray]:
    """Signed 16 bits that reach down to -32768 without a gap."""
    clean = scene(64, 64, 7) * 20000 - 33500
    noisy = np.clip(np.rint(clean + np.random.default_rng(0).normal(0, 300, clean.shape)), -32768, 32767)
    write_image(folder / "a.tif", noisy.astype(np.int16))
    return {"truth": np.clip(clean, -32768, None)}


def counts_as_data(ran: Ran) -> Found:
    found = ran.denoised("a.tif", "o.tif", ran.made["truth"], gain=4)
    assert "missing" not in ran.said
    return found


def undersampled_stars(folder: Path) -> dict[str, np.ndarray]:
    """Stars of 0.7 px, which are no hot pixels."""
    rng = np.random.default_rng(5)
    clean = np.full((64, 64), 100.0)
    y, x = np.mgrid[:64, :64]
    for _ in range(12):
        cy, cx = rng.uniform(4, 60, 2)
        clean += rng.uniform(500, 4000) * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 0.7**2))
    write_image(folder / "a.tif", np.rint(clean + rng.normal(0, 5, clean.shape)).astype(np.uint16))
    return {"truth": clean}


def no_defects(ran: Ran) -> Found:
    found = ran.denoised("a.tif", "o.tif", ran.made["truth"], gain=3)
    assert "hot or dead" not in ran.said
    return found


def clipped_negative(folder: Path) -> dict[str, np.ndarray]:
    """Float maximum as missing data, as GDAL writes it, without a tag, plus NaN."""
    made = elevation(folder, float(np.finfo(np.float32).min), "float32", tag=False)
    data = tifffile.imread(folder / "a.tif")
    data[30, 30] = np.nan
    made["places"][30, 30] = True
    tifffile.imwrite(folder / "a.tif", data, metadata=None)
    return made


def holes_and_nan(ran: Ran) -> Found:
    found = ran.denoised("a.tif", "o.tif", _without(ran.made["truth"], ran.made["places"]), gain=4)
    after = ran.pixels("o.tif")
    assert np.isfinite(after[30, 30])
    assert after[30, 30] > 0
    assert (after[:14, :20] == np.finfo(np.float32).min).all()
    return found


CASES = [
    Case("hot_and_dead", hot_and_dead, ["denoise a.tif o.tif fast"], replaced, "found, said, replaced", quick=True),
    Case(
        "hot_kept",
        hot_and_dead,
        ["denoise a.tif o.tif --defects keep fast"],
        kept,
        "hot pixels stay, and the rest is denoised as well",
        quick=True,
    ),
    Case("nebula", stars, ["denoise a.tif o.tif fast"], nebula_and_stars, "noise goes, stars stay", quick=True),
    Case("nebula_fit", stars, ["fit a.tif f.tif fast"], fitted_nebula, "the nebula is recognisable"),
    Case(
        "nodata_tag",
        lambda folder: elevation(folder, -1.0, "float32", tag=True),
        ["denoise a.tif o.tif fast"],
        holes_stay,
        "pixels of the value that the file names for missing data stay",
        quick=True,
    ),
    Case(
        "nodata_tag_nan",
        lambda folder: elevation(folder, float("nan"), "float32", tag=True),
        ["denoise a.tif o.tif fast"],
        holes_stay,
        "NaN is missing data if the file says so",
    ),
    Case(
        "sentinel_9999",
        lambda folder: elevation(folder, -9999, "int16", tag=False),
        ["fit a.tif f.tif fast", "upscale a.tif u.tif --scale 2 --models 1", "noise a.tif"],
        holes_stay_in_every_verb,
        "-9999 far from all other values is missing data, in every verb",
    ),
    Case(
        "sentinel_float",
        clipped_negative,
        ["denoise a.tif o.tif --ignore-nan fast"],
        holes_and_nan,
        "kept, and NaN filled",
    ),
    Case(
        "nodata_given",
        lambda folder: elevation(folder, 7777, "float32", tag=False),
        ["denoise a.tif o.tif --nodata 7777 fast"],
        holes_stay,
        "the given value is missing data",
    ),
    Case(
        "below_and_above",
        limits,
        ["denoise a.tif o.tif --below 50 --above 600 fast", "fit a.tif f.tif --below 50 --above 600 fast"],
        limits_leave_out,
        "values beyond the limits are left out in every verb",
        quick=True,
    ),
    Case(
        "least_value_is_data",
        zero_is_data,
        ["denoise a.tif o.tif fast"],
        counts_as_data,
        "-32768 without a gap is data",
    ),
    Case("small_stars", undersampled_stars, ["denoise a.tif o.tif fast"], no_defects, "stars are no hot pixels"),
]
