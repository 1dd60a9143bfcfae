"""The engines that tests run over: the CPU's, the CUDA source run on the CPU, and CUDA where there is one."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_rsmoe.engine import devices, operators

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "csrc"
EMULATOR = ROOT / "tests" / "cuda_on_host"
CPU_PROGRAM = ROOT / "tests" / "cpu_engine"
OBJECTS = ROOT / "build" / "on_host"
"""Object files of earlier tests and runs, by their content."""
UNITS = ("lists.cu", "tile.cu", "adam.cu", "mixture.cu")
BACKENDS = ("cpu", "cuda-on-host") + (() if devices.why_not_cuda() else ("cuda",))  # test_gpu.py says why not
MUTATED = {"fit_steps": (0, 1, 2)}
ON_HOST = {"fit_steps": (6,)}  # arguments that stay on the CPU
ALONE = ("segment", "smooth", "filter_patches", "simd_level")  # operators of the CPU alone
_current = "cpu"


def compiler() -> str:
    """The C++ compiler; without one the test is skipped."""
    for name in (os.environ.get("CXX"), "c++", "g++", "clang++"):
        if name and (found := shutil.which(name)):
            return found
    pytest.skip("no C++ compiler found (set CXX)")


def compile_on_host(output: Path, *flags: str, csrc: Path = SOURCES, program: Path | None = None) -> None:
    """Compile the CUDA engine for the CPU: as a library of operators, or together with a program."""
    common = ["-std=c++20", "-fPIC", "-fno-math-errno", "-Wall", "-Wextra", "-Wno-unknown-pragmas", "-DRSMOE_ON_HOST"]
    common += ["-I", str(EMULATOR), "-I", str(csrc), *flags]
    own = program.name if program else "cuda/operators.cpp"
    sources = as_one(output.with_suffix(".cpp"), [*(f"cuda/{unit}" for unit in UNITS), own, "cuda_on_host.cpp"])
    torch_library = ["-L", str(Path(torch.__file__).parent / "lib"), "-Wl,--no-as-needed", "-ltorch_cpu"]
    link = [] if program else ["-shared", "-Wl,--allow-shlib-undefined", *torch_library]
    run(compiler(), *flags, str(compiled(sources, csrc, common)), *link, "-o", str(output))


def as_one(path: Path, names: Iterable[str]) -> Path:
    """Write a source that includes others: the headers that these share are compiled once, which saves a third."""
    path.write_text("".join(f'#include "{name}"\n' for name in names), encoding="utf-8")
    return path


def compiled(source: Path, csrc: Path, flags: list[str]) -> Path:
    """The object file of a source; one whose text and headers are the same is compiled once, whatever its folder."""
    moving = [flag for flag in flags if flag != str(csrc)]
    parts = [compiler(), *moving, *(f"{path.name}\n{path.read_text()}" for path in sorted(included(source, flags)))]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
    found = OBJECTS / f"{source.stem}-{key}.o"
    if not found.exists():
        OBJECTS.mkdir(parents=True, exist_ok=True)
        fresh = OBJECTS / f"{found.stem}-{os.getpid()}.tmp"
        run(compiler(), *flags, "-x", "c++", "-c", str(source), "-o", str(fresh))
        fresh.replace(found)  # whole or not at all, as other processes may look for it
    return found


def included(source: Path, flags: list[str]) -> set[Path]:
    """A source and the files of this project that it includes, directly or not, as the compiler finds them."""
    folders = [Path(folder) for flag, folder in pairwise(flags) if flag == "-I"]
    found, waiting = set(), [source]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for name in re.findall(r'^#include "([^"]+)"', path.read_text(), re.MULTILINE):
            places = [folder / name for folder in (path.parent, *folders)]
            waiting += [place.resolve() for place in places if place.is_file()][:1]
    return found


def run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "warning" not in result.stderr, result.stderr


@cache
def load_on_host(folder: Path) -> ctypes.CDLL:
    """Build and register torch.ops.rsmoe_cuda_on_host."""
    library = folder / "librsmoe_cuda_on_host.so"
    compile_on_host(library, "-O2", "-fvisibility=hidden")
    loaded = ctypes.CDLL(str(library))
    register = loaded.rsmoe_register_cuda_operators
    register.restype = ctypes.c_char_p
    error = register()
    assert error is None, error
    operators.register("rsmoe_cuda_on_host")
    return loaded


class OnHost:
    """The operators of the CUDA source run on the CPU; those that have no CUDA version as they are."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.ops.rsmoe if name in ALONE else torch.ops.rsmoe_cuda_on_host, name)


class OnDevice:
    """The operators of CUDA for tensors of the CPU: copies there, and back again."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operator = getattr(torch.ops.rsmoe, name)
        if name in ALONE:
            return operator

        def call(*arguments: Any) -> Any:
            moved = on_device(name, arguments)
            results = operator(*moved)
            for position in MUTATED.get(name, ()):
                arguments[position].copy_(moved[position])
            return results.cpu() if isinstance(results, torch.Tensor) else tuple(r.cpu() for r in results)

        return call


def on_device(operator: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments of an operator with their tensors where the backend in use has them."""
    device, stay = "cuda" if in_use() == "cuda" else "cpu", ON_HOST.get(operator, ())
    return tuple(
        a.to(device) if isinstance(a, torch.Tensor) and number not in stay else a for number, a in enumerate(arguments)
    )


def in_use() -> str:
    """Name of the backend that the running test has."""
    return _current


@pytest.fixture(scope="module", params=BACKENDS, autouse=True)
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run every test of the module that imports this over all engines."""
    global _current
    name: str = request.param
    with pytest.MonkeyPatch.context() as patch:
        if name == "cuda-on-host":
            load_on_host(tmp_path_factory.getbasetemp())
            patch.setattr(operators, "ops", OnHost())
        elif name == "cuda":
            patch.setattr(operators, "ops", OnDevice())
        _current = name
        yield name
        _current = "cpu"
