import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
from cli_helpers import FEW, QUICK, names, program, run

import napari_rsmoe
from napari_rsmoe.cli import program as cli_program
from napari_rsmoe.io.writing import write_image

pytest_plugins = ("cli_fixtures",)

# ---------------------------------------------------------------------------------------------- wrong usage


def test_output_must_not_be_the_input(tmp_path, picture):
    write_image(tmp_path / "a.png", picture)
    write_image(tmp_path / "a.zarr", picture)
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    for source, target in (
        ("a.png", "a.png"),
        ("a.png", "link.png"),
        ("a.png", "./sub/../a.png"),
        ("a.zarr", "a.zarr"),
        ("a.zarr", "a.zarr/b.png"),
        (".", "."),
    ):
        result = run("fit", tmp_path / source, tmp_path / target, *FEW)
        assert result.exit_code == 2, (source, target)
        assert "INPUT" in result.stderr
    result = run("denoise", tmp_path / "a.png", tmp_path / "b.png", "--std", tmp_path / "b.png")
    assert result.exit_code == 2
    assert (tmp_path / "a.png").read_bytes() == before
    assert run("render", tmp_path / "a.rsmoe", tmp_path / "a.rsmoe").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit", "{}/a.png"], "Missing argument 'OUTPUT'"),
        (["fit", "{}/a.png", "{}/b.png", "--n-kernels", "0"], "whole number of at least 1, or 'auto'"),
        (["fit", "{}/a.png", "{}/b.png", "--n-kernels", "2.5"], "--n-kernels"),
        (["fit", "{}/a.png", "{}/b.png", "--start", "middle"], "--start"),
        (["fit", "{}/a.png", "{}/b.png", "--model", "{}/b.txt"], ".rsmoe"),
        (["fit", "{}/a.png", "{}/b.png", "--model", "{}/b.rsmoe", "--independent-channels"], "leave out"),
        (["fit", "{}/a.png", "{}/b.png", "--format", "tif"], "for folders"),
        (["fit", "{}/a.png", "{}/b.png", "--psnr", "30", "--n-kernels", "9"], "--n-kernels and --psnr exclude"),
        (["fit", "{}/a.png", "{}/b.png", "--psnr", "301"], "positive number of at most 300"),
        (["fit", "{}/a.png", "{}/b.png", "--time", "1", "--iterations", "9"], "--iterations"),
        (["fit", "{}/a.png", "{}/b.png", "--time", "1", "--psnr", "30"], "--psnr"),
        (["fit", "{}/a.png", "{}/b.png", "--threshold", "9", "--start", "random"], "--start segmentation"),
        (["fit", "{}/a.png", "{}/b.png", "--threshold", "9", "--preset", "paper"], "--start segmentation"),
        (["denoise", "{}/a.png", "{}/b.png", "--threshold", "9"], "--start segmentation"),
        (["denoise", "{}/a.png", "{}/b.png", "--allocation", "paper"], "--allocation is for --start segmentation"),
        (
            ["fit", "{}/a.png", "{}/b.png", "--allocation", "area", "--start", "random"],
            "--allocation is for --start segmentation",
        ),
        (["upscale", "{}/a.png", "{}/b.png"], "--scale"),
        (["upscale", "{}/a.png", "{}/b.png", "--scale", "-2"], "--scale"),
        (["denoise", "{}/a.png", "{}/b.tif", "--follow"], "PNG files are written as a whole and do not grow"),
        (["denoise", "{}/soon.npy", "{}/b.tif", "--follow"], "can be followed, and so can a TIFF file or a Zarr array"),
        (["denoise", "{}/a.png", "{}/b.png", "--noise", "much"], "not a number of at least 0 or GAIN,OFFSET,READ"),
        (["denoise", "{}/a.png", "{}/b.png", "--noise", "nan"], "'--noise': nan is not a number of at least 0"),
        (["render", "{}/a.rsmoe", "{}/b.png", "--shape", "3"], "2 whole numbers HEIGHT,WIDTH"),
        (["render", "{}/a.rsmoe", "{}/b.png", "--shape", "3,4", "--scale", "2"], "--shape exclude"),
        (["render", "{}/a.rsmoe", "{}/b.png", "--scale", "1e9"], "--scale"),
        (["upscale", "{}/a.png", "{}/b.png", "--scale", "1e9"], "at most 1e+06"),
        (["upscale", "{}/a.png", "{}/b.png", "--scale", "2", "--sharpen", "0"], "--sharpen"),
        (["denoise", "{}/a.png", "{}/b.png", "--average", "-1"], "from 0 to 100"),
        (["denoise", "{}/a.png", "{}/b.png", "--models", "1e9"], "1000000000.0 is not a whole number from 1 to 1000"),
        (["upscale", "{}/a.png", "{}/b.png", "--scale", "2", "--models", "0"], "whole number from 1 to 1000"),
        (["fit", "{}/a.png", "{}/b.png", "--iterations", "1e12"], "whole number from 0 to 1000000"),
        (["fit", "{}/a.png", "{}/b.png", "--threads", "1e6"], "whole number from 1 to 1024"),
        (["fit", "{}/a.png", "{}/b.png", "--time", "inf"], "positive number of at most 1e+07"),
        (["fit", "{}/a.png", "{}/b.png", "--preset", "balancd"], "(did you mean balanced?)"),
        (["paint"], "no verb 'paint'. There are fit, denoise"),
        (["denois", "{}/a.png", "{}/b.png"], "Did you mean denoise"),
        (["{}/a.png", "{}/b.png"], "The verb comes first"),
        (["denoise", "{}/a.png", "{}/b.png", "--presett", "fast"], "Did you mean one of: '--preset'"),
        (["denoise", "{}/a.png", "{}/b.png", "--sigma", "9"], "Did you mean '--noise'?"),
        (["denoise", "{}/a.png", "{}/b.png", "--axes", "ZYX"], "2 letters are needed"),
        (["denoise", "{}/a.png", "{}/b.png", "--along", "Q"], "not an axis that is iterated over"),
        (["denoise", "{}/a.png", "{}/b.png", "--series", "3"], "no series '3'"),
        (["denoise", "{}/a.png", "{}/b.tiv"], "has the suffix '.tiv'"),
        (["denoise", "{}/a.png", "{}/b.png", "{}/c.png"], "put them into a folder"),
        (["info", "{}/a.png", "{}/b.png"], "info takes one FILE"),
        ([], "Usage"),
    ],
)
def test_wrong_usage_is_exit_code_2(tmp_path, picture, arguments, words):
    write_image(tmp_path / "a.png", picture)
    arguments = [argument.format(tmp_path) for argument in arguments]
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""
    with_json = run(*arguments, "--json")
    assert with_json.exit_code == 2
    assert json.loads(with_json.stdout)["ok"] is False
    assert names(tmp_path) == ["a.png"]


def test_what_is_no_image_is_wrong_usage(tmp_path):
    (tmp_path / "notes.tiv").write_text("text")
    (tmp_path / "empty").mkdir()
    for words, said in (
        (["info", "notes.tiv"], "has the suffix '.tiv', so its format is unknown"),
        (["noise", "notes.tiv"], "has the suffix '.tiv'"),
        (["upscale", "notes.tiv", "b.png", "--scale", "2"], "has the suffix '.tiv'"),
        (["noise", "empty"], "is a folder, not an image"),
    ):
        result = run(*(tmp_path / word if (tmp_path / word).exists() or "." in word else word for word in words))
        assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
    assert names(tmp_path) == ["empty", "notes.tiv"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit", "{}/missing.png", "{}/b.png"], "no file"),
        (["fit", "{}/a.png", "{}/no/b.png"], "does not exist"),
        (["denoise", "{}/a.png", "{}/b.png", "--std", "{}/std.png"], "PNG holds uint8 and uint16"),
        (["render", "{}/a.png", "{}/b.png"], "not a model (.rsmoe)"),
        (["render", "{}/missing.rsmoe", "{}/b.png"], "no file"),
        (["info", "{}/missing.png"], "no file"),
        (["info", "{}/missing.rsmoe"], "no file"),
        (["fit", "{}/nan.npy", "{}/b.npy"], "NaN"),
        (["fit", "{}/a.png", "{}/b.png", "--model", "{}/no/b.rsmoe"], "folder"),
        (["upscale", "{}/a.png", "{}/b.png", "--scale", "1e6"], "at most"),
        (["info", "{}/objects.npy"], "Python objects, which are not accepted"),
    ],
)
def test_failures_are_exit_code_1(tmp_path, picture, arguments, words):
    write_image(tmp_path / "a.png", picture)
    np.save(tmp_path / "nan.npy", np.full((8, 9), np.nan))
    np.save(tmp_path / "objects.npy", np.array([[None, 1], [2, 3]], object), allow_pickle=True)
    result = run(*[argument.format(tmp_path) for argument in arguments])
    assert result.exit_code == 1
    assert any(word in result.stderr for word in words.split("|"))
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr
    assert names(tmp_path) == ["a.png", "nan.npy", "objects.npy"]


def test_outputs_are_checked_before_the_work(tmp_path, picture, monkeypatch):
    write_image(tmp_path / "a.png", picture)
    model = tmp_path / "a.rsmoe"
    assert run("fit", tmp_path / "a.png", tmp_path / "b.png", *FEW, "--model", model).exit_code == 0
    before = names(tmp_path)
    monkeypatch.setattr("napari_rsmoe.fitting.fit.fit", lambda *_, **__: pytest.fail("it has begun to fit"))
    monkeypatch.setattr(napari_rsmoe.Model, "render", lambda *_, **__: pytest.fail("it has begun to draw"))
    for arguments in (
        ("fit", tmp_path / "a.png", tmp_path / "c.png", "--model", tmp_path / "no" / "c.rsmoe"),
        ("fit", tmp_path / "a.png", tmp_path / "no" / "c.png", "--model", tmp_path / "c.rsmoe"),
        ("render", model, tmp_path / "no" / "c.png"),
        ("render", model, tmp_path / "c.png", "--dtype", "float32"),
        ("render", model, tmp_path / "c.tif", "--scale", "1e6"),
    ):
        result = run(*arguments)
        assert result.exit_code == 1, result.stderr
        assert result.stderr.startswith("Error: ")
        assert "begun" not in result.stderr
    assert names(tmp_path) == before


def test_a_failed_output_leaves_no_model(tmp_path, picture, monkeypatch):
    def full(*arguments, **options):
        raise OSError("the disk is full")

    monkeypatch.setattr("napari_rsmoe.batch.planes.create_image", full)
    write_image(tmp_path / "a.png", picture)
    result = run("fit", tmp_path / "a.png", tmp_path / "b.png", *FEW, "--model", tmp_path / "b.rsmoe")
    assert (result.exit_code, names(tmp_path)) == (1, ["a.png"])


def test_info_prints_valid_json(tmp_path, picture):
    model = napari_rsmoe.fit(picture, 9, iterations=5, rasterized=False)  # tau is infinite
    model.save(tmp_path / "a.rsmoe")
    result = run("info", tmp_path / "a.rsmoe", "--json")
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout, parse_constant=pytest.fail)
    assert facts["metadata"]["settings"]["tau"] == "inf"
    assert run("info", tmp_path / "a.rsmoe").exit_code == 0


def test_a_defect_shows_its_traceback(tmp_path, picture, monkeypatch):
    def broken(*arguments, **options):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("napari_rsmoe.fitting.fit.fit", broken)
    write_image(tmp_path / "a.png", picture)
    result = run("fit", tmp_path / "a.png", tmp_path / "b.png")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError: a defect" in result.stderr


def test_too_little_memory_is_reported(tmp_path, picture, monkeypatch):
    def greedy(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr("napari_rsmoe.fitting.fit.fit", greedy)
    write_image(tmp_path / "a.png", picture)
    result = run("fit", tmp_path / "a.png", tmp_path / "b.png")
    assert (result.exit_code, "not enough memory" in result.stderr) == (1, True)


# ---------------------------------------------------------------------------------------------- what it says


@pytest.mark.parametrize("verb", [None, *cli_program.VERBS])
def test_help_teaches_by_examples(verb):
    result = run("--help") if verb is None else run(verb, "--help")
    assert result.exit_code == 0
    assert "Examples\n" in result.stdout
    assert f"  napari-rsmoe {verb or 'denoise'} " in result.stdout or verb == "doctor"
    if verb is None:
        assert "130" in result.stdout
        assert all(name in result.stdout for name in cli_program.VERBS)


@pytest.mark.parametrize("verb", ["fit", "denoise", "upscale", "render"])
def test_help_groups_the_options_and_tells_their_defaults(verb):
    text = " ".join(run(verb, "--help").stdout.split())
    headings = [text.index(heading) for heading in ("Settings:", "Advanced settings:", "Files:", "Run and report:")]
    assert headings == sorted(headings)
    assert "[default: " in text
    assert "--kernels" not in text.replace("--n-kernels", "")


def test_earlier_names_of_options_are_accepted_with_a_note(tmp_path, picture):
    write_image(tmp_path / "a.png", picture)
    pixels = []
    for words, note in ((["--n-kernels", 20], False), (["--kernels", 20], True), (["--kernels=20"], True)):
        result = run("fit", tmp_path / "a.png", tmp_path / "b.npy", *words, "--iterations", 10)
        assert result.exit_code == 0, result.stderr
        assert ("--kernels is now called --n-kernels" in result.stderr) == note
        pixels.append(np.load(tmp_path / "b.npy"))
    assert (pixels[0] == pixels[1]).all()
    assert (pixels[0] == pixels[2]).all()
    assert run("fit", tmp_path / "a.png", tmp_path / "b.npy", "--kernels", 20, *QUICK, "--quiet").stderr == ""


def test_quiet_and_notes(tmp_path, picture):
    tifffile.imwrite(
        tmp_path / "a.tif", picture, resolution=(20_000, 20_000), resolutionunit="CENTIMETER", photometric="miniswhite"
    )
    result = run("fit", tmp_path / "a.tif", tmp_path / "b.png", *FEW)
    assert "0 stands for white" in result.stderr
    assert "pixel size" in result.stderr
    result = run("fit", tmp_path / "a.tif", tmp_path / "b.png", *FEW, "--quiet")
    assert (result.stdout, result.stderr) == ("", "")


def test_threads(tmp_path, picture, monkeypatch):
    import torch

    asked = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    write_image(tmp_path / "a.png", picture)
    for options in (("--threads", 3), ()):
        assert run("fit", tmp_path / "a.png", tmp_path / "b.png", *FEW, *options).exit_code == 0
    assert asked == [3]
    assert run("noise", tmp_path / "a.png", "--threads", 2).exit_code == 0
    assert asked == [3, 2]


def test_version():
    assert napari_rsmoe.__version__ in run("--version").stdout


# ---------------------------------------------------------------------------------------------- the real program


def test_the_program_prints_one_json_object(tmp_path, picture):
    write_image(tmp_path / "a.png", picture)
    with program("fit", tmp_path / "a.png", tmp_path / "b.png", *FEW, "--json") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["files"][0]["output"] == str(tmp_path / "b.png")


def test_help_needs_neither_torch_nor_qt():
    code = (
        "import sys, napari_rsmoe.cli.program as p; from importlib import import_module\n"
        "for verb in p.VERBS: import_module(f'napari_rsmoe.cli.{verb}')\n"
        "heavy = {'torch', 'numpy', 'zarr', 'tifffile', 'qtpy', 'napari', 'PyQt6', 'skimage', 'scipy', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_help_loads_click_alone():
    code = (
        "import sys\n"
        "from napari_rsmoe.cli.program import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'scipy', 'tqdm', 'napari_rsmoe.ui', 'napari_rsmoe.engine'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (("a.png", "a.png"), "the same", 2),
        (("a.png", "b.xyz"), "accepted are", 2),
        (("a.png", "b.rsmoe"), "--model FILE.rsmoe", 2),
        (("a.png", "b.png", "--axes", "ZYX"), "letters are needed", 2),
        (("a.png", "b.png", "--axes", "ZZ"), "such as TYX", 2),
        (("broken.png", "b.png"), "cannot be read as PNG", 1),
    ],
)
def test_an_early_error_ends_the_program_in_good_order(tmp_path, picture, words, said, code):
    """Torch may be half loaded by then, in another thread."""
    write_image(tmp_path / "a.png", picture)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG broken")
    with program("fit", *words, cwd=tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, ""), err
    assert said in err
    assert "Traceback" not in err


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_program_leaves_no_half_file(tmp_path, stack, number, code):
    write_image(tmp_path / "a.tif", np.concatenate([stack] * 40), axes="ZYX")
    arguments = ("fit", tmp_path / "a.tif", tmp_path / "b.tif", "--n-kernels", 200, "--iterations", 500)
    # A program that was started in the background of a shell ignores the signal.
    with program(*arguments, preexec_fn=lambda: signal.signal(number, signal.SIG_DFL)) as process:
        deadline = time.monotonic() + 40
        while not any(name.endswith(".part") for name in names(tmp_path)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert any(name.endswith(".part") for name in names(tmp_path))  # it is writing
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert names(tmp_path) == ["a.tif"]
    assert "Traceback" not in err


def test_libraries_are_loaded_ahead_only_for_work_of_the_engine() -> None:
    assert cli_program.needs_engine(["denoise", "a.png", "b.png"])
    for words in ([], ["--help"], ["info", "a.png"], ["denoise", "--help"], ["denoise", "a.png", "-h"], ["nothing"]):
        assert not cli_program.needs_engine(words)
