"""Bad planes: the others are done, and the report names the bad one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_rsmoe import write_image

from .frame import Case, Found, Ran, scene

KIND = "Bad planes"


def _film(frames: int = 3) -> tuple[np.ndarray, np.ndarray]:
    clean = np.stack([scene(48, 48)] * frames)
    return clean, (clean + np.random.default_rng(1).normal(0, 0.06, clean.shape)).astype(np.float32)


def first_empty(folder: Path) -> np.ndarray:
    """The first frame is NaN."""
    clean, noisy = _film()
    noisy[0] = np.nan
    write_image(folder / "a.tif", noisy, axes="TYX")
    clean[0] = np.nan
    return clean


def others_are_done(ran: Ran) -> Found:
    found = ran.denoised("a.tif", "o.tif", ran.made, gain=4, kept=ran.noted("T 0 is kept as it is"))
    assert np.isnan(ran.pixels("o.tif")[0]).all()
    assert np.isnan(ran.pixels("s.tif")[0]).all()
    assert np.isfinite(ran.pixels("s.tif")[1:]).all()
    return found


def one_nan(folder: Path) -> np.ndarray:
    """A single NaN in the middle frame."""
    clean, noisy = _film()
    noisy[1, 5, 7] = np.nan
    write_image(folder / "a.tif", noisy, axes="TYX")
    return clean


def named(ran: Ran) -> Found:
    return ran.refused(r"T 1\b.*NaN", "o.tif")


def saturated(folder: Path) -> np.ndarray:
    """The last channel of a stack of channels that are processed one by one is saturated."""
    clean = np.stack([scene(48, 48, seed) for seed in (1, 2, 3)]) * 800 + 100
    noisy = np.rint(clean + np.random.default_rng(1).normal(0, 20, clean.shape))
    noisy[2] = 4095
    write_image(folder / "a.tif", noisy.astype(np.uint16), axes="CYX")
    return np.where(noisy == 4095, np.nan, clean)


def channel_is_kept(ran: Ran) -> Found:
    found = ran.denoised("a.tif", "o.tif", ran.made, gain=4, kept=ran.noted("C 2 is kept as it is"))
    assert (ran.pixels("o.tif")[2] == 4095).all()
    return found


def all_empty(folder: Path) -> None:
    """No frame has a pixel."""
    write_image(folder / "a.tif", np.full((2, 16, 16), np.nan, np.float32), axes="TYX")


def enlarged(ran: Ran) -> Found:
    ran.ended_well()
    large = ran.pixels("u.tif")
    assert large.shape == (3, 72, 72)
    assert np.isnan(large[0]).all()
    assert np.isfinite(large[1:]).all()
    return Found("enlarged", kept=ran.noted("T 0 is kept as it is"))


CASES = [
    Case(
        "first_frame_empty",
        first_empty,
        ["denoise a.tif o.tif --ignore-nan --std s.tif fast"],
        others_are_done,
        "the other frames are denoised, and the empty one is named",
        quick=True,
    ),
    Case("one_nan_in_a_film", one_nan, ["denoise a.tif o.tif fast"], named, "the message names the frame", quick=True),
    Case(
        "saturated_channel",
        saturated,
        ["denoise a.tif o.tif --saturation 4095 --independent-channels fast"],
        channel_is_kept,
        "the other channels are denoised",
    ),
    Case(
        "no_frame_left",
        all_empty,
        ["denoise a.tif o.tif --ignore-nan fast"],
        lambda ran: ran.refused("No pixel", "o.tif"),
        "refused without output",
        quick=True,
    ),
    Case(
        "first_frame_empty_enlarged",
        first_empty,
        ["upscale a.tif u.tif --scale 1.5 --models 1 --ignore-nan"],
        enlarged,
        "the other frames are enlarged, and the empty one is too",
    ),
]
