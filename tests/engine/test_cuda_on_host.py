"""The CUDA source run on the CPU: whole fits, any order of threads, and planted bugs that must be seen."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from backends import EMULATOR, SOURCES, OnHost, compile_on_host, load_on_host
from skimage import data

from napari_rsmoe import denoise, fit, psnr
from napari_rsmoe.engine import devices, operators
from napari_rsmoe.engine.limits import Limits
from napari_rsmoe.fitting import relocation
from napari_rsmoe.fitting.settings import PRESETS


@pytest.fixture
def on_host(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The CUDA engine in place of the CPU's."""
    load_on_host(tmp_path_factory.getbasetemp())
    monkeypatch.setattr(operators, "ops", OnHost())
    return monkeypatch


@pytest.fixture
def photograph() -> np.ndarray:
    return data.chelsea()[60:124, 120:210]


@pytest.mark.parametrize("options", [{}, {"mode": "rbf"}, {"experts": "linear"}, {"preset": "paper"}], ids=str)
def test_a_fit_is_as_good_as_the_cpus(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    photograph: np.ndarray,
    options: dict[str, object],
) -> None:
    def quality() -> float:
        return psnr(fit(photograph, 120, iterations=60, seed=3, **options).render(), photograph)  # type: ignore[arg-type]

    expected = quality()
    load_on_host(tmp_path_factory.getbasetemp())
    monkeypatch.setattr(operators, "ops", OnHost())
    assert quality() == pytest.approx(expected, abs=0.05)


def test_denoising_is_as_good_as_the_cpus(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, photograph: np.ndarray
) -> None:
    noisy = photograph[:48, :48] + np.random.default_rng(0).normal(0, 20, (48, 48, 3))

    def quality() -> float:
        result = denoise(noisy, models=2, preset="fast", noise=20.0)
        return psnr(result.image, photograph[:48, :48], data_range=255)

    expected = quality()
    load_on_host(tmp_path_factory.getbasetemp())
    monkeypatch.setattr(operators, "ops", OnHost())
    assert quality() == pytest.approx(expected, abs=0.05)


def test_the_check_of_a_device_passes_and_sees_wrong_results(on_host: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    assert devices.self_check(cpu) == ""
    right = torch.ops.rsmoe_cuda_on_host

    class Wrong:
        def __init__(self, name: str) -> None:
            self.name = name

        def __getattr__(self, name: str) -> object:
            operator = getattr(right, name)
            if name != self.name:
                return operator

            def call(*arguments: object) -> object:
                results = operator(*arguments)
                return results * 1.01 if isinstance(results, torch.Tensor) else tuple(r * 1.01 for r in results)

            return call

    for name in ("render", "render_backward", "fit_steps"):
        on_host.setattr(operators, "ops", Wrong(name))
        assert "off by" in devices.self_check(cpu) or "error of" in devices.self_check(cpu)


def test_lists_that_overflow_are_built_again(on_host: pytest.MonkeyPatch) -> None:
    """Small kernels that suddenly are large need more room than was set aside; no step is lost or repeated."""
    rng = torch.Generator().manual_seed(0)
    size, kernels = 128, 600
    geometry = torch.rand(kernels, 6, generator=rng) * size
    geometry[:, 2:] = torch.tensor([0.02, 0.0, 0.02, 0.0])
    experts, target = torch.rand(kernels, 1, generator=rng), torch.rand(64, 1, 256, generator=rng)

    def steps(library: object) -> list[torch.Tensor]:
        inputs = [geometry.clone(), experts.clone(), torch.zeros(2, 7, kernels)]
        losses, _ = library.fit_steps(  # type: ignore[attr-defined]
            *inputs, target, None, 1, torch.full((4, 4), 0.01), size, size, 0, 7.0, True, 0.0, False, True, 2, 1.0, 0.9,
            0.99, Limits().values(),
        )  # fmt: skip
        return [losses, *inputs]

    for ours, expected in zip(steps(torch.ops.rsmoe_cuda_on_host), steps(torch.ops.rsmoe), strict=True):
        torch.testing.assert_close(ours, expected, rtol=2e-3, atol=2e-4)


def test_relocation_on_a_device_finds_the_same(photograph: np.ndarray) -> None:
    """Its blur and its nearest kernels are those of the CPU's libraries."""
    plane = torch.from_numpy(photograph[..., 0].astype(np.float32))
    torch.testing.assert_close(relocation.blurred_on_device(plane), relocation.blurred(plane), rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(relocation.blurred_on_device(plane[:3, :2]), relocation.blurred(plane[:3, :2]))
    rng = torch.Generator().manual_seed(0)
    places, centers = torch.randint(90, (40, 2), generator=rng), torch.rand(150, 2, generator=rng) * 90
    for without in (torch.arange(0, 60, 2), torch.arange(149)):  # one that stays is enough
        found = relocation.neighbours_on_device(places, centers, without)
        for ours, expected in zip(found, relocation.neighbours(places, centers, without), strict=True):
            torch.testing.assert_close(ours, expected)


# ---------------------------------------------------------------------- planted bugs


MISSING_BARRIER = ("tile_pack.h", "__syncthreads();  // After", "// After")
OUT_OF_BOUNDS = ("tile.cu", "sums[0][0][p] = dot;", "sums[0][0][p + kTilePixels * 2 * (1 + G)] = dot;")
UNINITIALISED = ("tile_pack.h", "p.r12 = k.r12 * kRootHalfLog2E;", "")
DIVERGENT_BARRIER = (
    "lists.cu",
    "    at += all;\n    __syncthreads();",
    "    at += all;\n    if (lane) __syncthreads();",
)
WRONG_STREAM = (
    "lists.cu",
    "RSMOE_LAUNCH(count_pairs, blocks, kBoxThreads, stream,",
    "RSMOE_LAUNCH(count_pairs, blocks, kBoxThreads, nullptr,",
)
READS_ANOTHER_BLOCKS_KERNEL = (
    "adam.cu",
    "  const Kernel old = k;",
    "  if (exists) k.y += 1e-3f * step.geometry[(team.kernel ? team.kernel - 1 : 0) * kGeometry];\n"
    "  const Kernel old = k;",
)


def run_program(folder: Path, bug: tuple[str, str, str] | None, *flags: str, seed: int | None = None) -> str:
    """Compile the engine with a bug and a small program, run it; returns what it printed and how it ended."""
    csrc = folder / "csrc"
    shutil.copytree(SOURCES, csrc)
    if bug:
        source = csrc / "cuda" / bug[0]
        text = source.read_text()
        assert text.count(bug[1]) == 1, f"{bug[0]} has changed: plant the bug anew"
        source.write_text(text.replace(bug[1], bug[2]))
    program = folder / "program"
    compile_on_host(program, "-g", "-O1", *flags, csrc=csrc, program=EMULATOR / "program.cpp")
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0"}
    environment |= {"TSAN_OPTIONS": "halt_on_error=1:exitcode=66", "CUDA_ON_HOST_SEED": str(seed or 0)}
    result = subprocess.run(
        ["setarch", "-R", str(program)] if shutil.which("setarch") else [str(program)],
        env=environment, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    return f"{result.stdout}\n{result.stderr}\nexit {result.returncode}"


@pytest.mark.parametrize("sanitizer", ["address", "thread"])
def test_sanitizers_find_nothing(tmp_path: Path, sanitizer: str) -> None:
    report = run_program(tmp_path, None, f"-fsanitize={sanitizer}", seed=3)
    assert report.endswith("exit 0"), report


def test_a_missing_barrier_is_seen(tmp_path: Path) -> None:
    report = run_program(tmp_path, MISSING_BARRIER, "-fsanitize=thread")
    assert "data race" in report, report
    assert "tile_pack.h" in report
    assert report.endswith("exit 66")


def test_shared_memory_out_of_bounds_is_seen(tmp_path: Path) -> None:
    report = run_program(tmp_path, OUT_OF_BOUNDS, "-fsanitize=address")
    assert "use-after-poison" in report, report
    assert "tile.cu" in report


def test_uninitialised_shared_memory_is_seen(tmp_path: Path) -> None:
    report = run_program(tmp_path, UNINITIALISED)
    assert "not finite" in report, report
    assert report.endswith("exit 1")


def test_a_divergent_barrier_is_seen(tmp_path: Path) -> None:
    report = run_program(tmp_path, DIVERGENT_BARRIER)
    assert "cuda_on_host: " in report, report
    assert "barrier" in report
    assert report.endswith("exit -6")


def test_another_stream_is_seen(tmp_path: Path) -> None:
    report = run_program(tmp_path, WRONG_STREAM)
    assert "cuda_on_host: a launch on another stream" in report, report
    assert report.endswith("exit -6")


def test_the_order_of_threads_changes_no_bit(tmp_path: Path) -> None:
    """Nor does that of blocks: sums run in a fixed order."""
    assert len(checksums_of_orders(tmp_path, None)) == 1
    unguarded = subprocess.run([str(tmp_path / "program"), "-"], capture_output=True, text=True, check=False)
    assert "cuda_on_host: clearing memory without a device guard" in unguarded.stderr


def test_an_order_that_matters_is_seen(tmp_path: Path) -> None:
    assert len(checksums_of_orders(tmp_path, READS_ANOTHER_BLOCKS_KERNEL)) > 1


def checksums_of_orders(folder: Path, bug: tuple[str, str, str] | None) -> set[str]:
    """What the program computes with blocks and lanes in different orders."""
    found = {run_program(folder, bug).splitlines()[0]}
    for seed in ("1", "2"):
        environment = {**os.environ, "CUDA_ON_HOST_SEED": seed}
        program = [str(folder / "program")]
        result = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
        found.add(result.stdout.splitlines()[0])
    assert all(len(checksum) == 16 for checksum in found), found
    return found


def test_results_are_finite_where_threads_are_shuffled_and_sizes_odd(on_host: pytest.MonkeyPatch) -> None:
    on_host.setenv("CUDA_ON_HOST_SEED", "7")
    image = np.random.default_rng(0).random((19, 37)).astype(np.float32)
    model = fit(image, 30, iterations=PRESETS["fast"].list_interval)
    assert np.isfinite(model.render()).all()
