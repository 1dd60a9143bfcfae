"""Noise in doubt: small images, masks, line scans, and noise in the wrong unit get a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_rsmoe import write_image

from .frame import Case, Found, Ran, psnr, scene

KIND = "Noise in doubt"


def unchanged(words: str) -> Callable[[Ran], Found]:
    """The pixels are the same, and something printed matches the words."""

    def check(ran: Ran) -> Found:
        ran.ended_well()
        np.testing.assert_array_equal(ran.pixels("a.tif"), ran.pixels("o.tif"))
        return Found("unchanged", kept=ran.noted(words))

    return check


def said(words: str) -> Callable[[Ran], Found]:
    """The command ended well, and something printed matches the words."""

    def check(ran: Ran) -> Found:
        ran.ended_well()
        assert ran.image("o.tif").shape == ran.image("a.tif").shape
        return Found("denoised", kept=ran.noted(words))

    return check


def mask(folder: Path) -> None:
    """A mask of 0 and 1 in 16 bits."""
    write_image(folder / "a.tif", (scene(64, 64) > 0.4).astype(np.uint16))


def tiny(folder: Path) -> None:
    """10 x 10 px with noise."""
    write_image(folder / "a.tif", np.rint(np.random.default_rng(0).normal(100, 10, (10, 10))).astype(np.uint8))


def constant(folder: Path) -> None:
    """One value."""
    write_image(folder / "a.tif", np.full((40, 40), 7, np.uint16))


def line(folder: Path) -> np.ndarray:
    """A line scan, one pixel wide."""
    t = np.linspace(0, 40, 2048)
    clean = (300 + 100 * np.sin(t))[:, None]
    write_image(
        folder / "a.tif", np.rint(clean + np.random.default_rng(0).normal(0, 15, clean.shape)).astype(np.uint16)
    )
    return clean


def short_line(folder: Path) -> None:
    """A line of 20 px."""
    write_image(folder / "a.tif", np.random.default_rng(0).normal(100, 10, (1, 20)).astype(np.float32))


def noisy(folder: Path, scale: float, dtype: str) -> np.ndarray:
    """A scene with noise of a tenth of its range."""
    clean = scene(64, 64) * scale
    write_image(folder / "a.tif", (clean + np.random.default_rng(0).normal(0, 0.1 * scale, clean.shape)).astype(dtype))
    return clean


def colour(folder: Path) -> None:
    """A colour picture."""
    clean = np.stack([scene(48, 48, seed) for seed in (1, 2, 3)], -1) * 200 + 20
    values = clean + np.random.default_rng(0).normal(0, 10, clean.shape)
    write_image(folder / "a.tif", np.clip(values, 0, 255).astype(np.uint8), axes="YXS")


def constant_is_said(ran: Ran) -> Found:
    ran.ended_well()
    return Found("measured", kept=ran.noted("one value only"))


def line_is_denoised(ran: Ran) -> Found:
    return ran.denoised("a.tif", "o.tif", ran.made, gain=3)


def eight_lines(folder: Path) -> np.ndarray:
    """8 lines of 500 px."""
    clean = np.tile(200 + 100 * np.sin(np.linspace(0, 20, 500)), (8, 1))
    write_image(folder / "a.tif", (clean + np.random.default_rng(0).normal(0, 12, clean.shape)).astype(np.float32))
    return clean


def wrong_by_255(ran: Ran) -> Found:
    ran.ended_well()
    return Found("denoised", psnr(ran.pixels("a.tif"), ran.made), None, ran.noted("far less than the image shows"))


WORD = "unchanged, with a word"
DENOISE = ["denoise a.tif o.tif fast"]
CASES = [
    Case("mask_16_bit", mask, DENOISE, unchanged("one of two values"), WORD, quick=True),
    Case("tiny", tiny, DENOISE, said("10 x 10 px are too few"), "done, with a word", quick=True),
    Case("constant", constant, DENOISE, unchanged("one value only"), WORD, quick=True),
    Case("constant_noise", constant, ["noise a.tif"], constant_is_said, "said that one value has no noise"),
    Case("line_of_2048", line, DENOISE, line_is_denoised, "denoised", quick=True),
    Case("line_of_20", short_line, DENOISE, said("20 x 1 px are too few"), "done, with a word"),
    Case("eight_lines", eight_lines, DENOISE, line_is_denoised, "denoised"),
    Case(
        "sigma_of_0_to_1_given_for_0_to_255",
        lambda folder: noisy(folder, 255, "float32"),
        ["denoise a.tif o.tif --noise 0.1 fast"],
        wrong_by_255,
        "said that the noise is in another unit",
        quick=True,
    ),
    Case(
        "sigma_beyond_the_range",
        lambda folder: noisy(folder, 1, "float32"),
        ["denoise a.tif o.tif --noise 25 fast"],
        said("larger than the variation of the image"),
        "said that the noise is in another unit",
    ),
    Case(
        "three_numbers_for_rgb",
        colour,
        ["denoise a.tif o.tif --noise 1,0,10 fast"],
        said("gain, offset and read noise"),
        "said which of the two meanings holds",
    ),
]
