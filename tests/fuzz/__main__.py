"""Fuzz every format and the command line, count the outcomes, and fail for anything but right and refused.

``python -m tests.fuzz [--count 500] [--seed 0] [--json FILE] [KIND ...]`` from the root of the repository.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
KINDS = {
    "npy": 1.0,
    "tiff": 1.0,
    "ome-tiff": 1.0,
    "png": 1.0,
    "jpeg": 1.0,
    "zarr": 0.5,
    "instruments": 1.0,
    "rsmoe": 1.0,
    "command line": 0.5,
}
"""What is fuzzed, and its share of the number of inputs: command lines run whole jobs and take longest."""
MOST_CRASHES = 5


@dataclass
class Found:
    """What became of the inputs of one kind."""

    kind: str
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def fuzz(kind: str, count: int, seed: int) -> Found:
    """Try inputs of one kind. A process that crashes or hangs is counted as wrong and begun again after that input."""
    found, skip = Found(kind), 0
    for _ in range(MOST_CRASHES):
        command = [sys.executable, "-m", "tests.fuzz.worker", kind, str(count), str(seed), str(skip)]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "QT_QPA_PLATFORM": "offscreen", "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        begun = None
        for line in done.stdout.splitlines():
            number, outcome, why = json.loads(line)
            if outcome == "begun":
                begun, skip = why, number
                continue
            begun = None
            found.counts[outcome] += 1
            if why:
                found.wrong.append(why)
        if done.returncode == 0:
            break
        found.counts["wrong"] += 1
        found.wrong.append(f"the process ended with {done.returncode}: {begun}\n{done.stderr[-3000:]}")
        if begun is None:
            break
    return found


def main() -> int:
    """Print the table of outcomes; the exit code is 1 if one is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="inputs of each kind; fewer for slow kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="also write the counts to this file")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}")
    given = parser.parse_args()
    kinds = given.kinds or list(KINDS)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        results = list(pool.map(lambda kind: fuzz(kind, max(1, int(KINDS[kind] * given.count)), given.seed), kinds))
    print(f"{'kind':14} {'tried':>7} {'right':>7} {'refused':>8} {'wrong':>6}")
    for found in results:
        tried = sum(found.counts.values())
        print(
            f"{found.kind:14} {tried:7} {found.counts['right']:7} {found.counts['refused']:8} {found.counts['wrong']:6}"
        )
    for found in results:
        for why in found.wrong[:5]:
            print(f"\n--- wrong, {found.kind}\n{why}")
    if given.json:
        table = {found.kind: {"right": 0, "refused": 0, "wrong": 0} | found.counts for found in results}
        given.json.write_text(json.dumps(table, indent=1))
    return 1 if any(found.wrong for found in results) else 0


if __name__ == "__main__":
    sys.exit(main())
