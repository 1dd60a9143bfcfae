"""What a terminal shows while a job runs, what -v says, and what completion offers."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time

import numpy as np
import pytest
from cli_helpers import FEW, run

from napari_rsmoe import estimate_noise
from napari_rsmoe.io.writing import write_image

pytest_plugins = ("cli_fixtures",)
PROGRAM = "from napari_rsmoe.cli.program import main; main()"


def seen_in_terminal(*arguments):
    """All that a program writes to a terminal, with the seconds at which it came."""
    main, sub = pty.openpty()
    fcntl.ioctl(sub, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    began = time.monotonic()
    seen = []
    words = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    environment = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(words, stdout=sub, stderr=sub, stdin=sub, env=environment) as process:
        os.close(sub)
        while True:
            try:
                part = os.read(main, 4096)
            except OSError:  # On Linux: the program has ended.
                break
            if not part:
                break
            seen.append((time.monotonic() - began, part.decode(errors="replace")))
        process.wait(timeout=60)
    os.close(main)
    return process.returncode, seen


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals")
def test_a_terminal_shows_files_planes_and_the_remaining_time(tmp_path, picture):
    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(0).normal(0, 9, (2, *picture.shape))
    noisy = np.clip(picture + noise, 0, 255).astype(np.uint8)
    write_image(tmp_path / "in" / "a.tif", noisy, axes="TYX")
    write_image(tmp_path / "in" / "b.png", noisy[0])
    options = ("--preset", "fast", "--models", 60)
    code, seen = seen_in_terminal("denoise", tmp_path / "in", tmp_path / "out", *options)
    text = "".join(part for _, part in seen)
    assert code == 0, text
    shown = [part for part in re.split(r"[\r\n]", text) if "|" in part]
    assert "starting" in shown[0]  # while torch is loaded
    assert any("1/2 a.tif, starting" in line for line in shown)
    # Which stages of a plane are drawn depends on how fast they are: the bar is drawn a few times per second.
    assert any("1/2 a.tif, plane 1 of 2, " in line for line in shown)
    assert any("1/2 a.tif, plane 2 of 2, " in line for line in shown)
    assert any("2/2 b.png, " in line for line in shown)
    assert any(re.search(r"\d\d:\d\d<\d\d:\d\d", line) for line in shown)
    # The clock goes on while nothing is reported.
    assert len({re.search(r"(\d\d:\d\d)<", line)[1] for line in shown if re.search(r"(\d\d:\d\d)<", line)}) > 1


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals")
def test_the_noise_estimate_is_not_silent(tmp_path, picture):
    write_image(tmp_path / "a.tif", np.stack([picture, picture]), axes="TYX")
    code, seen = seen_in_terminal("noise", tmp_path / "a.tif")
    text = "".join(part for _, part in seen)
    assert code == 0, text
    assert "a.tif, starting" in text
    assert "standard deviation" in text
    reports = []
    estimate_noise(picture, callback=reports.append)
    assert [report.stage for report in reports] == ["noise", *["standard errors"] * 9]
    assert estimate_noise(picture, callback=lambda _: True).sigma == estimate_noise(picture).sigma


def test_verbose_says_what_was_found_and_decided(tmp_path, picture):
    noise = np.random.default_rng(0).normal(0, 9, (2, *picture.shape))
    write_image(tmp_path / "a.tif", (picture + noise).astype(np.float32), axes="TYX")
    words = ("denoise", tmp_path / "a.tif", tmp_path / "b.tif", "--preset", "fast", "--models", 1, "--noise", 9)
    for option in ("-v", "--log-level=info"):
        result = run(*words, option)
        assert result.exit_code == 0, result.stderr
        first, *planes = result.stderr.splitlines()
        assert first.endswith("a.tif: tiff, axes TYX, 2 x 32 x 40, float32, 2 planes, pixel size unknown")
        assert all(re.match(r"noise of standard deviation 9, white; 1 model of \d+ kernels", line) for line in planes)
        assert len(planes) == 2
    assert run(*words).stderr == ""
    result = run("fit", tmp_path / "a.tif", tmp_path / "c.tif", *FEW, "-v")
    assert "20 kernels, started by segmentation, 10 steps" in result.stderr


def test_warnings_are_notes_said_once(tmp_path, picture):
    np.save(tmp_path / "a.npy", np.stack([picture, picture[::-1]]) / 255)
    options = ("--axes", "TYX", "--noise", 25, "--preset", "fast", "--models", 1)
    result = run("denoise", tmp_path / "a.npy", tmp_path / "b.npy", *options)
    assert result.exit_code == 0
    assert "UserWarning" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if "units of the image" in line]
    assert len(lines) == 1
    assert lines[0].startswith("Note: ")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("napari-rsmoe den", "denoise"),
        ("napari-rsmoe denoise --pres", "--preset"),
        ("napari-rsmoe fit a.png b.png --preset b", "balanced"),
    ],
)
def test_completion_in_bash(words, expected):
    environment = {
        **os.environ,
        "_NAPARI_RSMOE_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60)
    assert f"plain,{expected}" in done.stdout.splitlines(), done.stderr
