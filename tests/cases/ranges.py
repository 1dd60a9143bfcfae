"""Range: what a PSNR in dB refers to, and how many kernels an image takes, do not depend on its data type."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_rsmoe import write_image

from .frame import Case, Found, Ran, psnr, scene

KIND = "Range"


def twelve_bits(folder: Path) -> np.ndarray:
    """A 12-bit micrograph in 16 bits: 100 to 1100, with noise of 4."""
    clean = scene() * 1000 + 100
    write_image(folder / "a.tif", np.rint(clean + np.random.default_rng(0).normal(0, 4, clean.shape)).astype(np.uint16))
    return clean


def reaches_the_psnr_it_says(ran: Ran) -> Found:
    ran.ended_well()
    image, fitted = ran.pixels("a.tif"), ran.pixels("f.tif")
    own = psnr(fitted, image.astype(float))
    assert 29.5 < own < 33, f"{own:.1f} dB in the range of the image"
    said = ran.noted(r"[\d.]+ dB in a range of [\d.]+")
    assert abs(float(said.split()[0]) - own) < 0.6, f"said {said}, measured {own:.2f} dB"
    return Found("fitted", after=own, kept=said)


def same_kernels_in_every_type(ran: Ran) -> Found:
    ran.ended_well()
    counts = [int(each.out.split(" kernels")[0].split()[-1].lstrip("(")) for each in ran.commands]
    assert max(counts) <= 1.1 * min(counts) + 1, f"kernels: {counts}"
    return Found("fitted", kept=f"kernels {counts}")


def every_type(folder: Path) -> None:
    """The same picture in the whole range of 8 bits, in a small part of 16 bits, signed, and as floats."""
    clean = np.rint(scene(seed=5) * 255)
    clean.flat[:2] = 0, 255
    write_image(folder / "a.tif", clean.astype(np.uint8))
    write_image(folder / "b.tif", clean.astype(np.uint16))
    write_image(folder / "c.tif", (clean - 128).astype(np.int16))
    write_image(folder / "d.tif", (clean / 255).astype(np.float32))


def dark_eight_bits(folder: Path) -> np.ndarray:
    """8 bits of which 10 to 40 are used."""
    clean = scene(seed=3) * 30 + 10
    write_image(folder / "a.tif", np.rint(clean).astype(np.uint8))
    return clean


def given_range(ran: Ran) -> Found:
    ran.ended_well()
    assert "in a range of 4095" in ran.said, ran.said
    own = psnr(ran.pixels("f.tif"), ran.pixels("a.tif").astype(float))
    ratio = 20 * np.log10(4095 / np.ptp(ran.pixels("a.tif")))
    assert own + ratio > 29.5, f"{own + ratio:.1f} dB in 4095"
    assert own + ratio < 35
    return Found("fitted", after=own, kept="in a range of 4095")


def unequal_channels(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Two channels, one 100 times as bright as the other."""
    bright, dim = scene(seed=1) * 20000 + 500, scene(seed=2) * 200 + 100
    write_image(folder / "a.tif", np.rint(np.stack([bright, dim])).astype(np.uint16), axes="CYX")
    return bright, dim


def keeps_both_channels(ran: Ran) -> Found:
    ran.ended_well()
    fitted = ran.pixels("f.tif")
    quality = [psnr(fitted[c], ran.made[c]) for c in range(2)]
    assert min(quality) > 25, f"channels have {quality} dB"
    assert abs(quality[0] - quality[1]) < 6, f"channels have {quality} dB"
    return Found("fitted", after=min(quality), kept=f"{quality[0]:.1f} and {quality[1]:.1f} dB")


CASES = [
    Case(
        "12_bit_in_16_psnr",
        twelve_bits,
        ["fit a.tif f.tif --psnr 30 fast"],
        reaches_the_psnr_it_says,
        "as many kernels as 30 dB in the image's own range take; the range is stated",
    ),
    Case(
        "same_kernels_in_every_type",
        every_type,
        [f"fit {name}.tif {name}{name}.tif fast" for name in "abcd"],
        same_kernels_in_every_type,
        "the automatic number of kernels does not depend on the data type",
        quick=True,
    ),
    Case(
        "dark_8_bit_psnr",
        dark_eight_bits,
        ["fit a.tif f.tif --psnr 30 fast"],
        reaches_the_psnr_it_says,
        "8-bit images that use a small part of their range are measured by that part",
    ),
    Case(
        "given_range",
        twelve_bits,
        ["fit a.tif f.tif --psnr 30 --data-range 4095 fast"],
        given_range,
        "--data-range is what dB refer to",
    ),
    Case(
        "unequal_channels",
        unequal_channels,
        ["fit a.tif f.tif --n-kernels 150 fast"],
        keeps_both_channels,
        "a dim channel is fitted as well as a bright one that shares its kernels",
        quick=True,
    ),
]
