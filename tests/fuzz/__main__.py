"""Fuzz every format and the command line, count the outcomes, and fail for anything but right and refused.

``python -m tests.fuzz [--count 500] [--seed 0] [--json FILE] [KIND ...]`` from the root of the repository.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from forked import start

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
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        for _ in range(MOST_CRASHES):
            child = start("tests.fuzz.worker", "main", kind, count, seed, skip, str(output), str(errors))
            child.join()
            begun = None
            for line in output.read_text("utf-8").splitlines():
                number, outcome, why = json.loads(line)
                if outcome == "begun":
                    begun, skip = why, number
                    continue
                begun = None
                found.counts[outcome] += 1
                if why:
                    found.wrong.append(why)
            if child.exitcode == 0:
                break
            found.counts["wrong"] += 1
            found.wrong.append(f"the process ended with {child.exitcode}: {begun}\n{errors.read_text('utf-8')[-3000:]}")
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
