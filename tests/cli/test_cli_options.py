"""Every option comes from the tables of parameters, and the further outputs are written."""

import importlib
import json
import pkgutil
import re
from pathlib import Path

import click
import numpy as np
import tifffile
from cli_helpers import FEW, run

import napari_rsmoe.cli
from napari_rsmoe.cli import program
from napari_rsmoe.io.files import read_image
from napari_rsmoe.io.writing import write_image
from napari_rsmoe.ui import parameters
from napari_rsmoe.ui.kinds.parameter import Parameter

pytest_plugins = ("cli_fixtures",)


def described():
    """The names of everything that the tables describe."""
    found = []
    for module in pkgutil.iter_modules(parameters.__path__, f"{parameters.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            entries = value.values() if isinstance(value, dict) else [value]
            for entry in entries:
                found += entry if isinstance(entry, tuple) else [entry]
    return {each.name for each in found if isinstance(each, Parameter)}


def test_no_option_is_typed_by_hand():
    names = described()
    for verb in set(program.VERBS) - {"bench"}:
        command = program.main.get_command(click.Context(program.main), verb)
        options = {each.name for each in command.params if isinstance(each, click.Option)}
        assert options <= names, verb
    folder = Path(napari_rsmoe.cli.__file__).parent
    typed = [path.name for path in folder.glob("*.py") if re.search(r"click\.option\(\s*[\"']-", path.read_text())]
    assert typed == []


def test_residual_and_bicubic(tmp_path, picture):
    write_image(tmp_path / "a.png", picture)
    for verb, options in (("fit", FEW), ("denoise", ("--preset", "fast", "--models", 2, "--noise", 9))):
        result = run(
            verb, tmp_path / "a.png", tmp_path / f"{verb}.png", "--residual", tmp_path / f"{verb}.tif", *options
        )
        assert result.exit_code == 0, result.stderr
        residual = read_image(tmp_path / f"{verb}.tif").numpy()
        expected = picture.astype(np.float32) - read_image(tmp_path / f"{verb}.png").numpy()
        np.testing.assert_array_equal(residual, expected)
    options = ("--scale", 2, "--models", 1, "--iterations", 5, "--bicubic", f"{tmp_path}/compare/")
    result = run("upscale", tmp_path / "a.png", tmp_path / "large.png", *options)
    assert result.exit_code == 0, result.stderr
    assert read_image(tmp_path / "compare" / "a.tif").shape == (64, 80)


def test_a_stack_that_is_tagged_as_colour_and_opacity(tmp_path, stack):
    frames = np.concatenate([stack, stack[:1]])
    tifffile.imwrite(
        tmp_path / "a.tif", frames, photometric="rgb", planarconfig="separate", extrasamples=["unassalpha"]
    )
    few = ("--preset", "fast", "--models", 1, "--n-kernels", 9, "--noise", 500, "--json")
    result = run("denoise", tmp_path / "a.tif", tmp_path / "b.tif", "--axes", "ZYX", *few)
    assert result.exit_code == 0, result.stderr
    assert len(json.loads(result.stdout)["files"][0]["planes"]) == 4
    assert "read as" not in result.stderr
    clean = read_image(tmp_path / "b.tif")
    assert (clean.axes, clean.alpha, clean.shape) == ("ZYX", False, frames.shape)
    assert all((clean.numpy()[k] != frames[k]).any() for k in range(4))  # none was taken for opacity
    result = run("denoise", tmp_path / "a.tif", tmp_path / "c.tif", *few)
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("read as SYX: 4 channels") == 1
    assert "--axes ZYX" in result.stderr


def test_levels_of_messages(tmp_path, picture):
    write_image(tmp_path / "a.png", picture)
    assert run("fit", tmp_path / "a.png", tmp_path / "b.png", *FEW, "-q", "-v").exit_code == 2
    result = run("fit", tmp_path / "a.png", tmp_path / "b.png", *FEW, "--log-level", "error")
    assert (result.stdout, result.stderr) == ("", "")
