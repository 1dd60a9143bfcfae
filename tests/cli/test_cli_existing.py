"""A file that the same command did not make is not replaced; a folder as OUTPUT gets a file of the same name."""

import json
import os

import numpy as np
import pytest
from cli_helpers import FEW, names, run
from PIL import Image

from napari_rsmoe.io.files import read_image
from napari_rsmoe.io.image_file import ImageFile
from napari_rsmoe.io.writing import create_image, write_image

pytest_plugins = ("cli_fixtures",)


@pytest.fixture
def two(tmp_path, picture):
    """Two photographs of another program."""
    for name in ("image1.png", "image2.png"):
        Image.fromarray(picture).save(tmp_path / name)
    return tmp_path


def test_a_glob_does_not_eat_the_second_picture(two):
    before = (two / "image2.png").read_bytes()
    for verb in (("denoise", "--preset", "fast"), ("fit", *FEW), ("upscale", "--scale", 2)):
        result = run(verb[0], two / "image1.png", two / "image2.png", *verb[1:])
        assert result.exit_code == 1
        assert "image2.png exists and was not written by this command" in result.stderr
        assert "--overwrite" in result.stderr
        assert "folder" in result.stderr
        assert (two / "image2.png").read_bytes() == before
    assert run("fit", two / "image1.png", two / "image2.png", *FEW, "--overwrite").exit_code == 0
    assert (two / "image2.png").read_bytes() != before
    result = run("fit", two / "*.png", two / "out", *FEW)
    assert result.exit_code == 1
    assert "put them into a folder" in result.stderr


@pytest.mark.parametrize("name", ["a.png", "a.npy", "a.zarr", "a.tif"])
def test_the_same_command_may_run_again_until_somebody_changes_the_file(two, name):
    first = two / name
    assert run("fit", two / "image1.png", first, *FEW, "--model", two / "a.rsmoe").exit_code == 0
    again = run("fit", two / "image1.png", first, "--n-kernels", 9, "--iterations", 5, "--model", two / "a.rsmoe")
    assert again.exit_code == 0, again.stderr
    # Another input, another verb, and a change by hand.
    for arguments in (("fit", two / "image2.png", first, *FEW), ("upscale", two / "image1.png", first, "--scale", 2)):
        result = run(*arguments, "--json")
        assert result.exit_code == 1
        assert "exists" in json.loads(result.stdout)["error"]
    changed = next(first.rglob("*")) if first.is_dir() else first
    status = changed.stat()
    os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    assert run("fit", two / "image1.png", first, *FEW).exit_code == 1


def test_further_outputs_and_models_are_not_replaced_either(two):
    (two / "std.tif").write_bytes(b"precious")
    (two / "a.rsmoe").write_bytes(b"precious")
    one, out = two / "image1.png", two / "out.png"
    for arguments in (("denoise", one, out, "--std", two / "std.tif"), ("fit", one, out, "--model", two / "a.rsmoe")):
        result = run(*arguments)
        assert (result.exit_code, "exists" in result.stderr) == (1, True)
    assert (two / "std.tif").read_bytes() == (two / "a.rsmoe").read_bytes() == b"precious"
    assert not out.exists()


def test_a_folder_is_checked_before_its_first_file(two):
    (two / "out").mkdir()
    for name in ("image1.png", "image2.png"):
        (two / "out" / name).write_bytes(b"precious")
    result = run("fit", two, two / "out", *FEW)
    assert result.exit_code == 1
    assert "2 files exist" in result.stderr
    assert "image2.png" in result.stderr
    (two / "out" / "image1.png").unlink()
    assert run("fit", two, two / "out", *FEW).exit_code == 1
    assert names(two / "out") == ["image2.png"]


def test_a_folder_as_output_gets_a_file_of_the_same_name(two):
    (two / "there").mkdir()
    for folder, options in ((f"{two}/new/deep/", ()), (str(two / "there"), ("--format", "tif"))):
        result = run("fit", two / "image1.png", folder, *FEW, *options, "--model", f"{two}/models/")
        assert result.exit_code == 0, result.stderr
    assert names(two / "new" / "deep") == ["image1.png"]
    assert names(two / "there") == ["image1.tif"]
    assert names(two / "models") == ["image1.rsmoe"]
    result = run("render", two / "models" / "image1.rsmoe", f"{two}/drawn/", "--scale", 2)
    assert result.exit_code == 0, result.stderr
    assert read_image(two / "drawn" / "image1.tif").dtype == np.uint8
    assert run("fit", two / "image1.png", str(two), *FEW).exit_code == 2  # INPUT itself


def test_an_image_at_a_url_is_read_by_every_verb(tmp_path, picture):
    """`upscale` and `fit` write a file of this machine, which is not replaced if something else has written it."""
    fsspec = pytest.importorskip("fsspec")
    np.save(tmp_path / "a.npy", picture)
    place = "memory://bucket/a.npy"
    fsspec.filesystem("memory").pipe_file("/bucket/a.npy", (tmp_path / "a.npy").read_bytes())
    np.testing.assert_array_equal(read_image(place).numpy(), picture)
    for verb in (("fit", *FEW), ("upscale", "--scale", 1.5, "--models", 1, "--preset", "fast", "--noise", 0)):
        target = tmp_path / f"{verb[0]}.png"
        assert run(verb[0], place, target, *verb[1:]).exit_code == 0
        assert read_image(target).shape[0] >= picture.shape[0]
    assert run("noise", place).exit_code == 0
    (tmp_path / "mine.png").write_bytes(b"mine")
    for source, target, words in (
        (place, "mine.png", "--overwrite"),
        ("memory://bucket/none.npy", "b.png", "there is no file memory://bucket/none.npy"),
        (place, "https://bucket/b.png", "https:// only reads"),
        (place, place, "must have different names"),
    ):
        result = run("fit", source, target if "://" in target else tmp_path / target, *FEW)
        assert result.exit_code in (1, 2)
        assert words in result.stderr


def test_every_verb_writes_to_urls(tmp_path, picture):
    """Whole folders too. What exists there is replaced on request only, and what fails leaves nothing."""
    fsspec = pytest.importorskip("fsspec")
    system, place = fsspec.filesystem("memory"), "memory://every"
    write_image(tmp_path / "a.png", picture)
    for name in ("in/a.tif", "in/b.npy"):
        write_image(f"{place}/{name}", picture[:24, :24])
    few = ("--models", 1, "--preset", "fast", "--noise", 0, "--n-kernels", 20, "--iterations", 2)
    for arguments in (
        ("fit", tmp_path / "a.png", f"{place}/fit.ome.zarr", *FEW, "--model", f"{place}/m.rsmoe"),
        ("render", f"{place}/m.rsmoe", f"{place}/drawn.tif", "--scale", 2),
        ("deblur", f"{place}/in/a.tif", f"{place}/sharp.npy", "--psf", 1.2, "--noise", 1, "--std", f"{place}/std.tif"),
        ("upscale", f"{place}/in", f"{place}/out/", "--scale", 2, "--format", "tif", *few),
        ("denoise", f"{place}/in/a.tif", f"{place}/clean.png", "--models", 1, "--mask", f"{place}/in/hole.npy"),
        ("info", f"{place}/m.rsmoe"),
        ("info", f"{place}/fit.ome.zarr"),
    ):
        write_image(f"{place}/in/hole.npy", np.eye(24, dtype=np.uint8), overwrite=True)
        result = run(*arguments)
        system.rm("/every/in/hole.npy")
        assert result.exit_code == 0, result.stderr
    shapes = {
        name: read_image(f"{place}/{name}").shape for name in ("fit.ome.zarr", "drawn.tif", "sharp.npy", "std.tif")
    }
    assert shapes == {"fit.ome.zarr": (32, 40), "drawn.tif": (64, 80), "sharp.npy": (24, 24), "std.tif": (24, 24)}
    assert read_image(f"{place}/out/b.tif").shape == (48, 48)
    again = run("render", f"{place}/m.rsmoe", f"{place}/drawn.tif")
    assert (again.exit_code, "--overwrite" in again.stderr) == (1, True)
    assert run("render", f"{place}/m.rsmoe", f"{place}/drawn.tif", "--overwrite").exit_code == 0
    assert read_image(f"{place}/drawn.tif").shape == (32, 40)
    with pytest.raises(ValueError, match="stop"), create_image(f"{place}/half.ome.zarr", ImageFile(picture, "YX")):
        raise ValueError("stop")
    assert not system.exists("/every/half.ome.zarr")
