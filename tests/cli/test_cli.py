import json

import numpy as np
import pytest
from cli_helpers import FEW, QUICK, SIZES, names, run

import napari_rsmoe
from napari_rsmoe.io.files import read_image
from napari_rsmoe.io.image_file import ImageFile
from napari_rsmoe.io.units import PixelSize
from napari_rsmoe.io.writing import write_image

pytest_plugins = ("cli_fixtures",)

# ---------------------------------------------------------------------------------------------- verbs


def test_fit_then_render(tmp_path, picture):
    write_image(tmp_path / "a.tif", ImageFile(picture, "YX", SIZES))
    model = tmp_path / "a.rsmoe"
    result = run("fit", tmp_path / "a.tif", tmp_path / "b.tif", "--n-kernels", 60, "--iterations", 60, "--model", model)
    assert result.exit_code == 0, result.stderr
    assert "60 kernels" in result.stdout
    drawn = read_image(tmp_path / "b.tif")
    assert (drawn.axes, drawn.dtype, drawn.pixel_size) == ("YX", np.uint8, SIZES)
    assert np.abs(drawn.numpy().astype(float) - picture).mean() < 10
    np.testing.assert_array_equal(drawn.numpy(), napari_rsmoe.Model.load(model).render())

    options = ("--region", "8,10,24,30", "--shape", "64,40", "--dtype", "float32")
    result = run("render", model, tmp_path / "c.tif", *options)
    assert result.exit_code == 0, result.stderr
    detail = read_image(tmp_path / "c.tif")
    assert (detail.shape, detail.dtype) == ((64, 40), np.float32)
    assert detail.pixel_size["Y"].value == pytest.approx(0.5 / 4)
    assert detail.pixel_size["X"].value == pytest.approx(0.5 / 2)
    result = run("render", model, tmp_path / "d.png", "--scale", 1.5, "--sharpen", 2)
    assert result.exit_code == 0, result.stderr
    assert read_image(tmp_path / "d.png").shape == (48, 60)


def test_the_seed_decides(tmp_path, picture):
    write_image(tmp_path / "a.png", picture)
    pixels = []
    for seed in (1, 1, 2):
        options = ("--seed", seed, "--start", "random", "--preset", "fast", "--device", "cpu")
        assert run("fit", tmp_path / "a.png", tmp_path / "b.npy", *FEW, *options).exit_code == 0
        pixels.append(read_image(tmp_path / "b.npy").numpy())
    np.testing.assert_array_equal(pixels[0], pixels[1])
    assert (pixels[0] != pixels[2]).any()


def test_denoise_with_uncertainty(tmp_path, picture):
    noisy = np.clip(picture + np.random.default_rng(0).normal(0, 20, picture.shape), 0, 255).astype(np.uint8)
    write_image(tmp_path / "a.png", noisy)
    options = ("--std", tmp_path / "std.tif", "--models", 2, "--preset", "fast", "--json")
    result = run("denoise", tmp_path / "a.png", tmp_path / "b.png", "--noise", 20, *options)
    assert result.exit_code == 0, result.stderr
    (entry,) = json.loads(result.stdout)["files"]
    assert entry["std"] == str(tmp_path / "std.tif")
    assert entry["planes"] == [{"plane": "", "noise": 20.0, "models": entry["planes"][0]["models"]}]
    clean, std = read_image(tmp_path / "b.png"), read_image(tmp_path / "std.tif")
    assert (clean.dtype, std.dtype, std.shape) == (np.uint8, np.float32, picture.shape)
    assert np.square(clean.numpy() - picture.astype(float)).mean() < np.square(noisy - picture.astype(float)).mean()
    result = run("denoise", tmp_path / "a.png", tmp_path / "c.png", "--models", 1, "--preset", "fast")
    assert "noise" in result.stdout


def test_upscale_divides_the_pixel_size(tmp_path, stack):
    write_image(tmp_path / "a.ome.tif", ImageFile(stack, "ZYX", {**SIZES, "Z": PixelSize(2, "micrometer")}))
    result = run("upscale", tmp_path / "a.ome.tif", tmp_path / "b.ome.zarr", "--scale", 2.5, "--sharpen", 1.5, *QUICK)
    assert result.exit_code == 0, result.stderr
    assert "3 planes" in result.stdout
    large = read_image(tmp_path / "b.ome.zarr")
    assert (large.axes, large.shape, large.dtype) == ("ZYX", (3, 80, 100), np.uint16)
    assert {axis: size.value for axis, size in large.pixel_size.items()} == {"Z": 2, "Y": 0.2, "X": 0.2}


def test_stacks_are_worked_on_plane_by_plane(tmp_path, stack):
    np.save(tmp_path / "a.npy", stack)
    result = run("fit", tmp_path / "a.npy", tmp_path / "b.npy", *FEW)
    assert result.exit_code == 1
    assert "--axes ZYX" in result.stderr
    result = run("fit", tmp_path / "a.npy", tmp_path / "b.npy", *FEW, "--axes", "TYX", "--json")
    assert result.exit_code == 0, result.stderr
    (entry,) = json.loads(result.stdout)["files"]
    assert [plane["plane"] for plane in entry["planes"]] == ["T 0", "T 1", "T 2"]
    write_image(tmp_path / "plane.tif", stack[1])
    run("fit", tmp_path / "plane.tif", tmp_path / "plane.npy", *FEW)
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy")[1], np.load(tmp_path / "plane.npy"))
    result = run("fit", tmp_path / "a.npy", tmp_path / "c.npy", *FEW, "--axes", "TYX", "--model", tmp_path / "c.rsmoe")
    assert result.exit_code == 1
    assert "3 planes, and a .rsmoe file holds one model" in result.stderr
    assert names(tmp_path) == ["a.npy", "b.npy", "plane.npy", "plane.tif"]


def test_channels_together_and_one_by_one(tmp_path, stack):
    write_image(tmp_path / "a.tif", stack, axes="CYX")
    for options, planes in (((), 1), (("--independent-channels",), 3)):
        result = run("fit", tmp_path / "a.tif", tmp_path / "b.tif", *FEW, "--json", *options)
        assert result.exit_code == 0, result.stderr
        (entry,) = json.loads(result.stdout)["files"]
        assert len(entry["planes"]) == planes
        back = read_image(tmp_path / "b.tif")
        assert (back.axes, back.shape) == ("CYX", stack.shape)


@pytest.mark.parametrize("independent", [(), ("--independent-channels",)])
@pytest.mark.parametrize("colours", [1, 3])
def test_opacity_is_not_touched(tmp_path, picture, colours, independent):
    alpha = np.tile(np.array([0, 255], np.uint8), (32, 20))
    pixels = np.dstack([*[picture] * colours, alpha])
    write_image(tmp_path / "a.png", ImageFile(pixels, "YXS", alpha=True))
    result = run("fit", tmp_path / "a.png", tmp_path / "b.png", *FEW, *independent)
    assert result.exit_code == 0, result.stderr
    back = read_image(tmp_path / "b.png")
    assert back.alpha
    assert back.shape == pixels.shape
    np.testing.assert_array_equal(back.data[..., -1], alpha)
    assert (back.data[..., :-1] != pixels[..., :-1]).any()
    result = run("upscale", tmp_path / "a.png", tmp_path / "c.png", "--scale", 2, *QUICK, *independent)
    assert result.exit_code == 0, result.stderr
    assert read_image(tmp_path / "c.png").shape == (64, 80, colours + 1)


def test_opacity_has_no_uncertainty(tmp_path, picture):
    write_image(tmp_path / "a.png", ImageFile(np.dstack([picture, picture]), "YXS", alpha=True))
    options = ("--std", tmp_path / "std.tif", "--models", 2, "--preset", "fast", "--noise", 5)
    result = run("denoise", tmp_path / "a.png", tmp_path / "b.png", *options)
    assert result.exit_code == 0, result.stderr
    std = read_image(tmp_path / "std.tif")
    assert std.shape == (32, 40, 2)
    assert not std.data[..., 1].any()


def test_info(tmp_path, stack):
    write_image(tmp_path / "a.ome.tif", ImageFile(stack, "ZYX", SIZES, name="cells"))
    result = run("info", tmp_path / "a.ome.tif")
    assert result.exit_code == 0
    lines = dict(line.split("  ", 1) for line in result.stdout.splitlines())
    assert lines["shape"].strip() == "3 x 32 x 40"
    assert "Y 0.5 micrometer" in lines["pixel size"]
    facts = json.loads(run("info", tmp_path / "a.ome.tif", "--json").stdout)
    assert (facts["axes"], facts["dtype"], facts["planes"], facts["name"]) == ("ZYX", "uint16", 3, "cells")
    assert (facts["verb"], facts["ok"], facts["bytes"]) == ("info", True, (tmp_path / "a.ome.tif").stat().st_size)
    write_image(tmp_path / "a.png", stack[0])
    run("fit", tmp_path / "a.png", tmp_path / "b.png", *FEW, "--model", tmp_path / "a.rsmoe")
    facts = json.loads(run("info", tmp_path / "a.rsmoe", "--json").stdout)
    assert (facts["kernels"], facts["shape"], facts["dtype"]) == (20, [32, 40], "uint16")
    assert "20" in run("info", tmp_path / "a.rsmoe").stdout
    np.save(tmp_path / "a.npy", stack)
    assert json.loads(run("info", tmp_path / "a.npy", "--axes", "ZYX", "--json").stdout)["planes"] == 3


def test_doctor():
    result = run("doctor")
    assert result.exit_code == 0, result.output
    assert "instruction set" in result.stdout
    assert json.loads(run("doctor", "--json").stdout)["ok"] is True
    assert run("doctor", "--quiet").stdout == ""


# ---------------------------------------------------------------------------------------------- folders


@pytest.fixture
def folder(tmp_path, picture, stack):
    """Two images, a file that is none, a damaged one and a Zarr store."""
    inside = tmp_path / "in"
    inside.mkdir()
    write_image(inside / "a.png", picture)
    write_image(inside / "b.ome.tif", stack[:2], axes="ZYX")
    write_image(inside / "c.zarr", picture)
    (inside / "damaged.png").write_bytes((inside / "a.png").read_bytes()[:60])
    (inside / "notes.txt").write_text("no image")
    return inside


def test_a_folder_is_done_but_for_the_damaged_file(tmp_path, folder):
    result = run("fit", folder, tmp_path / "out" / "deep", *FEW, "--json")
    assert result.exit_code == 1
    assert names(tmp_path / "out" / "deep") == ["a.png", "b.ome.tif", "c.zarr"]
    assert "1 of 4 files failed" in result.stderr
    assert "damaged.png" in result.stderr.splitlines()[-1]
    report = json.loads(result.stdout)
    assert report["ok"] is False
    assert [entry["ok"] for entry in report["files"]] == [True, True, True, False]
    assert "damaged" in report["files"][3]["error"]
    assert report["version"] == napari_rsmoe.__version__


def test_a_folder_to_another_format_with_models(tmp_path, folder):
    (folder / "damaged.png").unlink()
    (folder / "b.ome.tif").unlink()
    result = run("fit", folder, tmp_path / "out", *FEW, "--format", "ome.tif", "--model", tmp_path / "models")
    assert result.exit_code == 0, result.stderr
    assert names(tmp_path / "out") == ["a.ome.tif", "c.ome.tif"]
    assert names(tmp_path / "models") == ["a.rsmoe", "c.rsmoe"]
    assert len(result.stdout.splitlines()) == 2


def test_folders_that_cannot_be_done(tmp_path, folder, picture):
    write_image(folder / "a.tif", picture)
    result = run("fit", folder, tmp_path / "out", *FEW, "--format", "npy")
    assert result.exit_code == 2
    assert "would both become" in result.stderr
    assert not (tmp_path / "out").exists()
    result = run("fit", folder, tmp_path / "out.tif", *FEW)
    assert result.exit_code == 2
    assert "must be a folder too" in result.stderr
    (tmp_path / "empty").mkdir()
    result = run("fit", tmp_path / "empty", tmp_path / "out", *FEW)
    assert result.exit_code == 1
    assert "no image in the folder" in result.stderr


def test_noise_tells_strength_and_errors(tmp_path):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :96] / 96
    even = 1000 + 500 * x + rng.normal(0, 40, x.shape)
    photons = 100 + 8 * rng.poisson(5 + 120 * x * y)
    write_image(tmp_path / "a.tif", ImageFile(np.stack([even, photons]).astype(np.uint16), "TYX"))
    result = run("noise", tmp_path / "a.tif")
    assert result.exit_code == 0, result.stderr
    assert "T 0: standard deviation" in result.stdout
    assert "gain" in result.stdout
    planes = json.loads(run("noise", tmp_path / "a.tif", "--json").stdout)["planes"]
    first, second = (plane["channels"][0] for plane in planes)
    assert abs(first["sigma"] - 40) < 3 * first["sigma_error"] + 1
    assert first["gain"] == 0
    assert abs(second["gain"] - 8) < 3 * second["gain_error"] + 0.5
    law = ",".join(str(second[key]) for key in ("gain", "offset", "read"))
    for noise, code in ((law, 0), ("1,2", 2), ("-1,0,2", 2), ("0,5,0", 2)):
        options = ("--noise", noise, "--models", 1, "--preset", "fast", "--n-kernels", 20)
        result = run("denoise", tmp_path / "a.tif", tmp_path / "b.tif", *options)
        assert result.exit_code == code, result.output
