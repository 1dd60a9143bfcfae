"""The CPU engine under sanitizers: a program of random and hostile work, and a copy of the engine with planted faults.

``python tests/helpers/sanitized.py [--rounds N] [--seed N]`` runs everything and prints the counts as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from backends import CPU_PROGRAM, SOURCES, as_one, compiled, compiler, run

PLANTED = CPU_PROGRAM / "planted.h"
UNITS = ("operators", "lists", "mixture", "fit", "chain", "threads", "patches", "segment", "simd_dispatch", "smooth")
ON_X86 = platform.machine().lower() in ("x86_64", "amd64")
LEVELS = {
    "base": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"],
}
"""Options of the instruction sets, as in CMakeLists.txt."""
SANITIZERS = {
    "address,undefined": [
        "-fsanitize=float-cast-overflow", "-D_GLIBCXX_ASSERTIONS",
        # What these find, the address sanitizer finds too; without them it takes two thirds of the time to compile.
        "-fno-sanitize=null,vptr,object-size,pointer-overflow",
    ],
    "thread": [],
}  # fmt: skip
"""Sanitizers, and further options."""
ROUNDS = {"address,undefined": 150, "thread": 80}
"""Rounds of a run by default, some seconds each."""
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Fault:
    """A change of one source of the engine, and how the sanitizer that is to find it reports it."""

    number: int
    sanitizer: str
    source: str
    before: str
    after: str
    report: str


FAULTS = {
    "a list one too short": Fault(
        1, "address,undefined", "cpu/lists.cpp",
        "child.ids.resize(static_cast<size_t>(child.start.back()));",
        "child.ids.resize(static_cast<size_t>(child.start.back() - (PLANTED(1) && child.start.back() > 0)));",
        "heap-buffer-overflow",
    ),
    "a block's list without room for a vector": Fault(
        2, "address,undefined", "cpu/workspace_simd.h",
        "take_integers(kBlocks * (capacity + kLanes))",
        "take_integers(kBlocks * (capacity + (PLANTED(2) ? 0 : kLanes)))",
        "use-after-poison",
    ),
    "a tile not clamped to the image": Fault(
        3, "address,undefined", "cpu/tile_jobs.h",
        "std::min<int64_t>(kTile, m.height - y)",
        "std::min<int64_t>(kTile, PLANTED(3) ? kTile : m.height - y)",
        "heap-buffer-overflow",
    ),
    "counts of an empty tile left uninitialised": Fault(
        4, "address,undefined", "cpu/tile_simd.cpp",
        "memset(w.block_count, 0,",
        "if (!PLANTED(4)) memset(w.block_count, 0,",
        "signed integer overflow",
    ),
    "a tile whose kernels have all become NaN": Fault(
        5, "address,undefined", "cpu/tile_simd.cpp",
        "if (*w.active_count == 0)",
        "if (!PLANTED(5) && *w.active_count == 0)",
        "AddressSanitizer",
    ),
    "an aligned load of the caller's memory": Fault(
        6, "address,undefined", "cpu/workspace_simd.h",
        "return load_some(image, kLanes);",
        "return PLANTED(6) ? load(image) : load_some(image, kLanes);",
        "misaligned address",
    ),
    "an image without room for vectors behind it": Fault(
        7, "address,undefined", "cpu/patches.cpp",
        "const int64_t spare = kSearchRows * f.width + kSpare;",
        "const int64_t spare = PLANTED(7) ? 0 : kSearchRows * f.width + kSpare;",
        "use-after-poison",
    ),
    "neighbours beyond the image": Fault(
        8, "address,undefined", "cpu/segment.cpp",
        "if (y + 1 < height) {",
        "if (y + (PLANTED(8) ? 0 : 1) < height) {",
        "heap-buffer-overflow",
    ),
    "exponents not clamped": Fault(
        9, "address,undefined", "cpu/simd.h",
        "t = larger(t, splat(-126.0f));",
        "if (!PLANTED(9)) t = larger(t, splat(-126.0f));",
        "runtime error",
    ),
    "jobs offered without the lock": Fault(
        10, "thread", "cpu/team.h",
        "const std::lock_guard lock(mutex_);\n      jobs_.push_back(",
        "std::unique_lock lock(mutex_, std::defer_lock);\n      if (!PLANTED(10)) lock.lock();\n      jobs_.push_back(",
        "ThreadSanitizer: data race",
    ),
    "the end of a job not waited for": Fault(
        11, "thread", "cpu/team.h",
        "job.left.wait(lock, alone);",
        "if (!PLANTED(11)) job.left.wait(lock, alone);",
        "ThreadSanitizer",
    ),
    "squares of patches that overlap": Fault(
        12, "thread", "cpu/patches.cpp",
        "(2 * f.reach + kPatchSide + f.stride - 1) / f.stride",
        "((PLANTED(12) ? 0 : 2 * f.reach + kPatchSide) + f.stride - 1 + PLANTED(12)) / f.stride",
        "ThreadSanitizer: data race",
    ),
    "scratch memory of two threads in one": Fault(
        13, "thread", "cpu/mixture.cpp",
        "memory_[static_cast<size_t>(worker)]",
        "memory_[static_cast<size_t>(PLANTED(13) ? 0 : worker)]",
        "ThreadSanitizer: data race",
    ),
    "an argument of an operator not checked": Fault(
        14, "address,undefined", "arguments.h",
        'state.require_shape("state", batch',
        'if (!PLANTED(14)) state.require_shape("state", batch',
        "heap-buffer-overflow",
    ),
    "an image of a filter not checked": Fault(
        15, "address,undefined", "cpu/operators.cpp",
        'pilot.require_shape("pilot",',
        'if (!PLANTED(15)) pilot.require_shape("pilot",',
        "heap-buffer-overflow",
    ),
    "a raster of any size": Fault(
        16, "address,undefined", "arguments.h",
        'torch_abi::check(height <= kMostSide',
        'if (!PLANTED(16)) torch_abi::check(height <= kMostSide',
        "runtime error",
    ),
    "memory of a stage used again while a worker reads it": Fault(
        17, "thread", "cpu/chain.cpp",
        "worker.in.load() == &stage;",
        "worker.in.load() == &stage && !PLANTED(17);",
        "ThreadSanitizer: data race",
    ),
}  # fmt: skip


def at_once(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Results of some work, on all processors."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(work, items))


@cache
def missing(sanitizer: str) -> str:
    """Why a sanitizer cannot be used here; empty if it can."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "source.cpp"), Path(folder, "program")
        source.write_text("int main() {}\n", encoding="utf-8")
        command = [compiler(), f"-fsanitize={sanitizer}", str(source), "-o", str(program)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return f"the compiler has no -fsanitize={sanitizer}"
        return "" if execute(program, "base")[0] == 0 else f"programs with -fsanitize={sanitizer} do not run here"


def built_for(sanitizer: str) -> list[str]:
    """The instruction sets for which the program is compiled; one shows races, as all share their work alike."""
    return list(LEVELS) if ON_X86 and sanitizer != "thread" else ["base"]


@cache
def supported(sanitizer: str) -> list[str]:
    """The instruction sets for which the program is compiled and which this processor has."""
    if built_for(sanitizer) == ["base"]:
        return ["base"]
    code = "#include <stdio.h>\nint main() { __builtin_cpu_init(); printf({}); }}\n"
    tests = '"%d %d", !!__builtin_cpu_supports("avx2"), !!__builtin_cpu_supports("avx512vl")'
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "source.cpp"), Path(folder, "program")
        source.write_text(code.replace("{}", tests).replace("}}", "}"), encoding="utf-8")
        run(compiler(), str(source), "-o", str(program))
        printed = subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout.split()
    return ["base", *(level for level, has in zip(("avx2", "avx512"), printed, strict=True) if has == "1")]


@cache
def build(folder: Path, sanitizer: str) -> Path:
    """Compile the program with a sanitizer, with all faults, each of which waits."""
    csrc, levels = folder / "csrc", built_for(sanitizer)
    plant(csrc, FAULTS.values())
    flags = ["-std=c++20", "-g1", "-O1", "-fno-math-errno", "-fno-trapping-math", "-w"]
    flags += [f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", *SANITIZERS[sanitizer]]
    flags += ["-include", str(PLANTED), "-I", str(csrc), *(["-DRSMOE_X86=1"] if len(levels) > 1 else [])]
    slow = [
        (csrc / "cpu" / f"{unit}_simd.cpp", [f"-ffp-contract={fused}", f"-DRSMOE_ISA={level}", *LEVELS[level]])
        for level in levels
        for unit, fused in (("tile", "fast"), ("smooth", "off"))
    ]
    rest = as_one(folder / "engine.cpp", ["program.cpp", *(f"cpu/{unit}.cpp" for unit in UNITS)])
    sources = [(rest, ["-ffp-contract=off", "-I", str(CPU_PROGRAM)]), *slow]
    objects = at_once(lambda source: compiled(source[0], csrc, [*flags, *source[1]]), sources)
    program = folder / sanitizer.replace(",", "-")
    run(compiler(), *flags, "-pthread", *map(str, objects), "-o", str(program))
    return program


def plant(csrc: Path, faults: Iterable[Fault]) -> None:
    """Copy the sources with faults, each of which waits for its number."""
    shutil.copytree(SOURCES, csrc, dirs_exist_ok=True)
    for fault in faults:
        source = csrc / fault.source
        text = source.read_text()
        assert text.count(fault.before) == 1, f"{fault.source} has changed: plant {fault.before!r} anew"
        source.write_text(text.replace(fault.before, fault.after))


def execute(program: Path, level: str, *arguments: object, fault: int = 0) -> tuple[int, str]:
    """Run a program at an instruction set; how it ended, and what it printed."""
    environment = {**os.environ, "RSMOE_SIMD": level, "RSMOE_PLANTED": str(fault)}
    environment |= {"ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
    environment |= {"TSAN_OPTIONS": "halt_on_error=1:exitcode=66"}
    fixed = [tool, "-R"] if (tool := shutil.which("setarch")) else []  # some sanitizers fail with random addresses
    command = [*fixed, str(program), *map(str, arguments)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    return result.returncode, f"{result.stdout}\n{result.stderr}"


def found(program: Path, fault: Fault) -> str:
    """Empty if a planted fault is found as it should be, else what happened instead.

    The memory that a fault spoils may be that of the sanitizer: a program that a signal ends without a report, with a
    negative exit code, has found the fault as well.
    """
    code, report = execute(program, "base", 60, 5, fault=fault.number)
    return "" if code < 0 or (code and fault.report in report) else f"exit {code}\n{report[-3000:]}"


def survey(rounds: dict[str, int] | None = None, seed: int = 1) -> dict[str, Any]:
    """Run everything: what was tried, what was found.

    Returns
    -------
    dict
        ``sanitizers`` and ``instruction_sets``, lists of names; ``runs``, how many programs ended without a finding;
        ``failures``, the reports of the others; ``rounds``, ``models``, ``hostile_models``, ``drawings``,
        ``gradients``, ``fits``, ``lists``, ``patch_filters``, ``segmentations``, in all runs together;
        ``faults_planted`` and ``faults_found``.
    """
    rounds = rounds or ROUNDS
    usable = [sanitizer for sanitizer in SANITIZERS if not missing(sanitizer)]
    levels = [level for level in LEVELS if any(level in supported(sanitizer) for sanitizer in usable)]
    result: dict[str, Any] = {"sanitizers": usable, "instruction_sets": levels, "runs": 0, "failures": []}
    result |= {"faults_planted": 0, "faults_found": 0}
    with tempfile.TemporaryDirectory() as name:
        for sanitizer in usable:
            program = build(Path(name), sanitizer)
            runs = at_once(lambda level: execute(program, level, rounds[sanitizer], seed), supported(sanitizer))  # noqa: B023
            for code, printed in runs:
                if code:
                    result["failures"].append(printed)
                    continue
                result["runs"] += 1
                for key, count in json.loads(printed.strip().splitlines()[-1]).items():
                    if key != "simd":
                        result[key] = result.get(key, 0) + count
            faults = [fault for fault in FAULTS.values() if fault.sanitizer == sanitizer]
            result["faults_planted"] += len(faults)
            result["faults_found"] += sum(not found(program, fault) for fault in faults)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, help="of each run")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    wanted = dict.fromkeys(SANITIZERS, options.rounds) if options.rounds else None
    print(json.dumps(survey(wanted, options.seed), indent=1))
