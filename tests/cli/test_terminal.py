"""File names and contents cannot steer the terminal, nor end the program with a traceback."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import run

from napari_rsmoe import write_image
from napari_rsmoe.io.image_file import ImageFile
from napari_rsmoe.io.units import PixelSize
from napari_rsmoe.plain_text import plain_text

STEERING = "\x1b]0;title\x07\x1b[2J\u202egnp"
PIXELS = np.zeros((5, 7), np.uint8)


def seen(result):
    """The output, after a check that it holds nothing that a terminal would obey."""
    text = result.output
    assert not any(code in text for code in ("\x1b", "\x07", "\x9b", "\u202e"))
    assert "Traceback" not in text
    return text


def test_names_inside_a_file_are_shown_without_effect(tmp_path):
    path = tmp_path / "a.ome.zarr"
    write_image(path, PIXELS)
    file = path / "zarr.json"
    metadata = json.loads(file.read_text())
    image = metadata["attributes"]["ome"]["multiscales"][0]
    image["name"] = f"{STEERING}\ud800\nkind  forged"
    file.write_text(json.dumps(metadata))
    text = seen(run("info", path))
    assert "\\x1b[2J" in text
    assert "\\ud800\\x0akind" in text
    assert json.loads(run("info", path, "--json").output)["name"]


@pytest.mark.parametrize("name", [f"{STEERING}.png", os.fsdecode(b"a\xff\xfe.png"), "\x07b.tif", "\u202e.npy"])
@pytest.mark.parametrize("verb", [("info",), ("denoise",), ("denoise", "--json"), ("render",), ("noise",)])
def test_names_of_files_are_shown_without_effect(tmp_path, name, verb):
    path = Path(tmp_path / name)
    path.write_bytes(b"no image")
    outputs = [tmp_path / "out.png"] if verb[0] in ("denoise", "render") else []
    result = run(verb[0], path, *outputs, *verb[1:])
    assert result.exit_code == 1
    assert plain_text(path.stem)[:4] in seen(result).replace("\\\\", "\\")


def test_a_usage_error_shows_arguments_without_effect():
    result = run("info", f"--{STEERING}")
    assert result.exit_code == 2
    seen(result)


def test_metadata_keep_readable_text_only():
    image = ImageFile(PIXELS, "YX", {"X": PixelSize(1.0, "m\x1b")}, name="Zellkern µ\x00")
    assert image.name == "Zellkern µ\\x00"
    assert image.pixel_size["X"].unit == "m\\x1b"
