"""Other systems than this one: the engine is compiled for them with zig, and looked at, or run under an emulator.

That the sources compile is checked in every run of the tests. `make platforms` also links the extension for each,
compares the names that it needs with those that torch's wheel for Windows has, and draws mixtures under qemu (64-bit
ARM) and Wine (Windows).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from backends import SOURCES
from sanitized import UNITS, at_once

from napari_rsmoe.engine import reference

pytest.importorskip("ziglang", reason="zig is not installed (pip install ziglang)")
from cross_build import CPYTHON, TARGETS, ZIG, build  # scripts/ is on the path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "platforms"
WHOLE = pytest.mark.skipif("RSMOE_PLATFORMS" not in os.environ, reason="takes minutes: `make platforms`")
OTHERS = ("windows-x86_64", "macos-arm64")
FLAGS = ["-std=c++20", "-fno-math-errno", "-fno-trapping-math", "-Wall", "-Wextra", "-Werror", "-I", str(SOURCES)]
FLAGS += ["-Wno-bitwise-instead-of-logical"]
ENGINE = (*(unit for unit in UNITS if unit != "operators"), "processors")
"""Sources of csrc/cpu that need no torch."""


@pytest.mark.parametrize("name", OTHERS)
def test_the_sources_compile_without_a_warning(name: str, tmp_path: Path) -> None:
    """Those with vectors alone, as they have names in common, and all others as one, which reads headers once."""

    def errors(source: Path) -> str:
        quick = ["-O0", "-g0", "-emit-llvm"]  # No machine code is needed.
        command = [ZIG, "c++", "-target", TARGETS[name].zig, *FLAGS, *quick, "-DRSMOE_ISA=base", "-c", source]
        command += ["-o", tmp_path / f"{source.stem}.bc"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr

    sources = [path for path in sorted(SOURCES.rglob("*.cpp")) if "cuda" not in path.parts]
    alone = [path for path in sources if path.stem.endswith("_simd")]
    others = tmp_path / "others.cpp"
    others.write_text("".join(f'#include "{path.as_posix()}"\n' for path in sources if path not in alone), "utf-8")
    assert "".join(at_once(errors, [others, *alone])) == ""


OF_THE_COMPILER = ("Zn", "Zd", "_Zn", "_Zd", "_mh_", "mh_", "__dso", "dso", "_dso")
"""Beginnings of the names that zig's libraries export beside ours."""
SYSTEM = "/usr/lib/libSystem"  # Of macOS.


@cache
def extension(name: str) -> Any:
    """The extension for a system, as lief reads it."""
    lief = pytest.importorskip("lief", reason="lief is not installed")
    return lief.parse(str(build(name, FOLDER / name)))


@WHOLE
@pytest.mark.parametrize("name", TARGETS)
def test_the_extension_exports_its_module_and_needs_torch_and_python_only(name: str) -> None:
    binary = extension(name)
    windows = name.startswith("windows")
    exported = {str(function.name).removeprefix("_") for function in binary.exported_functions}
    own = {each for each in exported if not each.startswith(OF_THE_COMPILER)}
    assert own == {"PyInit__C"}
    needed = {str(each.name).removeprefix("_") for each in (binary.imported_functions if windows else binary.symbols)}
    assert {*CPYTHON, "aoti_torch_library_def"} <= needed
    if windows:
        known = ("torch_cpu.dll", "python3.dll", "KERNEL32.dll", "api-ms-win-crt-", "ADVAPI32.dll", "ntdll.dll")
    else:
        known = ("libtorch_cpu", "_C.abi3.so", "libc.", "libm.", "libpthread.", "libdl.", "librt.", "ld-linux", SYSTEM)
    libraries = [str(getattr(library, "name", library)) for library in binary.libraries]
    assert [each for each in libraries if not each.startswith(known)] == []


@WHOLE
def test_torch_for_windows_has_what_the_extension_needs() -> None:
    """The wheel of the version in constraints.txt, from the package index."""
    version = next(line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if line[:7] == "torch==")
    wheels = FOLDER / "wheels"
    if not list(wheels.glob("torch-*win_amd64.whl")):
        platform = ["--platform", "win_amd64", "--python-version", "3.11", "--only-binary", ":all:", "--no-deps"]
        pip = ["python3", "-m", "pip", "download", "-q", *platform, "-d", str(wheels), version]
        if subprocess.run(pip, check=False).returncode:
            pytest.skip("torch for Windows could not be downloaded")
    lief = pytest.importorskip("lief", reason="lief is not installed")
    with zipfile.ZipFile(next(wheels.glob("torch-*win_amd64.whl"))) as wheel:
        library = wheel.extract("torch/lib/torch_cpu.dll", FOLDER)
    torch_cpu = lief.PE.parse(library)  # Its parts do not outlive it.
    exported = {entry.name for entry in torch_cpu.get_export().entries}
    (ours,) = [each for each in extension("windows-x86_64").imports if each.name == "torch_cpu.dll"]
    needed = {entry.name for entry in ours.entries}
    assert len(needed) > 20
    assert needed <= exported


EMULATED = {
    "linux-aarch64": ("aarch64-linux-musl", ("qemu-aarch64",)),
    "windows-x86_64": ("x86_64-windows-gnu", ("wine",)),
}
"""Systems that can be emulated: zig's name, static where it matters, and the emulator."""


@cache
def program(name: str) -> tuple[Sequence[str], Path]:
    """The program of this folder for another system, and the command that runs it."""
    zig, command = EMULATED[name]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    output = FOLDER / f"program-{name}"
    sources = [
        Path(__file__).with_name("program.cpp"),
        *(SOURCES / "cpu" / f"{unit}.cpp" for unit in (*UNITS, "processors")),
    ]
    sources += [SOURCES / "cpu" / f"{unit}_simd.cpp" for unit in ("tile", "smooth")]
    flags = [*FLAGS, "-O3", "-DRSMOE_ISA=base", "-ffp-contract=fast", "-static"]
    FOLDER.mkdir(parents=True, exist_ok=True)
    subprocess.run([ZIG, "c++", "-target", zig, *flags, *sources, "-o", output], check=True)
    return command, output


@WHOLE
@pytest.mark.parametrize("name", EMULATED)
@pytest.mark.parametrize(("normalised", "linear"), [(True, False), (True, True), (False, False)])
def test_an_emulated_system_draws_as_the_reference_does(
    name: str, normalised: bool, linear: bool, tmp_path: Path
) -> None:
    rng = np.random.default_rng(7)
    kernels, channels, height, width = 40, 3, 37, 53
    geometry = rng.uniform(0, 1, (kernels, 6)) * [height, width, 0.3, 0.2, 0.3, 1] + [0, 0, 0.05, -0.1, 0.05, -0.5]
    experts = rng.uniform(0, 1, (kernels, channels * (3 if linear else 1)))
    grad = rng.normal(size=(channels, height, width))
    inputs = [each.astype(np.float32) for each in (geometry, experts, grad)]
    exact = [torch.from_numpy(each.astype(np.float64)).requires_grad_() for each in inputs[:2]]
    image = reference.render(*exact, height, width, normalised=normalised, linear=linear)
    image.backward(torch.from_numpy(inputs[2].astype(np.float64)))
    expected = [image.detach().numpy(), *(each.grad.numpy() for each in exact)]

    command, executable = program(name)
    results = []
    for threads in (1, 3):
        numbers = np.array([kernels, channels, height, width, linear, normalised, threads], np.int32)
        (tmp_path / "job").write_bytes(b"".join(each.tobytes() for each in (numbers, *inputs)))
        arguments = [str(executable), "job", "result"]
        subprocess.run([*command, *arguments], cwd=tmp_path, check=True, env={**os.environ, "WINEDEBUG": "-all"})
        results.append((tmp_path / "result").read_bytes())
    assert results[0] == results[1]  # Bits do not depend on the number of threads.
    values, start = np.frombuffer(results[0], np.float32), 0
    for exact_values in expected:
        found = values[start : start + exact_values.size].reshape(exact_values.shape)
        start += exact_values.size
        np.testing.assert_allclose(found, exact_values, atol=2e-5 * np.abs(exact_values).max())
    assert start == values.size
