"""The CUDA source run on the CPU: whole fits, any order of threads, and planted faults that must be seen."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from backends import EMULATOR, OnHost, compile_on_host, load_on_host
from sanitized import PLANTED, Fault, plant
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


# ---------------------------------------------------------------------- planted faults


FAULTS = {
    "a missing barrier": Fault(
        1, "thread", "cuda/tile_pack.h", "__syncthreads();  // After", "if (!PLANTED(1)) __syncthreads();  // After",
        r"data race.*tile_pack\.h.*exit 66$",
    ),
    "shared memory out of bounds": Fault(
        2, "address", "cuda/tile.cu", "sums[0][0][p] = dot;",
        "sums[0][0][p + (PLANTED(2) ? kTilePixels * 2 * (1 + G) : 0)] = dot;",
        r"use-after-poison.*tile\.cu",
    ),
    "uninitialised shared memory": Fault(
        3, "", "cuda/tile_pack.h", "p.r12 = k.r12 * kRootHalfLog2E;",
        "if (!PLANTED(3)) p.r12 = k.r12 * kRootHalfLog2E;",
        r"not finite.*exit 1$",
    ),
    "a divergent barrier": Fault(
        4, "", "cuda/lists.cu", "    at += all;\n    __syncthreads();",
        "    at += all;\n    if (!PLANTED(4) || lane) __syncthreads();",
        r"cuda_on_host: .*barrier.*exit -6$",
    ),
    "another stream": Fault(
        5, "", "cuda/lists.cu", "RSMOE_LAUNCH(count_pairs, blocks, kBoxThreads, stream,",
        "RSMOE_LAUNCH(count_pairs, blocks, kBoxThreads, (PLANTED(5) ? nullptr : stream),",
        r"cuda_on_host: a launch on another stream.*exit -6$",
    ),
}  # fmt: skip
ORDER = Fault(
    6, "", "cuda/adam.cu", "  const Kernel old = k;",
    "  if (PLANTED(6) && exists)\n"
    "    k.y += 1e-3f * step.geometry[(team.kernel ? team.kernel - 1 : 0) * kGeometry];\n  const Kernel old = k;",
    "",
)  # fmt: skip
"""Each thread reads a kernel that another block may have moved already: the result depends on their order."""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The program of the engine by its sanitizer. It is compiled once, with all faults, each of which waits."""
    folder = tmp_path_factory.mktemp("cuda_on_host")
    plant(folder / "csrc", (*FAULTS.values(), ORDER))

    @cache
    def program(sanitizer: str) -> Path:
        flags = ["-g1", "-O1", "-include", str(PLANTED), *([f"-fsanitize={sanitizer}"] if sanitizer else [])]
        output = folder / f"program-{sanitizer}"
        compile_on_host(output, *flags, csrc=folder / "csrc", program=EMULATOR / "program.cpp")
        return output

    return program


def report_of(program: Path, *words: str, fault: int = 0, seed: int = 0) -> str:
    """What a program prints and how it ends."""
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0"}
    environment |= {"TSAN_OPTIONS": "halt_on_error=1:exitcode=66"}
    environment |= {"CUDA_ON_HOST_SEED": str(seed), "RSMOE_PLANTED": str(fault)}
    fixed = ["setarch", "-R"] if shutil.which("setarch") else []  # Some sanitizers fail with random addresses.
    result = subprocess.run(
        [*fixed, str(program), *words], env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    return f"{result.stdout}\n{result.stderr}\nexit {result.returncode}"


@pytest.mark.parametrize("sanitizer", ["address", "thread"])
def test_sanitizers_find_nothing(programs: Callable[[str], Path], sanitizer: str) -> None:
    report = report_of(programs(sanitizer), seed=3)
    assert report.endswith("exit 0"), report


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_seen(programs: Callable[[str], Path], fault: Fault) -> None:
    report = report_of(programs(fault.sanitizer), fault=fault.number)
    assert re.search(fault.report, report, re.DOTALL), report


def test_the_order_of_threads_changes_no_bit(programs: Callable[[str], Path]) -> None:
    """Nor does that of blocks: sums run in a fixed order."""
    program = programs("")
    assert len(checksums_of_orders(program, 3)) == 1
    assert len(checksums_of_orders(program, 2, ORDER.number)) > 1
    assert "cuda_on_host: clearing memory without a device guard" in report_of(program, "-")


def checksums_of_orders(program: Path, orders: int, fault: int = 0) -> set[str]:
    """What the program computes with blocks and lanes in different orders."""
    found = {report_of(program, fault=fault, seed=seed).splitlines()[0] for seed in range(orders)}
    assert all(len(checksum) == 16 for checksum in found), found
    return found


def test_results_are_finite_where_threads_are_shuffled_and_sizes_odd(on_host: pytest.MonkeyPatch) -> None:
    on_host.setenv("CUDA_ON_HOST_SEED", "7")
    image = np.random.default_rng(0).random((19, 37)).astype(np.float32)
    model = fit(image, 30, iterations=PRESETS["fast"].list_interval)
    assert np.isfinite(model.render()).all()
