"""Files that are not to be replaced, names that say the wrong format, and formats that are only read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from .frame import Case, Found, Ran, noisy_bytes, scene

KIND = "Guards and wrong names"
GREY = scene() * 220
NOISY = noisy_bytes(GREY)
RGB = noisy_bytes(np.stack([scene(seed=k) * 220 for k in (1, 2, 3)], -1))
KEEP = b"my own work"


def _with(*others: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        Image.fromarray(NOISY).save(folder / "a.png")
        for name in others:
            (folder / name).write_bytes(KEEP)

    return make


def _kept(name: str) -> Callable[[Ran], Found]:
    def check(ran: Ran) -> Found:
        assert (ran.folder / name).read_bytes() == KEEP, f"{name} was replaced"
        return ran.refused("overwrite")

    return check


def _replaced(ran: Ran) -> Found:
    return ran.denoised("a.png", "o.png", GREY, kept="replaced, as asked for")


def _twice(ran: Ran) -> Found:
    return ran.denoised("a.png", "o.png", GREY, kept="the same command may replace its file")


def _itself(ran: Ran) -> Found:
    np.testing.assert_array_equal(np.asarray(Image.open(ran.folder / "a.png")), NOISY)
    return ran.refused("same")


def _all_pngs(folder: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.fromarray(NOISY).save(folder / name)


def _second_kept(ran: Ran) -> Found:
    np.testing.assert_array_equal(np.asarray(Image.open(ran.folder / "b.png")), NOISY)
    return ran.refused("folder")


def _named_wrongly(folder: Path) -> None:
    for suffix, name in (("png", "a.tif"), ("jpeg", "b.png"), ("tiff", "c.jpg"), ("bmp", "d.png"), ("webp", "e.tif")):
        Image.fromarray(RGB).save(folder / name, format=suffix, **({"quality": 98} if suffix == "jpeg" else {}))
    (folder / "f.tif").write_bytes(b"%PDF-1.7...")
    (folder / "g.tif").write_bytes(b"<html>not found</html>")


def _as_they_are(ran: Ran) -> Found:
    for each, word in zip(ran.commands, ("PNG", "JPEG", "TIFF", "BMP", "WEBP"), strict=False):
        assert each.code == 0, each.err
        assert word in each.out + each.err, f"{each.line}: {each.err}"
    for each, word in zip(ran.commands[5:], ("PDF", "HTML"), strict=True):
        assert each.code == 1
        assert word in each.err, each.err
    return Found("read", kept="with a note of what they are")


def _bitmaps(folder: Path) -> None:
    Image.fromarray(RGB).save(folder / "a.bmp")
    alpha = np.where(RGB[..., :1] > 100, 255, 60).astype(np.uint8)
    Image.fromarray(np.concatenate([RGB, alpha], -1)).save(folder / "b.webp", lossless=True, exact=True)


def _bitmaps_read(ran: Ran) -> Found:
    assert ran.last.code == 2
    assert "only read" in ran.last.err
    ran.commands.pop()
    ran.ended_well()
    np.testing.assert_array_equal(ran.pixels("a.bmp"), RGB)
    np.testing.assert_array_equal(ran.pixels("q.png")[..., 3], ran.pixels("b.webp")[..., 3])
    return ran.denoised("a.bmp", "o.png", np.stack([scene(seed=k) * 220 for k in (1, 2, 3)], -1), kept="opacity")


CASES = [
    Case("an output of another program", _with("o.png"), ("denoise a.png o.png fast",), _kept("o.png"), "refused",
         quick=True),
    Case("an error bar of another program", _with("s.tif"), ("denoise a.png o.png --std s.tif fast",), _kept("s.tif"),
         "refused", quick=True),
    Case("overwriting on demand", _with("o.png"), ("denoise a.png o.png --overwrite fast",), _replaced, "replaced",
         quick=True),
    Case("the same command again", _with(), ("denoise a.png o.png fast", "denoise a.png o.png fast"), _twice,
         "replaced"),
    Case("another verb into the same file", _with(), ("denoise a.png o.png fast", "upscale a.png o.png --scale 2"),
         lambda ran: ran.refused("overwrite"), "refused"),
    Case("input as output", _with(), ("denoise a.png a.png fast",), _itself, "refused", quick=True),
    Case("all pictures at once", _all_pngs, ("denoise a.png b.png fast",), _second_kept, "refused"),
    Case("names of other formats", _named_wrongly, tuple(f"info {name}" for name in
         ("a.tif", "b.png", "c.jpg", "d.png", "e.tif", "f.tif", "g.tif")), _as_they_are, "read as what they are",
         quick=True),
    Case("bmp and webp", _bitmaps, ("denoise a.bmp o.png fast", "denoise b.webp q.png fast",
         "denoise a.bmp o.bmp fast"), _bitmaps_read, "read", quick=True),
]  # fmt: skip
