"""The code on the pages runs: Python as it stands, and what is typed into a terminal, in a folder of small files.

A block that would take minutes, or is for other systems, stands after a comment ``<!-- not run: REASON -->``.
"""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import napari_rsmoe as rsmoe
from napari_rsmoe.cli.program import main

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"(?P<comment><!-- not run: .+ -->\n+)?^```(?P<language>sh|python)\n(?P<code>.*?)^```", re.DOTALL | re.MULTILINE
)
PAGES = [
    path
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if BLOCK.search(path.read_text("utf-8"))
]
SHAPE = 84, 124
"""Of the images, px: large enough for the regions that the pages show."""
ELSEWHERE = ("napari", "jupyter", "python -m", "source ", "py ", "python3", "rsmoe\\")
"""Beginnings of lines that start a window or a server, or make an environment."""


@cache
def scene() -> np.ndarray:
    """A noisy disc: 8 bits, (Y, X)."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    disc = np.where((y - 42) ** 2 + (x - 60) ** 2 < 900, 180.0, 60.0)
    return np.clip(disc + np.random.default_rng(0).normal(0, 8, SHAPE), 0, 255).astype(np.uint8)


@cache
def results() -> dict[str, Any]:
    """What the pages speak of without making it."""
    image = scene()
    result = rsmoe.denoise(image, preset="fast")
    stack = np.stack([image[:40, :48]] * 3)
    images = {"image": image, "noisy": image, "data": image, "stack": stack, "film": stack, "clean": result.image}
    y, x = np.mgrid[:60, :60] % 30 - 15
    beads = 100 + 200 * np.exp(-(y**2 + x**2) / 8)
    images |= {"cells": image[26:58, 44:76], "beads": beads}
    return images | {
        "result": result,
        "model": rsmoe.fit(image, 50),
        "large": rsmoe.upscale(image[:40, :48], 2, preset="fast"),
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the pages speak of, which is copied for each block."""
    folder = tmp_path_factory.mktemp("files")
    image = scene()
    for name in ("noisy.tif", "micrograph.tif", "photo.png", "large.tif", "mosaic.ome.tif"):
        rsmoe.write_image(folder / name, image)
    rsmoe.write_image(folder / "cells.tif", image[26:58, 44:76])
    rsmoe.write_image(folder / "psf.tif", results()["beads"][10:21, 10:21] - 100)
    rsmoe.write_image(folder / "small.png", image[:32, :40])
    rsmoe.write_image(folder / "film.ome.tif", np.stack([image[:40, :48]] * 3), axes="TYX")
    rsmoe.write_image(folder / "volume.tif", np.stack([image[:40, :48]] * 3), axes="ZYX")
    rsmoe.write_image(folder / "gaps.png", np.zeros((40, 48), np.uint8))
    rsmoe.write_image(folder / "film.zarr", image[None, :32, :40], axes="TYX")
    for name in ("folder", "micrographs", "camera"):
        (folder / name).mkdir()
        rsmoe.write_image(folder / name / "first.tif", image[:32, :40])
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_code_runs(page: Path, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {**results(), "rsmoe": rsmoe, "napari_rsmoe": rsmoe, "denoise": rsmoe.denoise}
    names |= {"camera": iter(results()["stack"]), "stop_button": SimpleNamespace(pressed=False), "show": print}
    for number, block in enumerate(BLOCK.finditer(page.read_text("utf-8"))):
        if block["comment"]:
            continue
        shutil.copytree(files, tmp_path / str(number))
        monkeypatch.chdir(tmp_path / str(number))
        if block["language"] == "python":
            exec(compile(block["code"], str(page), "exec", dont_inherit=True), names)
        else:
            for line in block["code"].splitlines():
                run(line)


def run(line: str) -> None:
    """Run a line of a terminal; of the tools around the program it is checked that what they name exists."""
    words = shlex.split(line, comments=True)
    if words[:1] == ["napari-rsmoe"]:
        ends = ["--idle", "0.1"] if "--follow" in words else []  # No camera adds frames here.
        result = CliRunner().invoke(main, [*words[1:], *ends])
        assert result.exit_code == 0, f"{line}\n{result.output}"
    elif words[:1] == ["make"]:
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE), line
    elif words[:2] == ["pip", "install"]:
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
        assert set(re.findall(r"(?:\.|rsmoe)\[(\w+)\]", line)) <= set(extras), line
    else:
        assert line.startswith(ELSEWHERE), line
