"""The CUDA engine as it was built, for every architecture: no spills, bounded resources; and how it is loaded."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from backends import ROOT
from benchmarks import sass

from napari_rsmoe.engine import library

ARCHITECTURES = {"75", "80", "86", "89", "90", "100", "120"}
"""What a wheel holds, as CMakeLists.txt says."""
IN_EDITABLE_INSTALLS = {"75", "86", "120"}
"""What pyproject.toml leaves of them."""


@pytest.fixture(scope="module")
def built() -> Path:
    """The library."""
    file = sass.library()
    if file is None:
        pytest.skip("built without nvcc")
    if not sass.has_tools():
        pytest.skip("no cuobjdump and nvdisasm: pip install nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm")
    return file


def test_no_kernel_takes_too_much(built: Path) -> None:
    found = sass.resources(built)
    architectures = {kernel.architecture for kernel in found}
    assert architectures in (ARCHITECTURES, IN_EDITABLE_INSTALLS)
    assert len(found) == len(architectures) * (16 + 6 + 2)
    for kernel in found:
        assert not too_much(kernel), kernel


def test_every_card_is_served(built: Path) -> None:
    """By machine code for it or for an earlier card of its generation, or by PTX that the driver compiles."""
    machine_code = {int(kernel.architecture) for kernel in sass.resources(built)}
    ptx = set(map(int, re.findall(r"\.sm_(\d+)\.ptx", sass.run("cuobjdump", "--list-ptx", str(built)))))
    for card in (75, 80, 86, 87, 89, 90, 100, 103, 120, 121, 130):
        same_generation = {code for code in machine_code if code // 10 == card // 10 and code <= card}
        assert same_generation or any(version <= card for version in ptx), card


def test_wheels_are_built_for_all_architectures() -> None:
    listed = re.search(r'RSMOE_CUDA_ARCHITECTURES\s+"([^"]+)"', (ROOT / "CMakeLists.txt").read_text())
    assert listed
    assert {each.removesuffix("-real") for each in listed[1].split(";")} == ARCHITECTURES
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (editable,) = project["tool"]["scikit-build"]["overrides"]
    fewer = editable["cmake"]["define"]["RSMOE_CUDA_ARCHITECTURES"]
    assert editable["if"] == {"state": "editable"}
    assert {each.removesuffix("-real") for each in fewer.split(";")} == IN_EDITABLE_INSTALLS


def too_much(kernel: sass.Resources) -> bool:
    """Spills, more registers than three blocks of 128 threads have on a multiprocessor, or too much shared memory."""
    return kernel.stack > 0 or kernel.registers > 168 or kernel.shared > 25 * 1024


def gate(cubin: Path) -> None:
    """Raises where a kernel spills or its shared memory has bank conflicts."""
    pytest.importorskip("cuxray")
    sass.run(sys.executable, "-m", "cuxray", "gate", str(cubin), "spill_instrs==0, bank_ways<=2")


def test_no_bank_conflicts(built: Path, tmp_path: Path) -> None:
    cubins = [file for file in sass.cubins(built, tmp_path) if file.suffixes[-2] == ".sm_86" and sass.resources(file)]
    assert len(cubins) == 3
    for cubin in cubins:
        gate(cubin)


BAD_KERNELS = {
    "spills": "float own[64]; for (int i = 0; i < 64; ++i) own[i * n & 63] += out[i]; out[threadIdx.x] = own[n & 63];",
    "has bank conflicts": "__shared__ float all[1024]; all[threadIdx.x * 32] = out[n]; __syncthreads(); "
    "out[threadIdx.x] = all[(threadIdx.x ^ n) * 32];",
    "takes shared memory": "__shared__ float all[7000]; all[threadIdx.x] = out[n]; __syncthreads(); "
    "out[threadIdx.x] = all[threadIdx.x ^ 1];",
}


@pytest.mark.parametrize("problem", BAD_KERNELS)
def test_the_limits_see_a_kernel_that(problem: str, built: Path, tmp_path: Path) -> None:
    if not (nvcc := shutil.which("nvcc")):
        pytest.skip("no nvcc")
    source, cubin = tmp_path / "bad.cu", tmp_path / "bad.sm_86.cubin"
    source.write_text(f"__global__ void __launch_bounds__(32) bad(float* out, int n) {{ {BAD_KERNELS[problem]} }}")
    sass.run(nvcc, "-arch=sm_86", "-cubin", str(source), "-o", str(cubin))
    (kernel,) = sass.resources(cubin)
    assert too_much(kernel) == (problem != "has bank conflicts")
    if problem == "takes shared memory":
        gate(cubin)
    else:
        with pytest.raises(RuntimeError, match="spill_instrs" if problem == "spills" else "bank_ways=32"):
            gate(cubin)


def test_inner_loops_stay_short(built: Path) -> None:
    """The figures of docs/method/cuda.md."""
    forward, backward = sass.instructions_per_evaluation(built, "86", "drawILi3ENS1_6PackedELb1E")
    assert forward <= 11
    assert backward <= 27


# ---------------------------------------------------------------------- loading


def test_a_torch_for_the_cpu_does_not_load_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "build for the CPU" in library.load_cuda(tmp_path / "librsmoe_cuda.so")


@pytest.mark.parametrize("content", [None, b"", b"no library"], ids=["missing", "empty", "garbage"])
def test_a_library_that_does_not_load_is_a_reason_not_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    file = tmp_path / "librsmoe_cuda.so"
    if content is not None:
        file.write_bytes(content)
    reason = library.load_cuda(file)
    assert ("no CUDA part" if content is None else "does not fit torch") in reason


def test_this_builds_library_beside_a_torch_without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """libtorch_cuda is missing: that must be a reason, not a crash."""
    if torch.version.cuda is not None:
        pytest.skip("this torch has CUDA")
    file = Path(sys.modules["napari_rsmoe._C"].__file__ or "").with_name("librsmoe_cuda.so")
    if not file.is_file():
        pytest.skip("built without nvcc")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    code = (
        "import torch; torch.version.cuda = '13.0'\n"
        "from napari_rsmoe.engine import library, devices\n"
        "print(library.WHY_NO_CUDA); print(devices.resolve_device('auto'))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "cpu"


OTHER = """
import torch
from napari_rsmoe.engine import devices, library, render
from napari_rsmoe.errors import DeviceError
print("built for", torch.version.cuda, "loaded", not library.WHY_NO_CUDA, "registered", devices.has_cuda_engine())
assert devices.resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
try:
    assert devices.resolve_device("cuda") and torch.cuda.is_available()
except DeviceError as error:
    assert "device='cuda' cannot be used" in str(error)
image = render(torch.tensor([[3.0, 4.0, 0.5, 0.0, 0.5, 0.0]]), torch.tensor([[0.25]]), 5, 6)
assert bool((image == 0.25).all())
"""


def test_this_builds_libraries_beside_other_torches(tmp_path: Path) -> None:
    """RSMOE_OTHER_PYTHONS=/a/bin/python:/b/bin/python names interpreters with other builds of torch, and NumPy."""
    others = [python for python in os.environ.get("RSMOE_OTHER_PYTHONS", "").split(os.pathsep) if python]
    if not others:
        pytest.skip("RSMOE_OTHER_PYTHONS names no interpreters with other builds of torch")
    import napari_rsmoe

    shutil.copytree(Path(napari_rsmoe.__file__).parent, tmp_path / "napari_rsmoe")
    for file in Path(sys.modules["napari_rsmoe._C"].__file__ or "").parent.glob("*.so"):
        shutil.copy(file, tmp_path / "napari_rsmoe")
    for python in others:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        result = subprocess.run([python, "-c", OTHER], capture_output=True, text=True, check=False, env=environment)
        assert result.returncode == 0, result.stderr
        version, loaded, registered = re.findall(r"(?:for|loaded|registered) (\S+)", result.stdout)
        print(result.stdout)
        assert loaded == registered == str(version != "None")


def unusable(reason: str) -> Callable[[], str]:
    return lambda: reason


@pytest.mark.parametrize("reason", ["torch finds no CUDA device", "the check of the CUDA device did not pass"])
def test_auto_takes_the_cpu_and_cuda_says_why_not(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    from napari_rsmoe.engine import devices
    from napari_rsmoe.errors import DeviceError

    monkeypatch.setattr(devices, "why_not_cuda", unusable(reason))
    assert devices.resolve_device("auto").type == "cpu"
    with pytest.raises(DeviceError, match=reason):
        devices.resolve_device("cuda")


@pytest.mark.parametrize("wrong", ["its image is off by 0.5", RuntimeError("no kernel image is available")], ids=str)
def test_a_device_that_fails_its_check_is_never_taken(monkeypatch: pytest.MonkeyPatch, wrong: object) -> None:
    from napari_rsmoe.engine import devices

    def check(device: torch.device) -> str:
        if isinstance(wrong, Exception):
            raise wrong
        return str(wrong)

    monkeypatch.setattr(devices, "has_cuda_engine", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(devices, "self_check", check)
    devices.why_not_cuda.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match="the CPU is used"):
            assert devices.resolve_device("auto").type == "cpu"
        assert str(wrong) in devices.why_not_cuda()
    finally:
        devices.why_not_cuda.cache_clear()


def test_too_little_memory_falls_back_where_the_user_left_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_rsmoe.engine import devices
    from napari_rsmoe.errors import DeviceError

    monkeypatch.setattr(devices, "why_not_cuda", lambda: "")

    def job(device: torch.device) -> str:
        if device.type == "cuda":
            raise RuntimeError("rsmoe: not enough memory on the device for another 9000 MiB")
        return device.type

    with pytest.warns(UserWarning, match="9000 MiB"):
        assert devices.run_on("auto", job) == "cpu"
    with pytest.raises(DeviceError, match="9000 MiB"):
        devices.run_on("cuda", job)


def test_a_fit_that_the_device_has_no_memory_for_does_not_begin_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_rsmoe import denoise, fit
    from napari_rsmoe.engine import devices
    from napari_rsmoe.errors import DeviceError

    monkeypatch.setattr(devices, "why_not_cuda", lambda: "")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**15, 2**33))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 2**15)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 2**14)
    image = np.add.outer(np.arange(40), np.arange(48) % 7)
    for job in (lambda how: fit(image, 20, iterations=2, device=how), lambda how: denoise(image, noise=1, device=how)):
        with pytest.raises(DeviceError, match=r"not enough memory on the device: about .* KiB for 48 KiB free"):
            job("cuda")
    with pytest.warns(UserWarning, match="48 KiB free.*the CPU is used"):
        assert fit(image, 20, iterations=2, device="auto").n_kernels == 20
