"""Low counts: rounding to integers must not destroy them, nor change their mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_rsmoe import write_image

from .frame import Case, Found, Ran, psnr, scene

KIND = "Low counts"


def photons(folder: Path, mean: float = 0.3, dtype: str = "uint16") -> np.ndarray:
    """Photon counts of which most are 0."""
    clean = scene(96, 96) * 2 * mean + mean / 3
    write_image(folder / "a.tif", np.random.default_rng(2).poisson(clean).astype(dtype))
    return clean


def brightness_stays(ran: Ran) -> Found:
    ran.ended_well()
    noisy, clean = ran.pixels("a.tif"), ran.pixels("o.tif").astype(float)
    assert abs(clean.mean() / noisy.mean() - 1) < 0.03, f"the mean goes from {noisy.mean():.4f} to {clean.mean():.4f}"
    said = ran.noted("--dtype float32")
    return Found("denoised", psnr(noisy, ran.made), psnr(clean, ran.made), said)


def fractions_stay(ran: Ran, gain: float = 8) -> Found:
    found = ran.denoised("a.tif", "o.tif", ran.made, gain=gain)
    assert ran.image("o.tif").dtype == np.float32
    noisy, clean = ran.pixels("a.tif"), ran.pixels("o.tif")
    assert abs(clean.mean() / noisy.mean() - 1) < 0.03
    return found


def type_stays(ran: Ran) -> Found:
    found = ran.denoised("a.tif", "o.tif", ran.made, gain=5)
    assert ran.image("o.tif").dtype == np.uint16
    assert "dtype" not in ran.said
    return found


def single(folder: Path) -> np.ndarray:
    """One photon for 40 pixels: nearly all pixels are 0, and the others 1."""
    return photons(folder, 0.025, "uint8")


def many_photons(folder: Path) -> np.ndarray:
    """Photon counts of 200 to 1000."""
    clean = scene(64, 64) * 800 + 200
    write_image(folder / "a.tif", np.random.default_rng(2).poisson(clean).astype(np.uint16))
    return clean


def film(folder: Path) -> np.ndarray:
    """Three frames of few photons."""
    clean = scene(64, 64) * 0.6 + 0.1
    counts = np.random.default_rng(2).poisson(clean, (3, 64, 64)).astype(np.uint8)
    write_image(folder / "a.tif", counts, axes="TYX")
    return np.stack([clean] * 3)


def film_of_fractions(ran: Ran) -> Found:
    found = fractions_stay(ran, gain=4)
    assert ran.said.count("float32 instead of") == 1, "said for every frame"
    return found


def fit_keeps_the_mean(ran: Ran) -> Found:
    ran.ended_well()
    noisy, fitted = ran.pixels("a.tif"), ran.pixels("f.tif").astype(float)
    assert abs(fitted.mean() / noisy.mean() - 1) < 0.05, f"the mean goes from {noisy.mean():.4f} to {fitted.mean():.4f}"
    return Found("fitted", kept=ran.noted("--dtype float32"))


CASES = [
    Case("few_photons", photons, ["denoise a.tif o.tif fast"], brightness_stays, "the mean stays, the remedy is named"),
    Case(
        "few_photons_float32",
        photons,
        ["denoise a.tif o.tif --dtype float32 fast"],
        fractions_stay,
        "written as float32, closer to the truth by 8 dB and more",
        quick=True,
    ),
    Case(
        "single_photons",
        single,
        ["denoise a.tif o.tif --dtype float32 fast"],
        fractions_stay,
        "the brightness of one photon for 40 pixels stays",
        quick=True,
    ),
    Case("few_photons_auto", film, ["denoise a.tif o.tif --dtype auto fast"], film_of_fractions, "float32, said once"),
    Case(
        "many_photons", many_photons, ["denoise a.tif o.tif --dtype auto fast"], type_stays, "the type stays, no note"
    ),
    Case("few_photons_fit", photons, ["fit a.tif f.tif fast"], fit_keeps_the_mean, "the mean stays"),
]
