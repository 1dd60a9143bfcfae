"""Whole jobs that are killed, interrupted, starved or disturbed at random moments."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_rsmoe import read_image, write_image

from .jobs import Bench, noisy

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")

QUICK = ("--models", "2", "--preset", "fast", "--quiet")
JOBS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "fit": (("fit", "a.png", "out.png", "--model", "out.rsmoe", "--n-kernels", "40", "--iterations", "150", "--quiet"),
            ("out.png", "out.rsmoe")),
    "denoise": (("denoise", "a.png", "out.tif", "--std", "std.tif", *QUICK), ("out.tif", "std.tif")),
    "checkpoint": (("denoise", "a.png", "out.tif", "--checkpoint", "models", *QUICK), ("out.tif",)),
    "Zarr": (("denoise", "a.npy", "out.ome.zarr", "--axes", "TYX", *QUICK), ("out.ome.zarr",)),
    "stack": (("denoise", "a.npy", "out.tif", "--axes", "TYX", *QUICK), ("out.tif",)),
    "upscale": (("upscale", "a.png", "out.png", "--scale", "3", "--models", "1", "--quiet"), ("out.png",)),
    "deblur": (("deblur", "a.png", "out.tif", "--psf", "1", "--std", "std.tif", "--noise", "0", "--preset", "fast",
                "--quiet"), ("out.tif", "std.tif")),
    "blocks": (("denoise", "a.npy", "out.ome.zarr", "--axes", "TYX", "--block", "32", "--std", "std.ome.zarr", *QUICK),
               ("out.ome.zarr", "std.ome.zarr")),
    "render": (("render", "m.rsmoe", "out.tif", "--scale", "30", "--quiet"), ("out.tif",)),
}  # fmt: skip
"""Command lines, and what they write."""
KILLS = 3  # Times that each job is killed.
INPUTS = ("a.png", "a.npy")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folder = tmp_path / "work"
    folder.mkdir()
    write_image(folder / "a.png", noisy((40, 48)))
    np.save(folder / "a.npy", noisy((3, 24, 28)))
    return Bench(folder, tmp_path / "log")


def check_whole(bench: Bench, outputs: tuple[str, ...], allowed: list[list[dict[str, bytes] | None]]) -> None:
    """Check that the outputs are, together, one of the allowed states."""
    found = [bench.contents(name) for name in outputs]
    assert found in allowed, f"{outputs} are neither as before nor complete"


@pytest.mark.parametrize("job", JOBS)
def test_a_kill_at_any_moment_loses_nothing_and_the_next_run_cleans_up(
    bench: Bench, job: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("faults", KILLS)
    line, outputs = JOBS[job]
    inputs = set(INPUTS)
    if job == "render":
        words = ("--model", "m.rsmoe", "--n-kernels", "40", "--iterations", "5", "--quiet")
        assert bench.run("fit", "a.png", "m.png", *words) == 0, bench.said()
        (bench.folder / "m.png").unlink()
        inputs.add("m.rsmoe")
    begin = time.monotonic()
    assert bench.run(*line) == 0, bench.said()
    length = time.monotonic() - begin
    complete = [bench.contents(name) for name in outputs]
    rng = random.Random(job)
    with bench.unchanged(*inputs):
        for attempt in range(KILLS):
            present = attempt % 2 == 0
            if not present:
                for name in outputs:
                    path = bench.folder / name
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            shutil.rmtree(bench.folder / "models", ignore_errors=True)
            child = bench.start(*line)
            time.sleep(rng.uniform(0.1, 0.95) * length)
            child.kill()
            child.join()
            check_whole(bench, outputs, [complete] if present else [complete, [None] * len(outputs)])
            assert bench.run(*line) == 0, bench.said()
            assert [bench.contents(name) for name in outputs] == complete
            expected = {*inputs, *outputs, *(["models"] if job == "checkpoint" else [])}
            assert set(bench.names()) == expected
            assert not [path for path in bench.folder.rglob("*") if path.name.endswith((".part", ".old"))]


def begun(bench: Bench) -> None:
    """Wait until a job writes its first temporary file."""
    until = time.monotonic() + 30
    while not any(name.endswith(".part") for name in bench.names()):
        assert time.monotonic() < until, bench.said()
        time.sleep(0.002)


LONG = ("denoise", "long.npy", "out.tif", "--axes", "TYX", *QUICK)


@pytest.fixture
def long(bench: Bench) -> Bench:
    """A stack that takes a while."""
    np.save(bench.folder / "long.npy", noisy((60, 24, 28)))
    return bench


@pytest.mark.parametrize(
    ("signals", "code"),
    [([signal.SIGINT], 130), ([signal.SIGINT] * 2, 130), ([signal.SIGTERM], 143), ([signal.SIGHUP], 129),
     ([signal.SIGHUP, signal.SIGTERM], 129)],
    ids=lambda value: str(value) if isinstance(value, int) else "+".join(s.name for s in value),
)  # fmt: skip
def test_signals_leave_nothing_behind(long: Bench, signals: list[signal.Signals], code: int) -> None:
    child = long.start(*LONG)
    begun(long)
    for number in signals:
        os.kill(child.pid or 0, number)
        time.sleep(0.003)
    assert long.end(child) == code, long.said()
    assert long.names() == ["a.npy", "a.png", "long.npy"]


def test_a_third_signal_ends_at_once_and_the_next_run_cleans_up(long: Bench) -> None:
    child = long.start(*LONG)
    begun(long)
    for _ in range(12):  # Signals that arrive together count as one.
        if child.is_alive():
            os.kill(child.pid or 0, signal.SIGINT)
        time.sleep(0.002)
    assert long.end(child) in (-signal.SIGINT, 130)
    assert long.run(*JOBS["stack"][0]) == 0, long.said()
    assert long.names() == ["a.npy", "a.png", "long.npy", "out.tif"]


def test_nohup_is_obeyed(bench: Bench) -> None:
    code = "from napari_rsmoe.cli.program import main; import os, signal; "
    code += "signal.signal(signal.SIGHUP, signal.SIG_IGN); from napari_rsmoe.cli import info; "
    code += "look = info._image; info._image = lambda *a: (os.kill(os.getpid(), signal.SIGHUP), look(*a))[1]; "
    done = subprocess.run([sys.executable, "-c", code + "main()", "info", "a.png"], cwd=bench.folder, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("fault", ["size limit", "sync"])
@pytest.mark.parametrize("job", ["fit", "denoise", "Zarr", "stack", "checkpoint"])
def test_a_disk_that_fails_leaves_the_old_files(bench: Bench, job: str, fault: str) -> None:
    line, outputs = JOBS[job]
    for name in outputs:
        (bench.folder / name).mkdir() if name.endswith(".zarr") else (bench.folder / name).write_bytes(b"old")
    with bench.unchanged(*INPUTS, *outputs):
        code = bench.run(*line, "--overwrite", fault=fault)
        if job == "Zarr" and code == 0:
            pytest.skip("the pieces of this store are smaller than the limit, and not brought to the disk one by one")
        assert code == 1, bench.said()
    assert any(words in bench.said() for words in ("File too large", "Input/output error")), bench.said()
    assert not [path for path in bench.folder.rglob("*") if path.name.endswith(".part")]


@pytest.fixture
def small_disk(bench: Bench) -> Iterator[Bench]:
    """The folder on a disk of 100 kB."""
    kept = {name: (bench.folder / name).read_bytes() for name in INPUTS}
    options = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(bench.folder)]
    if not shutil.which("mount") or subprocess.run(options, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not permitted")
    try:
        for name, content in kept.items():
            (bench.folder / name).write_bytes(content)
        yield bench
    finally:
        subprocess.run(["umount", str(bench.folder)], check=True)


@pytest.mark.parametrize("name", ["out.tif", "out.ome.tif", "out.npy", "out.ome.zarr", "out.png"])
def test_a_full_disk_leaves_nothing_half(small_disk: Bench, name: str) -> None:
    (small_disk.folder / "full").write_bytes(bytes(80_000))
    if name == "out.png":
        np.save(small_disk.folder / "a.npy", noisy((120, 100)))
    line = ("upscale", "a.npy", name, "--scale", "6", "--axes", "TYX"[-2:] if name == "out.png" else "TYX", "--quiet")
    assert small_disk.run(*line, "--preset", "fast") == 1, small_disk.said()
    assert "No space left" in small_disk.said()
    assert small_disk.names() == ["a.npy", "a.png", "full"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("line", [("info", "a.png"), ("info", "a.png", "--json")])
def test_output_that_cannot_be_written_is_an_error(bench: Bench, line: tuple[str, ...]) -> None:
    code = "from napari_rsmoe.cli.program import main; main(prog_name='napari-rsmoe')"
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, *line], cwd=bench.folder, stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_disk_that_cannot_be_read_is_an_error(bench: Bench) -> None:
    assert bench.run(*JOBS["stack"][0], fault="read") == 1
    assert "Input/output error" in bench.said()
    assert bench.names() == ["a.npy", "a.png"]


def test_a_zarr_store_that_cannot_be_read_is_an_error(bench: Bench) -> None:
    write_image(bench.folder / "in.zarr", noisy((3, 24, 28)), axes="TYX")
    with bench.unchanged("in.zarr"):
        assert bench.run("denoise", "in.zarr", "out.tif", *QUICK, fault="read chunks") == 1
    assert "in.zarr" in bench.said()
    assert "Input/output error" in bench.said()
    assert bench.names() == ["a.npy", "a.png", "in.zarr"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="drops the rights of root as on Linux")
def test_a_folder_without_permission_is_an_error() -> None:
    with tempfile.TemporaryDirectory(prefix="rsmoe-") as name:
        Path(name).chmod(0o755)
        bench = Bench(Path(name) / "work", Path(name) / "log")
        bench.folder.mkdir()
        np.save(bench.folder / "a.npy", noisy((3, 24, 28)))
        (bench.folder / "secret.npy").write_bytes((bench.folder / "a.npy").read_bytes())
        (bench.folder / "secret.npy").chmod(0)
        bench.folder.chmod(0o555)
        bench.log.touch()
        bench.log.chmod(0o666)
        try:
            for line in (
                JOBS["stack"][0],
                JOBS["Zarr"][0],
                ("denoise", "secret.npy", "/tmp/never.npy", "--axes", "TYX"),
            ):
                assert bench.run(*line, fault="rights") == 1, bench.said()
                assert "ermission denied" in bench.said()
            assert bench.names() == ["a.npy", "secret.npy"]
        finally:
            bench.folder.chmod(0o755)


def test_an_input_that_shrinks_meanwhile_is_an_error(long: Bench) -> None:
    child = long.start(*LONG)
    begun(long)
    with (long.folder / "long.npy").open("rb+") as file:
        file.truncate(2000)
    assert long.end(child) == 1, long.said()
    assert "shorter" in long.said()
    assert long.names() == ["a.npy", "a.png", "long.npy"]


def test_jumps_of_the_clock_change_nothing(bench: Bench) -> None:
    line, outputs = JOBS["denoise"]
    assert bench.run(*line) == 0
    right = [bench.contents(name) for name in outputs]
    far = time.time() + 1e9
    for name in (*INPUTS, *outputs):
        os.utime(bench.folder / name, (far, far))
    assert bench.run(*line, "--overwrite", fault="clock") == 0, bench.said()
    assert [bench.contents(name) for name in outputs] == right
    assert bench.run("fit", "a.png", "t.png", "--n-kernels", "20", "--time", "0.2", "--quiet", fault="clock") == 0


@pytest.mark.parametrize("job", ["fit", "checkpoint", "Zarr"])
def test_two_processes_with_one_output_do_not_mix(bench: Bench, job: str) -> None:
    line, outputs = JOBS[job]
    assert bench.run(*line) == 0, bench.said()
    right = [bench.contents(name) for name in outputs]
    shutil.rmtree(bench.folder / "models", ignore_errors=True)
    children = [bench.start(*line, "--overwrite") for _ in range(2)]
    codes = [bench.end(child) for child in children]
    assert 0 in codes
    assert set(codes) <= {0, 1}
    assert [bench.contents(name) for name in outputs] == right
    assert not [path for path in bench.folder.rglob("*") if path.name.endswith((".part", ".old"))]
    assert read_image(bench.folder / outputs[0]).numpy().size
