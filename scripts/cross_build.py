"""Compile the engine for other systems with zig: ``python scripts/cross_build.py TARGET... [--folder FOLDER]``.

It shows that the sources compile there, and makes files that can be inspected (tests/platforms) and run under an
emulator. Released wheels are built on the systems themselves (.github/workflows/wheels.yml).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import ziglang

ROOT = Path(__file__).parents[1]
ZIG = Path(ziglang.__file__).with_name("zig")
CPYTHON = "PyErr_SetString", "PyModule_Create2"
"""The functions of Python's stable ABI that csrc/module.c calls."""


@dataclass(frozen=True)
class Target:
    """A system to compile for: zig's name of it, and what the extension is called there."""

    zig: str
    extension: str = "_C.abi3.so"

    @property
    def windows(self) -> bool:
        """Whether it is Windows."""
        return "windows" in self.zig


TARGETS = {
    "windows-x86_64": Target("x86_64-windows-gnu", "_C.pyd"),
    "linux-x86_64": Target("x86_64-linux-gnu.2.28"),
    "linux-aarch64": Target("aarch64-linux-gnu.2.28"),
    "macos-x86_64": Target("x86_64-macos.13.0"),
    "macos-arm64": Target("aarch64-macos.13.0"),
}


def compile_with_zig(target: Target, language: str, *arguments: str | Path) -> None:
    """Run zig's C ("cc") or C++ ("c++") compiler for a target."""
    subprocess.run([ZIG, language, "-target", target.zig, *arguments], check=True)


def python_headers(target: Target, folder: Path) -> list[str]:
    """Put Python's headers for a target into a folder, on Windows with a stand-in of python3.dll to link against.

    Returns
    -------
    list of str
        Options for cmake.
    """
    include = folder / "include"
    shutil.copytree(sysconfig.get_path("include"), include, dirs_exist_ok=True)
    if not target.windows:
        return [f"-DPython_INCLUDE_DIR={include}"]
    shutil.copy(ROOT / "cmake" / "windows_pyconfig.h", include / "pyconfig.h")
    functions = "".join(f"__declspec(dllexport) void {name}(void) {{}}\n" for name in CPYTHON)
    source = folder / "python3.c"
    source.write_text(f"{functions}__declspec(dllexport) void* PyExc_ImportError = 0;\n", "utf-8")
    library = folder / "python3.lib"
    compile_with_zig(target, "cc", "-shared", source, "-o", folder / "python3.dll", f"-Wl,--out-implib,{library}")
    return [f"-DPython_INCLUDE_DIR={include}", f"-DPython_SABI_LIBRARY={library}"]


def build(name: str, folder: Path) -> Path:
    """Compile the extension for a target.

    Parameters
    ----------
    name : str
        A key of `TARGETS`.
    folder : Path
        Where to build; what is there already is used.

    Returns
    -------
    Path
        The extension.
    """
    target = TARGETS[name]
    folder.mkdir(parents=True, exist_ok=True)
    configure = ["cmake", "-G", "Ninja", "-S", str(ROOT), "-B", str(folder), "-DRSMOE_CUDA=OFF", f"-DZIG={ZIG}"]
    configure += [f"-DCMAKE_TOOLCHAIN_FILE={ROOT / 'cmake' / 'zig.cmake'}", f"-DZIG_TARGET={target.zig}"]
    subprocess.run([*configure, *python_headers(target, folder)], check=True)
    subprocess.run(["cmake", "--build", str(folder), "--target", "_C"], check=True)
    return folder / target.extension


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", nargs="+", choices=TARGETS)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "cross")
    options = parser.parse_args()
    for name in options.target:
        print(build(name, options.folder / name))
