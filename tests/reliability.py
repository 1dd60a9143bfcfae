"""Measure the table of docs/guide/reliability.md: ``python -m tests.reliability [--count N] [--seed N]``.

It runs the fuzzers, the fault injection and the engine under sanitizers, and writes what was tried and what became of
it between the marks of the page.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "guide" / "reliability.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
WORDS = {
    "test_a_kill_at_any_moment_loses_nothing_and_the_next_run_cleans_up": "kill -9 at a random moment",
    "test_signals_leave_nothing_behind": "Ctrl-C once and twice, SIGTERM, SIGHUP",
    "test_a_third_signal_ends_at_once_and_the_next_run_cleans_up": "a third Ctrl-C",
    "test_nohup_is_obeyed": "SIGHUP under nohup",
    "test_a_disk_that_fails_leaves_the_old_files": "limit of the file size (EFBIG), failing disk (EIO)",
    "test_a_full_disk_leaves_nothing_half": "full disk (ENOSPC)",
    "test_output_that_cannot_be_written_is_an_error": "standard output that is full",
    "test_a_disk_that_cannot_be_read_is_an_error": "disk that cannot be read (EIO)",
    "test_a_zarr_store_that_cannot_be_read_is_an_error": "Zarr store that cannot be read (EIO)",
    "test_a_folder_without_permission_is_an_error": "no permission to read or write",
    "test_an_input_that_shrinks_meanwhile_is_an_error": "input that shrinks while it is read",
    "test_jumps_of_the_clock_change_nothing": "jumps of the clock by a day",
    "test_two_processes_with_one_output_do_not_mix": "two processes with the same output",
}
"""What each test of tests/faults injects."""


def output(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def fuzzed(count: int, seed: int, folder: Path) -> dict[str, dict[str, int]]:
    """Outcomes of the fuzzers, by kind."""
    file = folder / "fuzz.json"
    subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--count", str(count), "--seed", str(seed), "--json", str(file)],
        cwd=ROOT, check=False,
    )  # fmt: skip
    found: dict[str, dict[str, int]] = json.loads(file.read_text())
    return found


def injected(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Faults of tests/faults: how many were injected, survived, and could not be tried here."""
    file = folder / "faults.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/faults", f"--junitxml={file}"]
    subprocess.run(command, cwd=ROOT, check=False)
    found: dict[str, tuple[int, int, int]] = {}
    for case in ElementTree.parse(file).iter("testcase"):
        name = case.get("name", "").partition("[")[0]
        number = next((int(each.get("value", 1)) for each in case.iter("property") if each.get("name") == "faults"), 1)
        failed, skipped = (case.find(what) is not None for what in ("failure", "skipped"))
        failed |= case.find("error") is not None
        tried, survived, left_out = found.get(name, (0, 0, 0))
        found[name] = (
            tried + number * (not skipped), survived + number * (not skipped and not failed), left_out + skipped
        )  # fmt: skip
    return found


def sanitized(seed: int) -> dict[str, Any]:
    """What the sanitizers found in the CPU engine; empty where there is no compiler for them."""
    driver = ROOT / "tests" / "helpers" / "sanitized.py"
    done = subprocess.run(
        [sys.executable, str(driver), "--seed", str(seed)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return json.loads(done.stdout) if done.returncode == 0 else {}


def processor() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def page(
    fuzz: dict[str, dict[str, int]], faults: dict[str, tuple[int, int, int]], engine: dict[str, Any], seed: int
) -> str:
    """The tables."""
    commit = output("git", "rev-parse", "--short", "HEAD")
    changed = " with changes" if output("git", "status", "--porcelain", "--untracked-files=no") else ""
    day = time.strftime("%Y-%m-%d", time.gmtime())
    lines = [
        f"Commit {commit}{changed}, {day}, {processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"seed {seed}.",
        "",
        "| input | tried | right | refused | wrong |",
        "|---|---:|---:|---:|---:|",
    ]
    names = {"rsmoe": "models (`.rsmoe`)", "command line": "command lines"}
    for kind, counts in fuzz.items():
        right, refused, wrong = (counts[key] for key in ("right", "refused", "wrong"))
        lines.append(f"| {names.get(kind, kind)} | {right + refused + wrong} | {right} | {refused} | {wrong} |")
    lines += ["", "| fault | injected | survived | not tried here |", "|---|---:|---:|---:|"]
    for name, (tried, survived, left_out) in faults.items():
        lines.append(f"| {WORDS.get(name, name)} | {tried} | {survived} | {left_out} |")
    lines += ["", "| CPU engine under sanitizers | |", "|---|---|"]
    if not engine:
        lines.append("| not run here | |")
    for key, value in engine.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) and key != "failures" else value
        lines.append(f"| {key.replace('_', ' ')} | {len(value) if key == 'failures' else text} |")
    return "\n".join(lines)


def main() -> int:
    """Measure, and write the page; the exit code is 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="inputs of each kind for the fuzzers")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fuzz, faults = fuzzed(given.count, given.seed, folder), injected(folder)
    engine = sanitized(given.seed)
    table = page(fuzz, faults, engine, given.seed)
    text = PAGE.read_text()
    PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{table}\n{END}", text, flags=re.DOTALL))
    print(table)
    wrong = sum(counts["wrong"] for counts in fuzz.values()) + len(engine.get("failures", ()))
    return 1 if wrong or any(tried != survived for tried, survived, _ in faults.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
