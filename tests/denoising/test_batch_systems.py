"""Large jobs on a batch system: what is submitted, and that work goes on when a job ends before the work does."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_rsmoe import ImageError, denoise, write_image
from napari_rsmoe.denoising.large import cluster
from napari_rsmoe.denoising.large.cluster import workers_of
from napari_rsmoe.denoising.large.job import JobSettings
from napari_rsmoe.denoising.large.names import folder_of
from napari_rsmoe.denoising.large.processes import MOST_EARLY, Processes
from napari_rsmoe.denoising.large.running import denoise_large

SUBMIT = """#!/bin/sh
# Stands for Slurm's sbatch: starts the script at once, and says the number of the job.
cp "$1" "$FAKE/script.$$"
setsid sh "$FAKE/script.$$" > "$FAKE/out.$$" 2>&1 &
echo $! >> "$FAKE/jobs"
echo "Submitted batch job $!"
"""
CANCEL = """#!/bin/sh
kill -9 -- "-$1" 2> /dev/null; true
"""
TINY = {"preset": "fast", "models": 1, "noise": 10.0, "n_kernels": 60, "block": 32}


def noisy() -> NDArray[np.uint16]:
    y, x = np.mgrid[:70, :60]
    return (100 + 50 * np.sin(x / 9) * np.cos(y / 7) + np.random.default_rng(0).normal(0, 10, x.shape)).astype("u2")


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with what Slurm's commands would do on this machine, first in the path."""
    dask = pytest.importorskip("dask")
    pytest.importorskip("dask_jobqueue")
    if sys.platform != "linux":
        pytest.skip("needs setsid")
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, content in {"sbatch": SUBMIT, "scancel": CANCEL}.items():
        (folder / name).write_text(content)
        (folder / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("FAKE", str(folder))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    asked = {"cores": 3, "memory": "2GB", "walltime": "00:10:00", "queue": "normal", "interface": "lo"}
    with dask.config.set({f"jobqueue.slurm.{name}": value for name, value in asked.items()}):
        yield folder


@pytest.mark.filterwarnings("ignore")
def test_jobs_are_submitted_and_replaced_when_they_end(
    slurm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask

    monkeypatch.setattr(cluster, "REFILL", 0.2)
    image = noisy()
    write_image(tmp_path / "in.ome.zarr", image)
    target = tmp_path / "out.npy"
    killed = []

    def kill_the_first(progress: object) -> None:
        done = Path(str(folder_of(str(target)) / "done"))
        if not killed and done.exists() and any(done.iterdir()):
            killed.append(int((slurm / "jobs").read_text().split()[0]))
            os.killpg(killed[0], signal.SIGKILL)

    asked = JobSettings(str(tmp_path / "in.ome.zarr"), str(target), TINY)
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "100ms"}), workers_of("slurm", 1) as runner:
        denoise_large(asked, runner=runner, callback=kill_the_first)
    assert len((slurm / "jobs").read_text().split()) >= 2
    script = next(slurm.glob("script.*")).read_text()
    for text in ("#SBATCH -p normal", "#SBATCH --cpus-per-task=3", "#SBATCH -t 00:10:00", "--nthreads 3"):
        assert text in script
    np.testing.assert_array_equal(np.load(target), denoise(image, **TINY).image)


@pytest.mark.filterwarnings("ignore")
def test_a_process_of_this_machine_that_dies_while_it_begins_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "ON_THIS_MACHINE", 0.1)
    image, begun, begin = noisy(), [], subprocess.Popen

    def die_at_first(*given: Any, **more: Any) -> Any:
        process = begin(*given, **more)
        begun.append(process)
        if len(begun) == 1:
            process.kill()
        return process

    monkeypatch.setattr(subprocess, "Popen", die_at_first)
    write_image(tmp_path / "in.ome.zarr", image)
    with workers_of("local", 1) as runner:
        denoise_large(JobSettings(str(tmp_path / "in.ome.zarr"), str(tmp_path / "out.npy"), TINY), runner=runner)
    assert len(begun) == 2
    assert all(process.poll() is not None for process in begun)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), denoise(image, **TINY).image)


def test_processes_that_cannot_begin_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "false")

    def all_end(processes: Processes) -> None:
        for _ in range(MOST_EARLY + 2):
            for process, _ in processes._running:
                process.wait()
            processes.refill()

    with Processes("tcp://127.0.0.1:1", 2, {}) as processes, pytest.raises(ImageError, match="what this says: false"):
        all_end(processes)


def test_what_is_missing_is_named() -> None:
    pytest.importorskip("dask_jobqueue")
    with pytest.raises(ImageError, match=r"does not know what to ask slurm for.*jobqueue.yaml"), workers_of("slurm", 1):
        pass
